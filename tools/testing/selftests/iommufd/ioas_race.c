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
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "record.h"
#include "testbed.h"
#include "workers.h"

#define SECONDS	2

NEEDS_EDU(1)
RECORDS_NO_ERRNO

FIXTURE(race)
{
	struct testbed bed;
	struct workers workers;
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

static void start(struct workers *workers, struct testbed *bed,
		  const worker_fn *work)
{
	unsigned int i;

	for (i = 0; i < MAX_WORKERS; i++)
		workers_start(workers, work[i], bed, NULL);
}

static int finish(struct workers *workers)
{
	sleep(SECONDS);
	return workers_stop(workers);
}

/* Map and unmap a page at an IOVA at which no other worker maps memory. */
static int map_own(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	const __u64 iova = ((__u64)worker->index + 1) << 32 |
			   worker->iterations % 1000 * PAGE;
	int err;

	err = ioas_map(bed->iommufd, bed->ioas,
		       bed->memory + worker->index * PAGE, PAGE, iova,
		       IOAS_READ_WRITE);
	return err ? err : testbed_unmap(bed, iova, PAGE);
}

/* Map all memory at an IOVA that other workers use as well. */
static int map_shared(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	int err = testbed_map(bed);

	return err == -EEXIST ? 0 : err;
}

static int unmap_shared(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	int err = testbed_unmap(bed, TESTBED_IOVA, TESTBED_LENGTH);

	return err == -ENOENT ? 0 : err;
}

static int unmap_all(struct worker *worker)
{
	struct testbed *bed = worker->shared;

	return testbed_unmap(bed, 0, ~0ull);
}

static int attach_and_detach(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	__u32 pt_id = bed->ioas;
	int err = vfio_attach(bed->device.fd, &pt_id);

	return err ? err : vfio_detach(bed->device.fd);
}

/*
 * Attach the device, which creates an I/O page table, and map memory at IOVAs
 * for which some IOMMU drivers add a level to that table.
 */
static int attach_and_map_high(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	struct iommu_iova_range range[8];
	__u32 nr = 8, pt_id = bed->ioas;
	__u64 alignment, iova;
	int err;

	err = vfio_attach(bed->device.fd, &pt_id);
	if (!err)
		err = ioas_ranges(bed->iommufd, bed->ioas, range, &nr,
				  &alignment);
	for (iova = 1ull << 39; !err && iova; iova <<= 9) {
		if (iova > range[nr - 1].last - PAGE)
			break;
		err = ioas_map(bed->iommufd, bed->ioas, bed->memory, PAGE, iova,
			       IOAS_READ_WRITE);
		if (!err)
			err = testbed_unmap(bed, iova, PAGE);
	}
	return err ? err : vfio_detach(bed->device.fd);
}

/* Like map_own(), but below 1 GiB, where each level has its first entry. */
static int map_own_low(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	const __u64 iova = TESTBED_IOVA + worker->index * HUGE;
	int err;

	err = ioas_map(bed->iommufd, bed->ioas,
		       bed->memory + worker->index * PAGE, PAGE, iova,
		       IOAS_READ_WRITE);
	return err ? err : testbed_unmap(bed, iova, PAGE);
}

/* The ranges must be sorted and disjoint, even while an attach updates them. */
static int check_ranges(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	struct iommu_iova_range range[8];
	__u64 alignment;
	__u32 nr = 8, i;
	int err;

	err = ioas_ranges(bed->iommufd, bed->ioas, range, &nr, &alignment);
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
	struct testbed *bed = worker->shared;
	const int iommufd = bed->iommufd;
	__u32 ioas;
	int err;

	err = ioas_alloc(iommufd, &ioas);
	if (err)
		return err;
	err = ioas_map(iommufd, ioas, bed->memory, PAGE, TESTBED_IOVA,
		       IOAS_READ);
	return err ? err : iommu_destroy(iommufd, ioas);
}

/* Look up IDs, some of which alloc_and_destroy() keeps freeing and reusing. */
static int use_recycled_id(struct worker *worker)
{
	struct testbed *bed = worker->shared;
	const __u32 id = bed->ioas + 1 + worker->iterations % 4;
	struct iommu_iova_range range[8];
	__u64 alignment;
	__u32 nr = 8;
	int err;

	err = ioas_ranges(bed->iommufd, id, range, &nr, &alignment);
	return err == -ENOENT ? 0 : err;
}

TEST_F(race, disjoint_maps)
{
	const worker_fn work[] = { map_own, map_own, map_own, map_own };

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	start(&self->workers, &self->bed, work);
	EXPECT_EQ(0, finish(&self->workers));
	/* Only the bounce page is left. */
	EXPECT_EQ(1, testbed_pinned(&self->bed));
}

TEST_F(race, map_and_unmap_of_one_iova)
{
	const worker_fn work[] = { map_shared, unmap_shared, map_shared,
				 unmap_all };

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	start(&self->workers, &self->bed, work);
	EXPECT_EQ(0, finish(&self->workers));
	EXPECT_EQ(0, testbed_unmap(&self->bed, 0, ~0ull));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(race, attach_races_with_map)
{
	const worker_fn work[] = { map_own, attach_and_detach, map_own,
				 check_ranges };

	ASSERT_EQ(0, testbed_map(&self->bed));
	start(&self->workers, &self->bed, work);
	EXPECT_EQ(0, finish(&self->workers));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	/* The mapping that existed throughout the race must be intact. */
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, TESTBED_IOVA,
				    self->bed.memory));
}

TEST_F(race, attach_races_with_unmap_all)
{
	const worker_fn work[] = { map_shared, attach_and_detach, unmap_all,
				 check_ranges };

	start(&self->workers, &self->bed, work);
	EXPECT_EQ(0, finish(&self->workers));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(race, map_races_with_higher_iova)
{
	const worker_fn work[] = { attach_and_map_high, map_own_low, map_own,
				 map_own_low };

	start(&self->workers, &self->bed, work);
	EXPECT_EQ(0, finish(&self->workers));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(race, destroy_races_with_lookup)
{
	const worker_fn work[] = { alloc_and_destroy, use_recycled_id,
				 alloc_and_destroy, use_recycled_id };

	start(&self->workers, &self->bed, work);
	EXPECT_EQ(0, finish(&self->workers));
}

TEST_F(race, close_races_with_ioctls)
{
	const worker_fn work[] = { map_own, attach_and_detach, unmap_all,
				 check_ranges };
	unsigned int i;

	start(&self->workers, &self->bed, work);
	usleep(300 * 1000);
	close(self->bed.device.fd);
	usleep(100 * 1000);
	close(self->bed.iommufd);
	workers_join(&self->workers);
	for (i = 0; i < MAX_WORKERS; i++) {
		int result = self->workers.worker[i].result;

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
	const worker_fn work[] = { map_own, attach_and_detach, map_shared,
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
			start(&self->workers, &self->bed, work);
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
