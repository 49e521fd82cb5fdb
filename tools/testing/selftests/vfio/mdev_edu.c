// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test a mediated device and a physical device in the same address space. The
 * physical device does real DMA.
 *
 * Both devices see the same memory. A page that both use is pinned only once,
 * and stays pinned until neither of them uses it.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "mdev_testbed.h"

#define IOVA TESTBED_IOVA
#define HUGE_IOVA	0x200000000ull
#define HUGE_PAGES	((long)(HUGE / PAGE))

NEEDS_EDU(1)
NEEDS_MDEV_PIN
EXPECTS_DMA_FAULTS

FIXTURE(both)
{
	struct testbed bed;
	struct mediated device;
	int fd;
};

FIXTURE_SETUP(both)
{
	__u32 id, pt_id;

	ASSERT_EQ(0, testbed_open(&self->bed));
	ASSERT_EQ(0, mediated_create(&self->device, "mdev_pin", "notified"));
	ASSERT_EQ(0,
		  mdev_open(&self->device, self->bed.iommufd, &self->fd, &id));
	pt_id = self->bed.ioas;
	ASSERT_EQ(0, vfio_attach(self->fd, &pt_id));
}

FIXTURE_TEARDOWN(both)
{
	testbed_close(&self->bed);
	close(self->fd);
	EXPECT_EQ(0, mediated_remove(&self->device));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(both, share_data)
{
	struct edu *edu = &self->bed.device.edu;
	char data[TRANSFER];

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(2, mediated_pin(self->fd, IOVA, 2, PIN_BOTH));
	EXPECT_EQ(2, testbed_pinned(&self->bed));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	ASSERT_EQ(2, mediated_pin(self->fd, IOVA + 2 * PAGE, 2, PIN_BOTH));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));

	/*
	 * Copy data from a page pinned before the attach to one pinned after
	 * it.
	 */
	pattern_fill(data, TRANSFER, 1);
	ASSERT_EQ(0, mediated_poke(self->fd, IOVA, data, TRANSFER));
	ASSERT_EQ(0, edu_load(edu, IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(edu, IOVA + 3 * PAGE, 0, TRANSFER));
	memset(data, 0, TRANSFER);
	ASSERT_EQ(0, mediated_peek(self->fd, IOVA + 3 * PAGE, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 1));

	/* Copy data from a page that the mediated device has not pinned. */
	pattern_fill(data, TRANSFER, 2);
	ASSERT_EQ(0, mediated_write(self->fd, IOVA + 8 * PAGE, data, TRANSFER));
	ASSERT_EQ(0, edu_load(edu, IOVA + 8 * PAGE, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(edu, IOVA + PAGE, 0, TRANSFER));
	memset(data, 0, TRANSFER);
	ASSERT_EQ(0, mediated_peek(self->fd, IOVA + PAGE, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 2));
	EXPECT_TRUE(pattern_is(self->bed.memory + PAGE, TRANSFER, 2));
}

/*
 * If the process replaces a pinned page with a new one, a device that is
 * attached later still gets the pinned page.
 */
TEST_F(both, share_replaced_page)
{
	struct edu *edu = &self->bed.device.edu;
	char data[TRANSFER];

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(1, mediated_pin(self->fd, IOVA, 1, PIN_BOTH));
	pattern_fill(self->bed.memory, TRANSFER, 3);
	ASSERT_EQ(self->bed.memory,
		  mmap(self->bed.memory, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	pattern_fill(self->bed.memory, TRANSFER, 4);
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, edu_load(edu, IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(edu, IOVA + PAGE, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory + PAGE, TRANSFER, 3));
	ASSERT_EQ(0, mediated_peek(self->fd, IOVA, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 3));
}

TEST_F(both, unmap_notifies_mdev_and_blocks_dma)
{
	struct mdev_pin_notice notice;

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(1, mediated_pin(self->fd, IOVA + PAGE, 1, PIN_BOTH));
	ASSERT_EQ(0, testbed_unmap(&self->bed, IOVA, TESTBED_LENGTH));
	ASSERT_EQ(0, mdev_notice(self->fd, 0, &notice));
	EXPECT_EQ(IOVA, notice.iova);
	EXPECT_EQ(TESTBED_LENGTH, notice.length);
	EXPECT_EQ(1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_is_blocked(&self->bed, &self->bed.device, IOVA,
				       self->bed.memory));
}

TEST_F(both, detach_mdev_keeps_edu_attached)
{
	char data[8];

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(3, mediated_pin(self->fd, IOVA, 3, PIN_BOTH));
	ASSERT_EQ(0, vfio_detach(self->fd));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, IOVA,
				    self->bed.memory));
	EXPECT_EQ(-ENOENT, mediated_read(self->fd, IOVA, data, 8));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

/*
 * Pages that a mediated device has pinned inside a huge page stay pinned when
 * the I/O page table that maps the huge page is freed. All other pages of the
 * huge page are unpinned.
 */
TEST_F(both, pins_outlive_page_table)
{
	char *huge = new_huge_page();
	char data[8];

	if (!huge)
		SKIP(return, "no huge page available");
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->bed.ioas, huge, HUGE,
			      HUGE_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(HUGE_PAGES + 1, testbed_pinned(&self->bed));
	ASSERT_EQ(3, mediated_pin(self->fd, HUGE_IOVA + 100 * PAGE, 3,
				  PIN_BOTH));
	ASSERT_EQ(1, mediated_pin(self->fd, HUGE_IOVA + HUGE - PAGE, 1,
				  PIN_BOTH));
	EXPECT_EQ(HUGE_PAGES + 1, testbed_pinned(&self->bed));

	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(4, testbed_pinned(&self->bed));
	memset(huge + 101 * PAGE, 0x33, 8);
	ASSERT_EQ(0, mediated_peek(self->fd, HUGE_IOVA + 101 * PAGE, data, 8));
	EXPECT_EQ(0x33, data[7]);

	/* A new page table maps the pages that are still pinned. */
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(HUGE_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device,
				    HUGE_IOVA + 101 * PAGE, huge + 101 * PAGE));
	EXPECT_EQ(0, mediated_unpin(self->fd, HUGE_IOVA + 100 * PAGE, 3));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(1, testbed_pinned(&self->bed));
}

/**
 * struct lookup - state of a thread that looks up the ID of a mediated device
 * @iommufd: iommufd that the mediated device is bound to
 * @device: vfio file that is bound to @iommufd and not attached
 * @id: ID of the mediated device
 * @stop: set to make the thread exit
 * @times: number of iterations
 * @result: first unexpected result, or 0
 */
struct lookup {
	int iommufd;
	int device;
	__u32 id;
	int stop;
	unsigned long times;
	int result;
};

static void *lookup_thread(void *data)
{
	struct lookup *lookup = data;
	__u32 id;
	int rc;

	while (!lookup->result && !__atomic_load_n(&lookup->stop,
						   __ATOMIC_ACQUIRE)) {
		id = lookup->id;
		rc = vfio_attach(lookup->device, &id);
		if (rc != -EINVAL && rc != -ENOENT)
			lookup->result = rc ? rc : -EPROTO;
		rc = iommu_destroy(lookup->iommufd, lookup->id);
		if (rc != -EBUSY && rc != -ENOENT)
			lookup->result = rc ? rc : -EPROTO;
		lookup->times++;
	}
	return NULL;
}

/* Threads look up the ID of a device that is closed and bound repeatedly. */
TEST_F(both, bind_and_close_race_with_lookup)
{
	struct lookup lookups[2];
	pthread_t thread[2];
	int i, turn;
	__u32 id;

	close(self->fd);
	ASSERT_EQ(0,
		  mdev_open(&self->device, self->bed.iommufd, &self->fd, &id));
	for (i = 0; i < 2; i++) {
		lookups[i] = (struct lookup){
			.iommufd = self->bed.iommufd,
			.device = self->bed.device.fd,
			.id = id,
		};
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, lookup_thread,
					    &lookups[i]));
	}
	for (turn = 0; turn < 100; turn++) {
		close(self->fd);
		ASSERT_EQ(0, mdev_open(&self->device, self->bed.iommufd,
				       &self->fd, &id));
		EXPECT_EQ(lookups[0].id, id);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&lookups[i].stop, 1, __ATOMIC_RELEASE);
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, lookups[i].result);
		EXPECT_LT(100ul, lookups[i].times);
	}
}

TEST_HARNESS_MAIN
