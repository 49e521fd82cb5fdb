// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection for the commands of /dev/iommu, for open, bind, attach and
 * detach, and for the use of an iommufd as a VFIO container: fail the first
 * allocation or user copy of a call, then the second one, and so on.
 *
 * If the call fails, the errno must be ENOMEM or EFAULT, and the call must be
 * rolled back completely. Repeating it must succeed, and once the repeated call
 * is undone, no page may be pinned or charged and no additional address space
 * may exist.
 *
 * A fault point is an allocation with neither __GFP_HIGHMEM nor __GFP_NOFAIL,
 * or a user copy other than get_user(), put_user() and clear_user(), anywhere
 * below the system call. The kernel recovers from a failure at some of these
 * points, and the call then succeeds. The number of points varies from call to
 * call because the slab and page caches fill and drain.
 *
 * Needs two edu devices with groups of their own, debugfs, CONFIG_FAILSLAB,
 * CONFIG_FAIL_PAGE_ALLOC and CONFIG_FAULT_INJECTION_USERCOPY.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "legacy.h"
#include "testbed.h"
#include "text.h"
#include "user.h"

#define MAX_POINTS	100
#define SRC_IOVA	0x20000000ull
/* Pages to map; env_open() populates them so that they are not contiguous. */
#define NR_PAGES	64
#define DEBUGFS		"/sys/kernel/debug/"

NEEDS_EDU(2)

/**
 * struct env - objects that the tested calls operate on
 * @bed: testbed, in the mode that charges pinned pages to this process
 * @second: second bound device, attached by the tests that fill two page tables
 * @src_ioas: another IOAS: source of the copy test, old IOAS of the move test
 * @memory: NR_PAGES pages to map
 * @iova: IOVA that IOMMU_IOAS_MAP chose
 * @id: ID of the object that a call created or is to destroy
 * @fd: file that a call opened, or the device that a call is to bind, or the
 *      group that a call uses
 * @device_fd: file of a device, from VFIO_GROUP_GET_DEVICE_FD
 */
struct env {
	struct testbed bed;
	struct device second;
	__u32 src_ioas;
	char *memory;
	__u64 iova;
	__u32 id;
	int fd;
	int device_fd;
};

static int attach(struct device *device, __u32 pt_id)
{
	return vfio_attach(device->fd, &pt_id);
}

static int destroy_object(struct env *env)
{
	return iommu_destroy(env->bed.iommufd, env->id);
}

static int close_fd(struct env *env)
{
	return close(env->fd) ? -errno : 0;
}

static int call_open(struct env *env)
{
	env->fd = iommu_open();
	return env->fd < 0 ? env->fd : 0;
}

static int call_ioas_alloc(struct env *env)
{
	return ioas_alloc(env->bed.iommufd, &env->id);
}

static int call_ioasid_alloc(struct env *env)
{
	struct iommu_ioasid_alloc alloc = { .size = sizeof(alloc) };
	int err = iommu_call(env->bed.iommufd, IOMMU_IOASID_ALLOC, &alloc);

	env->id = alloc.out_ioasid;
	return err;
}

static int call_allow(struct env *env)
{
	const struct iommu_iova_range ranges[] = {
		{ TESTBED_IOVA, 2 * TESTBED_IOVA - 1 },
		{ PAGE, 2 * PAGE - 1 },
		{ 4 * TESTBED_IOVA, 5 * TESTBED_IOVA - 1 },
	};

	return ioas_allow(env->bed.iommufd, env->bed.ioas, ranges, 3);
}

static int clear_allowed(struct env *env)
{
	return ioas_allow(env->bed.iommufd, env->bed.ioas, NULL, 0);
}

static int call_ranges(struct env *env)
{
	static struct iommu_iova_range ranges[8];
	__u64 alignment;
	__u32 nr = 8;

	return ioas_ranges(env->bed.iommufd, env->bed.ioas, ranges, &nr,
			   &alignment);
}

static int attach_first(struct env *env)
{
	return attach(&env->bed.device, env->bed.ioas);
}

/* Attach both devices to the IOAS, each with its own page table. */
static int attach_both(struct env *env)
{
	int err;

	err = hwpt_alloc(env->bed.iommufd, env->second.id, env->bed.ioas,
			 &env->id);
	if (!err)
		err = attach(&env->second, env->id);
	return err ? err : attach_first(env);
}

