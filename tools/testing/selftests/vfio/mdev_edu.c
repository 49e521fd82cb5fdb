// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mediated device and a physical one in one address space, with real DMA.
 *
 * Rule: both see the same memory; a page is pinned once by both together, and
 * stays so until the last of them lets go of it.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "mdev_rig.h"

#define IOVA		RIG_IOVA
#define HUGE_IOVA	0x200000000ull
#define HUGE_PAGES	((long)(HUGE / PAGE))

NEEDS_EDU
NEEDS_MDEV_PIN
EXPECTS_DMA_FAULTS

FIXTURE(both)
{
	struct rig rig;
	struct mediated device;
	int fd;
};

FIXTURE_SETUP(both)
{
	__u32 id, pt_id;

	ASSERT_EQ(0, rig_open(&self->rig));
	ASSERT_EQ(0, mediated_create(&self->device, "mdev_pin", "notified"));
	ASSERT_EQ(0, mdev_open(&self->device, self->rig.iommufd, &self->fd,
			       &id));
	pt_id = self->rig.ioas;
	ASSERT_EQ(0, vfio_attach(self->fd, &pt_id));
}

FIXTURE_TEARDOWN(both)
{
	rig_close(&self->rig);
	close(self->fd);
	EXPECT_EQ(0, mediated_remove(&self->device));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(both, see_what_the_other_wrote)
{
	struct edu *edu = &self->rig.device.edu;
	char data[TRANSFER];

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(2, mediated_pin(self->fd, IOVA, 2, PIN_BOTH));
	EXPECT_EQ(2, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	ASSERT_EQ(2, mediated_pin(self->fd, IOVA + 2 * PAGE, 2, PIN_BOTH));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));

	/* Pinned before the other came, and after; by pin and by copy */
	pattern_fill(data, TRANSFER, 1);
	ASSERT_EQ(0, mediated_poke(self->fd, IOVA, data, TRANSFER));
	ASSERT_EQ(0, edu_load(edu, IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(edu, IOVA + 3 * PAGE, 0, TRANSFER));
	memset(data, 0, TRANSFER);
	ASSERT_EQ(0, mediated_peek(self->fd, IOVA + 3 * PAGE, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 1));

	pattern_fill(data, TRANSFER, 2);
	ASSERT_EQ(0, mediated_write(self->fd, IOVA + 8 * PAGE, data, TRANSFER));
	ASSERT_EQ(0, edu_load(edu, IOVA + 8 * PAGE, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(edu, IOVA + PAGE, 0, TRANSFER));
	memset(data, 0, TRANSFER);
	ASSERT_EQ(0, mediated_peek(self->fd, IOVA + PAGE, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 2));
	EXPECT_TRUE(pattern_is(self->rig.memory + PAGE, TRANSFER, 2));
}

/* Of a page that was replaced in the process both still have the old one. */
TEST_F(both, have_the_same_page)
{
	struct edu *edu = &self->rig.device.edu;
	char data[TRANSFER];

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(1, mediated_pin(self->fd, IOVA, 1, PIN_BOTH));
	pattern_fill(self->rig.memory, TRANSFER, 3);
	ASSERT_EQ(self->rig.memory,
		  mmap(self->rig.memory, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	pattern_fill(self->rig.memory, TRANSFER, 4);
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, edu_load(edu, IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(edu, IOVA + PAGE, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.memory + PAGE, TRANSFER, 3));
	ASSERT_EQ(0, mediated_peek(self->fd, IOVA, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 3));
}

TEST_F(both, unmap_tells_one_and_blocks_the_other)
{
	struct mdev_pin_notice notice;

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(1, mediated_pin(self->fd, IOVA + PAGE, 1, PIN_BOTH));
	ASSERT_EQ(0, rig_unmap(&self->rig, IOVA, RIG_LENGTH));
	ASSERT_EQ(0, mdev_notice(self->fd, 0, &notice));
	EXPECT_EQ(IOVA, notice.iova);
	EXPECT_EQ(RIG_LENGTH, notice.length);
	EXPECT_EQ(1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_is_blocked(&self->rig, &self->rig.device, IOVA,
				       self->rig.memory));
}

TEST_F(both, detach_of_one_leaves_the_other)
{
	char data[8];

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(3, mediated_pin(self->fd, IOVA, 3, PIN_BOTH));
	ASSERT_EQ(0, vfio_detach(self->fd));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, IOVA,
				    self->rig.memory));
	EXPECT_EQ(-ENOENT, mediated_read(self->fd, IOVA, data, 8));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, self->rig.ioas));
}

