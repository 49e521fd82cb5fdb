// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls against each other: several threads on one address space, while a
 * device comes and goes.
 *
 * Vocabulary: a worker is a thread that repeats its work until it is told to
 * stop, or until a call returns what it may not; that result is what the
 * worker ends with.
 *
 * Rule: a call succeeds or fails for a reason of its own, never because it met
 * another one; and when all is over nothing is pinned.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "record.h"
#include "rig.h"

#define WORKERS	4
#define SECONDS	2

NEEDS_EDU
RECORDS_NO_ERRNO

struct worker;
typedef int (*work_fn)(struct worker *worker);

/**
 * struct worker - a thread and its place
 * @rig: what it works on
 * @work: once; 0 or what it may not have got
 * @number: its number, which chooses its IOVAs
 * @stop: shared; not 0 when it is time to end
 * @times: how often its work was done
 * @result: what ended it
 * @thread: the thread
 */
struct worker {
	struct rig *rig;
	work_fn work;
	unsigned int number;
	int *stop;
	unsigned long times;
	int result;
	pthread_t thread;
};

FIXTURE(race)
{
	struct rig rig;
	struct worker worker[WORKERS];
	int stop;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(race)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static void *repeat(void *argument)
{
	struct worker *worker = argument;

	while (!__atomic_load_n(worker->stop, __ATOMIC_RELAXED)) {
		worker->result = worker->work(worker);
		if (worker->result)
			break;
		worker->times++;
	}
	return NULL;
}

static void start(struct worker *workers, const work_fn *work,
		  struct rig *rig, int *stop)
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.rig = rig,
			.work = work[i],
			.number = i,
			.stop = stop,
		};
		if (pthread_create(&workers[i].thread, NULL, repeat,
				   &workers[i]))
			abort();
	}
}

/* Lets them work for a while. The first bad result, or 0. */
static int finish(struct worker *workers, int *stop)
{
	int result = 0;
	unsigned int i;

	sleep(SECONDS);
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (!result)
			result = workers[i].result;
		if (!result && !workers[i].times)
			result = -ETIME;
	}
	return result;
}

/* One page of its own, at one of many IOVAs of its own. */
static int map_own(struct worker *worker)
{
	const __u64 iova = ((__u64)worker->number + 1) << 32 |
			   worker->times % 1000 * PAGE;
	int err;

	err = ioas_map(worker->rig->iommufd, worker->rig->ioas,
		       worker->rig->memory + worker->number * PAGE, PAGE, iova,
		       IOAS_READ_WRITE);
	return err ? err : rig_unmap(worker->rig, iova, PAGE);
}

/* All of the memory at an IOVA that others want as well. */
static int map_shared(struct worker *worker)
{
	int err = rig_map(worker->rig);

	return err == -EEXIST ? 0 : err;
}

static int unmap_shared(struct worker *worker)
{
	int err = rig_unmap(worker->rig, RIG_IOVA, RIG_LENGTH);

	return err == -ENOENT ? 0 : err;
}

static int unmap_all(struct worker *worker)
{
	return rig_unmap(worker->rig, 0, ~0ull);
}

static int attach_and_detach(struct worker *worker)
{
	__u32 pt_id = worker->rig->ioas;
	int err = vfio_attach(worker->rig->device.fd, &pt_id);

	return err ? err : vfio_detach(worker->rig->device.fd);
}

/* An attach takes its ranges away one by one, but the list is always one. */
static int query(struct worker *worker)
{
	struct iommu_iova_range range[8];
	__u64 alignment;
	__u32 nr = 8, i;
	int err;

	err = ioas_ranges(worker->rig->iommufd, worker->rig->ioas, range, &nr,
			  &alignment);
	if (err)
		return err;
	/* At the start of the space nothing is ever taken. */
	if (!nr || nr > 3 || range[0].start || range[0].last < MSI_START - 1)
		return -EUCLEAN;
	for (i = 1; i < nr; i++)
		if (range[i].start <= range[i - 1].last ||
		    range[i].last < range[i].start)
			return -EUCLEAN;
	return 0;
}

