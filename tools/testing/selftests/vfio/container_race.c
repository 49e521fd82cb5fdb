// SPDX-License-Identifier: GPL-2.0-only
/*
 * Race the ioctls of a container against VFIO_GROUP_UNSET_CONTAINER of the last
 * group, which also removes the IOMMU driver from the container. In another
 * race, several groups enter and leave one container at the same time.
 *
 * An ioctl in flight completes on the driver data that it started with, and
 * UNSET_CONTAINER does not wait for that ioctl. A mapping that such an ioctl
 * creates is freed with the old driver data, so that it does not exist after
 * the driver is set again. A group enters and leaves the container
 * independently of other groups. KASAN reports uses of freed driver data.
 *
 * A race lasts STRESS_SECONDS seconds, or 4 if that is not set in the
 * environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/userfaultfd.h>
#include <linux/vfio.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "mdev_testbed.h"
#include "record.h"
#include "testbed.h"

#define THREADS	4

NEEDS_EDU(2)
NEEDS_MDEV_PIN
RECORDS_NO_ERRNO

/**
 * struct setup - a container and the group that the race adds and removes
 * @legacy: container and group; no device file is open
 * @memory: TESTBED_LENGTH bytes
 * @stop: set to make the worker threads exit
 */
struct setup {
	struct legacy legacy;
	char *memory;
	int stop;
};

FIXTURE(container)
{
	struct machine machine;
	struct setup setup;
	long pinned_before;
	long locked_before;
};

