// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much memory a user may have pinned: RLIMIT_MEMLOCK, to the page.
 *
 * Rule: what is pinned is charged to the user who mapped it, for all of that
 * user's processes together, and the charge is given back with the pin. Who
 * has CAP_IPC_LOCK is not charged.
 *
 * The device is bound and attached by root; a child without privilege then
 * works with the /dev/iommu that it inherited. It answers by its exit status.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "rig.h"
#include "user.h"

/* Users that own nothing else. */
#define USER_A	54321
#define USER_B	54322
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

/* Maps pages of the rig's memory; IOVA tells where they lie in it. */
static int map_pages(struct rig *rig, unsigned int first, unsigned int pages)
{
	return ioas_map(rig->iommufd, rig->ioas, rig->memory + first * PAGE,
			pages * PAGE, RIG_IOVA + first * PAGE, IOAS_READ_WRITE);
}

static int unmap_pages(struct rig *rig, unsigned int first, unsigned int pages)
{
	return rig_unmap(rig, RIG_IOVA + first * PAGE, pages * PAGE);
}

static int work_to_the_edge(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	step(&steps, unmap_pages(rig, 0, LIMIT) == 0);
	/* All of it came back, to the page. */
	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	return steps.failed;
}

TEST_F(limit, is_exact)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_to_the_edge, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
	EXPECT_EQ(0, unmap_pages(&self->rig, 0, LIMIT));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int work_over_the_limit(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, LIMIT + 1) == -ENOMEM);
	step(&steps, map_pages(rig, 0, RIG_PAGES) == -ENOMEM);
	step(&steps, unmap_pages(rig, 0, RIG_PAGES) == -ENOENT);
	/* What failed is not charged. */
	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, unmap_pages(rig, 0, LIMIT) == 0);
	return steps.failed;
}

TEST_F(limit, exceeded_ENOMEM_pins_nothing)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_over_the_limit, &self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int work_in_parts(struct rig *rig)
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

TEST_F(limit, is_for_all_mappings_together)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_in_parts, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
}

static int work_leave_five(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, 5) == 0);
	return steps.failed;
}

static int work_three_more(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 8, LIMIT - 5 + 1) == -ENOMEM);
	step(&steps, map_pages(rig, 8, LIMIT - 5) == 0);
	return steps.failed;
}

static int work_all(struct rig *rig)
{
	struct steps steps = { 0 };

	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	return steps.failed;
}

TEST_F(limit, is_for_all_processes_of_a_user)
{
	ASSERT_EQ(0, attach(&self->rig));
	/* What a process mapped stays, and stays charged, when it ends. */
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_leave_five, &self->rig));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_three_more, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
	/* Root unmaps, and user A has it back. */
	EXPECT_EQ(0, rig_unmap(&self->rig, 0, ~0ull));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_all, &self->rig));
}

static int work_one_page(struct rig *rig)
{
	return map_pages(rig, LIMIT, 1);
}

TEST_F(limit, is_not_shared_by_users)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_all, &self->rig));
	/* A has no page left; B has all of its own. */
	EXPECT_EQ((-ENOMEM) & 0xff,
		  user_run(USER_A, LIMIT, work_one_page, &self->rig));
	EXPECT_EQ(0, user_run(USER_B, LIMIT, work_one_page, &self->rig));
	EXPECT_EQ(LIMIT + 1, rig_pinned(&self->rig));
}

static int work_without_device(struct rig *rig)
{
	struct steps steps = { 0 };

	/* Nothing is pinned, so nothing is charged. */
	step(&steps, map_pages(rig, 0, RIG_PAGES) == 0);
	/* Now it would be. */
	step(&steps, attach(rig) == -ENOMEM);
	step(&steps, unmap_pages(rig, 0, RIG_PAGES) == 0);
	step(&steps, map_pages(rig, 0, LIMIT) == 0);
	step(&steps, attach(rig) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == -ENOMEM);
	/* Not pinned, not charged: detach gives all of it back. */
	step(&steps, vfio_detach(rig->device.fd) == 0);
	step(&steps, map_pages(rig, LIMIT, 1) == 0);
	step(&steps, attach(rig) == -ENOMEM);
	step(&steps, unmap_pages(rig, LIMIT, 1) == 0);
	step(&steps, attach(rig) == 0);
	return steps.failed;
}

TEST_F(limit, is_checked_by_attach)
{
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_without_device, &self->rig));
	EXPECT_EQ(LIMIT, rig_pinned(&self->rig));
}

TEST_F(limit, is_given_back_by_close)
{
	__u32 pt_id;

	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_all, &self->rig));
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
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_all, &self->rig));
}

TEST_F(limit, does_not_hold_for_CAP_IPC_LOCK)
{
	const struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, map_pages(&self->rig, 0, RIG_PAGES));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, unmap_pages(&self->rig, 0, RIG_PAGES));
	/* It took nothing from those for whom it does hold. */
	EXPECT_EQ(0, user_run(USER_A, LIMIT, work_all, &self->rig));
}

TEST_HARNESS_MAIN
