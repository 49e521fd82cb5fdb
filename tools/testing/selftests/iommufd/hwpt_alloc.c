// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O page tables that a program makes itself.
 *
 * Rule: each shows the same mappings of the IOAS to the devices attached to it,
 * and stays until the program destroys it; those that the kernel makes go with
 * their last device.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "rig.h"

NEEDS_EDU
EXPECTS_DMA_FAULTS

FIXTURE(hwpt)
{
	struct rig rig;
	struct device second;
	/* Well formed, for each test to change one thing of. */
	struct iommu_hwpt_alloc alloc;
};

FIXTURE_SETUP(hwpt)
{
	self->second.fd = -1;
	ASSERT_EQ(0, rig_open(&self->rig));
	self->alloc = (struct iommu_hwpt_alloc){
		.size = sizeof(self->alloc),
		.dev_id = self->rig.device.id,
		.pt_id = self->rig.ioas,
	};
}

FIXTURE_TEARDOWN(hwpt)
{
	device_close(&self->second);
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int alloc(int iommufd, struct iommu_hwpt_alloc *argument)
{
	return iommu_call(iommufd, IOMMU_HWPT_ALLOC, argument);
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
		EXPECT_EQ(-EOPNOTSUPP, alloc(self->rig.iommufd, &self->alloc));
	}
	EXPECT_EQ(0u, self->alloc.out_hwpt_id);
}

TEST_F(hwpt, reserved_fields_EOPNOTSUPP)
{
	self->alloc.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->rig.iommufd, &self->alloc));
	self->alloc.__reserved = 0;
	self->alloc.__reserved2 = 1;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->rig.iommufd, &self->alloc));
	EXPECT_EQ(0u, self->alloc.out_hwpt_id);
}

/* B14: data has a type and a length, or neither. */
TEST_F(hwpt, data_type_and_length_EINVAL_or_EOPNOTSUPP)
{
	char data[64] = { 0 };

	self->alloc.data_uptr = (uintptr_t)data;
	self->alloc.data_type = IOMMU_HWPT_DATA_VTD_S1;
	EXPECT_EQ(-EINVAL, alloc(self->rig.iommufd, &self->alloc));
	self->alloc.data_len = sizeof(data);
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->rig.iommufd, &self->alloc));
	self->alloc.data_type = 77;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->rig.iommufd, &self->alloc));
	self->alloc.data_type = IOMMU_HWPT_DATA_NONE;
	EXPECT_EQ(-EINVAL, alloc(self->rig.iommufd, &self->alloc));
	EXPECT_EQ(0u, self->alloc.out_hwpt_id);
	/* With neither, where the data would be does not matter. */
	self->alloc.data_len = 0;
	EXPECT_EQ(0, alloc(self->rig.iommufd, &self->alloc));
}

TEST_F(hwpt, device_ids_ENOENT)
{
	const __u32 bad[] = { 0, NO_SUCH_ID, self->rig.ioas };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->alloc.dev_id = bad[i];
		EXPECT_EQ(-ENOENT, alloc(self->rig.iommufd, &self->alloc));
	}
}

TEST_F(hwpt, of_what_is_no_ioas_EINVAL)
{
	const __u32 bad[] = { 0, NO_SUCH_ID, self->rig.device.id };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->alloc.pt_id = bad[i];
		EXPECT_EQ(-EINVAL, alloc(self->rig.iommufd, &self->alloc));
	}
}

TEST_F(hwpt, of_an_hwpt_EOPNOTSUPP)
{
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
				self->rig.ioas, &hwpt));
	self->alloc.pt_id = hwpt;
	EXPECT_EQ(-EOPNOTSUPP, alloc(self->rig.iommufd, &self->alloc));
}

TEST_F(hwpt, of_an_ioas_whose_conditions_the_device_does_not_meet_EINVAL)
{
	struct iommu_ioasid_alloc wide = {
		.size = sizeof(wide),
		.addr_width = 64,
	};

	ASSERT_EQ(0, iommu_call(self->rig.iommufd, IOMMU_IOASID_ALLOC, &wide));
	self->alloc.pt_id = wide.out_ioasid;
	EXPECT_EQ(-EINVAL, alloc(self->rig.iommufd, &self->alloc));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, wide.out_ioasid));
}

TEST_F(hwpt, that_cannot_be_told_EFAULT_is_not_left)
{
	struct iommu_hwpt_alloc *there = new_memory(PAGE);
	__u32 next;

	ASSERT_NE(NULL, there);
	*there = self->alloc;
	ASSERT_EQ(0, mprotect(there, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, alloc(self->rig.iommufd, there));
	/* It would keep the IOAS. */
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &next));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
}

TEST_F(hwpt, keeps_its_ioas_EBUSY)
{
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
				self->rig.ioas, &hwpt));
	EXPECT_NE(self->rig.ioas, hwpt);
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, self->rig.ioas));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, hwpt));
	EXPECT_EQ(-ENOENT, iommu_end(self->rig.iommufd, hwpt));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
}