static int detach_first(struct env *env)
{
	return vfio_detach(env->bed.device.fd);
}

static int detach_both(struct env *env)
{
	int err = vfio_detach(env->second.fd);

	if (!err)
		err = destroy_object(env);
	return err ? err : detach_first(env);
}

static int call_map(struct env *env)
{
	return ioas_map(env->bed.iommufd, env->bed.ioas, env->memory,
			NR_PAGES * PAGE, TESTBED_IOVA, IOAS_READ_WRITE);
}

static int unmap(struct env *env)
{
	long long bytes = ioas_unmap_all(env->bed.iommufd, env->bed.ioas);

	return bytes == (long long)(NR_PAGES * PAGE) ? 0 : -EPROTO;
}

static int unmap_and_detach(struct env *env)
{
	int err = unmap(env);

	return err ? err : detach_first(env);
}

static int unmap_and_detach_both(struct env *env)
{
	int err = unmap(env);

	return err ? err : detach_both(env);
}

/* Replace the memory with unpopulated memory, and attach the first device. */
static int attach_with_unpopulated(struct env *env)
{
	char *unpopulated = mmap(env->memory, NR_PAGES * PAGE,
				 PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				 -1, 0);

	return unpopulated == MAP_FAILED ? -errno : attach_first(env);
}

static int call_map_anywhere(struct env *env)
{
	return ioas_map_anywhere(env->bed.iommufd, env->bed.ioas, env->memory,
				 NR_PAGES * PAGE, IOAS_READ_WRITE, &env->iova);
}

/*
 * Map the memory in another IOAS as the source of a copy, and attach the first
 * device.
 */
static int attach_and_map_src(struct env *env)
{
	int err;

	err = ioas_map(env->bed.iommufd, env->src_ioas, env->memory,
		       NR_PAGES * PAGE, SRC_IOVA, IOAS_READ_WRITE);
	return err ? err : attach_first(env);
}

static int call_copy(struct env *env)
{
	return ioas_copy(env->bed.iommufd, env->src_ioas, SRC_IOVA,
			 env->bed.ioas, TESTBED_IOVA, NR_PAGES * PAGE,
			 IOAS_READ_WRITE);
}

static int unmap_all_and_detach(struct env *env)
{
	if (ioas_unmap_all(env->bed.iommufd, env->src_ioas) !=
	    (long long)(NR_PAGES * PAGE))
		return -EPROTO;
	return unmap_and_detach(env);
}

static int attach_and_map(struct env *env)
{
	int err = attach_first(env);

	return err ? err : call_map(env);
}

static int call_unmap(struct env *env)
{
	__u64 length = NR_PAGES * PAGE;

	return ioas_unmap(env->bed.iommufd, env->bed.ioas, TESTBED_IOVA,
			  &length);
}

static int call_option_set(struct env *env)
{
	return option_set(env->bed.iommufd, IOMMU_OPTION_HUGE_PAGES,
			  env->bed.ioas, 0);
}

static int call_option_get(struct env *env)
{
	__u64 value = 0;

	return option_get(env->bed.iommufd, IOMMU_OPTION_RLIMIT_MODE, 0,
			  &value);
}

static int enable_huge_pages(struct env *env)
{
	return option_set(env->bed.iommufd, IOMMU_OPTION_HUGE_PAGES,
			  env->bed.ioas, 1);
}

static int call_hwpt_alloc(struct env *env)
{
	return hwpt_alloc(env->bed.iommufd, env->bed.device.id, env->bed.ioas,
			  &env->id);
}

static int call_hw_info(struct env *env)
{
	static struct iommu_hw_info_vtd vtd;
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = env->bed.device.id,
		.data_len = sizeof(vtd),
		.data_uptr = (uintptr_t)&vtd,
	};

	return iommu_call(env->bed.iommufd, IOMMU_GET_HW_INFO, &info);
}

static int call_device_info(struct env *env)
{
	struct iommu_device_get_info info;

	return iommu_device_info(env->bed.iommufd, env->bed.device.id, &info);
}

static int call_set_cookie(struct env *env)
{
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = env->bed.device.id,
	};

	return iommu_call(env->bed.iommufd, IOMMU_DEVICE_SET_COOKIE, &cookie);
}

static int call_check_extension(struct env *env)
{
	struct iommu_check_extension check = { .size = sizeof(check) };

	return iommu_call(env->bed.iommufd, IOMMU_CHECK_EXTENSION, &check);
}

