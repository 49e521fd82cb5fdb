// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pin a mapping with a page that cannot be read, either by attaching the first
 * physical device or through a mediated device.
 *
 * As in stuck_page.c, a call may wait for the page only if it needs the page,
 * the mapping, or the device or group of the call that blocks on the page. A
 * waiting caller that is killed must exit within a second, and leave nothing
 * pinned.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>
#include <linux/vfio.h>

#include "../iommufd/calls.h"
#include "../kselftest_harness.h"
#include "call.h"
#include "front.h"
#include "mdev_testbed.h"
#include "record.h"
#include "stuck_file.h"

#define FILE_PAGES	8
#define FILE_LENGTH	(FILE_PAGES * PAGE)
#define STUCK		5u	/* Index of the stuck page in the file */
#define STUCK_IOVA TESTBED_IOVA
#define FREE_IOVA (TESTBED_IOVA + 128 * PAGE)
#define OTHERS		2
#define MAX_CALLS	2

NEEDS_EDU(2)
NEEDS_FUSE
NEEDS_MDEV_PIN
RECORDS_NO_ERRNO

/**
 * struct setup - objects that the calls use
 * @front: space that has @mediated, and maps the file at STUCK_IOVA
 * @mediated: mediated device
 * @mdev: file of @mediated
 * @file: file with the stuck page
 * @pages: memory mapping of @file
 * @memory: TESTBED_LENGTH bytes of other memory
 * @ioas: iommufd: another IOAS, with an IOMMU_IOAS_COPY of the part of the
 *        mapping before the stuck page
 * @device: iommufd: two devices, bound but not attached
 * @group: type1: the groups of two devices, not in the container
 * @address: address of the first of the two devices
 * @argument: argument of an ATTACH of @mdev
 * @other: type1: more mediated devices, which are not open
 * @other_group: type1: groups of @other, in the container; -1 if closed
 */
struct setup {
	struct front front;
	struct mediated mediated;
	int mdev;
	struct stuck_file file;
	char *pages;
	char *memory;
	__u32 ioas;
	struct device device[2];
	int group[2];
	const char *address;
	struct vfio_device_attach_iommufd_pt *argument;
	struct mediated other[OTHERS];
	int other_group[OTHERS];
};

FIXTURE(stuck)
{
	struct machine machine;
	struct setup setup;
	struct call call[MAX_CALLS];
	long pinned;
	long locked;
	long charged;
};

FIXTURE_VARIANT(stuck)
{
	bool type1;
};

FIXTURE_VARIANT_ADD(stuck, iommufd) { .type1 = false };
FIXTURE_VARIANT_ADD(stuck, type1) { .type1 = true };

static int copy(const struct setup *setup, __u32 dst_ioas, __u64 dst_iova,
		__u64 length)
{
	return ioas_copy(setup->front.iommufd, setup->front.ioas, STUCK_IOVA,
			 dst_ioas, dst_iova, length, IOAS_READ);
}

static int open_devices(struct setup *setup, const struct machine *machine)
{
	int err = 0, i;

	for (i = 0; i < 2 && !err; i++) {
		if (setup->front.type1) {
			int group = pci_group(machine->singleton[i].text);

			setup->group[i] = legacy_open_group(group);
			err = setup->group[i] < 0 ? setup->group[i] : 0;
		} else {
			err = device_open(&setup->device[i],
					  machine->singleton[i].text,
					  setup->front.iommufd);
		}
	}
	return err;
}

static int set_container(const struct setup *setup, int group)
{
	return ioctl(group, VFIO_GROUP_SET_CONTAINER,
		     &setup->front.legacy.container) ? -errno : 0;
}

static int open_other_groups(struct setup *setup)
{
	int err = 0, i;

	for (i = 0; i < OTHERS && !err; i++) {
		err = mediated_create(&setup->other[i], "mdev_pin", "notified");
		if (err)
			return err;
		setup->other_group[i] =
			legacy_open_mediated_group(setup->other[i].uuid);
		if (setup->other_group[i] < 0)
			return setup->other_group[i];
		err = set_container(setup, setup->other_group[i]);
	}
	return err;
}

