// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test mediated devices that are bound to an iommufd: pins, copies, unmap
 * notices, detach and close.
 *
 * A driver can access an IOVA only while its device is attached to an address
 * space that maps the IOVA, and only with the permissions of the mapping. A
 * page that several pins share is pinned and charged once. A device can unpin
 * only its own pins. Detach and close drop the pins that remain.
 *
 * A notice is one call of the dma_unmap op of the driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "mdev_testbed.h"

#define NO_SUCH_ID	0x7ffffff0u
#define LAST_PAGE	(-(__u64)PAGE)
#define IOVA TESTBED_IOVA
#define FAR_IOVA (TESTBED_IOVA + 64 * PAGE)

NEEDS_MDEV_PIN

FIXTURE(mdev)
{
	struct mdev_testbed bed;
};

FIXTURE_SETUP(mdev)
{
	ASSERT_EQ(0, mdev_testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(mdev)
{
	mdev_testbed_close(&self->bed);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

static long count_notices(int fd)
{
	struct mdev_pin_state state;

	return mediated_state(fd, &state) ? -EIO : (long)state.notices;
}

TEST_F(mdev, file_is_inert_until_bind)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct mdev_pin_state state;
	struct mediated other;
	struct stat stat;
	int fd;

	ASSERT_EQ(0, mediated_create(&other, "mdev_pin", "notified"));
	fd = mediated_open(&other);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &stat));
	EXPECT_TRUE(S_ISCHR(stat.st_mode));
	EXPECT_EQ(-1, ioctl(fd, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EIO, mediated_state(fd, &state));
	EXPECT_EQ(-EINVAL, mdev_attach(&self->bed, fd));
	close(fd);
	EXPECT_EQ(0, mediated_remove(&other));
}

/*
 * IOMMU_DEVICE_GET_INFO has no information about a mediated device, and the ID
 * of the device cannot be destroyed.
 */
TEST_F(mdev, id_info_ENOENT_destroy_EBUSY)
{
	struct iommu_device_get_info info;

	EXPECT_NE(self->bed.ioas, self->bed.id);
	EXPECT_EQ(-ENOENT,
		  iommu_device_info(self->bed.iommufd, self->bed.id, &info));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->bed.id));
}

TEST_F(mdev, unattached_ENOENT)
{
	char data[8];

	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 2));
	EXPECT_EQ(-ENOENT, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(-ENOENT, mediated_read(self->bed.fd, IOVA, data, 8));
	EXPECT_EQ(-ENOENT, mediated_write(self->bed.fd, IOVA, data, 8));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 1));
	EXPECT_EQ(0, mdev_pinned(&self->bed));

	/* Neither map nor attach pins memory. Only an explicit pin does. */
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(1, mdev_pinned(&self->bed));
}

/* A failed attach leaves the device attached, or detached, as before. */
TEST_F(mdev, attach_ENOENT)
{
	__u32 id;

	id = NO_SUCH_ID;
	EXPECT_EQ(-ENOENT, vfio_attach(self->bed.fd, &id));
	id = self->bed.id;
	EXPECT_EQ(-ENOENT, vfio_attach(self->bed.fd, &id));
	EXPECT_EQ(0, vfio_detach(self->bed.fd));

	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 2));
	id = self->bed.ioas;
	ASSERT_EQ(0, vfio_attach(self->bed.fd, &id));
	EXPECT_EQ(self->bed.ioas, id);
	EXPECT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_READ));
	id = NO_SUCH_ID;
	EXPECT_EQ(-ENOENT, vfio_attach(self->bed.fd, &id));
	EXPECT_EQ(2, mdev_pinned(&self->bed));

	EXPECT_EQ(0, vfio_detach(self->bed.fd));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(0, vfio_detach(self->bed.fd));
}

TEST_F(mdev, second_attach_to_same_ioas_keeps_pins)
{
	__u32 id = self->bed.ioas;

	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 2));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	EXPECT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_READ));
	EXPECT_EQ(0, vfio_attach(self->bed.fd, &id));
	EXPECT_EQ(self->bed.ioas, id);
	EXPECT_EQ(2, mdev_pinned(&self->bed));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 2));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/*
 * For each mapping of the old IOAS with a page that the device has pinned, a
 * move sends the driver a notice. iommufd unpins the pages that the driver
 * leaves pinned.
 */
