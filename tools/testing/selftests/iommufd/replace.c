// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test VFIO_DEVICE_ATTACH_IOMMUFD_PT on a device that is already attached.
 *
 * The ioctl moves the device and all attached devices of its group to the other
 * IOAS or HWPT. If the ioctl fails, the device still reaches the memory that it
 * reached before, and as many pages are pinned as before.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"

#define OTHER_PAGES	8
#define OTHER_LENGTH	(OTHER_PAGES * PAGE)

NEEDS_EDU(2)
NEEDS_VTD

FIXTURE(replace)
{
	struct testbed bed;
	struct device *device;
	struct device second;
	struct device sibling[2];
	char *memory;
	__u32 other;
	__u32 hwpt;
};

/*
 * The device is attached to the IOAS of the testbed and reaches its memory. In
 * another IOAS, other memory and the bounce page are mapped at the same IOVAs.
 */
FIXTURE_SETUP(replace)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
	self->device = &self->bed.device;
	self->second.fd = -1;
	self->sibling[0].fd = -1;
	self->sibling[1].fd = -1;
	self->memory = new_memory(OTHER_LENGTH);
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, testbed_attach(&self->bed, self->device));

	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &self->other));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->other, self->memory,
			      OTHER_LENGTH, TESTBED_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->other, self->bed.bounce,
			      PAGE, BOUNCE_IOVA, IOAS_READ_WRITE));
}

FIXTURE_TEARDOWN(replace)
{
	device_close(&self->sibling[0]);
	device_close(&self->sibling[1]);
	device_close(&self->second);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int reaches_first(struct testbed *bed, struct device *device)
{
	return device_reaches(bed, device, TESTBED_IOVA, bed->memory);
}

TEST_F(replace, moves_to_other_ioas)
{
	__u32 pt_id = self->other;

	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(0, vfio_attach(self->device->fd, &pt_id));
	EXPECT_NE(self->other, pt_id);
	EXPECT_EQ(1, device_reaches(&self->bed, self->device, TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(OTHER_PAGES + 1, testbed_pinned(&self->bed));

	/* Nothing uses the first IOAS any more. */
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->other));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	EXPECT_EQ(0, vfio_detach(self->device->fd));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->other));
}

TEST_F(replace, same_target_changes_nothing)
{
	__u32 first = self->bed.ioas, again = self->bed.ioas;

	EXPECT_EQ(0, vfio_attach(self->device->fd, &first));
	EXPECT_EQ(0, vfio_attach(self->device->fd, &again));
	EXPECT_EQ(first, again);
	EXPECT_EQ(0, vfio_attach(self->device->fd, &again));
	EXPECT_EQ(first, again);
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, reaches_first(&self->bed, self->device));
}

TEST_F(replace, moves_to_allocated_hwpt_and_back)
{
	__u32 pt_id;

	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->device->id,
				self->other, &self->hwpt));
	pt_id = self->hwpt;
	EXPECT_EQ(0, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(self->hwpt, pt_id);
	EXPECT_EQ(1, device_reaches(&self->bed, self->device, TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->hwpt));

	pt_id = self->bed.ioas;
	EXPECT_EQ(0, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(1, reaches_first(&self->bed, self->device));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->hwpt));
}

/* A device of another group stays in the old HWPT and is not affected. */
TEST_F(replace, other_group_stays)
{
	__u32 pt_id = self->bed.ioas;

	ASSERT_EQ(0, device_open(&self->second,
				 self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, vfio_attach(self->second.fd, &pt_id));
	pt_id = self->other;
	EXPECT_EQ(0, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(1, reaches_first(&self->bed, &self->second));
	EXPECT_EQ(1, device_reaches(&self->bed, self->device, TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(TESTBED_PAGES + OTHER_PAGES + 2,
		  testbed_pinned(&self->bed));

	/* The second device joins an HWPT that is already filled. */
	pt_id = self->other;
	EXPECT_EQ(0, vfio_attach(self->second.fd, &pt_id));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->second, TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(OTHER_PAGES + 1, testbed_pinned(&self->bed));
}

TEST_F(replace, bad_id_keeps_the_device)
{
	__u32 pt_id = NO_SUCH_ID;

	EXPECT_EQ(-ENOENT, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(NO_SUCH_ID, pt_id);
	pt_id = self->device->id;
	EXPECT_EQ(-EINVAL, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, reaches_first(&self->bed, self->device));
}

TEST_F(replace, id_that_cannot_be_written_keeps_the_device)
{
	struct vfio_device_attach_iommufd_pt *attach;

	attach = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)attach);
	attach->argsz = sizeof(*attach);
	attach->pt_id = self->other;
	ASSERT_EQ(0, mprotect(attach, PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			    attach));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, reaches_first(&self->bed, self->device));
}

TEST_F(replace, mapped_msi_window_EADDRINUSE_keeps_the_device)
{
	__u32 pt_id = self->other;

	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->other, self->memory,
			      PAGE, MSI_START, IOAS_READ_WRITE));
	EXPECT_EQ(-EADDRINUSE, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(self->other, pt_id);
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, reaches_first(&self->bed, self->device));

	/* The failure has left no IOVA of the other IOAS reserved. */
	EXPECT_EQ(0, ioas_map(self->bed.iommufd, self->other, self->memory,
			      PAGE, MSI_START + PAGE, IOAS_READ_WRITE));
}