static int vfio_ioas(struct env *env, __u16 op, __u32 *ioas)
{
	struct iommu_vfio_ioas arg = {
		.size = sizeof(arg),
		.ioas_id = *ioas,
		.op = op,
	};
	int err = iommu_call(env->bed.iommufd, IOMMU_VFIO_IOAS, &arg);

	*ioas = arg.ioas_id;
	return err;
}

/* A call that succeeds must return the ID. */
static int call_vfio_ioas_get(struct env *env)
{
	__u32 ioas = 0;
	int err = vfio_ioas(env, IOMMU_VFIO_IOAS_GET, &ioas);

	return !err && ioas != env->bed.ioas ? -EPROTO : err;
}

/* A call that fails must not set the container IOAS. */
static int call_vfio_ioas_set(struct env *env)
{
	__u32 ioas = env->bed.ioas;
	int err = vfio_ioas(env, IOMMU_VFIO_IOAS_SET, &ioas);

	return err && call_vfio_ioas_get(env) != -ENODEV ? -EPROTO : err;
}

/* A call that fails must not clear the container IOAS. */
static int call_vfio_ioas_clear(struct env *env)
{
	__u32 ioas = 0;
	int err = vfio_ioas(env, IOMMU_VFIO_IOAS_CLEAR, &ioas);

	return err && call_vfio_ioas_get(env) ? -EPROTO : err;
}

static int map_before_attach(struct env *env)
{
	return call_map(env);
}

static int detach_and_unmap(struct env *env)
{
	int err = detach_first(env);

	return err ? err : unmap(env);
}

/*
 * Map the memory in two IOASes, and attach the first device to the IOAS that
 * the tested move starts from.
 */
static int map_and_attach_elsewhere(struct env *env)
{
	int err;

	err = ioas_map(env->bed.iommufd, env->src_ioas, env->memory,
		       NR_PAGES * PAGE, SRC_IOVA, IOAS_READ_WRITE);
	if (!err)
		err = call_map(env);
	return err ? err : attach(&env->bed.device, env->src_ioas);
}

/*
 * A failed move leaves the device attached, so that it reserves IOVAs in the
 * old IOAS, but not in the new one.
 */
static int call_move(struct env *env)
{
	int err = attach_first(env);
	__u64 length = PAGE;

	if (err != -ENOMEM)
		return err;
	if (ioas_map(env->bed.iommufd, env->src_ioas, env->memory, PAGE,
		     MSI_START, IOAS_READ) != -EINVAL ||
	    ioas_map(env->bed.iommufd, env->bed.ioas, env->memory, PAGE,
		     MSI_START, IOAS_READ) ||
	    ioas_unmap(env->bed.iommufd, env->bed.ioas, MSI_START, &length))
		return -EPROTO;
	return err;
}

static int unmap_both_and_detach(struct env *env)
{
	int err = detach_first(env);

	if (!err && ioas_unmap_all(env->bed.iommufd, env->src_ioas) !=
		    (long long)(NR_PAGES * PAGE))
		err = -EPROTO;
	return err ? err : unmap(env);
}

static int alloc_hwpt_and_map(struct env *env)
{
	int err = call_hwpt_alloc(env);

	return err ? err : call_map(env);
}

static int call_attach_hwpt(struct env *env)
{
	return attach(&env->bed.device, env->id);
}

/*
 * Attach the first device, allocate another page table in its IOAS, and map
 * memory, so that a move has to fill the new page table.
 */
static int attach_map_and_alloc_hwpt(struct env *env)
{
	int err = attach_first(env);

	return err ? err : alloc_hwpt_and_map(env);
}

/* If a move within an IOAS fails, the device still reserves IOVAs in it. */
static int call_move_in_ioas(struct env *env)
{
	int err = call_attach_hwpt(env);

	if (err == -ENOMEM &&
	    ioas_map(env->bed.iommufd, env->bed.ioas, env->memory, PAGE,
		     MSI_START, IOAS_READ) != -EINVAL)
		return -EPROTO;
	return err;
}

static int detach_unmap_and_destroy(struct env *env)
{
	int err = detach_and_unmap(env);

	return err ? err : destroy_object(env);
}

/*
 * Make the tested attach fill a page table with pages that are already pinned
 * for another device.
 */
