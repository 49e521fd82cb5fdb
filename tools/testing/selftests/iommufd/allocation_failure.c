// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each call with its first, second, third... allocation failing.
 *
 * Vocabulary: a point is a place of a call where the kernel allocates memory or
 * copies from or to the caller; of what lies below the call every place counts,
 * so that at some of them a failure is overcome and the call succeeds. Caches
 * fill and empty, so the n-th is not the same place each time.
 *
 * Rule: a call that runs out of memory says ENOMEM, one that cannot copy EFAULT,
 * and everything is as it was before: the same call then succeeds, and when it
 * was undone nothing is pinned, charged or left.
 *
 * Needs CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and
 * CONFIG_FAULT_INJECTION_USERCOPY, and debugfs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/capability.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "rig.h"
#include "text.h"

#define POINTS		100
#define OTHER_IOVA	0x20000000ull
/* Touched in an order that keeps most of them from being neighbours. */
#define MANY		64
#define DEBUGFS		"/sys/kernel/debug/"

NEEDS_EDU

/**
 * struct scene - what the calls work with
 * @rig: its memory is charged to this process
 * @second: another device, bound, attached if the call is to fill two tables
 * @other: another IOAS
 * @memory: MANY pages
 * @iova: where a call put something
 * @id: what a call made or is to destroy
 * @fd: what a call opened or is to bind
 */
struct scene {
	struct rig rig;
	struct device second;
	__u32 other;
	char *memory;
	__u64 iova;
	__u32 id;
	int fd;
};

static int attach(struct device *device, __u32 pt_id)
{
	return vfio_attach(device->fd, &pt_id);
}

static int end_id(struct scene *scene)
{
	return iommu_end(scene->rig.iommufd, scene->id);
}

static int end_fd(struct scene *scene)
{
	return close(scene->fd) ? -errno : 0;
}

static int call_open(struct scene *scene)
{
	scene->fd = iommu_open();
	return scene->fd < 0 ? scene->fd : 0;
}

static int call_ioas_alloc(struct scene *scene)
{
	return ioas_alloc(scene->rig.iommufd, &scene->id);
}

static int call_ioasid_alloc(struct scene *scene)
{
	struct iommu_ioasid_alloc alloc = { .size = sizeof(alloc) };
	int err = iommu_call(scene->rig.iommufd, IOMMU_IOASID_ALLOC, &alloc);

	scene->id = alloc.out_ioasid;
	return err;
}

static int call_allow(struct scene *scene)
{
	static const struct iommu_iova_range ranges[] = {
		{ RIG_IOVA, 2 * RIG_IOVA - 1 }, { PAGE, 2 * PAGE - 1 },
		{ 4 * RIG_IOVA, 5 * RIG_IOVA - 1 },
	};

	return ioas_allow(scene->rig.iommufd, scene->rig.ioas, ranges, 3);
}

static int allow_nothing(struct scene *scene)
{
	return ioas_allow(scene->rig.iommufd, scene->rig.ioas, NULL, 0);
}

static int call_ranges(struct scene *scene)
{
	static struct iommu_iova_range ranges[8];
	__u64 alignment;
	__u32 nr = 8;

	return ioas_ranges(scene->rig.iommufd, scene->rig.ioas, ranges, &nr,
			   &alignment);
}

static int attach_first(struct scene *scene)
{
	return attach(&scene->rig.device, scene->rig.ioas);
}

/* Each device has a page table of its own. */
static int attach_both(struct scene *scene)
{
	int err;

	err = hwpt_alloc(scene->rig.iommufd, scene->second.id, scene->rig.ioas,
			 &scene->id);
	if (!err)
		err = attach(&scene->second, scene->id);
	return err ? err : attach_first(scene);
}

static int detach_first(struct scene *scene)
{
	return vfio_detach(scene->rig.device.fd);
}