static void close_other_groups(struct __test_metadata *_metadata,
			       struct setup *setup)
{
	int i;

	for (i = 0; i < OTHERS; i++) {
		if (setup->other_group[i] >= 0)
			close(setup->other_group[i]);
		EXPECT_EQ(0, mediated_remove(&setup->other[i]));
	}
}

FIXTURE_SETUP(stuck)
{
	struct setup *setup = &self->setup;
	struct front *front = &setup->front;

	setup->device[0].fd = -1;
	setup->device[1].fd = -1;
	setup->group[0] = -1;
	setup->group[1] = -1;
	ASSERT_EQ(0, stuck_file_open(&setup->file, FILE_PAGES, STUCK));
	setup->pages = stuck_file_map(&setup->file, false);
	ASSERT_NE(NULL, setup->pages);
	setup->memory = new_memory(TESTBED_LENGTH);
	ASSERT_NE(NULL, setup->memory);
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(2u, self->machine.nr_singletons);
	self->pinned = counters_pinned();
	self->locked = counters_of_self("VmLck");
	self->charged = counters_of_self("VmPin");
	ASSERT_EQ(0, mediated_create(&setup->mediated, "mdev_pin", "notified"));
	ASSERT_EQ(0, front_open_mediated(front, variant->type1,
					 &setup->mediated));
	setup->mdev = variant->type1 ? front->legacy.device : front->device.fd;
	front->spare = setup->memory;
	setup->address = self->machine.singleton[0].text;
	ASSERT_EQ(0, open_devices(setup, &self->machine));
	if (variant->type1)
		ASSERT_EQ(0, open_other_groups(setup));
	ASSERT_EQ(0, front_map(front, setup->pages, FILE_LENGTH, STUCK_IOVA,
			       true));
	if (variant->type1)
		return;
	ASSERT_EQ(0, ioas_alloc(front->iommufd, &setup->ioas));
	ASSERT_EQ(0, copy(setup, setup->ioas, STUCK_IOVA, STUCK * PAGE));
}

FIXTURE_TEARDOWN(stuck)
{
	struct setup *setup = &self->setup;
	unsigned int i;

	/* Fail the page fault of any call that still blocks. */
	stuck_file_close(&setup->file);
	for (i = 0; i < MAX_CALLS; i++)
		EXPECT_LE(0, call_kill(&self->call[i]));
	for (i = 0; i < 2; i++) {
		device_close(&setup->device[i]);
		if (setup->group[i] >= 0)
			close(setup->group[i]);
	}
	front_close(&setup->front);
	if (variant->type1)
		close_other_groups(_metadata, setup);
	EXPECT_EQ(0, mediated_remove(&setup->mediated));
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(self->locked, counters_of_self("VmLck"));
	EXPECT_EQ(self->charged, counters_of_self("VmPin"));
}

/*
 * Calls that wait, because they need the stuck page, the mapping, or the device
 * or group of the stuck call
 */

static long attach(struct setup *setup, unsigned int i)
{
	__u32 pt_id = setup->front.ioas;

	if (setup->front.type1)
		return set_container(setup, setup->group[i]);
	return vfio_attach(setup->device[i].fd, &pt_id);
}

static long attach_first(void *data)
{
	return attach(data, 0);
}

static long attach_second(void *data)
{
	return attach(data, 1);
}

static long pin_stuck(void *data)
{
	const struct setup *setup = data;

	return mediated_pin(setup->mdev, STUCK_IOVA, FILE_PAGES, PIN_BOTH);
}

static long pin_stuck_again(void *data)
{
	const struct setup *setup = data;
	const struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = STUCK_IOVA + STUCK * PAGE,
		.npage = 1,
		.prot = PIN_BOTH,
	};

	return mediated_run(setup->mdev, 1, &request);
}

static long read_stuck(void *data)
{
	const struct setup *setup = data;
	const struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_READ,
		.iova = STUCK_IOVA + STUCK * PAGE,
		.length = 8,
	};

	return mediated_run(setup->mdev, 2, &request);
}

