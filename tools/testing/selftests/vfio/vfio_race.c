// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of one device, or of one group, against each other.
 *
 * Rule: a device has one user at a time, whoever was first, and who was refused
 * or has left is no longer counted. Closing waits for nobody who only looks.
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
#include "rig.h"
#include "pci_rig.h"

#define THREADS	4
#define ROUNDS	20

NEEDS_EDU

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
	ASSERT_LE(1u, self->machine.nr_lone);
	self->address = self->machine.lone[0].text;
	self->number = pci_group(self->address);
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
}

FIXTURE_TEARDOWN(users)
{
	close(self->iommufd);
}

/* One thread's try; @result is 0 or -errno, and @fd is open if it is 0. */
struct try {
	pthread_barrier_t *start;
	const char *address;
	int number;
	int iommufd;
	int fd;
	int result;
};

static void *try_bind(void *argument)
{
	struct try *try = argument;
	__u32 id;

	pthread_barrier_wait(try->start);
	try->result = vfio_bind(try->fd, try->iommufd, &id);
	return NULL;
}

static void *try_group(void *argument)
{
	struct try *try = argument;

	pthread_barrier_wait(try->start);
	try->fd = legacy_open_group(try->number);
	try->result = try->fd < 0 ? try->fd : 0;
	return NULL;
}

TEST_F(users, of_many_binds_one_wins)
{
	struct try try[THREADS];
	pthread_t thread[THREADS];
	pthread_barrier_t start;
	int round, i;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, THREADS));
	for (round = 0; round < ROUNDS; round++) {
		int winners = 0, fd;

		for (i = 0; i < THREADS; i++) {
			fd = vfio_open(self->address);
			ASSERT_LE(0, fd);
			try[i] = (struct try){
				.start = &start,
				.fd = fd,
				.iommufd = self->iommufd,
			};
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, try_bind,
						    &try[i]));
		}
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
			winners += !try[i].result;
			EXPECT_TRUE(!try[i].result || try[i].result == -EINVAL);
		}
		EXPECT_EQ(1, winners);
		for (i = 0; i < THREADS; i++)
			close(try[i].fd);
	}
	pthread_barrier_destroy(&start);
}

TEST_F(users, bind_and_group_never_both)
{
	struct try bind, group;
	pthread_barrier_t start;
	pthread_t thread;
	int round;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
	for (round = 0; round < ROUNDS; round++) {
		bind = (struct try){
			.start = &start,
			.fd = vfio_open(self->address),
			.iommufd = self->iommufd,
		};
		group = (struct try){
			.start = &start,
			.number = self->number,
		};
		ASSERT_LE(0, bind.fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, try_bind, &bind));
		try_group(&group);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_TRUE(!bind.result ^ !group.result);
		EXPECT_EQ(-EBUSY, bind.result ? bind.result : group.result);
		close(bind.fd);
		if (!group.result)
			close(group.fd);
	}
	pthread_barrier_destroy(&start);
}

/* Someone who looks at a device by its ID all the time. */
struct looker {
	int iommufd;
	__u32 id;
	bool stop;
	unsigned long seen;
};

static void *look(void *argument)
{
	struct looker *looker = argument;
	struct iommu_device_get_info info;

	while (!__atomic_load_n(&looker->stop, __ATOMIC_RELAXED)) {
		__u32 id = __atomic_load_n(&looker->id, __ATOMIC_RELAXED);

		if (!iommu_device_info(looker->iommufd, id, &info))
			looker->seen++;
	}
	return NULL;
}

TEST_F(users, B8_close_while_others_look)
{
	struct looker looker = { .iommufd = self->iommufd };
	pthread_t thread[2];
	int round, fd;
	__u32 id;

	ASSERT_EQ(0, pthread_create(&thread[0], NULL, look, &looker));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, look, &looker));
	for (round = 0; round < ROUNDS; round++) {
		struct iommu_device_get_info info;

		fd = vfio_open(self->address);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, vfio_bind(fd, self->iommufd, &id));
		__atomic_store_n(&looker.id, id, __ATOMIC_RELAXED);
		usleep(2000);
		close(fd);
		EXPECT_EQ(-ENOENT, iommu_device_info(self->iommufd, id, &info));
	}
	__atomic_store_n(&looker.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread[0], NULL));
	ASSERT_EQ(0, pthread_join(thread[1], NULL));
	EXPECT_NE(0ul, looker.seen);
}

TEST_F(users, B20_refused_binds_are_not_counted)
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

	/* It gets as far as opening the device, and takes it all back. */
	fixed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)fixed);
	fixed->argsz = sizeof(*fixed);
	fixed->iommufd = self->iommufd;
	ASSERT_EQ(0, mprotect(fixed, PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, fixed));
	EXPECT_EQ(EFAULT, errno);
	close(fd);

	/* A count too high keeps the driver; one too low opens a device twice. */
	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	fd = vfio_open(self->address);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, vfio_bind(fd, self->iommufd, &id));
	close(fd);
	legacy_close(&legacy);
	EXPECT_EQ(0, pci_take_from_driver(self->address));
	EXPECT_EQ(0, pci_give_to_vfio(self->address));
}

/* Someone who resets a bus all the time. */
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

TEST_F(users, hot_resets_while_the_sibling_comes_and_goes)
{
	struct resetter resetter = { 0 };
	struct reset_bus bus;
	pthread_t thread;
	int round, fd;
	__u32 id;

	if (reset_bus_find(&bus))
		SKIP(return, "needs an edu and a sibling below a bridge");
	ASSERT_EQ(0, pci_give_to_vfio(bus.edu.text));
	ASSERT_EQ(0, pci_give_to_vfio(bus.sibling.text));
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
