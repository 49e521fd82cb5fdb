// SPDX-License-Identifier: GPL-2.0-only
/*
 * RLIMIT_MEMLOCK and the charge of pinned pages to a user.
 *
 * Pinned pages are charged to the user that mapped them, for all processes of
 * that user together, and are uncharged when they are unpinned. A process with
 * CAP_IPC_LOCK is not charged.
 *
 * Root binds and attaches the device. user_run() then forks an unprivileged
 * child that uses the inherited file descriptors and returns its result as exit
 * status.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "rig.h"
#include "user.h"

/* UIDs that no other process uses. */
#define USER_1	54321
#define USER_2	54322
#define LIMIT	8

NEEDS_EDU

FIXTURE(limit)
{
	struct rig rig;
};

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(limit)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int attach(struct rig *rig)
{
	__u32 pt_id = rig->ioas;

	return vfio_attach(rig->device.fd, &pt_id);
}

/* Map pages of the rig's memory at the same offset from RIG_IOVA. */
static int map_pages(struct rig *rig, unsigned int first, unsigned int pages)
{
	return ioas_map(rig->iommufd, rig->ioas, rig->memory + first * PAGE,
			pages * PAGE, RIG_IOVA + first * PAGE, IOAS_READ_WRITE);
}

static int unmap_pages(struct rig *rig, unsigned int first, unsigned int pages)
{
	return rig_unmap(rig, RIG_IOVA + first * PAGE, pages * PAGE);
}

static int map_up_to_limit(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	step(&steps, unmap_pages(rig, 0, LIMIT) == 0);
	/* The unmap uncharged all pages. */
	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	return steps.failed;
}

TEST_F(limit, is_exact)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_up_to_limit, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
	EXPECT_EQ(0, unmap_pages(&self->rig, 0, LIMIT));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int map_beyond_limit(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, LIMIT + 1) == -ENOMEM);
	step(&steps, map_pages(rig, 0, RIG_PAGES) == -ENOMEM);
	step(&steps, unmap_pages(rig, 0, RIG_PAGES) == -ENOENT);
	/* A failed map leaves no charge. */
	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, unmap_pages(rig, 0, LIMIT) == 0);
	return steps.failed;
}

TEST_F(limit, exceeded_ENOMEM_pins_nothing)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_beyond_limit, &self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int map_single_pages(struct rig *rig)
{
	struct steps steps = { 0 };
	unsigned int i;

	for (i = 0; i < LIMIT; i++)
		step(&steps, map_pages(rig, i, 1) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	step(&steps, unmap_pages(rig, 3, 1) == 0);
	step(&steps, map_pages(rig, LIMIT, 2) == -ENOMEM);
	step(&steps, map_pages(rig, LIMIT, 1) == 0);
	return steps.failed;
}

TEST_F(limit, is_shared_by_all_mappings)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_single_pages, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
}

static int map_five_pages(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, 5) == 0);
	return steps.failed;
}

static int map_remaining_pages(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 8, LIMIT - 5 + 1) == -ENOMEM);
	step(&steps, map_pages(rig, 8, LIMIT - 5) == 0);
	return steps.failed;
}

static int map_limit(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	return steps.failed;
}

TEST_F(limit, is_shared_by_all_processes_of_a_user)
{
	ASSERT_EQ(0, attach(&self->rig));
	/* Mappings and their charge outlive the process. */
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_five_pages, &self->rig));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_remaining_pages, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
	/* The user is uncharged even if another user unmaps. */
	EXPECT_EQ(0, rig_unmap(&self->rig, 0, ~0ull));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->rig));
}

static int map_one_page(struct rig *rig)
{
	return map_pages(rig, LIMIT, 1);
}

TEST_F(limit, is_per_user)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->rig));
	/* The first user is at the limit, the second user is not. */
	EXPECT_EQ((-ENOMEM) & 0xff,
		  user_run(USER_1, LIMIT, map_one_page, &self->rig));
	EXPECT_EQ(0, user_run(USER_2, LIMIT, map_one_page, &self->rig));
	EXPECT_EQ(LIMIT + 1, rig_pinned(&self->rig));
}

static int map_before_attach(struct rig *rig)
{
	struct steps steps = { 0 };

	/* Without a device, pages are neither pinned nor charged. */
	step(&steps, map_pages(rig, 0, RIG_PAGES) == 0);
	/* Attach has to pin and charge all of them. */
	step(&steps, attach(rig) == -ENOMEM);
	step(&steps, unmap_pages(rig, 0, RIG_PAGES) == 0);
	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, attach(rig) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	/* Detach unpins and uncharges all pages. */
	step(&steps, vfio_detach(rig->device.fd) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == 0);
	step(&steps, attach(rig) == -ENOMEM);
	step(&steps, unmap_pages(rig, LIMIT, 1) == 0);
	step(&steps, attach(rig) == 0);
	return steps.failed;
}

TEST_F(limit, is_checked_by_attach)
{
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_before_attach, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
}

TEST_F(limit, is_uncharged_by_close)
{
	__u32 pt_id;

	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->rig));
	device_close(&self->rig.device);
	close(self->rig.iommufd);
	EXPECT_EQ(0, rig_pinned(&self->rig));

	self->rig.iommufd = iommu_open();
	ASSERT_LE(0, self->rig.iommufd);
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &self->rig.ioas));
	ASSERT_EQ(0, device_open(&self->rig.device,
				 self->rig.machine.lone[0].text,
				 self->rig.iommufd));
	pt_id = self->rig.ioas;
	ASSERT_EQ(0, vfio_attach(self->rig.device.fd, &pt_id));
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->rig));
}

TEST_F(limit, is_ignored_with_CAP_IPC_LOCK)
{
	const struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, map_pages(&self->rig, 0, RIG_PAGES));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, unmap_pages(&self->rig, 0, RIG_PAGES));
	/* The privileged mapping left no charge on another user. */
	EXPECT_EQ(0, user_run(USER_1, LIMIT, map_limit, &self->rig));
}

TEST_HARNESS_MAIN
