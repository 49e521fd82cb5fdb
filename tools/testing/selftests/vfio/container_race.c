// SPDX-License-Identifier: GPL-2.0-only
/*
 * A container's ioctls against its last group, with which it loses its IOMMU
 * driver, and groups of a container against each other.
 *
 * Rule: an ioctl in flight works to its end with what it has begun with, and
 * UNSET_CONTAINER does not wait for it. What the ioctl maps then is in no
 * container any more. A group enters and leaves whatever other groups do. A
 * sanitizer in the kernel reports an access to what was freed.
 *
 * The environment's STRESS_SECONDS, or 4 without, is the time of the race.
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
#include "mdev_rig.h"
#include "record.h"
#include "rig.h"

#define THREADS	4

NEEDS_EDU
NEEDS_MDEV_PIN
RECORDS_NO_ERRNO

/**
 * struct setup - a container and a group that comes and goes
 * @legacy: without a device file
 * @memory: RIG_LENGTH bytes
 * @stop: it is time to end
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

static int group_enter(struct legacy *legacy)
{
	if (ioctl(legacy->group, VFIO_GROUP_SET_CONTAINER, &legacy->container))
		return -errno;
	if (ioctl(legacy->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return 0;
}

static int group_leave(struct legacy *legacy)
{
	return ioctl(legacy->group, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

FIXTURE_SETUP(container)
{
	struct legacy *legacy = &self->setup.legacy;

	self->pinned_before = counters_pinned();
	self->locked_before = counters_of_self("VmLck");
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_lone);
	self->setup.memory = new_memory(RIG_LENGTH);
	ASSERT_NE(NULL, self->setup.memory);
	ASSERT_EQ(0, legacy_open(legacy, self->machine.lone[0].text));
	close(legacy->device);
	legacy->device = -1;
}

FIXTURE_TEARDOWN(container)
{
	legacy_close(&self->setup.legacy);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(self->locked_before, counters_of_self("VmLck"));
}

/* A thread, with an IOVA or a group of its own. */
struct worker {
	struct setup *setup;
	__u64 iova;
	int group;
	unsigned long times;
	int result;
	pthread_t thread;
};

/* EINVAL: the container has no driver at the moment. */
static int unless_driverless(int err)
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
		worker->result = unless_driverless(get_info(worker));
	return NULL;
}

static void *map_and_unmap(void *argument)
{
	struct worker *worker = argument;
	struct setup *setup = worker->setup;

	for (; !worker->result && !__atomic_load_n(&setup->stop,
						   __ATOMIC_ACQUIRE);
	     worker->times++) {
		__u64 length = RIG_LENGTH;
		int err = legacy_map(&setup->legacy, setup->memory, RIG_LENGTH,
				     worker->iova, true);

		/* EEXIST: the one before was unmapped from a later space. */
		if (!err || err == -EEXIST)
			err = legacy_unmap(&setup->legacy, worker->iova,
					   &length);
		worker->result = unless_driverless(err);
	}
	return NULL;
}

/* EINVAL: another group has kept the driver, or has left with it. */
static int set_iommu(const struct setup *setup)
{
	return ioctl(setup->legacy.container, VFIO_SET_IOMMU,
		     VFIO_TYPE1v2_IOMMU) && errno != EINVAL ? -errno : 0;
}

static int visit(const struct worker *worker)
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
		worker->result = visit(worker);
	return NULL;
}

static time_t time_to_end(void)
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

TEST_F_TIMEOUT(container, ioctls_against_unset_container, 4000)
{
	time_t end = time_to_end();
	struct worker worker[THREADS];
	struct setup *setup = &self->setup;
	unsigned long rounds = 0;
	int i, err = 0;

	for (i = 0; i < THREADS; i++) {
		worker[i] = (struct worker){
			.setup = setup,
			.iova = RIG_IOVA * (i + 1),
		};
		start(_metadata, &worker[i], i & 1 ? query : map_and_unmap);
	}
	for (; !err && time(NULL) < end; rounds++) {
		err = group_leave(&setup->legacy);
		if (!err)
			err = group_enter(&setup->legacy);
	}
	finish(_metadata, setup, worker, THREADS);
	EXPECT_EQ(0, err);
	EXPECT_LT(2ul, rounds);
}

/*
 * Two physical groups and a mediated one enter and leave the container at the
 * same time, so that each of them is the first and the last now and then.
 */
