// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/iommu tells about a bound device, and which address spaces take
 * it.
 */
#include <errno.h>
#include <stddef.h>

#include "../kselftest_harness.h"
#include "rig.h"

#define NO_SUCH_ID 0x7ffffff0u

NEEDS_EDU

FIXTURE(bound)
{
	struct rig rig;
};

FIXTURE_SETUP(bound)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(bound)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int alloc(int iommufd, __u32 flags, __u32 width, __u32 *id)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.addr_width = width,
	};
	int err = iommu_call(iommufd, IOMMU_IOASID_ALLOC, &alloc);

	*id = alloc.out_ioasid;
	return err;
}

TEST_F(bound, info)
{
	const __u32 known = IOMMU_DEVICE_INFO_COHERENT |
			    IOMMU_DEVICE_INFO_ENFORCE_SNOOP |
			    IOMMU_DEVICE_INFO_PGSIZES |
			    IOMMU_DEVICE_INFO_ADDR_WIDTH;
	struct iommu_device_get_info info;

	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
	EXPECT_EQ(self->rig.device.id, info.dev_id);
	EXPECT_EQ(0u, info.flags & ~known);
	/* x86 DMA is coherent unless it asks not to be. */
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_COHERENT);
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_PGSIZES);
	EXPECT_EQ(PAGE, info.pgsize_bitmap & PAGE);
	EXPECT_EQ(0ull, info.pgsize_bitmap & (PAGE - 1));
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_ADDR_WIDTH);
	EXPECT_LE(32u, info.addr_width);
	EXPECT_GE(64u, info.addr_width);
}

TEST_F(bound, info_reads_no_flags)
{
	struct iommu_device_get_info plain, asked = {
		.size = sizeof(asked),
		.dev_id = self->rig.device.id,
		.flags = ~0u,
		.addr_width = ~0u,
		.pgsize_bitmap = ~0ull,
		.dev_cookie = ~0ull,
	};

	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &plain));
	ASSERT_EQ(0, iommu_call(self->rig.iommufd, IOMMU_DEVICE_GET_INFO,
				&asked));
	EXPECT_EQ(0, memcmp(&plain, &asked, sizeof(plain)));
}

TEST_F(bound, info_width_is_that_of_the_ranges)
{
	struct iommu_iova_range ranges[16];
	struct iommu_device_get_info info;
	__u64 alignment, last;
	__u32 nr = 16;

	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, ioas_ranges(self->rig.iommufd, self->rig.ioas, ranges,
				 &nr, &alignment));
	last = ranges[nr - 1].last;
	EXPECT_EQ(info.addr_width, (__u32)(64 - __builtin_clzll(last)));
}

TEST_F(bound, cookie_comes_back)
{
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = self->rig.device.id,
		.cookie = 0xfeedfacecafebeefull,
	};
	struct iommu_device_get_info info;

	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
	EXPECT_EQ(0ull, info.dev_cookie);
	ASSERT_EQ(0, iommu_call(self->rig.iommufd, IOMMU_DEVICE_SET_COOKIE,
				&cookie));
	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
	EXPECT_EQ(cookie.cookie, info.dev_cookie);
	/* It names nothing. */
	EXPECT_EQ(-ENOENT, iommu_device_info(self->rig.iommufd, 0xcafebeef,
					     &info));
}

TEST_F(bound, device_id_where_an_ioas_is_wanted_ENOENT)
{
	const __u32 id = self->rig.device.id;
	struct iommu_iova_range range;
	__u64 length = ~0ull;
	__u64 alignment;
	__u32 nr = 1;

	EXPECT_EQ(-ENOENT, ioas_map(self->rig.iommufd, id, self->rig.memory,
				    PAGE, RIG_IOVA, IOAS_READ));
	EXPECT_EQ(-ENOENT, ioas_unmap(self->rig.iommufd, id, 0, &length));
	EXPECT_EQ(-ENOENT, ioas_ranges(self->rig.iommufd, id, &range, &nr,
				       &alignment));
}

TEST_F(bound, device_is_not_destroyed_EBUSY)
{
	struct iommu_device_get_info info;

	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, self->rig.device.id));
	EXPECT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
}

TEST_F(bound, device_id_is_gone_after_close)
{
	struct iommu_device_get_info info;
	const __u32 id = self->rig.device.id;

	device_close(&self->rig.device);
	EXPECT_EQ(-ENOENT, iommu_device_info(self->rig.iommufd, id, &info));
}

TEST_F(bound, attach_errno)
{
	__u32 id = NO_SUCH_ID;

	EXPECT_EQ(-ENOENT, vfio_attach(self->rig.device.fd, &id));
	id = 0;
	EXPECT_EQ(-ENOENT, vfio_attach(self->rig.device.fd, &id));
	/* Neither an address space nor a page table. */
	id = self->rig.device.id;
	EXPECT_EQ(-EINVAL, vfio_attach(self->rig.device.fd, &id));
	EXPECT_EQ(self->rig.device.id, id);
}

TEST_F(bound, attached_space_and_page_table_are_not_destroyed_EBUSY)
{
	__u32 pt_id = self->rig.ioas;

	ASSERT_EQ(0, vfio_attach(self->rig.device.fd, &pt_id));
	EXPECT_NE(self->rig.ioas, pt_id);
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, self->rig.ioas));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, pt_id));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	/* The page table was the kernel's own; it went with the detach. */
	EXPECT_EQ(-ENOENT, iommu_end(self->rig.iommufd, pt_id));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
}

TEST_F(bound, two_devices_of_one_space_share_the_page_table)
{
	__u32 first = self->rig.ioas, second = self->rig.ioas;
	struct device other;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	EXPECT_NE(self->rig.device.id, other.id);
	EXPECT_EQ(0, vfio_attach(self->rig.device.fd, &first));
	EXPECT_EQ(0, vfio_attach(other.fd, &second));
	EXPECT_EQ(first, second);
	/* It stays for the one when the other leaves. */
	EXPECT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, second));
	EXPECT_EQ(0, vfio_detach(other.fd));
	EXPECT_EQ(-ENOENT, iommu_end(self->rig.iommufd, second));
	device_close(&other);
}

TEST_F(bound, space_wider_than_the_iommu_EINVAL)
{
	struct iommu_device_get_info info;
	__u32 wide, narrow;

	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
	ASSERT_EQ(0, alloc(self->rig.iommufd, 0, info.addr_width, &narrow));
	EXPECT_EQ(0, vfio_attach(self->rig.device.fd, &narrow));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	if (info.addr_width == 64)
		return;
	ASSERT_EQ(0, alloc(self->rig.iommufd, 0, info.addr_width + 1, &wide));
	EXPECT_EQ(-EINVAL, vfio_attach(self->rig.device.fd, &wide));
}

TEST_F(bound, space_that_enforces_snooping)
{
	struct iommu_device_get_info info;
	__u32 space;
	bool able;

	ASSERT_EQ(0, iommu_device_info(self->rig.iommufd, self->rig.device.id,
				       &info));
	able = info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP;
	ASSERT_EQ(0, alloc(self->rig.iommufd, IOMMU_IOASID_ENFORCE_SNOOP, 0,
			   &space));
	EXPECT_EQ(able ? 0 : -EINVAL,
		  vfio_attach(self->rig.device.fd, &space));
}

TEST_HARNESS_MAIN