static void move_with_pins(struct __test_metadata *_metadata,
			   struct mdev_testbed *bed)
{
	char data[8] = "moved";
	__u32 other, id;

	ASSERT_EQ(0, ioas_alloc(bed->iommufd, &other));
	ASSERT_EQ(0, ioas_map(bed->iommufd, other, bed->memory + 2 * PAGE, PAGE,
			      IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, mdev_map(bed, IOVA, 0, 2));
	ASSERT_EQ(0, mdev_attach(bed, bed->fd));
	EXPECT_EQ(2, mediated_pin(bed->fd, IOVA, 2, PIN_READ));

	id = other;
	EXPECT_EQ(0, vfio_attach(bed->fd, &id));
	EXPECT_EQ(other, id);
	EXPECT_EQ(0, mdev_pinned(bed));
	/*
	 * The pages that the driver left pinned have been unpinned. Remove them
	 * from the records of the driver as well.
	 */
	EXPECT_LE(0, mdev_forget(bed->fd, IOVA, 2));
	EXPECT_EQ(0, iommu_destroy(bed->iommufd, bed->ioas));

	/* The device accesses the memory of the new IOAS. */
	EXPECT_EQ(0, mediated_write(bed->fd, IOVA, data, sizeof(data)));
	EXPECT_EQ(0, memcmp(bed->memory + 2 * PAGE, data, sizeof(data)));
	EXPECT_EQ(1, mediated_pin(bed->fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(1, mdev_pinned(bed));
	EXPECT_EQ(-ENOENT, mediated_pin(bed->fd, IOVA + PAGE, 1, PIN_READ));
	EXPECT_EQ(-EBUSY, iommu_destroy(bed->iommufd, other));
	EXPECT_EQ(0, vfio_detach(bed->fd));
	EXPECT_EQ(0, mdev_pinned(bed));
	EXPECT_EQ(0, iommu_destroy(bed->iommufd, other));
}

TEST_F(mdev, move_asks_for_pins)
{
	struct mdev_pin_notice notice;

	move_with_pins(_metadata, &self->bed);
	/* The last notice is that of the detach. */
	ASSERT_EQ(0, mdev_notice(self->bed.fd, 1, &notice));
	EXPECT_EQ(IOVA, notice.iova);
	EXPECT_EQ(2 * PAGE, notice.length);
	EXPECT_EQ(2u, notice.dropped);
}

TEST_F(mdev, move_unpins_what_the_driver_keeps)
{
	ASSERT_EQ(0, mdev_set_flags(self->bed.fd, 0));
	move_with_pins(_metadata, &self->bed);
}

TEST_F(mdev, destroy_ioas_EBUSY_until_detach)
{
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	ASSERT_EQ(0, vfio_detach(self->bed.fd));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	EXPECT_EQ(-ENOENT, mdev_attach(&self->bed, self->bed.fd));
}

TEST_F(mdev, destroy_ioas_EBUSY_until_close)
{
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	close(self->bed.fd);
	self->bed.fd = -1;
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->bed.iommufd, self->bed.id));
}

TEST_F(mdev, switch_address_space)
{
	__u32 other, id;
	char data[8];

	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &other));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, other, self->bed.memory + PAGE,
			      PAGE, IOVA + PAGE, IOAS_READ_WRITE));
	memset(self->bed.memory, 1, PAGE);
	memset(self->bed.memory + PAGE, 2, PAGE);

	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mediated_read(self->bed.fd, IOVA, data, 8));
	EXPECT_EQ(1, data[7]);
	EXPECT_EQ(-ENOENT, mediated_read(self->bed.fd, IOVA + PAGE, data, 8));
	ASSERT_EQ(0, vfio_detach(self->bed.fd));

	id = other;
	ASSERT_EQ(0, vfio_attach(self->bed.fd, &id));
	EXPECT_EQ(-ENOENT, mediated_read(self->bed.fd, IOVA, data, 8));
	ASSERT_EQ(0, mediated_read(self->bed.fd, IOVA + PAGE, data, 8));
	EXPECT_EQ(2, data[7]);
}

/*
 * A page that several pins cover is pinned and charged once. A pin gives the
 * driver the page that the process has mapped.
 */