/* A space that lives for as long as it takes. */
static int make_and_destroy(struct worker *worker)
{
	const int iommufd = worker->rig->iommufd;
	__u32 ioas;
	int err;

	err = ioas_alloc(iommufd, &ioas);
	if (err)
		return err;
	err = ioas_map(iommufd, ioas, worker->rig->memory, PAGE, RIG_IOVA,
		       IOAS_READ);
	return err ? err : iommu_end(iommufd, ioas);
}

/* Whatever the IDs that come and go stand for at the moment. */
static int use_any_id(struct worker *worker)
{
	const __u32 id = worker->rig->ioas + 1 + worker->times % 4;
	struct iommu_iova_range range[8];
	__u64 alignment;
	__u32 nr = 8;
	int err;

	err = ioas_ranges(worker->rig->iommufd, id, range, &nr, &alignment);
	return err == -ENOENT ? 0 : err;
}

TEST_F(race, disjoint_maps)
{
	const work_fn work[WORKERS] = { map_own, map_own, map_own, map_own };

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	start(self->worker, work, &self->rig, &self->stop);
	EXPECT_EQ(0, finish(self->worker, &self->stop));
	/* The bounce is all there is. */
	EXPECT_EQ(1, rig_pinned(&self->rig));
}

TEST_F(race, maps_and_unmaps_of_one_iova)
{
	const work_fn work[WORKERS] = { map_shared, unmap_shared, map_shared,
					unmap_all };

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	start(self->worker, work, &self->rig, &self->stop);
	EXPECT_EQ(0, finish(self->worker, &self->stop));
	EXPECT_EQ(0, unmap_all(&self->worker[0]));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(race, attach_against_maps)
{
	const work_fn work[WORKERS] = { map_own, attach_and_detach, map_own,
					query };

	ASSERT_EQ(0, rig_map(&self->rig));
	start(self->worker, work, &self->rig, &self->stop);
	EXPECT_EQ(0, finish(self->worker, &self->stop));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	/* And what was mapped all the time is what a device gets. */
	EXPECT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
}

TEST_F(race, attach_against_unmap_all)
{
	const work_fn work[WORKERS] = { map_shared, attach_and_detach,
					unmap_all, query };

	start(self->worker, work, &self->rig, &self->stop);
	EXPECT_EQ(0, finish(self->worker, &self->stop));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(race, destroy_against_users_of_the_id)
{
	const work_fn work[WORKERS] = { make_and_destroy, use_any_id,
					make_and_destroy, use_any_id };

	start(self->worker, work, &self->rig, &self->stop);
	EXPECT_EQ(0, finish(self->worker, &self->stop));
}

TEST_F(race, close_while_all_of_them_work)
{
	const work_fn work[WORKERS] = { map_own, attach_and_detach, unmap_all,
					query };
	unsigned int i;

	start(self->worker, work, &self->rig, &self->stop);
	usleep(300 * 1000);
	close(self->rig.device.fd);
	usleep(100 * 1000);
	close(self->rig.iommufd);
	self->stop = 1;
	for (i = 0; i < WORKERS; i++) {
		int result;

		pthread_join(self->worker[i].thread, NULL);
		result = self->worker[i].result;
		/* unmap_all may take what map_own is about to unmap. */
		EXPECT_TRUE(!result || result == -EBADF || result == -ENOENT)
			TH_LOG("worker %u: %d", i, result);
	}
	self->rig.iommufd = -1;
	self->rig.device.fd = -1;
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(race, killed_while_all_of_them_work)
{
	const work_fn work[WORKERS] = { map_own, attach_and_detach, map_shared,
					unmap_shared };
	unsigned int turn;

	for (turn = 0; turn < 4; turn++) {
		pid_t child;

		rig_close(&self->rig);
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			if (rig_open(&self->rig))
				_exit(1);
			start(self->worker, work, &self->rig, &self->stop);
			for (;;)
				pause();
		}
		usleep(400 * 1000);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		EXPECT_EQ(0, rig_pinned(&self->rig));
		ASSERT_EQ(0, rig_open(&self->rig));
	}
}

TEST_HARNESS_MAIN