static int detach_both(struct scene *scene)
{
	int err = vfio_detach(scene->second.fd);

	if (!err)
		err = end_id(scene);
	return err ? err : detach_first(scene);
}

static int call_map(struct scene *scene)
{
	return ioas_map(scene->rig.iommufd, scene->rig.ioas, scene->memory,
			MANY * PAGE, RIG_IOVA, IOAS_READ_WRITE);
}

static int unmap(struct scene *scene)
{
	long long bytes = ioas_unmap_all(scene->rig.iommufd, scene->rig.ioas);

	return bytes == (long long)(MANY * PAGE) ? 0 : -EPROTO;
}

static int unmap_and_detach(struct scene *scene)
{
	int err = unmap(scene);

	return err ? err : detach_first(scene);
}

static int unmap_and_detach_both(struct scene *scene)
{
	int err = unmap(scene);

	return err ? err : detach_both(scene);
}

/* Memory that no page is behind yet. */
static int attach_and_renew(struct scene *scene)
{
	char *fresh = mmap(scene->memory, MANY * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return fresh == MAP_FAILED ? -errno : attach_first(scene);
}

static int call_map_anywhere(struct scene *scene)
{
	return ioas_map_anywhere(scene->rig.iommufd, scene->rig.ioas,
				 scene->memory, MANY * PAGE, IOAS_READ_WRITE,
				 &scene->iova);
}

/* In the IOAS of no device; to be copied into the one of a device. */
static int attach_and_map_other(struct scene *scene)
{
	int err;

	err = ioas_map(scene->rig.iommufd, scene->other, scene->memory,
		       MANY * PAGE, OTHER_IOVA, IOAS_READ_WRITE);
	return err ? err : attach_first(scene);
}

static int call_copy(struct scene *scene)
{
	return ioas_copy(scene->rig.iommufd, scene->other, OTHER_IOVA,
			 scene->rig.ioas, RIG_IOVA, MANY * PAGE,
			 IOAS_READ_WRITE);
}

static int unmap_all_and_detach(struct scene *scene)
{
	if (ioas_unmap_all(scene->rig.iommufd, scene->other) !=
	    (long long)(MANY * PAGE))
		return -EPROTO;
	return unmap_and_detach(scene);
}

static int attach_and_map(struct scene *scene)
{
	int err = attach_first(scene);

	return err ? err : call_map(scene);
}

static int call_unmap(struct scene *scene)
{
	__u64 length = MANY * PAGE;

	return ioas_unmap(scene->rig.iommufd, scene->rig.ioas, RIG_IOVA,
			  &length);
}

static int call_option_set(struct scene *scene)
{
	return option_set(scene->rig.iommufd, IOMMU_OPTION_HUGE_PAGES,
			  scene->rig.ioas, 0);
}

static int call_option_get(struct scene *scene)
{
	__u64 value = 0;

	return option_get(scene->rig.iommufd, IOMMU_OPTION_RLIMIT_MODE, 0,
			  &value);
}

static int huge_pages_again(struct scene *scene)
{
	return option_set(scene->rig.iommufd, IOMMU_OPTION_HUGE_PAGES,
			  scene->rig.ioas, 1);
}

static int call_hwpt_alloc(struct scene *scene)
{
	return hwpt_alloc(scene->rig.iommufd, scene->rig.device.id,
			  scene->rig.ioas, &scene->id);
}

static int call_hw_info(struct scene *scene)
{
	static struct iommu_hw_info_vtd vtd;
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = scene->rig.device.id,
		.data_len = sizeof(vtd),
		.data_uptr = (uintptr_t)&vtd,
	};

	return iommu_call(scene->rig.iommufd, IOMMU_GET_HW_INFO, &info);
}

static int call_device_info(struct scene *scene)
{
	struct iommu_device_get_info info;

	return iommu_device_info(scene->rig.iommufd, scene->rig.device.id,
				 &info);
}

