// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test RLIMIT_MEMLOCK and the charging of pinned pages to users.
 *
 * As long as pages are pinned, they are charged to the user that mapped them.
 * The limit applies to all processes of a user together. A process with
 * CAP_IPC_LOCK is not charged.
 *
 * Root binds the device and, in most tests, attaches it. user_run() then forks
 * an unprivileged child, which uses the inherited file descriptors and returns
 * its result as the exit status.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "testbed.h"
#include "user.h"

/* UIDs that no other process uses, and their RLIMIT_MEMLOCK in pages. */
#define USER_1	54321
#define USER_2	54322
#define LIMIT	8

NEEDS_EDU(1)

FIXTURE(limit)
{
	struct testbed bed;
};

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(limit)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int attach(struct testbed *bed)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(bed->device.fd, &pt_id);
}

static int unmap_pages(struct testbed *bed, unsigned int first,
		       unsigned int pages)
{
	return testbed_unmap(bed, TESTBED_IOVA + first * PAGE, pages * PAGE);
}

static int map_up_to_limit(struct testbed *bed)
{
	struct steps steps = { 0 };

	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == -ENOMEM);
	step(&steps, unmap_pages(bed, 0, LIMIT) == 0);
	/* The unmap must have uncharged all pages. */
	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == -ENOMEM);
	return steps.failed;
}

TEST_F(limit, is_exact)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_up_to_limit, &self->bed));
	EXPECT_EQ(LIMIT, testbed_pinned(&self->bed));
	EXPECT_EQ(0, unmap_pages(&self->bed, 0, LIMIT));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int map_beyond_limit(struct testbed *bed)
{
	struct steps steps = { 0 };

	step(&steps, testbed_map_pages(bed, 0, LIMIT + 1) == -ENOMEM);
	step(&steps, testbed_map_pages(bed, 0, TESTBED_PAGES) == -ENOMEM);
	step(&steps, unmap_pages(bed, 0, TESTBED_PAGES) == -ENOENT);
	/*
	 * The failed maps must leave no charge behind, so that the whole limit
	 * can be mapped.
	 */
	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	step(&steps, unmap_pages(bed, 0, LIMIT) == 0);
	return steps.failed;
}

TEST_F(limit, exceeded_ENOMEM_pins_nothing)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_beyond_limit, &self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int map_single_pages(struct testbed *bed)
{
	struct steps steps = { 0 };
	unsigned int i;

	for (i = 0; i < LIMIT; i++)
		step(&steps, testbed_map_pages(bed, i, 1) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == -ENOMEM);
	step(&steps, unmap_pages(bed, 3, 1) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 2) == -ENOMEM);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == 0);
	return steps.failed;
}

TEST_F(limit, is_shared_by_all_mappings)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_single_pages, &self->bed));
	EXPECT_EQ(LIMIT, testbed_pinned(&self->bed));
}

static int map_five_pages(struct testbed *bed)
{
	struct steps steps = { 0 };

	step(&steps, testbed_map_pages(bed, 0, 5) == 0);
	return steps.failed;
}

static int map_remaining_pages(struct testbed *bed)
{
	struct steps steps = { 0 };

	step(&steps, testbed_map_pages(bed, 8, LIMIT - 5 + 1) == -ENOMEM);
	step(&steps, testbed_map_pages(bed, 8, LIMIT - 5) == 0);
	return steps.failed;
}

static int map_limit(struct testbed *bed)
{
	struct steps steps = { 0 };

	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	return steps.failed;
}

TEST_F(limit, is_shared_by_all_processes_of_a_user)
{
	ASSERT_EQ(0, attach(&self->bed));
	/* Mappings and their charge outlive the process. */
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_five_pages, &self->bed));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_remaining_pages, &self->bed));
	EXPECT_EQ(LIMIT, testbed_pinned(&self->bed));
	/* An unmap by root uncharges the user that mapped the pages. */
	EXPECT_EQ(0, testbed_unmap(&self->bed, 0, ~0ull));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->bed));
}

static int map_one_page(struct testbed *bed)
{
	return testbed_map_pages(bed, LIMIT, 1);
}

TEST_F(limit, is_per_user)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->bed));
	/* The first user is at the limit, but the second user is not. */
	EXPECT_EQ((-ENOMEM) & 0xff,
		  user_run(USER_1, LIMIT, map_one_page, &self->bed));
	EXPECT_EQ(0, user_run(USER_2, LIMIT, map_one_page, &self->bed));
	EXPECT_EQ(LIMIT + 1, testbed_pinned(&self->bed));
}

static int map_before_attach(struct testbed *bed)
{
	struct steps steps = { 0 };

	/* Without a device, pages are neither pinned nor charged. */
	step(&steps, testbed_map_pages(bed, 0, TESTBED_PAGES) == 0);
	/* Attach has to pin and charge all pages, which exceeds the limit. */
	step(&steps, attach(bed) == -ENOMEM);
	step(&steps, unmap_pages(bed, 0, TESTBED_PAGES) == 0);
	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	step(&steps, attach(bed) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == -ENOMEM);
	/* Detach unpins and uncharges all pages. */
	step(&steps, vfio_detach(bed->device.fd) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == 0);
	step(&steps, attach(bed) == -ENOMEM);
	step(&steps, unmap_pages(bed, LIMIT, 1) == 0);
	step(&steps, attach(bed) == 0);
	return steps.failed;
}

TEST_F(limit, is_checked_by_attach)
{
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_before_attach, &self->bed));
	EXPECT_EQ(LIMIT, testbed_pinned(&self->bed));
}

TEST_F(limit, is_uncharged_by_close)
{
	__u32 pt_id;

	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->bed));
	device_close(&self->bed.device);
	close(self->bed.iommufd);
	EXPECT_EQ(0, testbed_pinned(&self->bed));

	self->bed.iommufd = iommu_open();
	ASSERT_LE(0, self->bed.iommufd);
	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &self->bed.ioas));
	ASSERT_EQ(0, device_open(&self->bed.device,
				 self->bed.machine.singleton[0].text,
				 self->bed.iommufd));
	pt_id = self->bed.ioas;
	ASSERT_EQ(0, vfio_attach(self->bed.device.fd, &pt_id));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->bed));
}

TEST_F(limit, is_ignored_with_CAP_IPC_LOCK)
{
	const struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, testbed_map_pages(&self->bed, 0, TESTBED_PAGES));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, unmap_pages(&self->bed, 0, TESTBED_PAGES));
	/* The privileged mapping must leave no charge on another user. */
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->bed));
}

TEST_HARNESS_MAIN
