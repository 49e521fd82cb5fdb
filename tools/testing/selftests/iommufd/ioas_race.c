// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test concurrent calls on one iommufd. In some tests, a device is attached and
 * detached meanwhile.
 *
 * A call must not fail merely because another call runs at the same time, and
 * no page may be left pinned. Each worker thread repeats one kind of call until
 * the test ends or until the call returns an unexpected error.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "record.h"
#include "testbed.h"

#define WORKERS	4
#define SECONDS	2

NEEDS_EDU(1)
RECORDS_NO_ERRNO

struct worker;
typedef int (*work_fn)(struct worker *worker);

/**
 * struct worker - a thread that calls @work in a loop
 * @bed: testbed, shared by all threads
 * @work: one iteration; returns 0, or an unexpected -errno that ends the loop
 * @index: index of the thread, selects a private range of IOVAs
 * @stop: shared flag, set to end all threads
 * @iterations: number of successful calls to @work
 * @result: last return value of @work
 * @thread: thread handle
 */
struct worker {
	struct testbed *bed;
	work_fn work;
	unsigned int index;
	int *stop;
	unsigned long iterations;
	int result;
	pthread_t thread;
};

FIXTURE(race)
{
	struct testbed bed;
	struct worker worker[WORKERS];
	int stop;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(race)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;

	while (!__atomic_load_n(worker->stop, __ATOMIC_RELAXED)) {
		worker->result = worker->work(worker);
		if (worker->result)
			break;
		worker->iterations++;
	}
	return NULL;
}

static void start_workers(struct worker *workers, const work_fn *work,
			  struct testbed *bed, int *stop)
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.bed = bed,
			.work = work[i],
			.index = i,
			.stop = stop,
		};
		if (pthread_create(&workers[i].thread, NULL, run_worker,
				   &workers[i]))
			abort();
	}
}

/*
 * Stop all threads after SECONDS. Returns the first unexpected -errno, -ETIME
 * if a thread made no progress, or 0.
 */
static int stop_workers(struct worker *workers, int *stop)
{
	int result = 0;
	unsigned int i;

	sleep(SECONDS);
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (!result)
			result = workers[i].result;
		if (!result && !workers[i].iterations)
			result = -ETIME;
	}
	return result;
}

/* Map and unmap a page at an IOVA at which no other worker maps memory. */
static int map_own(struct worker *worker)
{
	const __u64 iova = ((__u64)worker->index + 1) << 32 |
			   worker->iterations % 1000 * PAGE;
	int err;

	err = ioas_map(worker->bed->iommufd, worker->bed->ioas,
		       worker->bed->memory + worker->index * PAGE, PAGE, iova,
		       IOAS_READ_WRITE);
	return err ? err : testbed_unmap(worker->bed, iova, PAGE);
}

/* Map all memory at an IOVA that other workers use as well. */
static int map_shared(struct worker *worker)
{
	int err = testbed_map(worker->bed);

	return err == -EEXIST ? 0 : err;
}

static int unmap_shared(struct worker *worker)
{
	int err = testbed_unmap(worker->bed, TESTBED_IOVA, TESTBED_LENGTH);

	return err == -ENOENT ? 0 : err;
}

static int unmap_all(struct worker *worker)
{
	return testbed_unmap(worker->bed, 0, ~0ull);
}

static int attach_and_detach(struct worker *worker)
{
	__u32 pt_id = worker->bed->ioas;
	int err = vfio_attach(worker->bed->device.fd, &pt_id);

	return err ? err : vfio_detach(worker->bed->device.fd);
}

/* The ranges must be sorted and disjoint, even while an attach updates them. */
static int check_ranges(struct worker *worker)
{
	struct iommu_iova_range range[8];
	__u64 alignment;
	__u32 nr = 8, i;
	int err;

	err = ioas_ranges(worker->bed->iommufd, worker->bed->ioas, range, &nr,
			  &alignment);
	if (err)
		return err;
	/* The device reserves nothing below MSI_START. */
	if (!nr || nr > 3 || range[0].start || range[0].last < MSI_START - 1)
		return -EUCLEAN;
	for (i = 1; i < nr; i++)
		if (range[i].start <= range[i - 1].last ||
		    range[i].last < range[i].start)
			return -EUCLEAN;
	return 0;
}