static int attach_second_and_map(struct env *env)
{
	int err = attach(&env->second, env->bed.ioas);

	return err ? err : alloc_hwpt_and_map(env);
}

static int detach_both_unmap_and_destroy(struct env *env)
{
	int err = vfio_detach(env->second.fd);

	return err ? err : detach_unmap_and_destroy(env);
}

/*
 * Write to the sysfs attribute "enable" of a device. The write fails while a
 * driver is bound, so unbind vfio-pci before the write and bind it again after
 * the write.
 *
 * The test of VFIO_DEVICE_BIND_IOMMUFD enables the device in advance. During
 * the ioctl, pci_enable_device() then returns early, and does not evaluate the
 * ACPI methods for the interrupt routing, which do not handle allocation
 * failures.
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
	return err ? err : pci_bind_vfio(address);
}

static int open_second(struct env *env)
{
	env->fd = vfio_open(env->bed.machine.singleton[1].text);
	return env->fd < 0 ? env->fd : 0;
}

static int call_bind(struct env *env)
{
	return vfio_bind(env->fd, env->bed.iommufd, &env->id);
}

/* Close the second device, and open its group. */
static int open_group(struct env *env)
{
	const char *address = env->bed.machine.singleton[1].text;

	device_close(&env->second);
	env->fd = legacy_open_group(pci_group(address));
	return env->fd < 0 ? env->fd : 0;
}

static int call_set_container(struct env *env)
{
	return ioctl(env->fd, VFIO_GROUP_SET_CONTAINER, &env->bed.iommufd) ?
	       -errno : 0;
}

static int call_get_device(struct env *env)
{
	const char *address = env->bed.machine.singleton[1].text;

	env->device_fd = ioctl(env->fd, VFIO_GROUP_GET_DEVICE_FD, address);
	return env->device_fd < 0 ? -errno : 0;
}

static int map_in_container(struct env *env)
{
	struct legacy legacy = { .container = env->bed.iommufd };

	return legacy_map(&legacy, env->memory, NR_PAGES * PAGE, TESTBED_IOVA,
			  true);
}

static int open_group_and_map(struct env *env)
{
	int err = open_group(env);

	if (!err)
		err = call_set_container(env);
	return err ? err : map_in_container(env);
}

static int open_group_and_device(struct env *env)
{
	int err = open_group(env);

	if (!err)
		err = call_set_container(env);
	return err ? err : call_get_device(env);
}

