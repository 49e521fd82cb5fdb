// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map a file with a page that cannot be read, in a space that has a device. The
 * filesystem does not answer the READ of the page, so that MAP blocks in a page
 * fault.
 *
 * A call in the same space, in another space or in another process may wait
 * only if it needs the stuck page or the mapping. A waiting caller that is
 * killed must exit within a second, and leave nothing pinned, charged or
 * mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../iommufd/calls.h"
#include "../kselftest_harness.h"
#include "call.h"
#include "front.h"
#include "record.h"
#include "stuck_file.h"

#define FILE_PAGES	8
#define FILE_LENGTH	(FILE_PAGES * PAGE)
#define STUCK		5u	/* Index of the stuck page in the file */
#define STUCK_IOVA TESTBED_IOVA
#define OTHER_IOVA (TESTBED_IOVA + 64 * PAGE)
#define FREE_IOVA (TESTBED_IOVA + 128 * PAGE)
#define AGAIN_IOVA (TESTBED_IOVA + 192 * PAGE)
#define MAX_CALLS	2

NEEDS_EDU(2)
NEEDS_FUSE
RECORDS_NO_ERRNO

/**
 * struct setup - objects that the calls use
 * @front: space with a device
 * @file: file with the stuck page
 * @writable: map the pages of the file writable for the device
 * @pages: memory mapping of @file
 * @memory: TESTBED_LENGTH bytes of other memory, the first 8 pages of which are
 *          mapped at OTHER_IOVA
 * @other_address: address of another device
 * @other_fd: iommufd: file of that device, which is bound but not attached;
 *            type1: file of its group
 * @ioas: iommufd: another IOAS
 */
struct setup {
	struct front front;
	struct stuck_file file;
	bool writable;
	char *pages;
	char *memory;
	const char *other_address;
	int other_fd;
	__u32 ioas;
};

FIXTURE(stuck)
{
	struct machine machine;
	struct setup setup;
	struct device other;
	struct call call[MAX_CALLS];
	long pinned;
	long locked;
	long charged;
};

FIXTURE_VARIANT(stuck)
{
	bool type1;
	bool shared;
};

/*
 * With a private mapping of the file, MAP pins a copy of each page. With a
 * shared one, it pins the page in the page cache.
 */
FIXTURE_VARIANT_ADD(stuck, iommufd_private) { .shared = false };
FIXTURE_VARIANT_ADD(stuck, iommufd_shared) { .shared = true };
FIXTURE_VARIANT_ADD(stuck, type1_private) { .type1 = true };
FIXTURE_VARIANT_ADD(stuck, type1_shared) { .type1 = true, .shared = true };

FIXTURE_SETUP(stuck)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, stuck_file_open(&setup->file, FILE_PAGES, STUCK));
	setup->writable = !variant->shared;
	setup->pages = stuck_file_map(&setup->file, variant->shared);
	ASSERT_NE(NULL, setup->pages);
	setup->memory = new_memory(TESTBED_LENGTH);
	ASSERT_NE(NULL, setup->memory);
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(2u, self->machine.nr_singletons);
	self->pinned = counters_pinned();
	self->locked = counters_of_self("VmLck");
	self->charged = counters_of_self("VmPin");
	ASSERT_EQ(0, front_open(&setup->front, variant->type1,
				self->machine.singleton[0].text));

	self->other.fd = -1;
	setup->other_address = self->machine.singleton[1].text;
	if (variant->type1) {
		setup->other_fd =
			legacy_open_group(pci_group(setup->other_address));
	} else {
		ASSERT_EQ(0, device_open(&self->other, setup->other_address,
					 setup->front.iommufd));
		setup->other_fd = self->other.fd;
		ASSERT_EQ(0, ioas_alloc(setup->front.iommufd, &setup->ioas));
	}
	ASSERT_LE(0, setup->other_fd);
	setup->front.spare = setup->memory + 8 * PAGE;
	ASSERT_EQ(0, front_map(&setup->front, setup->memory, 8 * PAGE,
			       OTHER_IOVA, true));
}

FIXTURE_TEARDOWN(stuck)
{
	unsigned int i;

	/* Fail the page fault of any call that still blocks. */
	stuck_file_close(&self->setup.file);
	for (i = 0; i < MAX_CALLS; i++)
		EXPECT_LE(0, call_kill(&self->call[i]));
	if (variant->type1)
		close(self->setup.other_fd);
	device_close(&self->other);
	front_close(&self->setup.front);
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(self->locked, counters_of_self("VmLck"));
	EXPECT_EQ(self->charged, counters_of_self("VmPin"));
}