static long unmap_stuck(void *data)
{
	const struct setup *setup = data;

	return front_unmap(&setup->front, STUCK_IOVA, FILE_LENGTH);
}

static long unmap_all(void *data)
{
	const struct setup *setup = data;

	return front_unmap_all(&setup->front);
}

static long detach_mediated(void *data)
{
	const struct setup *setup = data;

	return vfio_detach(setup->mdev);
}

static long unset_container(void *data)
{
	const struct setup *setup = data;

	return ioctl(setup->group[0], VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

static long get_status(void *data)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	const struct setup *setup = data;

	return ioctl(setup->group[0], VFIO_GROUP_GET_STATUS, &status) ?
	       -errno : (long)status.flags;
}

static long get_device_fd(void *data)
{
	const struct setup *setup = data;
	int fd = ioctl(setup->group[0], VFIO_GROUP_GET_DEVICE_FD,
		       setup->address);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Other calls, which must not wait */

static long set_iommu(void *data)
{
	const struct setup *setup = data;

	return ioctl(setup->front.legacy.container, VFIO_SET_IOMMU,
		     VFIO_TYPE1v2_IOMMU) ? -errno : 0;
}

static long unset_container_other(void *data)
{
	const struct setup *setup = data;

	return ioctl(setup->other_group[0], VFIO_GROUP_UNSET_CONTAINER) ?
	       -errno : 0;
}

static long close_other(void *data)
{
	struct setup *setup = data;
	int fd = setup->other_group[1];

	setup->other_group[1] = -1;
	return close(fd) ? -errno : 0;
}

static long set_container_other(void *data)
{
	const struct setup *setup = data;

	return set_container(setup, setup->other_group[0]);
}

/* Close the mediated device. close_group() closes its group. */
static long close_device(void *data)
{
	struct setup *setup = data;
	int fd = setup->front.legacy.device;

	setup->front.legacy.device = -1;
	return close(fd) ? -errno : 0;
}

static long close_group(void *data)
{
	struct setup *setup = data;
	int fd = setup->front.legacy.group;

	setup->front.legacy.group = -1;
	return close(fd) ? -errno : 0;
}

static long pin_and_unpin(void *data)
{
	const struct setup *setup = data;
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = STUCK_IOVA,
		.npage = STUCK,
		.prot = PIN_BOTH,
	};
	int rc = mediated_run(setup->mdev, 3, &request);

	if (rc != (int)STUCK)
		return rc;
	request.op = MDEV_PIN_OP_UNPIN;
	return mediated_run(setup->mdev, 3, &request);
}

/*
 * Copy the whole mapping to another space, and unmap the copy. Nothing is
 * pinned, because that space has no domain.
 */
static long copy_and_unmap(void *data)
{
	const struct setup *setup = data;
	__u64 length = FILE_LENGTH;
	int err = copy(setup, setup->ioas, FREE_IOVA, FILE_LENGTH);

	return err ? err : ioas_unmap(setup->front.iommufd, setup->ioas,
				      FREE_IOVA, &length);
}

/*
 * Attach the second device to the IOAS that maps only the pages before the
 * stuck one, and detach it.
 */
static long attach_and_detach_sharing(void *data)
{
	const struct setup *setup = data;
	__u32 pt_id = setup->ioas;
	int err = vfio_attach(setup->device[1].fd, &pt_id);

	return err ? err : vfio_detach(setup->device[1].fd);
}

static void other_calls_do_not_wait(struct __test_metadata *_metadata,
				    struct setup *setup)
{
	EXPECT_EQ(SPARE_LENGTH, call_timed(front_call_map, &setup->front));
	EXPECT_EQ(0, call_timed(front_call_query, &setup->front));
	EXPECT_EQ(0, call_timed(pin_and_unpin, setup));
	if (setup->front.type1) {
		EXPECT_EQ(1, call_timed(front_call_check_extension,
					&setup->front));
		EXPECT_EQ(-EINVAL, call_timed(set_iommu, setup));
		return;
	}
	EXPECT_EQ(0, call_timed(copy_and_unmap, setup));
	EXPECT_EQ(0, call_timed(attach_and_detach_sharing, setup));
}

static int start_blocked(struct call *call, call_fn work, struct setup *setup)
{
	int err = call_start(call, work, setup);

	if (!err)
		err = stuck_file_wait(&setup->file);
	return err ? err : call_sleeps(call);
}

static void kill_blocked(struct __test_metadata *_metadata, struct call *call)
{
	long took = call_kill(call);

	EXPECT_LE(0, took);
	EXPECT_GE(CALL_TIMEOUT, took);
}

static void kill_waiter(struct __test_metadata *_metadata, struct call *call,
			call_fn work, const char *name, struct setup *setup)
{
	long took;

	ASSERT_EQ(0, call_start(call, work, setup));
	EXPECT_EQ(0, call_sleeps(call)) {
		TH_LOG("%s", name);
	}
	/*
	 * The waiter delays none of these calls, except that unmap_all() delays
	 * the unmap in front_call_map().
	 */
	if (work != unmap_all)
		EXPECT_EQ(SPARE_LENGTH, call_timed(front_call_map,
						   &setup->front));
	EXPECT_EQ(0, call_timed(front_call_query, &setup->front));
	took = call_kill(call);
	EXPECT_LE(0, took) {
		TH_LOG("%s cannot be killed", name);
	}
	EXPECT_GE(CALL_TIMEOUT, took) {
		TH_LOG("%s", name);
	}
}

#define KILL_WAITER(work) \
	kill_waiter(_metadata, &self->call[1], work, #work, setup)

/*
 * Check that @pinned pages are pinned, and that the mapping still exists and
 * can be unmapped. Attaching the device must then succeed and pin nothing.
 */
static void expect_unchanged(struct __test_metadata *_metadata,
			     struct setup *setup, long pinned)
{
	EXPECT_EQ(pinned, counters_pinned());
	EXPECT_EQ((long)FILE_LENGTH, front_unmap(&setup->front, STUCK_IOVA,
						 FILE_LENGTH));
	EXPECT_EQ(0, attach(setup, 0));
	EXPECT_EQ(pinned, counters_pinned());
}

TEST_F(stuck, calls_during_attach)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, start_blocked(&self->call[0], attach_first, setup));
	other_calls_do_not_wait(_metadata, setup);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);
	expect_unchanged(_metadata, setup, self->pinned);
}

