// SPDX-License-Identifier: GPL-2.0-only
/*
 * Race several users of one device or one group against each other.
 *
 * A device has one user at a time, so exactly one of several concurrent
 * attempts to use it succeeds. Neither a failed bind nor a close leaves a
 * reference behind. A close removes the ID of the device, even if threads look
 * up the device by this ID during the close.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"
#include "pci_testbed.h"

#define THREADS	4
#define ROUNDS	12

NEEDS_EDU(1)

FIXTURE(users)
{
	struct machine machine;
	const char *address;
	int number;
	int iommufd;
};

FIXTURE_SETUP(users)
{
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->address = self->machine.singleton[0].text;
	self->number = pci_group(self->address);
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
}

FIXTURE_TEARDOWN(users)
{
	close(self->iommufd);
}

/**
 * struct attempt - one attempt to use the device, made in a thread
 * @start: barrier that starts all attempts at the same time
 * @address: address of the device
 * @number: number of the group to open
 * @iommufd: iommufd to bind the device to
 * @fd: file of the device to bind, or of the group that was opened
 * @result: 0 or -errno
 */
struct attempt {
	pthread_barrier_t *start;
	const char *address;
	int number;
	int iommufd;
	int fd;
	int result;
};

static void *attempt_bind(void *argument)
{
	struct attempt *attempt = argument;
	__u32 id;

	pthread_barrier_wait(attempt->start);
	attempt->result = vfio_bind(attempt->fd, attempt->iommufd, &id);
	return NULL;
}

static void *attempt_group(void *argument)
{
	struct attempt *attempt = argument;

	pthread_barrier_wait(attempt->start);
	attempt->fd = legacy_open_group(attempt->number);
	attempt->result = attempt->fd < 0 ? attempt->fd : 0;
	return NULL;
}

TEST_F(users, concurrent_binds)
{
	struct attempt attempt[THREADS];
	pthread_t thread[THREADS];
	pthread_barrier_t start;
	int round, i;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, THREADS));
	for (round = 0; round < ROUNDS; round++) {
		int winners = 0, fd;

		for (i = 0; i < THREADS; i++) {
			fd = vfio_open(self->address);
			ASSERT_LE(0, fd);
			attempt[i] = (struct attempt){
				.start = &start,
				.fd = fd,
				.iommufd = self->iommufd,
			};
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    attempt_bind, &attempt[i]));
		}
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
			winners += !attempt[i].result;
			EXPECT_TRUE(!attempt[i].result ||
				    attempt[i].result == -EINVAL);
		}
		EXPECT_EQ(1, winners);
		for (i = 0; i < THREADS; i++)
			close(attempt[i].fd);
	}
	pthread_barrier_destroy(&start);
}

TEST_F(users, bind_races_with_group_open)
{
	struct attempt bind, group;
	pthread_barrier_t start;
	pthread_t thread;
	int round;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
	for (round = 0; round < ROUNDS; round++) {
		bind = (struct attempt){
			.start = &start,
			.fd = vfio_open(self->address),
			.iommufd = self->iommufd,
		};
		group = (struct attempt){
			.start = &start,
			.number = self->number,
		};
		ASSERT_LE(0, bind.fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, attempt_bind,
					    &bind));
		attempt_group(&group);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_TRUE(!bind.result ^ !group.result);
		EXPECT_EQ(-EBUSY, bind.result ? bind.result : group.result);
		close(bind.fd);
		if (!group.result)
			close(group.fd);
	}
	pthread_barrier_destroy(&start);
}

/**
 * struct lookup - state shared by the threads that query a device by its ID
 * @iommufd: iommufd that the device is bound to
 * @id: ID of the device, set after each bind
 * @stop: set to make the threads exit
 * @found: number of queries that found the device; not exact, because the
 *         threads increment it without a lock
 */
struct lookup {
	int iommufd;
	__u32 id;
	bool stop;
	unsigned long found;
};

static void *lookup_thread(void *argument)
{
	struct lookup *lookup = argument;
	struct iommu_device_get_info info;

	while (!__atomic_load_n(&lookup->stop, __ATOMIC_RELAXED)) {
		__u32 id = __atomic_load_n(&lookup->id, __ATOMIC_RELAXED);

		if (!iommu_device_info(lookup->iommufd, id, &info))
			lookup->found++;
	}
	return NULL;
}

