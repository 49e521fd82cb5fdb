// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regression tests for bugs that other implementations of this uAPI had:
 *
 *  - ioctls returned uninitialised bytes to user space, or wrote beyond the
 *    struct;
 *  - a concurrent lookup made IOMMU_DESTROY fail, two concurrent destroys both
 *    succeeded, or a lookup used an object after it was freed;
 *  - unbinding a device did not wait for calls that still used it;
 *  - close() destroyed objects before the objects that refer to them.
 *
 * Regression tests of page tables, data types and lengths are in hwpt_alloc.c
 * and ioas_allow.c, tests that attach an attached device are in replace.c, and
 * a test of struct padding is in uapi_layout.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "testbed.h"

#define NR_THREADS	4
#define ROUNDS	300

NEEDS_EDU(1)
RECORDS_NO_ERRNO

FIXTURE(bug)
{
	struct testbed bed;
};

FIXTURE_SETUP(bug)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(bug)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/* The kernel must write all output bytes, regardless of their old values. */
TEST_F(bug, output_does_not_depend_on_input)
{
	struct iommu_device_get_info info[2];
	struct iommu_hw_info hw[2];
	__u64 data[2][8];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		memset(&info[i], i ? 0xff : 0, sizeof(info[i]));
		info[i].size = sizeof(info[i]);
		info[i].dev_id = self->bed.device.id;
		ASSERT_EQ(0, iommu_call(self->bed.iommufd,
					IOMMU_DEVICE_GET_INFO, &info[i]));

		memset(data[i], i ? 0xff : 0, sizeof(data[i]));
		hw[i] = (struct iommu_hw_info){
			.size = sizeof(hw[i]),
			.dev_id = self->bed.device.id,
			.data_len = sizeof(data[i]),
			.out_data_type = i ? ~0u : 0,
			.out_capabilities = i ? ~0ull : 0,
			.data_uptr = (uintptr_t)data[i],
		};
		ASSERT_EQ(0, iommu_call(self->bed.iommufd, IOMMU_GET_HW_INFO,
					&hw[i]));
		hw[i].data_uptr = 0;
	}
	EXPECT_EQ(0, memcmp(&info[0], &info[1], sizeof(info[0])));
	EXPECT_EQ(0, memcmp(&hw[0], &hw[1], sizeof(hw[0])));
	EXPECT_EQ(0, memcmp(data[0], data[1], sizeof(data[0])));
}

/* The kernel must not write beyond the struct, even if a larger size is set. */
TEST_F(bug, output_ends_with_the_struct)
{
	struct {
		struct iommu_hwpt_alloc alloc;
		unsigned char after[64];
	} argument;
	unsigned int i;

	memset(&argument, 0, sizeof(argument));
	argument.alloc.size = sizeof(argument);
	argument.alloc.dev_id = self->bed.device.id;
	argument.alloc.pt_id = self->bed.ioas;
	ASSERT_EQ(0,
		  iommu_call(self->bed.iommufd, IOMMU_HWPT_ALLOC, &argument));
	EXPECT_NE(0u, argument.alloc.out_hwpt_id);
	for (i = 0; i < sizeof(argument.after); i++)
		EXPECT_EQ(0, argument.after[i]);
}

/**
 * struct race - state shared by threads that run in rounds
 * @iommufd: iommufd that @id belongs to
 * @id: object to use and to destroy in this round
 * @barrier: separates the rounds
 * @destroyed: number of threads that destroyed the object
 * @unexpected: an error that no thread should get, or 0
 * @stop: set to end the threads at the start of a round
 */
struct race {
	int iommufd;
	__u32 id;
	pthread_barrier_t barrier;
	int destroyed;
	int unexpected;
	bool stop;
};

/* Destroy the object, or use it until a lookup fails. */
static void run_round(struct race *race, bool destroys)
{
	struct iommu_iova_range range[4];
	__u64 alignment;
	__u32 nr;
	int result;

	do {
		if (destroys) {
			result = iommu_destroy(race->iommufd, race->id);
			if (!result)
				__atomic_add_fetch(&race->destroyed, 1,
						   __ATOMIC_RELAXED);
		} else {
			nr = 4;
			result = ioas_ranges(race->iommufd, race->id, range,
					     &nr, &alignment);
		}
	} while (!result && !destroys);
	if (result && result != -ENOENT)
		__atomic_store_n(&race->unexpected, result, __ATOMIC_RELAXED);
}

static void *run_user(void *argument)
{
	struct race *race = argument;

	for (;;) {
		pthread_barrier_wait(&race->barrier);
		if (race->stop)
			return NULL;
		run_round(race, false);
		pthread_barrier_wait(&race->barrier);
	}
}

static void *run_destroyer(void *argument)
{
	struct race *race = argument;

	for (;;) {
		pthread_barrier_wait(&race->barrier);
		if (race->stop)
			return NULL;
		run_round(race, true);
		pthread_barrier_wait(&race->barrier);
	}
}

/*
 * Exactly one thread must destroy the object, and all other calls may fail only
 * with -ENOENT.
 */
TEST_F(bug, destroy_races_with_lookup)
{
	struct race race = { .iommufd = self->bed.iommufd };
	pthread_t thread[NR_THREADS];
	unsigned int i;

	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, NR_THREADS + 1));
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL,
					    i % 2 ? run_user :
						    run_destroyer, &race));
	}
	for (i = 0; i < ROUNDS; i++) {
		race.destroyed = 0;
		ASSERT_EQ(0, ioas_alloc(race.iommufd, &race.id));
		pthread_barrier_wait(&race.barrier);
		pthread_barrier_wait(&race.barrier);
		EXPECT_EQ(1, race.destroyed)
			TH_LOG("round %u", i);
		EXPECT_EQ(0, race.unexpected)
			TH_LOG("round %u", i);
	}
	race.stop = true;
	pthread_barrier_wait(&race.barrier);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
}

struct reader {
	int iommufd;
	__u32 id;
	bool stop;
	int unexpected;
	unsigned long successes;
};

static void *read_device_info(void *argument)
{
	struct reader *reader = argument;
	struct iommu_device_get_info info;
	int result;

	while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
		result = iommu_device_info(reader->iommufd,
					   __atomic_load_n(&reader->id,
							   __ATOMIC_RELAXED),
					   &info);
		if (!result)
			reader->successes++;
		else if (result != -ENOENT)
			reader->unexpected = result;
	}
	return NULL;
}

/* Unbind must wait for calls that still use the device. */
TEST_F(bug, unbind_races_with_info)
{
	struct reader reader[2] = { { .iommufd = self->bed.iommufd },
				    { .iommufd = self->bed.iommufd } };
	struct device *device = &self->bed.device;
	pthread_t thread[2];
	unsigned int i, round;

	for (i = 0; i < 2; i++) {
		reader[i].id = device->id;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, read_device_info,
					    &reader[i]));
	}
	for (round = 0; round < 12; round++) {
		device_close(device);
		ASSERT_EQ(0, device_open(device,
					 self->bed.machine.singleton[0].text,
					 self->bed.iommufd));
		for (i = 0; i < 2; i++)
			__atomic_store_n(&reader[i].id, device->id,
					 __ATOMIC_RELAXED);
		usleep(1000);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&reader[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, reader[i].unexpected);
		EXPECT_NE(0ul, reader[i].successes);
	}
}

/* The IOAS has a lower ID than its page tables but must be destroyed last. */
TEST_F(bug, close_destroys_in_order)
{
	__u32 hwpt[8];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
					self->bed.ioas, &hwpt[i]));
	}
	ASSERT_EQ(0, testbed_map(&self->bed));
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_HARNESS_MAIN