TEST_F(hwpt, stays_when_its_device_leaves)
{
	struct device *device = &self->rig.device;
	unsigned int i;
	__u32 hwpt;

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, device->id, self->rig.ioas,
				&hwpt));
	for (i = 0; i < 3; i++) {
		__u32 pt_id = hwpt;

		ASSERT_EQ(0, vfio_attach(device->fd, &pt_id));
		EXPECT_EQ(hwpt, pt_id);
		EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
		EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, hwpt));
		ASSERT_EQ(0, vfio_detach(device->fd));
		EXPECT_EQ(0, rig_pinned(&self->rig));
	}
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, hwpt));
	EXPECT_EQ(-ENOENT, attach(device, hwpt));
	EXPECT_EQ(0, attach(device, self->rig.ioas));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(hwpt, outlives_the_device_it_was_made_for)
{
	struct device *device = &self->rig.device;
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, device->id, self->rig.ioas,
				&hwpt));
	ASSERT_EQ(0, attach(device, hwpt));
	device_close(device);
	ASSERT_EQ(0, device_open(device, self->rig.machine.lone[0].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(0, attach(device, hwpt));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

/* What nobody destroyed goes with the file, an IOAS after its page tables. */
TEST_F(hwpt, goes_with_the_file)
{
	__u32 hwpt, other;

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
				self->rig.ioas, &hwpt));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
				self->rig.ioas, &other));
	ASSERT_EQ(0, attach(&self->rig.device, other));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(hwpt, is_none_that_an_ioas_gives_away)
{
	__u32 hwpt, pt_id = self->rig.ioas;

	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
				self->rig.ioas, &hwpt));
	ASSERT_EQ(0, vfio_attach(self->rig.device.fd, &pt_id));
	EXPECT_NE(hwpt, pt_id);
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, hwpt));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(-ENOENT, iommu_end(self->rig.iommufd, pt_id));
}

TEST_F(hwpt, failed_attach_leaves_it_as_it_was)
{
	__u32 hwpt;

	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
				self->rig.ioas, &hwpt));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, munmap(self->rig.memory + 9 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, attach(&self->rig.device, hwpt));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, attach(&self->rig.device, hwpt));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, hwpt));
	EXPECT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, hwpt));
}

static int open_second(struct rig *rig, struct device *second)
{
	return device_open(second, rig->machine.lone[1].text, rig->iommufd);
}

/* Two page tables of one IOAS: what is mapped before and after is in both. */
TEST_F(hwpt, two_of_one_ioas_show_the_same)
{
	struct device *device = &self->rig.device;
	__u32 first, second;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, open_second(&self->rig, &self->second));
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->rig.ioas,
			      self->rig.bounce, PAGE, BOUNCE_IOVA,
			      IOAS_READ_WRITE));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, device->id, self->rig.ioas,
				&first));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->second.id,
				self->rig.ioas, &second));
	EXPECT_NE(first, second);
	ASSERT_EQ(0, attach(device, first));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, attach(&self->second, second));
	/* Each page is pinned once, not once for each. */
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, device, RIG_IOVA,
				    self->rig.memory));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->second,
				    RIG_IOVA + 9 * PAGE,
				    self->rig.memory + 9 * PAGE));

	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, device_is_blocked(&self->rig, device, RIG_IOVA,
				       self->rig.memory));
	EXPECT_EQ(1, device_is_blocked(&self->rig, &self->second,
				       RIG_IOVA + 9 * PAGE,
				       self->rig.memory + 9 * PAGE));

	/* The first table's device leaves; the second table serves on. */
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->second, RIG_IOVA,
				    self->rig.memory));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, first));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, second));
}

/* B1: two devices on one page table that was made by name. */
TEST_F(hwpt, two_devices_share_one)
{
	struct device *device = &self->rig.device;
	__u32 hwpt;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, open_second(&self->rig, &self->second));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, device->id, self->rig.ioas,
				&hwpt));
	ASSERT_EQ(0, attach(device, hwpt));
	ASSERT_EQ(0, attach(&self->second, hwpt));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, hwpt));
	ASSERT_EQ(0, attach(device, hwpt));
	ASSERT_EQ(0, vfio_detach(self->second.fd));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, hwpt));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
}

TEST_F(hwpt, of_two_for_one_group_EINVAL)
{
	const struct pci_address *pair = self->rig.machine.pair;
	struct device first;
	__u32 one, two;

	if (!self->rig.machine.has_pair)
		SKIP(return, "needs two edu devices of one group");
	ASSERT_EQ(0, device_open(&first, pair[0].text, self->rig.iommufd));
	EXPECT_EQ(0, device_open(&self->second, pair[1].text,
				 self->rig.iommufd));
	EXPECT_EQ(0, hwpt_alloc(self->rig.iommufd, first.id, self->rig.ioas,
				&one));
	EXPECT_EQ(0, hwpt_alloc(self->rig.iommufd, self->second.id,
				self->rig.ioas, &two));
	EXPECT_EQ(0, attach(&first, one));
	/* The IOMMU cannot tell them apart. */
	EXPECT_EQ(-EINVAL, attach(&self->second, two));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, two));
	EXPECT_EQ(0, attach(&self->second, one));
	device_close(&first);
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, one));
}

TEST_HARNESS_MAIN