static int group_set_container(struct legacy *legacy)
{
	if (ioctl(legacy->group, VFIO_GROUP_SET_CONTAINER, &legacy->container))
		return -errno;
	if (ioctl(legacy->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return 0;
}

static int group_unset_container(struct legacy *legacy)
{
	return ioctl(legacy->group, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

FIXTURE_SETUP(container)
{
	struct legacy *legacy = &self->setup.legacy;

	self->pinned_before = counters_pinned();
	self->locked_before = counters_of_self("VmLck");
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->setup.memory = new_memory(TESTBED_LENGTH);
	ASSERT_NE(NULL, self->setup.memory);
	ASSERT_EQ(0, legacy_open(legacy, self->machine.singleton[0].text));
	close(legacy->device);
	legacy->device = -1;
}

FIXTURE_TEARDOWN(container)
{
	legacy_close(&self->setup.legacy);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(self->locked_before, counters_of_self("VmLck"));
}

/**
 * struct worker - a thread that calls ioctls of the container
 * @setup: the container
 * @iova: IOVA at which only this thread maps the memory
 * @group: group that this thread adds to and removes from the container
 * @times: number of iterations
 * @result: first unexpected -errno, or 0
 * @thread: the thread
 */
struct worker {
	struct setup *setup;
	__u64 iova;
	int group;
	unsigned long times;
	int result;
	pthread_t thread;
};

/*
 * Without a group, the container has no IOMMU driver, and ioctls return
 * -EINVAL.
 */
static int ignore_no_driver(int err)
{
	return err == -EINVAL ? 0 : err;
}

static int get_info(struct worker *worker)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	return ioctl(worker->setup->legacy.container, VFIO_IOMMU_GET_INFO,
		     &info) ? -errno : 0;
}

static void *query(void *argument)
{
	struct worker *worker = argument;

	for (; !worker->result && !__atomic_load_n(&worker->setup->stop,
						   __ATOMIC_ACQUIRE);
	     worker->times++)
		worker->result = ignore_no_driver(get_info(worker));
	return NULL;
}

static void *map_and_unmap(void *argument)
{
	struct worker *worker = argument;
	struct setup *setup = worker->setup;

	for (; !worker->result && !__atomic_load_n(&setup->stop,
						   __ATOMIC_ACQUIRE);
	     worker->times++) {
		__u64 length = TESTBED_LENGTH;
		int err = legacy_map(&setup->legacy, setup->memory,
				     TESTBED_LENGTH, worker->iova, true);

		if (!err)
			err = legacy_unmap(&setup->legacy, worker->iova,
					   &length);
		worker->result = ignore_no_driver(err);
	}
	return NULL;
}

/*
 * Set the driver, unless the container has one. SET_IOMMU fails with EINVAL if
 * the container already has a driver, or if it has no group.
 */
static int set_iommu(const struct setup *setup)
{
	return ioctl(setup->legacy.container, VFIO_SET_IOMMU,
		     VFIO_TYPE1v2_IOMMU) && errno != EINVAL ? -errno : 0;
}

static int enter_once(const struct worker *worker)
{
	int container = worker->setup->legacy.container, err;

	if (ioctl(worker->group, VFIO_GROUP_SET_CONTAINER, &container))
		return -errno;
	err = set_iommu(worker->setup);
	if (ioctl(worker->group, VFIO_GROUP_UNSET_CONTAINER))
		return -errno;
	return err;
}

static void *enter_and_leave(void *argument)
{
	struct worker *worker = argument;

	for (; !worker->result && !__atomic_load_n(&worker->setup->stop,
						   __ATOMIC_ACQUIRE);
	     worker->times++)
		worker->result = enter_once(worker);
	return NULL;
}

static time_t end_time(void)
{
	const char *text = getenv("STRESS_SECONDS");

	return time(NULL) + (text ? strtol(text, NULL, 0) : 4);
}

static void start(struct __test_metadata *_metadata, struct worker *worker,
		  void *(*work)(void *argument))
{
	ASSERT_EQ(0, pthread_create(&worker->thread, NULL, work, worker));
}

static void finish(struct __test_metadata *_metadata, struct setup *setup,
		   struct worker *worker, int nr)
{
	int i;

	__atomic_store_n(&setup->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < nr; i++) {
		pthread_join(worker[i].thread, NULL);
		EXPECT_EQ(0, worker[i].result)
			TH_LOG("worker %d", i);
		EXPECT_LT(2ul, worker[i].times);
	}
}

TEST_F_TIMEOUT(container, ioctls_race_with_unset_container, 4000)
{
	time_t end = end_time();
	struct worker worker[THREADS];
	struct setup *setup = &self->setup;
	unsigned long rounds = 0;
	int i, err = 0;

	for (i = 0; i < THREADS; i++) {
		worker[i] = (struct worker){
			.setup = setup,
			.iova = TESTBED_IOVA * (i + 1),
		};
		start(_metadata, &worker[i], i & 1 ? query : map_and_unmap);
	}
	for (; !err && time(NULL) < end; rounds++) {
		err = group_unset_container(&setup->legacy);
		if (!err)
			err = group_set_container(&setup->legacy);
	}
	finish(_metadata, setup, worker, THREADS);
	EXPECT_EQ(0, err);
	EXPECT_LT(2ul, rounds);
}

/*
 * Two physical groups and a mediated one enter and leave the container
 * repeatedly and independently, so that each is at times the first one to enter
 * and at times the last one to leave.
 */
TEST_F_TIMEOUT(container, groups_race_with_each_other, 4000)
{
	time_t end = end_time();
	struct setup *setup = &self->setup;
	struct mediated mediated;
	struct worker worker[] = {
		{ .setup = setup, .group = setup->legacy.group },
		{ .setup = setup },
		{ .setup = setup },
		{ .setup = setup, .iova = TESTBED_IOVA },
	};

	ASSERT_LE(2u, self->machine.nr_singletons);
	worker[1].group =
		legacy_open_group(pci_group(self->machine.singleton[1].text));
	ASSERT_LE(0, worker[1].group);
	ASSERT_EQ(0, mediated_create(&mediated, "mdev_pin", "notified"));
	worker[2].group = legacy_open_mediated_group(mediated.uuid);
	ASSERT_LE(0, worker[2].group);
	ASSERT_EQ(0, group_unset_container(&setup->legacy));

	start(_metadata, &worker[0], enter_and_leave);
	start(_metadata, &worker[1], enter_and_leave);
	start(_metadata, &worker[2], enter_and_leave);
	start(_metadata, &worker[3], map_and_unmap);
	while (time(NULL) < end)
		usleep(100 * 1000);
	finish(_metadata, setup, worker, 4);

	close(worker[1].group);
	close(worker[2].group);
	EXPECT_EQ(0, mediated_remove(&mediated));
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(0, group_set_container(&setup->legacy));
}

/**
 * struct delayed - an ioctl that blocks while the kernel copies its argument
 * @fd: file that the ioctl is called on
 * @request: request number
 * @argument: address of the argument, in a page from userfault_page()
 * @result: 0 or -errno, valid once @thread has exited
 * @thread: thread that calls the ioctl
 */
struct delayed {
	int fd;
	unsigned long request;
	void *argument;
	int result;
	pthread_t thread;
};

static void *delayed_ioctl(void *argument)
{
	struct delayed *delayed = argument;

	if (ioctl(delayed->fd, delayed->request, delayed->argument))
		delayed->result = -errno;
	return NULL;
}

/*
 * Map a page that is missing until userfault_fill() provides it, and store the
 * userfaultfd in @fd. Return NULL on failure.
 */
static void *userfault_page(int *fd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (page == MAP_FAILED || *fd < 0 || ioctl(*fd, UFFDIO_API, &api))
		return NULL;
	reg.range.start = (uintptr_t)page;
	reg.range.len = PAGE;
	return ioctl(*fd, UFFDIO_REGISTER, &reg) ? NULL : page;
}

static int userfault_wait(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct uffd_msg message;

	if (poll(&poller, 1, 10000) != 1)
		return -ETIMEDOUT;
	return read(fd, &message, sizeof(message)) == sizeof(message) ? 0 :
								       -EIO;
}

static int userfault_fill(int fd, void *page, const void *content)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page,
		.src = (uintptr_t)content,
		.len = PAGE,
	};

	return ioctl(fd, UFFDIO_COPY, &copy) ? -errno : 0;
}

TEST_F(container, map_in_flight_during_unset_container)
{
	struct legacy *legacy = &self->setup.legacy;
	struct vfio_iommu_type1_dma_map *map;
	struct delayed delayed = {
		.fd = legacy->container,
		.request = VFIO_IOMMU_MAP_DMA,
	};
	__u64 length = TESTBED_LENGTH;
	time_t start;
	int fd;

	delayed.argument = userfault_page(&fd);
	ASSERT_NE(NULL, delayed.argument);
	map = new_memory(PAGE);
	ASSERT_NE(NULL, map);
	*map = (struct vfio_iommu_type1_dma_map){
		.argsz = sizeof(*map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)self->setup.memory,
		.iova = TESTBED_IOVA,
		.size = TESTBED_LENGTH,
	};
	ASSERT_EQ(0, pthread_create(&delayed.thread, NULL, delayed_ioctl,
				    &delayed));
	ASSERT_EQ(0, userfault_wait(fd));

	/* Replace the driver data of the container while the ioctl uses it. */
	start = time(NULL);
	EXPECT_EQ(0, group_unset_container(legacy));
	EXPECT_EQ(0, group_set_container(legacy));
	EXPECT_GE(2, time(NULL) - start);

	ASSERT_EQ(0, userfault_fill(fd, delayed.argument, map));
	pthread_join(delayed.thread, NULL);
	EXPECT_EQ(0, delayed.result);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(0, legacy_unmap(legacy, TESTBED_IOVA, &length));
	EXPECT_EQ(0u, length);
	close(fd);
}

TEST_F(container, get_info_in_flight_during_unset_container)
{
	struct legacy *legacy = &self->setup.legacy;
	struct vfio_iommu_type1_info *info, *answer;
	struct delayed delayed = {
		.fd = legacy->container,
		.request = VFIO_IOMMU_GET_INFO,
	};
	int fd;

	delayed.argument = userfault_page(&fd);
	ASSERT_NE(NULL, delayed.argument);
	info = new_memory(PAGE);
	ASSERT_NE(NULL, info);
	*info = (struct vfio_iommu_type1_info){ .argsz = sizeof(*info) };
	ASSERT_EQ(0, pthread_create(&delayed.thread, NULL, delayed_ioctl,
				    &delayed));
	ASSERT_EQ(0, userfault_wait(fd));
	EXPECT_EQ(0, group_unset_container(legacy));
	ASSERT_EQ(0, userfault_fill(fd, delayed.argument, info));
	pthread_join(delayed.thread, NULL);
	EXPECT_EQ(0, delayed.result);
	answer = delayed.argument;
	EXPECT_TRUE(answer->flags & VFIO_IOMMU_INFO_PGSIZES);
	EXPECT_EQ(0u, answer->iova_pgsizes & (PAGE - 1));
	/* A new call finds no driver, because the container has no group. */
	EXPECT_EQ(-1, ioctl(legacy->container, VFIO_IOMMU_GET_INFO, info));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
}

TEST_HARNESS_MAIN