/* Destroy the container IOAS, close the group, and reopen the second device. */
static int reopen_second(struct env *env)
{
	struct iommu_vfio_ioas arg = {
		.size = sizeof(arg),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	int err = iommu_call(env->bed.iommufd, IOMMU_VFIO_IOAS, &arg);

	if (!err)
		err = iommu_destroy(env->bed.iommufd, arg.ioas_id);
	if (!err)
		err = close_fd(env);
	return err ? err : device_open(&env->second,
				       env->bed.machine.singleton[1].text,
				       env->bed.iommufd);
}

static int close_device_and_reopen(struct env *env)
{
	close(env->device_fd);
	return reopen_second(env);
}

FIXTURE(failing)
{
	struct env env;
	long charged;
	int spaces;
	int fail_nth;
};

FIXTURE_VARIANT(failing)
{
	/* Runs before the call; may be NULL. */
	int (*prepare)(struct env *env);
	int (*call)(struct env *env);
	/* Runs after the call; may be NULL. */
	int (*undo)(struct env *env);
	/* The call does not fail if an allocation fails. */
	bool no_alloc;
	/* The call succeeds only with an Intel IOMMU. */
	bool needs_vtd;
};

FIXTURE_VARIANT_ADD(failing, open)
{
	.call = call_open,
	.undo = close_fd,
};

FIXTURE_VARIANT_ADD(failing, destroy)
{
	.prepare = call_ioas_alloc,
	.call = destroy_object,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, destroy_hwpt)
{
	.prepare = call_hwpt_alloc,
	.call = destroy_object,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, ioas_alloc)
{
	.call = call_ioas_alloc,
	.undo = destroy_object,
};

FIXTURE_VARIANT_ADD(failing, ioasid_alloc)
{
	.call = call_ioasid_alloc,
	.undo = destroy_object,
};

FIXTURE_VARIANT_ADD(failing, allow_iovas)
{
	.call = call_allow,
	.undo = clear_allowed,
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

FIXTURE_VARIANT_ADD(failing, map_unpopulated)
{
	.prepare = attach_with_unpopulated,
	.call = call_map,
	.undo = unmap_and_detach,
};

FIXTURE_VARIANT_ADD(failing, map_in_two_hwpts)
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
	.prepare = attach_and_map_src,
	.call = call_copy,
	.undo = unmap_all_and_detach,
};

FIXTURE_VARIANT_ADD(failing, unmap)
{
	.prepare = attach_and_map,
	.call = call_unmap,
	.undo = detach_first,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, option_set)
{
	.call = call_option_set,
	.undo = enable_huge_pages,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, option_get)
{
	.call = call_option_get,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, hwpt_alloc)
{
	.call = call_hwpt_alloc,
	.undo = destroy_object,
};

FIXTURE_VARIANT_ADD(failing, get_hw_info)
{
	.call = call_hw_info,
	.needs_vtd = true,
};

FIXTURE_VARIANT_ADD(failing, device_get_info)
{
	.call = call_device_info,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, device_set_cookie)
{
	.call = call_set_cookie,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, check_extension)
{
	.call = call_check_extension,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, vfio_ioas_get)
{
	.prepare = call_vfio_ioas_set,
	.call = call_vfio_ioas_get,
	.undo = call_vfio_ioas_clear,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, vfio_ioas_set)
{
	.call = call_vfio_ioas_set,
	.undo = call_vfio_ioas_clear,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, vfio_ioas_clear)
{
	.prepare = call_vfio_ioas_set,
	.call = call_vfio_ioas_clear,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, attach)
{
	.prepare = map_before_attach,
	.call = attach_first,
	.undo = detach_and_unmap,
};

FIXTURE_VARIANT_ADD(failing, attach_hwpt)
{
	.prepare = alloc_hwpt_and_map,
	.call = call_attach_hwpt,
	.undo = detach_unmap_and_destroy,
};

FIXTURE_VARIANT_ADD(failing, attach_second_hwpt)
{
	.prepare = attach_second_and_map,
	.call = call_attach_hwpt,
	.undo = detach_both_unmap_and_destroy,
};

FIXTURE_VARIANT_ADD(failing, move)
{
	.prepare = map_and_attach_elsewhere,
	.call = call_move,
	.undo = unmap_both_and_detach,
	.needs_vtd = true,
};

FIXTURE_VARIANT_ADD(failing, move_in_ioas)
{
	.prepare = attach_map_and_alloc_hwpt,
	.call = call_move_in_ioas,
	.undo = detach_unmap_and_destroy,
	.needs_vtd = true,
};

FIXTURE_VARIANT_ADD(failing, detach)
{
	.prepare = attach_and_map,
	.call = detach_first,
	.undo = unmap,
	.no_alloc = true,
};

FIXTURE_VARIANT_ADD(failing, bind)
{
	.prepare = open_second,
	.call = call_bind,
	.undo = close_fd,
};

FIXTURE_VARIANT_ADD(failing, set_container)
{
	.prepare = open_group,
	.call = call_set_container,
	.undo = reopen_second,
};

FIXTURE_VARIANT_ADD(failing, open_in_container)
{
	.prepare = open_group_and_map,
	.call = call_get_device,
	.undo = close_device_and_reopen,
};

FIXTURE_VARIANT_ADD(failing, map_in_container)
{
	.prepare = open_group_and_device,
	.call = map_in_container,
	.undo = close_device_and_reopen,
};

/*
 * Let allocations that may sleep and those of single pages fail as well, and do
 * not log the injected failures.
 */
static int setup_fault_injection(void)
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

/*
 * Count the address spaces in the system (see
 * Documentation/ABI/testing/debugfs-iopt).
 */
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

static void __attribute__((constructor)) require_fault_injection(void)
{
	if (setup_fault_injection() || count_spaces() < 0)
		ksft_exit_skip("needs fault injection and debugfs\n");
}

static int env_open(struct env *env)
{
	struct testbed *bed = &env->bed;
	unsigned int i;
	int err;

	env->second.fd = -1;
	err = testbed_open(bed);
	if (err)
		return err;
	device_close(&bed->device);
	close(bed->iommufd);
	bed->iommufd = iommu_open();
	if (bed->iommufd < 0)
		return bed->iommufd;
	err = option_set(bed->iommufd, IOMMU_OPTION_RLIMIT_MODE, 0, 1);
	if (!err)
		err = ioas_alloc(bed->iommufd, &bed->ioas);
	if (!err)
		err = ioas_alloc(bed->iommufd, &env->src_ioas);
	if (!err)
		err = device_open(&bed->device, bed->machine.singleton[0].text,
				  bed->iommufd);
	if (!err)
		err = device_open(&env->second, bed->machine.singleton[1].text,
				  bed->iommufd);
	if (err)
		return err;

	env->memory = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (env->memory == MAP_FAILED)
		return -errno;
	for (i = 0; i < NR_PAGES; i++)
		env->memory[(i * 37) % NR_PAGES * PAGE] = 1;
	return user_drop_ipc_lock();
}

FIXTURE_SETUP(failing)
{
	ASSERT_EQ(0, env_open(&self->env));
	if (variant->call == call_bind) {
		device_close(&self->env.second);
		ASSERT_EQ(0,
			  set_enabled(self->env.bed.machine.singleton[1].text,
				      "1"));
	}
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, self->fail_nth);
	self->charged = counters_of_self("VmLck");
	self->spaces = count_spaces();
}