static int call_set_cookie(struct scene *scene)
{
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = scene->rig.device.id,
	};

	return iommu_call(scene->rig.iommufd, IOMMU_DEVICE_SET_COOKIE, &cookie);
}

static int call_check_extension(struct scene *scene)
{
	struct iommu_check_extension check = { .size = sizeof(check) };

	return iommu_call(scene->rig.iommufd, IOMMU_CHECK_EXTENSION, &check);
}

static int map_for_attach(struct scene *scene)
{
	return call_map(scene);
}

static int detach_and_unmap(struct scene *scene)
{
	int err = detach_first(scene);

	return err ? err : unmap(scene);
}

static int hwpt_and_map(struct scene *scene)
{
	int err = call_hwpt_alloc(scene);

	return err ? err : call_map(scene);
}

static int call_attach_hwpt(struct scene *scene)
{
	return attach(&scene->rig.device, scene->id);
}

static int detach_unmap_and_end(struct scene *scene)
{
	int err = detach_and_unmap(scene);

	return err ? err : end_id(scene);
}

/* The second page table of what another device has pinned already. */
static int attach_second_and_map(struct scene *scene)
{
	int err = attach(&scene->second, scene->rig.ioas);

	return err ? err : hwpt_and_map(scene);
}

static int leave_second_too(struct scene *scene)
{
	int err = vfio_detach(scene->second.fd);

	return err ? err : detach_unmap_and_end(scene);
}

/*
 * A device that is enabled anyway: then binding does not ask the firmware about
 * its interrupt, which copes badly with a lack of memory.
 */
static int set_enabled(const char *address, const char *enabled)
{
	char path[80];
	int err;

	err = text_write("/sys/bus/pci/drivers/vfio-pci/unbind", address);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", address);
	err = text_write(path, enabled);
	return err ? err : pci_give_to_vfio(address);
}

static int open_second(struct scene *scene)
{
	scene->fd = vfio_open(scene->rig.machine.lone[1].text);
	return scene->fd < 0 ? scene->fd : 0;
}

static int call_bind(struct scene *scene)
{
	return vfio_bind(scene->fd, scene->rig.iommufd, &scene->id);
}

FIXTURE(failing)
{
	struct scene scene;
	long charged;
	int spaces;
	int fail_nth;
};

FIXTURE_VARIANT(failing)
{
	/* Before the call and after it; may be NULL. */
	int (*prepare)(struct scene *scene);
	int (*call)(struct scene *scene);
	int (*undo)(struct scene *scene);
	/* It does not need memory. */
	bool never;
};

FIXTURE_VARIANT_ADD(failing, open)
{
	.call = call_open,
	.undo = end_fd,
};

FIXTURE_VARIANT_ADD(failing, destroy)
{
	.prepare = call_ioas_alloc,
	.call = end_id,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, destroy_hwpt)
{
	.prepare = call_hwpt_alloc,
	.call = end_id,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, ioas_alloc)
{
	.call = call_ioas_alloc,
	.undo = end_id,
};

FIXTURE_VARIANT_ADD(failing, ioasid_alloc)
{
	.call = call_ioasid_alloc,
	.undo = end_id,
};

FIXTURE_VARIANT_ADD(failing, allow_iovas)
{
	.call = call_allow,
	.undo = allow_nothing,
};

FIXTURE_VARIANT_ADD(failing, iova_ranges)
{
	.prepare = attach_first,
	.call = call_ranges,
	.undo = detach_first,
};

FIXTURE_VARIANT_ADD(failing, map_without_device)
{
	.call = call_map,
	.undo = unmap,
};

FIXTURE_VARIANT_ADD(failing, map)
{
	.prepare = attach_first,
	.call = call_map,
	.undo = unmap_and_detach,
};

FIXTURE_VARIANT_ADD(failing, map_fresh_memory)
{
	.prepare = attach_and_renew,
	.call = call_map,
	.undo = unmap_and_detach,
};