static long copy(const struct setup *setup, __u64 iova, __u32 dst_ioas,
		 __u64 dst_iova)
{
	return ioas_copy(setup->front.iommufd, setup->front.ioas, iova,
			 dst_ioas, dst_iova, 8 * PAGE, IOAS_READ);
}

/* Calls that need the stuck page or the mapping, and thus wait */

static long map_stuck(void *data)
{
	const struct setup *setup = data;

	return front_map(&setup->front, setup->pages, FILE_LENGTH, STUCK_IOVA,
			 setup->writable);
}

static long map_stuck_again(void *data)
{
	const struct setup *setup = data;

	return front_map(&setup->front, setup->pages + STUCK * PAGE, PAGE,
			 AGAIN_IOVA, setup->writable);
}

/* Map IOVAs of the MAP in flight. They become free only if that MAP fails. */
static long map_iova_in_flight(void *data)
{
	const struct setup *setup = data;

	return front_map(&setup->front, setup->memory, PAGE,
			 STUCK_IOVA + 2 * PAGE, true);
}

static long unmap_stuck(void *data)
{
	const struct setup *setup = data;

	return front_unmap(&setup->front, STUCK_IOVA, FILE_LENGTH);
}

static long unmap_larger_range(void *data)
{
	const struct setup *setup = data;

	return front_unmap(&setup->front, STUCK_IOVA,
			   FREE_IOVA - STUCK_IOVA);
}

static long unmap_all(void *data)
{
	const struct setup *setup = data;

	return front_unmap_all(&setup->front);
}

static long copy_stuck(void *data)
{
	const struct setup *setup = data;

	return copy(setup, STUCK_IOVA, setup->ioas, STUCK_IOVA);
}

static long invalidate_vaddr(void *data)
{
	const struct setup *setup = data;
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = VFIO_DMA_UNMAP_FLAG_VADDR,
		.iova = STUCK_IOVA,
		.size = FILE_LENGTH,
	};

	return ioctl(setup->front.legacy.container, VFIO_IOMMU_UNMAP_DMA,
		     &unmap) ? -errno : 0;
}

/* Calls that need neither the stuck page nor the mapping, and must not wait */

static long map(void *data)
{
	const struct setup *setup = data;

	return front_map(&setup->front, setup->memory + 8 * PAGE, 8 * PAGE,
			 FREE_IOVA, true);
}

static long unmap(void *data)
{
	const struct setup *setup = data;

	return front_unmap(&setup->front, FREE_IOVA, 8 * PAGE);
}

/* Map the pages before the stuck page and the one after it, and unmap them. */
static long map_other_pages(void *data)
{
	const struct setup *setup = data;
	long rc = front_map(&setup->front, setup->pages, STUCK * PAGE,
			    FREE_IOVA, setup->writable);

	rc = rc ? rc : front_map(&setup->front,
				 setup->pages + (STUCK + 1) * PAGE, PAGE,
				 FREE_IOVA + STUCK * PAGE, setup->writable);
	return rc ? rc : front_unmap(&setup->front, FREE_IOVA,
				     FILE_LENGTH);
}

static long attach_and_detach(void *data)
{
	const struct setup *setup = data;

	return front_attach_and_detach(&setup->front, setup->other_fd);
}

static long copy_other(void *data)
{
	const struct setup *setup = data;
	int fd = setup->front.iommufd;
	__u64 length = 8 * PAGE;
	long err;

	err = copy(setup, OTHER_IOVA, setup->front.ioas, FREE_IOVA);
	if (!err)
		err = copy(setup, OTHER_IOVA, setup->ioas, FREE_IOVA);
	if (!err)
		err = ioas_unmap(fd, setup->ioas, FREE_IOVA, &length);
	if (!err)
		err = ioas_unmap(fd, setup->front.ioas, FREE_IOVA, &length);
	return err;
}

/*
 * Map the file in a new space. Nothing is pinned, because the space has no
 * domain.
 */
static long open_and_close(void *data)
{
	const struct setup *setup = data;
	int fd = iommu_open();
	__u32 ioas;
	int err;

	if (fd < 0)
		return fd;
	err = ioas_alloc(fd, &ioas);
	if (!err)
		err = ioas_map(fd, ioas, setup->pages, FILE_LENGTH, STUCK_IOVA,
			       IOAS_READ);
	close(fd);
	return err;
}