TEST_F(mdev, pin_accounting)
{
	long before = counters_of_self("VmPin");
	char data[TRANSFER];

	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 8));
	ASSERT_EQ(4, mediated_pin(self->bed.fd, IOVA + PAGE, 4, PIN_BOTH));
	EXPECT_EQ(4, mdev_pinned(&self->bed));
	EXPECT_EQ(before + 16, counters_of_self("VmPin"));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA + 2 * PAGE, 2, PIN_READ));
	EXPECT_EQ(4, mdev_pinned(&self->bed));

	pattern_fill(data, TRANSFER, 10);
	ASSERT_EQ(0,
		  mediated_poke(self->bed.fd, IOVA + 2 * PAGE, data, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory + 2 * PAGE, TRANSFER, 10));
	pattern_fill(self->bed.memory + 4 * PAGE, TRANSFER, 11);
	ASSERT_EQ(0,
		  mediated_peek(self->bed.fd, IOVA + 4 * PAGE, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 11));

	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA + PAGE, 4));
	EXPECT_EQ(2, mdev_pinned(&self->bed));
	EXPECT_EQ(before + 8, counters_of_self("VmPin"));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 8));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(before, counters_of_self("VmPin"));
}

TEST_F(mdev, pin_arguments)
{
	struct mdev_pin_request none = {
		.op = MDEV_PIN_OP_PIN,
		.flags = MDEV_PIN_NULL,
		.iova = IOVA,
		.npage = 1,
	};
	const int fd = self->bed.fd;

	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	EXPECT_EQ(-EINVAL, mediated_pin(fd, IOVA, 0, PIN_READ));
	EXPECT_EQ(-EINVAL, mediated_pin(fd, IOVA, -1, PIN_READ));
	EXPECT_EQ(-EINVAL, mediated_run(fd, 0, &none));
	EXPECT_EQ(-E2BIG, mediated_pin(fd, IOVA, 513, PIN_READ));
	EXPECT_EQ(-ENOENT, mediated_pin(fd, LAST_PAGE, 1, PIN_READ));
	EXPECT_EQ(-EOVERFLOW, mediated_pin(fd, LAST_PAGE, 2, PIN_READ));
	EXPECT_EQ(0, mdev_pinned(&self->bed));

	/* A pin of an unaligned IOVA pins the page that contains it. */
	EXPECT_EQ(1, mediated_pin(fd, IOVA + PAGE + 8, 1, PIN_READ));
	EXPECT_EQ(1, mdev_pinned(&self->bed));
	EXPECT_EQ(0, mediated_unpin(fd, IOVA + PAGE + 8, 1));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/* A pin fails and pins nothing if any page of the range is not mapped. */
TEST_F(mdev, pin_unmapped_range_ENOENT)
{
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 2));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA + 2 * PAGE, 4, 2));
	EXPECT_EQ(-ENOENT, mediated_pin(self->bed.fd, IOVA, 5, PIN_READ));
	EXPECT_EQ(-ENOENT,
		  mediated_pin(self->bed.fd, IOVA - PAGE, 2, PIN_READ));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(4, mediated_pin(self->bed.fd, IOVA, 4, PIN_READ));
	EXPECT_EQ(4, mdev_pinned(&self->bed));
}