TEST_F(stuck, waiters_for_attach_are_killable)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, start_blocked(&self->call[0], attach_first, setup));
	KILL_WAITER(unmap_stuck);
	KILL_WAITER(unmap_all);
	KILL_WAITER(pin_stuck_again);
	KILL_WAITER(read_stuck);
	KILL_WAITER(attach_second);
	if (variant->type1) {
		KILL_WAITER(get_status);
		KILL_WAITER(get_device_fd);
		KILL_WAITER(attach_first);
		KILL_WAITER(unset_container);
	}
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);
	expect_unchanged(_metadata, setup, self->pinned);
}

TEST_F(stuck, calls_during_access)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, start_blocked(&self->call[0], pin_stuck, setup));
	other_calls_do_not_wait(_metadata, setup);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);
	expect_unchanged(_metadata, setup, self->pinned);
}

TEST_F(stuck, waiters_for_access_are_killable)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, start_blocked(&self->call[0], pin_stuck, setup));
	KILL_WAITER(pin_stuck_again);
	KILL_WAITER(read_stuck);
	KILL_WAITER(attach_first);
	KILL_WAITER(unmap_stuck);
	KILL_WAITER(unmap_all);
	if (!variant->type1)
		KILL_WAITER(detach_mediated);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);
	expect_unchanged(_metadata, setup, self->pinned);
}

static long attach_mediated(void *data)
{
	const struct setup *setup = data;

	return ioctl(setup->mdev, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
		     setup->argument) ? -errno : 0;
}