TEST_F_TIMEOUT(container, groups_against_each_other, 4000)
{
	time_t end = time_to_end();
	struct setup *setup = &self->setup;
	struct mediated mediated;
	struct worker worker[] = {
		{ .setup = setup, .group = setup->legacy.group },
		{ .setup = setup },
		{ .setup = setup },
		{ .setup = setup, .iova = RIG_IOVA },
	};

	ASSERT_LE(2u, self->machine.nr_lone);
	worker[1].group =
		legacy_open_group(pci_group(self->machine.lone[1].text));
	ASSERT_LE(0, worker[1].group);
	ASSERT_EQ(0, mediated_create(&mediated, "mdev_pin", "notified"));
	worker[2].group = legacy_open_mediated_group(mediated.uuid);
	ASSERT_LE(0, worker[2].group);
	ASSERT_EQ(0, group_leave(&setup->legacy));

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
	EXPECT_EQ(0, group_enter(&setup->legacy));
}

/* An ioctl whose argument is in a page that user space is asked for. */
struct late {
	int fd;
	unsigned long request;
	void *argument;
	int result;
	pthread_t thread;
};

static void *late_ioctl(void *argument)
{
	struct late *late = argument;

	late->result = ioctl(late->fd, late->request, late->argument) ?
		       -errno : 0;
	return NULL;
}

/* A page that is not there before userfault_fill(). */
static void *userfault_page(int *fd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
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

TEST_F(container, map_in_flight_outlives_the_group)
{
	struct legacy *legacy = &self->setup.legacy;
	struct vfio_iommu_type1_dma_map *map;
	struct late late = {
		.fd = legacy->container,
		.request = VFIO_IOMMU_MAP_DMA,
	};
	__u64 length = RIG_LENGTH;
	time_t start;
	int fd;

	late.argument = userfault_page(&fd);
	ASSERT_NE(NULL, late.argument);
	map = new_memory(PAGE);
	ASSERT_NE(NULL, map);
	*map = (struct vfio_iommu_type1_dma_map){
		.argsz = sizeof(*map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)self->setup.memory,
		.iova = RIG_IOVA,
		.size = RIG_LENGTH,
	};
	ASSERT_EQ(0, pthread_create(&late.thread, NULL, late_ioctl, &late));
	ASSERT_EQ(0, userfault_wait(fd));

	/* The ioctl is in the driver, whose data is replaced by new data. */
	start = time(NULL);
	EXPECT_EQ(0, group_leave(legacy));
	EXPECT_EQ(0, group_enter(legacy));
	EXPECT_GE(2, time(NULL) - start);

	ASSERT_EQ(0, userfault_fill(fd, late.argument, map));
	pthread_join(late.thread, NULL);
	EXPECT_EQ(0, late.result);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(0, legacy_unmap(legacy, RIG_IOVA, &length));
	EXPECT_EQ(0u, length);
	close(fd);
}

TEST_F(container, query_in_flight_outlives_the_group)
{
	struct legacy *legacy = &self->setup.legacy;
	struct vfio_iommu_type1_info *info, *answer;
	struct late late = {
		.fd = legacy->container,
		.request = VFIO_IOMMU_GET_INFO,
	};
	int fd;

	late.argument = userfault_page(&fd);
	ASSERT_NE(NULL, late.argument);
	info = new_memory(PAGE);
	ASSERT_NE(NULL, info);
	*info = (struct vfio_iommu_type1_info){ .argsz = sizeof(*info) };
	ASSERT_EQ(0, pthread_create(&late.thread, NULL, late_ioctl, &late));
	ASSERT_EQ(0, userfault_wait(fd));
	EXPECT_EQ(0, group_leave(legacy));
	ASSERT_EQ(0, userfault_fill(fd, late.argument, info));
	pthread_join(late.thread, NULL);
	EXPECT_EQ(0, late.result);
	answer = late.argument;
	EXPECT_TRUE(answer->flags & VFIO_IOMMU_INFO_PGSIZES);
	EXPECT_EQ(0u, answer->iova_pgsizes & (PAGE - 1));
	/* Without a group there is no driver for a new one. */
	EXPECT_EQ(-1, ioctl(legacy->container, VFIO_IOMMU_GET_INFO, info));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
}

TEST_HARNESS_MAIN