TEST_F(mdev, pin_and_copy_EPERM)
{
	const int fd = self->bed.fd;
	char data[8] = { 0 };

	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->bed.ioas,
			      self->bed.memory, PAGE, IOVA, IOAS_READ));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->bed.ioas,
			      self->bed.memory, PAGE, IOVA + PAGE, IOAS_WRITE));
	EXPECT_EQ(-EPERM, mediated_pin(fd, IOVA, 1, PIN_WRITE));
	EXPECT_EQ(-EPERM, mediated_pin(fd, IOVA, 1, PIN_BOTH));
	EXPECT_EQ(1, mediated_pin(fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(-EPERM, mediated_pin(fd, IOVA + PAGE, 1, PIN_READ));
	EXPECT_EQ(1, mediated_pin(fd, IOVA + PAGE, 1, PIN_WRITE));

	memset(self->bed.memory, 3, PAGE);
	EXPECT_EQ(-EPERM, mediated_write(fd, IOVA, data, 8));
	EXPECT_EQ(3, self->bed.memory[0]);
	EXPECT_EQ(0, mediated_read(fd, IOVA, data, 8));
	EXPECT_EQ(3, data[0]);
	EXPECT_EQ(-EPERM, mediated_read(fd, IOVA + PAGE, data, 8));
	memset(data, 4, 8);
	EXPECT_EQ(0, mediated_write(fd, IOVA + PAGE, data, 8));
	EXPECT_EQ(4, self->bed.memory[7]);
}

/*
 * A copy can span several mappings and needs no pin. It fails with -ENOENT if
 * any IOVA of the range is not mapped.
 */
TEST_F(mdev, copy)
{
	const int fd = self->bed.fd;
	struct mdev_pin_request kthread = {
		.op = MDEV_PIN_OP_READ,
		.flags = MDEV_PIN_KTHREAD,
		.iova = IOVA + PAGE - 8,
		.length = 16,
	};
	char data[TRANSFER];

	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	EXPECT_EQ(-EINVAL, mediated_read(fd, IOVA, data, 0));
	EXPECT_EQ(-ENOENT, mediated_read(fd, IOVA, data, 8));
	EXPECT_EQ(-ENOENT, mediated_write(fd, 0, data, 8));
	EXPECT_EQ(-ENOENT, mediated_read(fd, -8ull, data, 8));
	EXPECT_EQ(-EOVERFLOW, mediated_read(fd, -8ull, data, 9));

	/* Copy across the boundary of two mappings while no page is pinned. */
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA + PAGE, 1, 1));
	pattern_fill(self->bed.memory + 2000, TRANSFER, 20);
	ASSERT_EQ(0, mediated_read(fd, IOVA + 2000, data, TRANSFER));
	EXPECT_TRUE(pattern_is(data, TRANSFER, 20));
	pattern_fill(data, TRANSFER, 21);
	ASSERT_EQ(0, mediated_write(fd, IOVA + 2000, data, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory + 2000, TRANSFER, 21));
	EXPECT_EQ(0, mediated_run(fd, 0, &kthread));
	EXPECT_EQ(-ENOENT, mediated_read(fd, IOVA + 2 * PAGE - 8, data, 9));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/*
 * If a child writes through the inherited file of a device, the data reaches
 * the memory of the parent, which created the mapping. The child's own copy of
 * the memory does not change.
 */
TEST_F(mdev, copy_by_another_process)
{
	pid_t child;
	int status;

	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	memset(self->bed.memory, 5, PAGE);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		char data[8] = { 6, 7 };

		_exit(mediated_write(self->bed.fd, IOVA, data, 8) ||
		      self->bed.memory[0] != 5);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(6, self->bed.memory[0]);
	EXPECT_EQ(7, self->bed.memory[1]);
	EXPECT_EQ(0, self->bed.memory[2]);
	EXPECT_EQ(5, self->bed.memory[8]);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/*
 * For each mapping with a pinned page, an unmap sends each driver exactly one
 * notice, which covers the whole mapping. It sends none for other mappings.
 */
TEST_F(mdev, unmap_notice_bounds)
{
	struct mdev_pin_notice notice;
	const int fd = self->bed.fd;

	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA + 4 * PAGE, 4, 4));
	ASSERT_EQ(0, mdev_map(&self->bed, FAR_IOVA, 8, 2));
	ASSERT_EQ(0, mdev_map(&self->bed, LAST_PAGE - 2 * PAGE, 10, 2));
	ASSERT_EQ(1, mediated_pin(fd, IOVA + 3 * PAGE, 1, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(fd, FAR_IOVA, 2, PIN_BOTH));

	/* An unmap that would cut a mapping fails and sends no notice. */
	EXPECT_EQ(-ENOENT, mdev_unmap(&self->bed, IOVA, 3 * PAGE));
	EXPECT_EQ(0, count_notices(fd));
	EXPECT_EQ(BYTES(2),
		  mdev_unmap(&self->bed, LAST_PAGE - 2 * PAGE, 2 * PAGE));
	EXPECT_EQ(0, count_notices(fd));
	EXPECT_EQ(3, mdev_pinned(&self->bed));

	EXPECT_EQ(BYTES(10), mdev_unmap(&self->bed, IOVA - PAGE, 128 * PAGE));
	EXPECT_EQ(2, count_notices(fd));
	ASSERT_EQ(0, mdev_notice(fd, 1, &notice));
	EXPECT_EQ(IOVA, notice.iova);
	EXPECT_EQ(4 * PAGE, notice.length);
	EXPECT_EQ(1u, notice.dropped);
	EXPECT_EQ(getpid(), notice.tgid);
	ASSERT_EQ(0, mdev_notice(fd, 0, &notice));
	EXPECT_EQ(FAR_IOVA, notice.iova);
	EXPECT_EQ(2 * PAGE, notice.length);
	EXPECT_EQ(2u, notice.dropped);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(-ENOENT, mediated_pin(fd, IOVA, 1, PIN_READ));
}

