// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test IOMMU_HWPT_ALLOC, with which user space allocates page tables.
 *
 * In an IOAS, every page table that a device is attached to maps the same
 * memory. A page table that user space allocated exists until user space
 * destroys it or the iommufd is released. A page table that the kernel
 * allocated for an attach is freed by the last detach.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

FIXTURE(hwpt)
{
	struct testbed bed;
	struct device second;
	/* A valid command, which tests may modify. */
	struct iommu_hwpt_alloc alloc;
};

FIXTURE_SETUP(hwpt)
{
	self->second.fd = -1;
	ASSERT_EQ(0, testbed_open(&self->bed));
	self->alloc = (struct iommu_hwpt_alloc){
		.size = sizeof(self->alloc),
		.dev_id = self->bed.device.id,
		.pt_id = self->bed.ioas,
	};
}

FIXTURE_TEARDOWN(hwpt)
{
	device_close(&self->second);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int alloc(int iommufd, struct iommu_hwpt_alloc *cmd)
{
	return iommu_call(iommufd, IOMMU_HWPT_ALLOC, cmd);
}

static int attach(struct device *device, __u32 pt_id)
{
	return vfio_attach(device->fd, &pt_id);
}

TEST_F(hwpt, flags_EOPNOTSUPP)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		self->alloc.flags = 1u << bit;
		EXPECT_EQ(-EOPNOTSUPP, alloc(self->bed.iommufd, &self->alloc));
	}
	EXPECT_EQ(0u, self->alloc.out_hwpt_id);
}

TEST_F(hwpt, reserved_fields_EOPNOTSUPP)
{
	self->alloc.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->bed.iommufd, &self->alloc));
	self->alloc.__reserved = 0;
	self->alloc.__reserved2 = 1;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->bed.iommufd, &self->alloc));
	EXPECT_EQ(0u, self->alloc.out_hwpt_id);
}

/* Data type and length must be either both set or both 0. */
TEST_F(hwpt, data_type_and_length)
{
	char data[64] = { 0 };

	self->alloc.data_uptr = (uintptr_t)data;
	self->alloc.data_type = IOMMU_HWPT_DATA_VTD_S1;
	EXPECT_EQ(-EINVAL, alloc(self->bed.iommufd, &self->alloc));
	self->alloc.data_len = sizeof(data);
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->bed.iommufd, &self->alloc));
	self->alloc.data_type = 77;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->bed.iommufd, &self->alloc));
	self->alloc.data_type = IOMMU_HWPT_DATA_NONE;
	EXPECT_EQ(-EINVAL, alloc(self->bed.iommufd, &self->alloc));
	EXPECT_EQ(0u, self->alloc.out_hwpt_id);
	/* Without data, the pointer is ignored. */
	self->alloc.data_len = 0;
	EXPECT_EQ(0, alloc(self->bed.iommufd, &self->alloc));
}

TEST_F(hwpt, device_ids_ENOENT)
{
	const __u32 invalid[] = { 0, NO_SUCH_ID, self->bed.ioas };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		self->alloc.dev_id = invalid[i];
		EXPECT_EQ(-ENOENT, alloc(self->bed.iommufd, &self->alloc));
	}
}

TEST_F(hwpt, parent_not_an_ioas_EINVAL)
{
	const __u32 invalid[] = { 0, NO_SUCH_ID, self->bed.device.id };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		self->alloc.pt_id = invalid[i];
		EXPECT_EQ(-EINVAL, alloc(self->bed.iommufd, &self->alloc));
	}
}

TEST_F(hwpt, parent_is_an_hwpt_EOPNOTSUPP)
{
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
				self->bed.ioas, &hwpt));
	self->alloc.pt_id = hwpt;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->bed.iommufd, &self->alloc));
}

TEST_F(hwpt, parent_wider_than_the_iommu_EINVAL)
{
	struct iommu_ioasid_alloc wide = {
		.size = sizeof(wide),
		.addr_width = 64,
	};

	ASSERT_EQ(0, iommu_call(self->bed.iommufd, IOMMU_IOASID_ALLOC, &wide));
	self->alloc.pt_id = wide.out_ioasid;
	EXPECT_EQ(-EINVAL, alloc(self->bed.iommufd, &self->alloc));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, wide.out_ioasid));
}

TEST_F(hwpt, failed_copy_to_user_EFAULT_frees_it)
{
	struct iommu_hwpt_alloc *read_only = new_memory(PAGE);

	ASSERT_NE(NULL, read_only);
	*read_only = self->alloc;
	ASSERT_EQ(0, mprotect(read_only, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, alloc(self->bed.iommufd, read_only));
	/* If the page table had been leaked, this would fail with -EBUSY. */
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

TEST_F(hwpt, destroy_ioas_in_use_EBUSY)
{
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
				self->bed.ioas, &hwpt));
	EXPECT_NE(self->bed.ioas, hwpt);
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, hwpt));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->bed.iommufd, hwpt));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