/* The last mapping cannot be pinned, so filling the new page table fails. */
TEST_F(replace, missing_memory_EFAULT_keeps_the_device)
{
	__u32 pt_id = self->other;
	char *gone = new_memory(PAGE);

	ASSERT_NE(NULL, gone);
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->other, gone, PAGE,
			      BOUNCE_IOVA + PAGE, IOAS_READ_WRITE));
	ASSERT_EQ(0, munmap(gone, PAGE));
	EXPECT_EQ(-EFAULT, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, reaches_first(&self->bed, self->device));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->other));
}

TEST_F(replace, mappings_follow_the_device)
{
	__u32 pt_id = self->other;

	EXPECT_EQ(0, vfio_attach(self->device->fd, &pt_id));
	/* Only changes to the new IOAS affect what the device can access. */
	EXPECT_EQ(0, ioas_map(self->bed.iommufd, self->other, self->memory,
			      PAGE, 0x20000000, IOAS_READ_WRITE));
	EXPECT_EQ(1, device_reaches(&self->bed, self->device, 0x20000000,
				    self->memory));
	EXPECT_EQ(0, testbed_unmap(&self->bed, 0, ~0ull));
	EXPECT_EQ(1, device_reaches(&self->bed, self->device, TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(OTHER_PAGES + 2, testbed_pinned(&self->bed));
}

/* The IOVAs that a device cannot use are reserved only in its current IOAS. */
TEST_F(replace, reserved_iovas_follow_the_device)
{
	__u32 pt_id = self->other;

	EXPECT_EQ(-EINVAL, ioas_map(self->bed.iommufd, self->bed.ioas,
				    self->memory, PAGE, MSI_START, IOAS_READ));
	ASSERT_EQ(0, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(-EINVAL, ioas_map(self->bed.iommufd, self->other,
				    self->memory, PAGE, MSI_START, IOAS_READ));
	EXPECT_EQ(0, ioas_map(self->bed.iommufd, self->bed.ioas, self->memory,
			      PAGE, MSI_START, IOAS_READ));
	pt_id = self->bed.ioas;
	EXPECT_EQ(-EADDRINUSE, vfio_attach(self->device->fd, &pt_id));
	EXPECT_EQ(1, device_reaches(&self->bed, self->device, TESTBED_IOVA,
				    self->memory));
}

/*
 * Open both siblings and attach them to the IOAS of the testbed. Then detach
 * the device of the testbed, so that only the siblings use this IOAS.
 */
static int attach_siblings(struct testbed *bed, struct device *sibling)
{
	unsigned int i;
	__u32 pt_id;
	int err = 0;

	for (i = 0; i < 2 && !err; i++) {
		pt_id = bed->ioas;
		err = device_open(&sibling[i], bed->machine.siblings[i].text,
				  bed->iommufd);
		if (!err)
			err = vfio_attach(sibling[i].fd, &pt_id);
	}
	return err ? err : vfio_detach(bed->device.fd);
}

TEST_F(replace, siblings_move_together)
{
	__u32 first = self->other, second = self->other;

	if (!self->bed.machine.has_siblings)
		SKIP(return, "needs two edu devices in one group");
	ASSERT_EQ(0, attach_siblings(&self->bed, self->sibling));
	EXPECT_EQ(0, vfio_attach(self->sibling[0].fd, &first));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->sibling[0], TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->sibling[1], TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	/* The second sibling is already attached to the other IOAS. */
	EXPECT_EQ(0, vfio_attach(self->sibling[1].fd, &second));
	EXPECT_EQ(first, second);

	EXPECT_EQ(0, vfio_detach(self->sibling[0].fd));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->sibling[1], TESTBED_IOVA,
				    self->memory));
	EXPECT_EQ(OTHER_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(0, vfio_detach(self->sibling[1].fd));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->other));
}

TEST_F(replace, moved_sibling_can_be_closed)
{
	__u32 pt_id = self->other;

	if (!self->bed.machine.has_siblings)
		SKIP(return, "needs two edu devices in one group");
	ASSERT_EQ(0, attach_siblings(&self->bed, self->sibling));
	EXPECT_EQ(0, vfio_attach(self->sibling[0].fd, &pt_id));
	device_close(&self->sibling[1]);
	EXPECT_EQ(OTHER_PAGES + 1, testbed_pinned(&self->bed));
	device_close(&self->sibling[0]);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->other));
}

/* A detached device can be attached only where its group is attached. */
TEST_F(replace, detached_sibling_stays_detached)
{
	__u32 pt_id = self->other;

	if (!self->bed.machine.has_siblings)
		SKIP(return, "needs two edu devices in one group");
	ASSERT_EQ(0, attach_siblings(&self->bed, self->sibling));
	ASSERT_EQ(0, vfio_detach(self->sibling[1].fd));
	EXPECT_EQ(0, vfio_attach(self->sibling[0].fd, &pt_id));
	pt_id = self->bed.ioas;
	EXPECT_EQ(-EINVAL, vfio_attach(self->sibling[1].fd, &pt_id));
	pt_id = self->other;
	EXPECT_EQ(0, vfio_attach(self->sibling[1].fd, &pt_id));
	EXPECT_EQ(0, vfio_detach(self->sibling[0].fd));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->sibling[1], TESTBED_IOVA,
				    self->memory));
}

TEST_HARNESS_MAIN