/* While the driver handles a notice, it can neither pin nor read the range. */
TEST_F(mdev, pin_and_read_in_notice_ENOENT)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN | MDEV_PIN_NOTICE_READ,
		.repin = 1,
		.prot = PIN_READ,
	};
	struct mdev_pin_notice notice;
	const int fd = self->bed.fd;

	ASSERT_EQ(0, mediated_control(fd, &control));
	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	ASSERT_EQ(1, mediated_pin(fd, IOVA, 1, PIN_BOTH));
	EXPECT_EQ(BYTES(1), mdev_unmap(&self->bed, IOVA, PAGE));
	ASSERT_EQ(0, mdev_notice(fd, 0, &notice));
	EXPECT_EQ(-ENOENT, notice.read_rc);
	EXPECT_EQ(-ENOENT, notice.repin_rc);

	/* The same holds for a notice of a detach, which keeps the mapping. */
	ASSERT_EQ(0, mediated_control(fd, &control));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	ASSERT_EQ(1, mediated_pin(fd, IOVA, 1, PIN_BOTH));
	ASSERT_EQ(0, vfio_detach(fd));
	ASSERT_EQ(0, mdev_notice(fd, 0, &notice));
	EXPECT_EQ(-ENOENT, notice.read_rc);
	EXPECT_EQ(-ENOENT, notice.repin_rc);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/* A detach notifies the driver, and then drops the pins that are left. */
TEST_F(mdev, detach_notifies_and_unpins)
{
	struct mdev_pin_notice notice;
	const int fd = self->bed.fd;

	ASSERT_EQ(0, mdev_set_flags(fd, 0));
	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA + 4 * PAGE, 4, 4));
	ASSERT_EQ(0, mdev_map(&self->bed, FAR_IOVA, 8, 2));
	ASSERT_EQ(2, mediated_pin(fd, IOVA + PAGE, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(fd, IOVA + PAGE, 2, PIN_BOTH));
	ASSERT_EQ(1, mediated_pin(fd, FAR_IOVA, 1, PIN_BOTH));
	EXPECT_EQ(3, mdev_pinned(&self->bed));

	ASSERT_EQ(0, vfio_detach(fd));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(2, count_notices(fd));
	ASSERT_EQ(0, mdev_notice(fd, 1, &notice));
	EXPECT_EQ(IOVA, notice.iova);
	EXPECT_EQ(4 * PAGE, notice.length);
	ASSERT_EQ(0, mdev_notice(fd, 0, &notice));
	EXPECT_EQ(FAR_IOVA, notice.iova);
	EXPECT_EQ(2 * PAGE, notice.length);

	/*
	 * The detach kept the mappings. An unmap does not wait for the pins
	 * that the detach dropped.
	 */
	EXPECT_EQ(5, mdev_forget(fd, IOVA + PAGE, 2) +
		  mdev_forget(fd, IOVA + PAGE, 2) +
		  mdev_forget(fd, FAR_IOVA, 1));
	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(1, mediated_pin(fd, IOVA + PAGE, 1, PIN_BOTH));
	EXPECT_EQ(0, mediated_unpin(fd, IOVA + PAGE, 1));
	EXPECT_EQ(BYTES(10), mdev_unmap(&self->bed, 0, -1));
	EXPECT_EQ(2, count_notices(fd));
}