TEST_F(hwpt, survives_detach)
{
	struct device *device = &self->bed.device;
	unsigned int i;
	__u32 hwpt;

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, device->id, self->bed.ioas,
				&hwpt));
	for (i = 0; i < 3; i++) {
		__u32 pt_id = hwpt;

		ASSERT_EQ(0, vfio_attach(device->fd, &pt_id));
		EXPECT_EQ(hwpt, pt_id);
		EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
		EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, hwpt));
		ASSERT_EQ(0, vfio_detach(device->fd));
		EXPECT_EQ(0, testbed_pinned(&self->bed));
	}
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, hwpt));
	EXPECT_EQ(-ENOENT, attach(device, hwpt));
	EXPECT_EQ(0, attach(device, self->bed.ioas));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(hwpt, survives_unbind)
{
	struct device *device = &self->bed.device;
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, device->id, self->bed.ioas,
				&hwpt));
	ASSERT_EQ(0, attach(device, hwpt));
	device_close(device);
	ASSERT_EQ(0, device_open(device, self->bed.machine.singleton[0].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, attach(device, hwpt));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

/* close() must destroy page tables before the IOAS that they refer to. */
TEST_F(hwpt, is_freed_by_close)
{
	__u32 hwpt, other;

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
				self->bed.ioas, &hwpt));
	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
				self->bed.ioas, &other));
	ASSERT_EQ(0, attach(&self->bed.device, other));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(hwpt, is_not_used_by_attach_to_ioas)
{
	__u32 hwpt, pt_id = self->bed.ioas;

	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
				self->bed.ioas, &hwpt));
	ASSERT_EQ(0, vfio_attach(self->bed.device.fd, &pt_id));
	EXPECT_NE(hwpt, pt_id);
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, hwpt));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->bed.iommufd, pt_id));
}

TEST_F(hwpt, failed_attach_changes_nothing)
{
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->bed.device.id,
				self->bed.ioas, &hwpt));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, munmap(self->bed.memory + 9 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, attach(&self->bed.device, hwpt));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, attach(&self->bed.device, hwpt));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, hwpt));
	EXPECT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, hwpt));
}

static int open_second(struct testbed *bed, struct device *second)
{
	return device_open(second, bed->machine.singleton[1].text,
			   bed->iommufd);
}

/*
 * A page table must contain all mappings of its IOAS, whether they were created
 * before or after the device was attached.
 */
TEST_F(hwpt, two_hwpts_of_one_ioas)
{
	struct device *device = &self->bed.device;
	__u32 first, second;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, open_second(&self->bed, &self->second));
	ASSERT_EQ(0,
		  ioas_map(self->bed.iommufd, self->bed.ioas, self->bed.bounce,
			   PAGE, BOUNCE_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, device->id, self->bed.ioas,
				&first));
	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, self->second.id,
				self->bed.ioas, &second));
	EXPECT_NE(first, second);
	ASSERT_EQ(0, attach(device, first));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, attach(&self->second, second));
	/* Pages are pinned once, not once per page table. */
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, device, TESTBED_IOVA,
				    self->bed.memory));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->second,
				    TESTBED_IOVA + 9 * PAGE,
				    self->bed.memory + 9 * PAGE));

	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(1, device_is_blocked(&self->bed, device, TESTBED_IOVA,
				       self->bed.memory));
	EXPECT_EQ(1, device_is_blocked(&self->bed, &self->second,
				       TESTBED_IOVA + 9 * PAGE,
				       self->bed.memory + 9 * PAGE));

	/* Detaching from one page table must not affect the other. */
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->second, TESTBED_IOVA,
				    self->bed.memory));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, first));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, second));
}

TEST_F(hwpt, two_devices_in_one_hwpt)
{
	struct device *device = &self->bed.device;
	__u32 hwpt;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, open_second(&self->bed, &self->second));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, hwpt_alloc(self->bed.iommufd, device->id, self->bed.ioas,
				&hwpt));
	ASSERT_EQ(0, attach(device, hwpt));
	ASSERT_EQ(0, attach(&self->second, hwpt));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, hwpt));
	ASSERT_EQ(0, attach(device, hwpt));
	ASSERT_EQ(0, vfio_detach(self->second.fd));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, hwpt));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

TEST_F(hwpt, one_group_in_two_hwpts_EINVAL)
{
	const struct pci_address *siblings = self->bed.machine.siblings;
	struct device first;
	__u32 first_hwpt, second_hwpt;

	if (!self->bed.machine.has_siblings)
		SKIP(return, "needs two edu devices of one group");
	ASSERT_EQ(0, device_open(&first, siblings[0].text, self->bed.iommufd));
	EXPECT_EQ(0, device_open(&self->second, siblings[1].text,
				 self->bed.iommufd));
	EXPECT_EQ(0, hwpt_alloc(self->bed.iommufd, first.id, self->bed.ioas,
				&first_hwpt));
	EXPECT_EQ(0, hwpt_alloc(self->bed.iommufd, self->second.id,
				self->bed.ioas, &second_hwpt));
	EXPECT_EQ(0, attach(&first, first_hwpt));
	/* Devices of a group are not isolated from each other. */
	EXPECT_EQ(-EINVAL, attach(&self->second, second_hwpt));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, second_hwpt));
	EXPECT_EQ(0, attach(&self->second, first_hwpt));
	device_close(&first);
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, first_hwpt));
}

TEST_HARNESS_MAIN