TEST_F(users, close_races_with_lookup)
{
	struct lookup lookup = { .iommufd = self->iommufd };
	pthread_t thread[2];
	int round, fd;
	__u32 id;

	ASSERT_EQ(0, pthread_create(&thread[0], NULL, lookup_thread, &lookup));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, lookup_thread, &lookup));
	for (round = 0; round < ROUNDS; round++) {
		struct iommu_device_get_info info;

		fd = vfio_open(self->address);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, vfio_bind(fd, self->iommufd, &id));
		__atomic_store_n(&lookup.id, id, __ATOMIC_RELAXED);
		usleep(2000);
		close(fd);
		EXPECT_EQ(-ENOENT, iommu_device_info(self->iommufd, id, &info));
	}
	__atomic_store_n(&lookup.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread[0], NULL));
	ASSERT_EQ(0, pthread_join(thread[1], NULL));
	EXPECT_NE(0ul, lookup.found);
}

TEST_F(users, failed_bind_leaves_no_reference)
{
	struct vfio_device_bind_iommufd *fixed;
	struct legacy legacy;
	int group, fd;
	__u32 id;

	fd = vfio_open(self->address);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, vfio_bind(fd, 1000, &id));
	group = legacy_open_group(self->number);
	ASSERT_LE(0, group);
	EXPECT_EQ(-EBUSY, vfio_bind(fd, self->iommufd, &id));
	close(group);

	/* This bind opens the device, and then fails to copy out its result. */
	fixed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)fixed);
	fixed->argsz = sizeof(*fixed);
	fixed->iommufd = self->iommufd;
	ASSERT_EQ(0, mprotect(fixed, PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, fixed));
	EXPECT_EQ(EFAULT, errno);
	close(fd);

	/*
	 * A leaked reference would block the unbind of the driver, and a
	 * missing one would let the device be opened twice.
	 */
	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	fd = vfio_open(self->address);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, vfio_bind(fd, self->iommufd, &id));
	close(fd);
	legacy_close(&legacy);
	EXPECT_EQ(0, pci_unbind_driver(self->address));
	EXPECT_EQ(0, pci_bind_vfio(self->address));
}

/**
 * struct resetter - state of a thread that resets a bus in a loop
 * @fd: file of a bound device of the bus
 * @stop: set to make the thread exit
 * @done: number of resets
 * @refused: number of calls that returned -EBUSY or -EAGAIN
 * @unexpected: last other -errno, or 0
 */
struct resetter {
	int fd;
	bool stop;
	unsigned long done, refused;
	int unexpected;
};

static void *reset(void *argument)
{
	struct resetter *resetter = argument;

	while (!__atomic_load_n(&resetter->stop, __ATOMIC_RELAXED)) {
		int result = vfio_hot_reset(resetter->fd);

		if (!result)
			resetter->done++;
		else if (result == -EBUSY || result == -EAGAIN)
			resetter->refused++;
		else
			resetter->unexpected = result;
	}
	return NULL;
}

TEST_F(users, hot_reset_races_with_bind_of_sibling)
{
	struct resetter resetter = { 0 };
	struct reset_bus bus;
	pthread_t thread;
	int round, fd;
	__u32 id;

	if (reset_bus_find(&bus))
		SKIP(return, "needs an edu and a virtio-rng on a bus below a bridge");
	ASSERT_EQ(0, pci_bind_vfio(bus.edu.text));
	ASSERT_EQ(0, pci_bind_vfio(bus.sibling.text));
	resetter.fd = vfio_open(bus.edu.text);
	ASSERT_LE(0, resetter.fd);
	ASSERT_EQ(0, vfio_bind(resetter.fd, self->iommufd, &id));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reset, &resetter));
	for (round = 0; round < ROUNDS; round++) {
		union {
			struct vfio_pci_hot_reset_info head;
			char space[64];
		} info;

		fd = vfio_open(bus.sibling.text);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, vfio_bind(fd, self->iommufd, &id));
		EXPECT_EQ(0, vfio_hot_reset_info(fd, &info.head, 4));
		EXPECT_EQ(2u, info.head.count);
		close(fd);
	}
	__atomic_store_n(&resetter.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_NE(0ul, resetter.done);
	EXPECT_EQ(0, resetter.unexpected);
	close(resetter.fd);
	EXPECT_EQ(0, reset_bus_sibling_to_virtio(&bus));
}

TEST_HARNESS_MAIN