/* Devices in one address space can unpin only their own pins. */
TEST_F(mdev, unpin_only_own_pins)
{
	struct mediated other;
	const int fd = self->bed.fd;
	int second;
	__u32 id;

	ASSERT_EQ(0, mediated_create(&other, "mdev_pin", "notified"));
	ASSERT_EQ(0, mdev_open(&other, self->bed.iommufd, &second, &id));
	EXPECT_NE(self->bed.id, id);
	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, mdev_attach(&self->bed, second));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	ASSERT_EQ(4, mediated_pin(fd, IOVA, 4, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(second, IOVA + 2 * PAGE, 2, PIN_BOTH));
	EXPECT_EQ(4, mdev_pinned(&self->bed));
	EXPECT_EQ(0, mediated_unpin(second, IOVA, 4));
	EXPECT_EQ(0, mediated_unpin(second, IOVA, 4));
	EXPECT_EQ(4, mdev_pinned(&self->bed));

	/*
	 * The second driver unpins the whole range of a notice, as vfio_ap
	 * does.
	 */
	ASSERT_EQ(0, mdev_set_flags(second, MDEV_PIN_NOTICE_UNPIN_RANGE));
	ASSERT_EQ(1, mediated_pin(second, IOVA, 1, PIN_BOTH));
	ASSERT_EQ(0, vfio_detach(second));
	EXPECT_EQ(1, count_notices(second));
	EXPECT_EQ(0, count_notices(fd));
	EXPECT_EQ(4, mdev_pinned(&self->bed));
	memset(self->bed.memory, 7, PAGE);
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->bed.ioas));

	/*
	 * An unmap of a pinned page notifies the driver of every attached
	 * device, even if the device has no pin.
	 */
	ASSERT_EQ(0, mdev_attach(&self->bed, second));
	EXPECT_EQ(BYTES(4), mdev_unmap(&self->bed, IOVA, 4 * PAGE));
	EXPECT_EQ(1, count_notices(fd));
	EXPECT_EQ(2, count_notices(second));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	close(second);
	EXPECT_EQ(0, mediated_remove(&other));
}

/* Close drops all pins, including those that the driver has forgotten. */
TEST_F(mdev, close_unpins)
{
	const __u32 flags = MDEV_PIN_NOTICE_UNPIN_RANGE;

	ASSERT_EQ(0, mdev_set_flags(self->bed.fd, flags));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 8));
	ASSERT_EQ(8, mediated_pin(self->bed.fd, IOVA, 8, PIN_BOTH));
	ASSERT_EQ(4, mdev_forget(self->bed.fd, IOVA, 4));
	EXPECT_EQ(8, mdev_pinned(&self->bed));
	close(self->bed.fd);
	EXPECT_EQ(0, mdev_pinned(&self->bed));

	ASSERT_EQ(0, mdev_open(&self->bed.device, self->bed.iommufd,
			       &self->bed.fd, &self->bed.id));
	EXPECT_EQ(0, count_notices(self->bed.fd));
	EXPECT_EQ(-ENOENT, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	EXPECT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
}

/*
 * The device is still attached when close_device() pins, and not yet attached
 * when open_device() does.
 */
TEST_F(mdev, pin_at_open_and_close)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN | MDEV_PIN_AT_OPEN |
			 MDEV_PIN_AT_CLOSE,
		.prot = PIN_READ,
		.iova = IOVA,
	};
	struct mdev_pin_state state;

	ASSERT_EQ(0, mediated_control(self->bed.fd, &control));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	close(self->bed.fd);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	ASSERT_EQ(0, mdev_open(&self->bed.device, self->bed.iommufd,
			       &self->bed.fd, &self->bed.id));
	ASSERT_EQ(0, mediated_state(self->bed.fd, &state));
	EXPECT_EQ(1, state.close_rc);
	EXPECT_EQ(-ENOENT, state.open_rc);
}