/*
 * A2, A3, A4: what a device has pinned in the middle of large pages of an I/O
 * page table stays when that goes, and nothing else does.
 */
TEST_F(both, A2_A3_A4_slice_survives_the_page_table)
{
	char *huge = new_huge_page();
	char data[8];

	if (!huge)
		SKIP(return, "no huge page");
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->rig.ioas, huge, HUGE,
			      HUGE_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(HUGE_PAGES + 1, rig_pinned(&self->rig));
	ASSERT_EQ(3, mediated_pin(self->fd, HUGE_IOVA + 100 * PAGE, 3,
				  PIN_BOTH));
	ASSERT_EQ(1, mediated_pin(self->fd, HUGE_IOVA + HUGE - PAGE, 1,
				  PIN_BOTH));
	EXPECT_EQ(HUGE_PAGES + 1, rig_pinned(&self->rig));

	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(4, rig_pinned(&self->rig));
	memset(huge + 101 * PAGE, 0x33, 8);
	ASSERT_EQ(0, mediated_peek(self->fd, HUGE_IOVA + 101 * PAGE, data, 8));
	EXPECT_EQ(0x33, data[7]);

	/* And it is the same page that a new table has. */
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(HUGE_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device,
				    HUGE_IOVA + 101 * PAGE, huge + 101 * PAGE));
	EXPECT_EQ(0, mediated_unpin(self->fd, HUGE_IOVA + 100 * PAGE, 3));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(1, rig_pinned(&self->rig));
}

/**
 * struct search - a thread that uses the ID of a mediated device
 * @iommufd: where it has that
 * @device: a bound device that is attached to nothing
 * @id: the ID
 * @stop: it is time to end
 * @times: how often it did
 * @result: what it may not have got
 */
struct search {
	int iommufd;
	int device;
	__u32 id;
	int stop;
	unsigned long times;
	int result;
};

static void *search(void *data)
{
	struct search *search = data;
	__u32 id;
	int rc;

	while (!search->result && !__atomic_load_n(&search->stop,
						   __ATOMIC_ACQUIRE)) {
		id = search->id;
		rc = vfio_attach(search->device, &id);
		if (rc != -EINVAL && rc != -ENOENT)
			search->result = rc ? rc : -EPROTO;
		rc = iommu_end(search->iommufd, search->id);
		if (rc != -EBUSY && rc != -ENOENT)
			search->result = rc ? rc : -EPROTO;
		search->times++;
	}
	return NULL;
}

/* B4, B5, B8: it is bound and goes while others find it by its ID. */
TEST_F(both, B4_B5_B8_goes_while_looked_up)
{
	struct search searches[2];
	pthread_t thread[2];
	int i, turn;
	__u32 id;

	close(self->fd);
	ASSERT_EQ(0, mdev_open(&self->device, self->rig.iommufd, &self->fd,
			       &id));
	for (i = 0; i < 2; i++) {
		searches[i] = (struct search){
			.iommufd = self->rig.iommufd,
			.device = self->rig.device.fd,
			.id = id,
		};
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, search,
					    &searches[i]));
	}
	for (turn = 0; turn < 100; turn++) {
		close(self->fd);
		ASSERT_EQ(0, mdev_open(&self->device, self->rig.iommufd,
				       &self->fd, &id));
		EXPECT_EQ(searches[0].id, id);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&searches[i].stop, 1, __ATOMIC_RELEASE);
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, searches[i].result);
		EXPECT_LT(100ul, searches[i].times);
	}
}

TEST_HARNESS_MAIN