FIXTURE_VARIANT_ADD(failing, map_for_two_tables)
{
	.prepare = attach_both,
	.call = call_map,
	.undo = unmap_and_detach_both,
};

FIXTURE_VARIANT_ADD(failing, map_anywhere)
{
	.prepare = attach_first,
	.call = call_map_anywhere,
	.undo = unmap_and_detach,
};

FIXTURE_VARIANT_ADD(failing, copy)
{
	.prepare = attach_and_map_other,
	.call = call_copy,
	.undo = unmap_all_and_detach,
};

FIXTURE_VARIANT_ADD(failing, unmap)
{
	.prepare = attach_and_map,
	.call = call_unmap,
	.undo = detach_first,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, option_set)
{
	.call = call_option_set,
	.undo = huge_pages_again,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, option_get)
{
	.call = call_option_get,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, hwpt_alloc)
{
	.call = call_hwpt_alloc,
	.undo = end_id,
};

FIXTURE_VARIANT_ADD(failing, get_hw_info)
{
	.call = call_hw_info,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, device_get_info)
{
	.call = call_device_info,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, device_set_cookie)
{
	.call = call_set_cookie,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, check_extension)
{
	.call = call_check_extension,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, attach)
{
	.prepare = map_for_attach,
	.call = attach_first,
	.undo = detach_and_unmap,
};

FIXTURE_VARIANT_ADD(failing, attach_hwpt)
{
	.prepare = hwpt_and_map,
	.call = call_attach_hwpt,
	.undo = detach_unmap_and_end,
};

FIXTURE_VARIANT_ADD(failing, attach_second_table)
{
	.prepare = attach_second_and_map,
	.call = call_attach_hwpt,
	.undo = leave_second_too,
};

FIXTURE_VARIANT_ADD(failing, detach)
{
	.prepare = attach_and_map,
	.call = detach_first,
	.undo = unmap,
	.never = true,
};

FIXTURE_VARIANT_ADD(failing, bind)
{
	.prepare = open_second,
	.call = call_bind,
	.undo = end_fd,
};

/* Not even root is exempt from being charged without it. */
static int drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Every allocation of this process counts, and none that fails is reported. */
static int set_faults_up(void)
{
	int err = text_write(DEBUGFS "failslab/ignore-gfp-wait", "N");

	if (!err)
		err = text_write(DEBUGFS "failslab/verbose", "0");
	if (!err)
		err = text_write(DEBUGFS "fail_page_alloc/ignore-gfp-wait",
				 "N");
	if (!err)
		err = text_write(DEBUGFS "fail_page_alloc/min-order", "0");
	if (!err)
		err = text_write(DEBUGFS "fail_page_alloc/verbose", "0");
	if (!err)
		err = text_write(DEBUGFS "fail_usercopy/verbose", "0");
	return err;
}

/* How many address spaces there are in the system, see debugfs-iopt. */
static int count_spaces(void)
{
	struct dirent *entry;
	int spaces = 0;
	DIR *dir;

	dir = opendir(DEBUGFS "iopt");
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			spaces++;
	closedir(dir);
	return spaces;
}

static void __attribute__((constructor)) needs_faults(void)
{
	if (set_faults_up() || count_spaces() < 0)
		ksft_exit_skip("needs fault injection and debugfs\n");
}

static int scene_open(struct scene *scene)
{
	struct rig *rig = &scene->rig;
	unsigned int i;
	int err;

	scene->second.fd = -1;
	err = rig_open(rig);
	if (err)
		return err;
	if (rig->machine.nr_lone < 2)
		return -ENODEV;
	/* Once more, with what is pinned charged to this process. */
	device_close(&rig->device);
	close(rig->iommufd);
	rig->iommufd = iommu_open();
	if (rig->iommufd < 0)
		return rig->iommufd;
	err = option_set(rig->iommufd, IOMMU_OPTION_RLIMIT_MODE, 0, 1);
	if (!err)
		err = ioas_alloc(rig->iommufd, &rig->ioas);
	if (!err)
		err = ioas_alloc(rig->iommufd, &scene->other);
	if (!err)
		err = device_open(&rig->device, rig->machine.lone[0].text,
				  rig->iommufd);
	if (!err)
		err = device_open(&scene->second, rig->machine.lone[1].text,
				  rig->iommufd);
	if (err)
		return err;

	scene->memory = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (scene->memory == MAP_FAILED)
		return -errno;
	for (i = 0; i < MANY; i++)
		scene->memory[(i * 37) % MANY * PAGE] = 1;
	return drop_ipc_lock();
}