/* A bound device can use its address space after the iommufd is closed. */
TEST_F(mdev, iommufd_closed_first)
{
	char data[8];

	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	close(self->bed.iommufd);
	self->bed.iommufd = -1;
	memset(self->bed.memory, 9, PAGE);
	ASSERT_EQ(0, mediated_read(self->bed.fd, IOVA, data, 8));
	EXPECT_EQ(9, data[7]);
	EXPECT_EQ(4, mediated_pin(self->bed.fd, IOVA, 4, PIN_BOTH));
	EXPECT_EQ(4, mdev_pinned(&self->bed));
	close(self->bed.fd);
	self->bed.fd = -1;
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/* A driver without a dma_unmap op can copy but not pin. */
TEST_F(mdev, without_dma_unmap_pin_EINVAL)
{
	struct mediated plain;
	char data[8];
	__u32 id;
	int fd;

	ASSERT_EQ(0, mediated_create(&plain, "mdev_pin", "plain"));
	ASSERT_EQ(0, mdev_open(&plain, self->bed.iommufd, &fd, &id));
	ASSERT_EQ(0, mdev_attach(&self->bed, fd));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	EXPECT_EQ(-EINVAL, mediated_pin(fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(0, mediated_read(fd, IOVA, data, 8));
	EXPECT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(0, mediated_unpin(fd, IOVA, 1));
	EXPECT_EQ(1, mdev_pinned(&self->bed));
	EXPECT_EQ(BYTES(1), mdev_unmap(&self->bed, IOVA, PAGE));
	close(fd);
	EXPECT_EQ(0, mediated_remove(&plain));
}

/* Killing a process unpins its pages and releases its device. */
TEST_F(mdev, killed_with_pages_pinned)
{
	int ready[2];
	pid_t child;
	char byte;

	close(self->bed.fd);
	self->bed.fd = -1;
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct mdev_testbed *bed = &self->bed;

		bed->iommufd = iommu_open();
		if (ioas_alloc(bed->iommufd, &bed->ioas) ||
		    mdev_open(&bed->device, bed->iommufd, &bed->fd, &bed->id) ||
		    mdev_attach(bed, bed->fd) ||
		    mdev_map(bed, IOVA, 0, TESTBED_PAGES) ||
		    mediated_pin(bed->fd, IOVA, 8, PIN_BOTH) != 8 ||
		    mdev_forget(bed->fd, IOVA, 4) != 4 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(8, mdev_pinned(&self->bed));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(0, mdev_pinned(&self->bed));

	ASSERT_EQ(0, mdev_open(&self->bed.device, self->bed.iommufd,
			       &self->bed.fd, &self->bed.id));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	EXPECT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_BOTH));
}

static int group_of(const struct mediated *device)
{
	char path[128], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/iommu_group",
		 device->uuid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = 0;
	return atoi(basename(target));
}

/*
 * A device cannot be bound while its group is open, and the group cannot be
 * opened while the device is bound. Pins work through a container as well as
 * through an iommufd.
 */
TEST_F(mdev, switch_between_container_and_dev_iommu)
{
	struct legacy legacy = { .container = -1, .group = -1, .device = -1 };
	int group = group_of(&self->bed.device);
	__u64 length = 4 * PAGE;
	char data[8];
	long before;

	ASSERT_LE(0, group);
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	ASSERT_EQ(4, mediated_pin(self->bed.fd, IOVA, 4, PIN_BOTH));
	EXPECT_EQ(-EBUSY, legacy_open_group(group));
	close(self->bed.fd);
	self->bed.fd = -1;

	legacy.group = legacy_open_group(group);
	ASSERT_LE(0, legacy.group);
	EXPECT_EQ(-EBUSY, mdev_open(&self->bed.device, self->bed.iommufd,
				    &self->bed.fd, &self->bed.id));
	legacy.container = open("/dev/vfio/vfio", O_RDWR);
	ASSERT_LE(0, legacy.container);
	ASSERT_EQ(0, ioctl(legacy.group, VFIO_GROUP_SET_CONTAINER,
			   &legacy.container));
	ASSERT_EQ(0, ioctl(legacy.container, VFIO_SET_IOMMU,
			   VFIO_TYPE1v2_IOMMU));
	legacy.device = ioctl(legacy.group, VFIO_GROUP_GET_DEVICE_FD,
			      self->bed.device.uuid);
	ASSERT_LE(0, legacy.device);
	before = count_notices(legacy.device);
	ASSERT_EQ(0, legacy_map(&legacy, self->bed.memory, 4 * PAGE, FAR_IOVA,
				true));
	EXPECT_EQ(-EINVAL, mediated_pin(legacy.device, IOVA, 1, PIN_READ));
	ASSERT_EQ(2, mediated_pin(legacy.device, FAR_IOVA, 2, PIN_BOTH));
	EXPECT_EQ(2, mdev_pinned(&self->bed));
	memset(self->bed.memory, 0x77, 8);
	ASSERT_EQ(0, mediated_read(legacy.device, FAR_IOVA, data, 8));
	EXPECT_EQ(0x77, data[7]);

	/*
	 * Unpin before the unmap, so that type1 sends no notice. type1 of
	 * Linux 6.1 inverts its lock order when it sends one.
	 */
	EXPECT_EQ(0, mediated_unpin(legacy.device, FAR_IOVA, 2));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	ASSERT_EQ(0, legacy_unmap(&legacy, FAR_IOVA, &length));
	EXPECT_EQ(4 * PAGE, length);
	EXPECT_EQ(before, count_notices(legacy.device));
	legacy_close(&legacy);

	ASSERT_EQ(0, mdev_open(&self->bed.device, self->bed.iommufd,
			       &self->bed.fd, &self->bed.id));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	EXPECT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_BOTH));
}