/* Map other memory in a new container with the other device. */
static long container_open_and_close(void *data)
{
	const struct setup *setup = data;
	struct legacy legacy = { -1, setup->other_fd, -1 };
	int err = 0;

	legacy.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (legacy.container < 0 ||
	    ioctl(legacy.group, VFIO_GROUP_SET_CONTAINER, &legacy.container))
		return -errno;
	if (ioctl(legacy.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		err = -errno;
	if (!err)
		err = legacy_map(&legacy, setup->memory, PAGE, OTHER_IOVA,
				 true);
	if (ioctl(legacy.group, VFIO_GROUP_UNSET_CONTAINER) && !err)
		err = -errno;
	close(legacy.container);
	return err;
}

/* Detach the device of the space and attach it again. */
static long detach_and_attach(void *data)
{
	const struct setup *setup = data;
	__u32 pt_id = setup->front.ioas;
	int err = vfio_detach(setup->front.device.fd);

	return err ? err : vfio_attach(setup->front.device.fd, &pt_id);
}

static long destroy_space(void *data)
{
	const struct setup *setup = data;

	return iommu_destroy(setup->front.iommufd, setup->ioas);
}

/*
 * Like call_timed(), but in a process that does not share memory with the test.
 * Return 0 if @work succeeds.
 */
static long fork_timed(call_fn work, void *data)
{
	pid_t child = fork();
	long start = milliseconds();
	int status;

	if (child < 0)
		return -EAGAIN;
	if (!child)
		_exit(work(data) < 0);
	while (waitpid(child, &status, WNOHANG) != child) {
		if (milliseconds() - start > 2 * CALL_TIMEOUT)
			return -ETIMEDOUT;
		if (milliseconds() - start > CALL_TIMEOUT)
			kill(child, SIGKILL);
		usleep(1000);
	}
	return status;
}

/* Start a MAP of the stuck page, and wait until it blocks. */
static int start_blocked(struct call *call, struct setup *setup)
{
	int err = call_start(call, map_stuck, setup);

	if (!err)
		err = stuck_file_wait(&setup->file);
	return err ? err : call_sleeps(call);
}

TEST_F(stuck, other_calls_do_not_wait)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, start_blocked(&self->call[0], setup));
	EXPECT_EQ(SPARE_LENGTH, call_timed(front_call_map, &setup->front));
	EXPECT_EQ((FILE_PAGES - 2) * (long)PAGE,
		  call_timed(map_other_pages, setup));
	EXPECT_EQ(0, call_timed(front_call_query, &setup->front));
	EXPECT_EQ(0, fork_timed(front_call_map, &setup->front));
	EXPECT_EQ(0, fork_timed(front_call_query, &setup->front));
	EXPECT_EQ(0, call_timed(attach_and_detach, setup));
	EXPECT_EQ(0, call_timed(open_and_close, setup));
	if (variant->type1) {
		EXPECT_EQ(1, call_timed(front_call_check_extension,
					&setup->front));
		EXPECT_EQ(0, call_timed(container_open_and_close, setup));
	} else {
		EXPECT_EQ(0, call_timed(copy_other, setup));
		EXPECT_EQ(0, call_timed(detach_and_attach, setup));
	}
	EXPECT_EQ(8 * (long)PAGE, front_unmap(&setup->front, OTHER_IOVA,
					      8 * PAGE));
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
}

TEST_F(stuck, map_completes_with_the_page)
{
	struct setup *setup = &self->setup;
	struct call *call = &self->call[0];

	ASSERT_EQ(0, start_blocked(call, setup));
	stuck_file_release(&setup->file);
	EXPECT_EQ(0, call_end(call, 10 * CALL_TIMEOUT));
	EXPECT_EQ(self->pinned + 8 + FILE_PAGES, counters_pinned());
	EXPECT_EQ((long)FILE_LENGTH, front_unmap(&setup->front, STUCK_IOVA,
						 FILE_LENGTH));
}

/* Kill the blocked MAP, and check that it left nothing mapped or pinned. */
static void kill_blocked(struct __test_metadata *_metadata, struct call *call,
			 struct setup *setup, long pinned)
{
	long took = call_kill(call);