/* Make the next write to @page block. Return a userfaultfd, or -errno. */
static int write_protect(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)page, PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)page, PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg) ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &wp))
		return -errno;
	return fd;
}

/*
 * Before it attaches the device, ATTACH writes to its argument, to check that
 * the result can be stored there later. While this first write blocks, ATTACH
 * delays no other call on the device.
 */
TEST_F(stuck, calls_during_write_of_result)
{
	struct setup *setup = &self->setup;
	struct pollfd poller = { .events = POLLIN };

	if (variant->type1)
		SKIP(return, "type1 has no ATTACH ioctl");
	setup->argument = new_memory(PAGE);
	ASSERT_NE(NULL, setup->argument);
	*setup->argument = (struct vfio_device_attach_iommufd_pt){
		.argsz = sizeof(*setup->argument),
		.pt_id = setup->front.ioas,
	};
	poller.fd = write_protect(setup->argument);
	if (poller.fd < 0)
		SKIP(return, "userfaultfd cannot write-protect memory");
	ASSERT_EQ(0, call_start(&self->call[0], attach_mediated, setup));
	ASSERT_EQ(1, poll(&poller, 1, 10 * CALL_TIMEOUT));
	ASSERT_EQ(POLLIN, poller.revents);

	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	EXPECT_EQ(0, call_timed(pin_and_unpin, setup));
	EXPECT_EQ(0, call_timed(detach_mediated, setup));
	kill_blocked(_metadata, &self->call[0]);
	expect_unchanged(_metadata, setup, self->pinned);
	close(poller.fd);
}

/*
 * The device stays attached to the old IOAS while a move pins the memory of the
 * new IOAS, and also after that move is killed.
 */
TEST_F(stuck, calls_during_move)
{
	struct setup *setup = &self->setup;
	__u32 pt_id = setup->ioas;

	if (variant->type1 || !has_vtd())
		SKIP(return, "needs /dev/iommu and an Intel IOMMU");
	ASSERT_EQ(0, vfio_attach(setup->device[0].fd, &pt_id));
	ASSERT_EQ(self->pinned + STUCK, counters_pinned());
	ASSERT_EQ(0, start_blocked(&self->call[0], attach_first, setup));
	EXPECT_EQ(SPARE_LENGTH, call_timed(front_call_map, &setup->front));
	EXPECT_EQ(0, call_timed(front_call_query, &setup->front));
	EXPECT_EQ(0, call_timed(pin_and_unpin, setup));
	EXPECT_EQ(0, call_timed(attach_and_detach_sharing, setup));
	KILL_WAITER(unmap_stuck);
	KILL_WAITER(pin_stuck_again);
	KILL_WAITER(attach_second);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);

	EXPECT_EQ(self->pinned + STUCK, counters_pinned());
	EXPECT_EQ(-EBUSY, iommu_destroy(setup->front.iommufd, setup->ioas));
	EXPECT_EQ(0, vfio_detach(setup->device[0].fd));
	expect_unchanged(_metadata, setup, self->pinned);
}

/* Let the group of the first device use the IOAS of the iommufd. */
static int use_iommufd_as_container(struct setup *setup,
				    const struct machine *machine)
{
	struct iommu_vfio_ioas arg = {
		.size = sizeof(arg),
		.ioas_id = setup->front.ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};
	int err = iommu_call(setup->front.iommufd, IOMMU_VFIO_IOAS, &arg);

	if (err)
		return err;
	device_close(&setup->device[0]);
	setup->group[0] =
		legacy_open_group(pci_group(machine->singleton[0].text));
	if (setup->group[0] < 0)
		return setup->group[0];
	return ioctl(setup->group[0], VFIO_GROUP_SET_CONTAINER,
		     &setup->front.iommufd) ? -errno : 0;
}

/*
 * If the container of a group is an iommufd, opening a device through the group
 * attaches the device. Meanwhile, a second open of the device waits, and can be
 * killed.
 */