/*
 * A mediated device can be opened through a group that uses an iommufd as its
 * container. Closing the device drops all its pins.
 */
TEST_F(mdev, iommufd_as_container)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = VFIO_DMA_UNMAP_FLAG_VADDR,
		.iova = IOVA,
		.size = 4 * PAGE,
	};
	__u64 length = 4 * PAGE;
	struct legacy legacy;
	char data[8];
	long before;
	int device;

	close(self->bed.fd);
	self->bed.fd = -1;
	ASSERT_EQ(0, setenv("VFIO_CONTAINER", "/dev/iommu", 1));
	ASSERT_EQ(0, legacy_open_mediated(&legacy, self->bed.device.uuid));
	device = legacy.device;
	ASSERT_EQ(0, legacy_map(&legacy, self->bed.memory, 4 * PAGE, IOVA,
				true));
	EXPECT_EQ(-ENOENT, mediated_pin(device, FAR_IOVA, 1, PIN_READ));
	ASSERT_EQ(2, mediated_pin(device, IOVA, 2, PIN_BOTH));
	EXPECT_EQ(2, mdev_pinned(&self->bed));
	memset(self->bed.memory, 0x77, 8);
	ASSERT_EQ(0, mediated_read(device, IOVA, data, 8));
	EXPECT_EQ(0x77, data[7]);

	/*
	 * User addresses cannot be invalidated while the device is open,
	 * because its driver needs them to pin pages.
	 */
	EXPECT_EQ(0, ioctl(legacy.container, VFIO_CHECK_EXTENSION,
			   VFIO_UPDATE_VADDR));
	EXPECT_EQ(-1, ioctl(legacy.container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	EXPECT_EQ(EBUSY, errno);

	before = count_notices(device);
	ASSERT_EQ(0, legacy_unmap(&legacy, IOVA, &length));
	EXPECT_EQ(4 * PAGE, length);
	EXPECT_EQ(before + 1, count_notices(device));
	EXPECT_EQ(0, mdev_pinned(&self->bed));

	ASSERT_EQ(0, legacy_map(&legacy, self->bed.memory, 4 * PAGE, IOVA,
				true));
	ASSERT_EQ(4, mediated_pin(device, IOVA, 4, PIN_BOTH));
	close(legacy.device);
	legacy.device = -1;
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(1, ioctl(legacy.container, VFIO_CHECK_EXTENSION,
			   VFIO_UPDATE_VADDR));
	legacy_close(&legacy);
}

/* The mediated devices of samples/vfio-mdev that do not pin pages */
FIXTURE(sample)
{
	int iommufd;
	__u32 ioas;
};

FIXTURE_VARIANT(sample)
{
	const char *driver;
	const char *type;
};

FIXTURE_VARIANT_ADD(sample, mtty) { .driver = "mtty", .type = "1" };
FIXTURE_VARIANT_ADD(sample, mdpy) { .driver = "mdpy", .type = "vga" };
FIXTURE_VARIANT_ADD(sample, mbochs) { .driver = "mbochs", .type = "small" };

FIXTURE_SETUP(sample)
{
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &self->ioas));
}

FIXTURE_TEARDOWN(sample)
{
	close(self->iommufd);
}

TEST_F(sample, bind_attach_detach_close)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct mediated device;
	unsigned int turn;
	__u32 id, pt_id;
	int fd, err;

	err = mediated_create(&device, variant->driver, variant->type);
	if (err == -ENOENT)
		SKIP(return, "needs the module %s", variant->driver);
	ASSERT_EQ(0, err);
	for (turn = 0; turn < 2; turn++) {
		ASSERT_EQ(0, mdev_open(&device, self->iommufd, &fd, &id));
		EXPECT_EQ(0, ioctl(fd, VFIO_DEVICE_GET_INFO, &info));
		EXPECT_NE(0u, info.flags & VFIO_DEVICE_FLAGS_PCI);
		pt_id = self->ioas;
		EXPECT_EQ(0, vfio_attach(fd, &pt_id));
		EXPECT_EQ(0, vfio_attach(fd, &pt_id));
		EXPECT_EQ(-EBUSY, iommu_destroy(self->iommufd, self->ioas));
		EXPECT_EQ(0, vfio_detach(fd));
		EXPECT_EQ(0, vfio_attach(fd, &pt_id));
		close(fd);
	}
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));
	EXPECT_EQ(0, mediated_remove(&device));
}

TEST_HARNESS_MAIN