	EXPECT_LE(0, took);
	EXPECT_GE(CALL_TIMEOUT, took);
	EXPECT_EQ(pinned, counters_pinned());
	EXPECT_EQ(0, front_map(&setup->front, setup->memory, FILE_LENGTH,
			       STUCK_IOVA, true));
	EXPECT_EQ((long)FILE_LENGTH, front_unmap(&setup->front, STUCK_IOVA,
						 FILE_LENGTH));
}

TEST_F(stuck, killed_map_releases_everything)
{
	struct setup *setup = &self->setup;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, start_blocked(&self->call[0], setup));
		kill_blocked(_metadata, &self->call[0], setup,
			     self->pinned + 8);
	}
	EXPECT_EQ(8 * (long)PAGE, front_unmap_all(&setup->front));
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(self->locked, counters_of_self("VmLck"));
	EXPECT_EQ(self->charged, counters_of_self("VmPin"));
}

static void kill_waiter(struct __test_metadata *_metadata, call_fn work,
			const char *name, struct call *call,
			struct setup *setup)
{
	long took;

	ASSERT_EQ(0, call_start(call, work, setup));
	ASSERT_EQ(0, call_sleeps(call)) {
		TH_LOG("%s", name);
	}
	/*
	 * The waiter delays none of these calls, except that unmap_all() delays
	 * the unmap.
	 */
	EXPECT_EQ(0, call_timed(map, setup));
	EXPECT_EQ(0, call_timed(front_call_query, &setup->front));
	EXPECT_EQ(0, call_timed(attach_and_detach, setup));
	if (work != unmap_all)
		EXPECT_EQ(8 * (long)PAGE, call_timed(unmap, setup));
	took = call_kill(call);
	EXPECT_LE(0, took) {
		TH_LOG("%s cannot be killed", name);
	}
	EXPECT_GE(CALL_TIMEOUT, took) {
		TH_LOG("%s", name);
	}
	if (work == unmap_all)
		EXPECT_EQ(8 * (long)PAGE, call_timed(unmap, setup));
}

#define KILL_WAITER(work) \
	kill_waiter(_metadata, work, #work, &self->call[1], setup)

TEST_F(stuck, waiters_are_killable)
{
	struct setup *setup = &self->setup;
	long pinned = self->pinned + 8;

	ASSERT_EQ(0, start_blocked(&self->call[0], setup));
	KILL_WAITER(map_stuck_again);
	KILL_WAITER(map_iova_in_flight);
	KILL_WAITER(unmap_stuck);
	KILL_WAITER(unmap_larger_range);
	KILL_WAITER(unmap_all);
	if (variant->type1)
		KILL_WAITER(invalidate_vaddr);
	else
		KILL_WAITER(copy_stuck);
	EXPECT_EQ(0, call_sleeps(&self->call[0]));
	kill_blocked(_metadata, &self->call[0], setup, pinned);
	EXPECT_EQ(8 * (long)PAGE, front_unmap_all(&setup->front));
}

/* IOMMU_DESTROY fails instead of waiting for a COPY in flight. */
TEST_F(stuck, destroy_during_copy_EBUSY)
{
	struct setup *setup = &self->setup;

	if (variant->type1)
		SKIP(return, "type1 has no IOMMU_DESTROY");
	ASSERT_EQ(0, start_blocked(&self->call[0], setup));
	ASSERT_EQ(0, call_start(&self->call[1], copy_stuck, setup));
	ASSERT_EQ(0, call_sleeps(&self->call[1]));
	EXPECT_EQ(-EBUSY, call_timed(destroy_space, setup));
	EXPECT_LE(0, call_kill(&self->call[1]));
	EXPECT_EQ(0, call_timed(destroy_space, setup));
}

/* A call that waits for a MAP continues when the MAP is killed. */
TEST_F(stuck, waiter_continues_after_killed_map)
{
	struct setup *setup = &self->setup;

	ASSERT_EQ(0, start_blocked(&self->call[0], setup));
	ASSERT_EQ(0, call_start(&self->call[1], unmap_all, setup));
	ASSERT_EQ(0, call_sleeps(&self->call[1]));
	EXPECT_GE(CALL_TIMEOUT, call_kill(&self->call[0]));
	EXPECT_EQ(8 * (long)PAGE, call_end(&self->call[1], CALL_TIMEOUT));
	EXPECT_EQ(self->pinned, counters_pinned());
}

TEST_HARNESS_MAIN