FIXTURE_SETUP(failing)
{
	ASSERT_EQ(0, scene_open(&self->scene));
	if (variant->call == call_bind) {
		device_close(&self->scene.second);
		ASSERT_EQ(0, set_enabled(self->scene.rig.machine.lone[1].text,
					 "1"));
	}
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, self->fail_nth);
	self->charged = counters_of_self("VmLck");
	self->spaces = count_spaces();
}

FIXTURE_TEARDOWN(failing)
{
	device_close(&self->scene.second);
	if (variant->call == call_bind)
		EXPECT_EQ(0, set_enabled(self->scene.rig.machine.lone[1].text,
					 "0"));
	rig_close(&self->scene.rig);
	EXPECT_EQ(0, rig_pinned(&self->scene.rig));
}

static int arm(int fail_nth, unsigned int n)
{
	char number[16];
	int length = snprintf(number, sizeof(number), "%u", n);

	return pwrite(fail_nth, number, length, 0) == length ? 0 : -errno;
}

/* Whether the call got as far as the point. */
static bool disarm(int fail_nth)
{
	char number[16] = { 0 };
	unsigned int tries;

	/* If not, these are calls that may fail instead. */
	if (pread(fail_nth, number, sizeof(number) - 1, 0) > 0 &&
	    !strtoul(number, NULL, 10))
		return true;
	for (tries = 0; tries < 3; tries++)
		if (!arm(fail_nth, 0))
			break;
	return false;
}

TEST_F(failing, at_each_point_leaves_nothing)
{
	unsigned int n, faults = 0, allocations = 0, overcome = 0;
	struct scene *scene = &self->scene;
	bool more = true;
	int result;

	/* Once in peace: then what it takes from this process is there. */
	for (n = 0; n <= POINTS && more; n++) {
		if (variant->prepare)
			ASSERT_EQ(0, variant->prepare(scene));
		ASSERT_EQ(0, arm(self->fail_nth, n));
		result = variant->call(scene);
		more = disarm(self->fail_nth);
		faults += result == -EFAULT;
		allocations += result == -ENOMEM;
		overcome += n && more && !result;
		EXPECT_TRUE(!result || result == -EFAULT || result == -ENOMEM)
			TH_LOG("point %u: %d", n, result);
		/* What failed did nothing: the same is possible now. */
		if (result) {
			ASSERT_EQ(0, variant->call(scene))
				TH_LOG("after point %u: %d", n, result);
		}
		if (variant->undo) {
			ASSERT_EQ(0, variant->undo(scene))
				TH_LOG("after point %u: %d", n, result);
		}
		EXPECT_EQ(0, rig_pinned(&scene->rig))
			TH_LOG("after point %u: %d", n, result);
		EXPECT_EQ(self->charged, counters_of_self("VmLck"))
			TH_LOG("after point %u: %d", n, result);
		EXPECT_EQ(self->spaces, count_spaces())
			TH_LOG("after point %u: %d", n, result);
		ASSERT_TRUE(_metadata->passed);
	}
	printf("# points: %u, ENOMEM at %u, EFAULT at %u, overcome at %u\n",
	       n - 1 - !more, allocations, faults, overcome);
	EXPECT_EQ(variant->never, !allocations);
}

TEST_HARNESS_MAIN