static int alloc_and_destroy(struct worker *worker)
{
	const int iommufd = worker->bed->iommufd;
	__u32 ioas;
	int err;

	err = ioas_alloc(iommufd, &ioas);
	if (err)
		return err;
	err = ioas_map(iommufd, ioas, worker->bed->memory, PAGE, TESTBED_IOVA,
		       IOAS_READ);
	return err ? err : iommu_destroy(iommufd, ioas);
}

/* Look up IDs, some of which alloc_and_destroy() keeps freeing and reusing. */
static int use_recycled_id(struct worker *worker)
{
	const __u32 id = worker->bed->ioas + 1 + worker->iterations % 4;
	struct iommu_iova_range range[8];
	__u64 alignment;
	__u32 nr = 8;
	int err;

	err = ioas_ranges(worker->bed->iommufd, id, range, &nr, &alignment);
	return err == -ENOENT ? 0 : err;
}

TEST_F(race, disjoint_maps)
{
	const work_fn work[WORKERS] = { map_own, map_own, map_own, map_own };

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	start_workers(self->worker, work, &self->bed, &self->stop);
	EXPECT_EQ(0, stop_workers(self->worker, &self->stop));
	/* Only the bounce page is left. */
	EXPECT_EQ(1, testbed_pinned(&self->bed));
}

TEST_F(race, map_and_unmap_of_one_iova)
{
	const work_fn work[WORKERS] = { map_shared, unmap_shared, map_shared,
					unmap_all };

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	start_workers(self->worker, work, &self->bed, &self->stop);
	EXPECT_EQ(0, stop_workers(self->worker, &self->stop));
	EXPECT_EQ(0, unmap_all(&self->worker[0]));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(race, attach_races_with_map)
{
	const work_fn work[WORKERS] = { map_own, attach_and_detach, map_own,
					check_ranges };

	ASSERT_EQ(0, testbed_map(&self->bed));
	start_workers(self->worker, work, &self->bed, &self->stop);
	EXPECT_EQ(0, stop_workers(self->worker, &self->stop));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	/* The mapping that existed throughout the race must be intact. */
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, TESTBED_IOVA,
				    self->bed.memory));
}

TEST_F(race, attach_races_with_unmap_all)
{
	const work_fn work[WORKERS] = { map_shared, attach_and_detach,
					unmap_all, check_ranges };

	start_workers(self->worker, work, &self->bed, &self->stop);
	EXPECT_EQ(0, stop_workers(self->worker, &self->stop));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(race, destroy_races_with_lookup)
{
	const work_fn work[WORKERS] = { alloc_and_destroy, use_recycled_id,
					alloc_and_destroy, use_recycled_id };

	start_workers(self->worker, work, &self->bed, &self->stop);
	EXPECT_EQ(0, stop_workers(self->worker, &self->stop));
}

TEST_F(race, close_races_with_ioctls)
{
	const work_fn work[WORKERS] = { map_own, attach_and_detach, unmap_all,
					check_ranges };
	unsigned int i;

	start_workers(self->worker, work, &self->bed, &self->stop);
	usleep(300 * 1000);
	close(self->bed.device.fd);
	usleep(100 * 1000);
	close(self->bed.iommufd);
	__atomic_store_n(&self->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS; i++) {
		int result;

		pthread_join(self->worker[i].thread, NULL);
		result = self->worker[i].result;
		/* unmap_all() may remove a mapping before map_own() does. */
		EXPECT_TRUE(!result || result == -EBADF || result == -ENOENT)
			TH_LOG("worker %u: %d", i, result);
	}
	self->bed.iommufd = -1;
	self->bed.device.fd = -1;
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(race, kill_races_with_ioctls)
{
	const work_fn work[WORKERS] = { map_own, attach_and_detach, map_shared,
					unmap_shared };
	unsigned int round;

	for (round = 0; round < 4; round++) {
		pid_t child;

		testbed_close(&self->bed);
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			if (testbed_open(&self->bed))
				_exit(1);
			start_workers(self->worker, work, &self->bed,
				      &self->stop);
			for (;;)
				pause();
		}
		usleep(400 * 1000);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		EXPECT_EQ(0, testbed_pinned(&self->bed));
		ASSERT_EQ(0, testbed_open(&self->bed));
	}
}

TEST_HARNESS_MAIN