FIXTURE_TEARDOWN(failing)
{
	device_close(&self->env.second);
	if (variant->call == call_bind)
		EXPECT_EQ(0,
			  set_enabled(self->env.bed.machine.singleton[1].text,
				      "0"));
	testbed_close(&self->env.bed);
	EXPECT_EQ(0, testbed_pinned(&self->env.bed));
}

static int arm(int fail_nth, unsigned int n)
{
	char number[16];
	int length = snprintf(number, sizeof(number), "%u", n);

	return pwrite(fail_nth, number, length, 0) == length ? 0 : -errno;
}

/* Disarm fault injection. Returns true if the call reached the fault point. */
static bool disarm(int fail_nth)
{
	char number[16] = { 0 };
	unsigned int tries;

	/*
	 * A fault that the call did not reach may hit the pread() or a pwrite()
	 * here, so try the pwrite() again.
	 */
	if (pread(fail_nth, number, sizeof(number) - 1, 0) > 0 &&
	    !strtoul(number, NULL, 10))
		return true;
	for (tries = 0; tries < 3; tries++)
		if (!arm(fail_nth, 0))
			break;
	return false;
}

TEST_F(failing, leaves_nothing_behind)
{
	unsigned int n, faults = 0, allocations = 0, recovered = 0;
	struct env *env = &self->env;
	bool reached = true;
	int result;

	if (variant->needs_vtd && !has_vtd())
		SKIP(return, "needs an Intel IOMMU");
	/*
	 * Round 0 runs without a fault, to warm up the caches of this process.
	 */
	for (n = 0; n <= MAX_POINTS && reached; n++) {
		if (variant->prepare)
			ASSERT_EQ(0, variant->prepare(env));
		ASSERT_EQ(0, arm(self->fail_nth, n));
		result = variant->call(env);
		reached = disarm(self->fail_nth);
		faults += result == -EFAULT;
		allocations += result == -ENOMEM;
		recovered += n && reached && !result;
		EXPECT_TRUE(!result || result == -EFAULT || result == -ENOMEM)
			TH_LOG("point %u: %d", n, result);
		/* A failed call must be undone, so that a retry succeeds. */
		if (result) {
			ASSERT_EQ(0, variant->call(env))
				TH_LOG("after point %u: %d", n, result);
		}
		if (variant->undo) {
			ASSERT_EQ(0, variant->undo(env))
				TH_LOG("after point %u: %d", n, result);
		}
		EXPECT_EQ(0, testbed_pinned(&env->bed))
		TH_LOG("after point %u: %d", n, result);
		EXPECT_EQ(self->charged, counters_of_self("VmLck"))
			TH_LOG("after point %u: %d", n, result);
		EXPECT_EQ(self->spaces, count_spaces())
			TH_LOG("after point %u: %d", n, result);
		ASSERT_TRUE(_metadata->passed);
	}
	printf("# fault points: %u, ENOMEM: %u, EFAULT: %u, recovered: %u\n",
	       n - 1 - !reached, allocations, faults, recovered);
	EXPECT_EQ(variant->no_alloc, !allocations);
	/* Each of the calls without allocations copies its arguments. */
	if (variant->no_alloc)
		EXPECT_LT(0u, faults);
}

TEST_HARNESS_MAIN