TEST_F(stuck, calls_during_open_in_group)
{
	struct setup *setup = &self->setup;

	if (variant->type1)
		SKIP(return, "a container attaches the group, not the device");
	ASSERT_EQ(0, use_iommufd_as_container(setup, &self->machine));
	ASSERT_EQ(0, start_blocked(&self->call[0], get_device_fd, setup));
	other_calls_do_not_wait(_metadata, setup);
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
		  call_timed(get_status, setup));
	EXPECT_EQ(-EBUSY, call_timed(unset_container, setup));
	KILL_WAITER(get_device_fd);
	KILL_WAITER(attach_second);
	KILL_WAITER(unmap_stuck);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);

	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ((long)FILE_LENGTH, front_unmap(&setup->front, STUCK_IOVA,
						 FILE_LENGTH));
	EXPECT_EQ(0, call_timed(get_device_fd, setup));
	EXPECT_EQ(0, call_timed(unset_container, setup));
}

/*
 * Mediated groups can enter and leave a container while a physical group is
 * being attached.
 */
TEST_F(stuck, other_groups_during_attach)
{
	struct setup *setup = &self->setup;

	if (!variant->type1)
		SKIP(return, "only type1 has groups");
	ASSERT_EQ(0, start_blocked(&self->call[0], attach_first, setup));
	EXPECT_EQ(0, call_timed(unset_container_other, setup));
	EXPECT_EQ(0, call_timed(close_other, setup));
	EXPECT_EQ(-EINVAL, call_timed(unset_container_other, setup));
	EXPECT_EQ(0, call_timed(set_container_other, setup));
	EXPECT_EQ(0, call_timed(unset_container_other, setup));
	other_calls_do_not_wait(_metadata, setup);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);
	expect_unchanged(_metadata, setup, self->pinned);
}

static void remove_other_groups(struct __test_metadata *_metadata,
				struct setup *setup)
{
	EXPECT_EQ(0, call_timed(unset_container_other, setup));
	EXPECT_EQ(0, call_timed(close_other, setup));
	EXPECT_EQ(0, call_timed(close_device, setup));
	EXPECT_EQ(0, call_timed(close_group, setup));
}

/*
 * The container keeps its IOMMU driver while a group is being attached, even if
 * all other groups are removed.
 */
TEST_F(stuck, attaching_group_keeps_the_driver)
{
	struct setup *setup = &self->setup;
	struct call *call = &self->call[0];

	if (!variant->type1)
		SKIP(return, "only type1 has groups");
	ASSERT_EQ(0, start_blocked(call, attach_first, setup));
	remove_other_groups(_metadata, setup);
	EXPECT_EQ(SPARE_LENGTH, call_timed(front_call_map, &setup->front));
	EXPECT_EQ(0, call_timed(front_call_query, &setup->front));
	EXPECT_EQ(-EINVAL, call_timed(set_iommu, setup));
	EXPECT_EQ(0, call_sleeps(call));

	stuck_file_release(&setup->file);
	EXPECT_EQ(0, call_end(call, 10 * CALL_TIMEOUT));
	EXPECT_EQ(self->pinned + FILE_PAGES, counters_pinned());
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
		  get_status(setup));
	EXPECT_EQ(0, get_device_fd(setup));
	EXPECT_EQ(0, unset_container(setup));
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(-EINVAL, front_query(&setup->front));
}

/* The driver is released if the attach of the only remaining group fails. */
TEST_F(stuck, last_group_fails_to_attach)
{
	struct setup *setup = &self->setup;

	if (!variant->type1)
		SKIP(return, "only type1 has groups");
	ASSERT_EQ(0, start_blocked(&self->call[0], attach_first, setup));
	remove_other_groups(_metadata, setup);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0]);
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(-EINVAL, front_query(&setup->front));
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE, get_status(setup));

	/* The container can be set up again, and then has no mappings. */
	EXPECT_EQ(0, attach(setup, 0));
	EXPECT_EQ(0, set_iommu(setup));
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(0, front_unmap(&setup->front, STUCK_IOVA, FILE_LENGTH));
	EXPECT_EQ(SPARE_LENGTH, front_call_map(&setup->front));
}

TEST_HARNESS_MAIN
