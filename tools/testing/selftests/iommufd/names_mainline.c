// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete program written against the uAPI of Linux 6.12, from open to
 * close. It must use only names that Linux 6.12 has.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "testbed.h"

NEEDS_EDU(1)

FIXTURE(program)
{
	struct testbed bed;
};

/*
 * The testbed finds the device and allocates memory. The test opens the files
 * itself and makes all calls.
 */
FIXTURE_SETUP(program)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
	device_close(&self->bed.device);
	close(self->bed.iommufd);
	self->bed.iommufd = -1;
}

FIXTURE_TEARDOWN(program)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/* A virtual machine monitor may make the calls in this order. */
TEST_F(program, linux_6_12)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_RLIMIT_MODE,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = 0,
	};
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_ioas_alloc second = { .size = sizeof(second) };
	struct iommu_ioas_allow_iovas allow = { .size = sizeof(allow) };
	struct iommu_ioas_iova_ranges ranges = { .size = sizeof(ranges) };
	struct iommu_iova_range range[16] = {
		{ .start = TESTBED_IOVA,
		  .last = TESTBED_IOVA + TESTBED_LENGTH - 1 },
	};
	struct iommu_hw_info info = { .size = sizeof(info) };
	struct iommu_hw_info_vtd vtd;
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.data_type = IOMMU_HWPT_DATA_NONE,
	};
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.user_va = (uintptr_t)self->bed.memory,
		.length = TESTBED_LENGTH,
	};
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.length = PAGE,
		.dst_iova = 2 * TESTBED_IOVA,
	};
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap) };
	struct iommu_destroy destroy = { .size = sizeof(destroy) };
	int iommufd = iommu_open();
	int device = vfio_open(self->bed.machine.singleton[0].text);

	ASSERT_LE(0, iommufd);
	ASSERT_LE(0, device);
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_OPTION, &option));

	bind.iommufd = iommufd;
	ASSERT_EQ(0, ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	info.dev_id = bind.out_devid;
	info.data_len = sizeof(vtd);
	info.data_uptr = (uintptr_t)&vtd;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_GET_HW_INFO, &info));
	EXPECT_EQ(has_vtd() ? (__u32)IOMMU_HW_INFO_TYPE_INTEL_VTD :
		  (__u32)IOMMU_HW_INFO_TYPE_NONE, info.out_data_type);
	EXPECT_EQ(0ull, info.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING);

	ASSERT_EQ(0, ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc));
	option.option_id = IOMMU_OPTION_HUGE_PAGES;
	option.op = IOMMU_OPTION_OP_GET;
	option.object_id = alloc.out_ioas_id;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_OPTION, &option));
	EXPECT_EQ(1ull, option.val64);
	allow.ioas_id = alloc.out_ioas_id;
	allow.num_iovas = 1;
	allow.allowed_iovas = (uintptr_t)range;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOAS_ALLOW_IOVAS, &allow));

	hwpt.dev_id = bind.out_devid;
	hwpt.pt_id = alloc.out_ioas_id;
	ASSERT_EQ(0, ioctl(iommufd, IOMMU_HWPT_ALLOC, &hwpt));
	attach.pt_id = hwpt.out_hwpt_id;
	ASSERT_EQ(0, ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	EXPECT_EQ(hwpt.out_hwpt_id, attach.pt_id);

	ranges.ioas_id = alloc.out_ioas_id;
	ranges.num_iovas = 16;
	ranges.allowed_iovas = (uintptr_t)range;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOAS_IOVA_RANGES, &ranges));
	EXPECT_LT(1u, ranges.num_iovas);
	EXPECT_EQ(PAGE, ranges.out_iova_alignment);

	map.ioas_id = alloc.out_ioas_id;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOAS_MAP, &map));
	EXPECT_EQ(TESTBED_IOVA, map.iova);
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOAS_ALLOC, &second));
	copy.src_ioas_id = alloc.out_ioas_id;
	copy.src_iova = map.iova;
	copy.dst_ioas_id = second.out_ioas_id;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOAS_COPY, &copy));

	unmap.ioas_id = alloc.out_ioas_id;
	unmap.iova = map.iova;
	unmap.length = map.length;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap));
	EXPECT_EQ(TESTBED_LENGTH, unmap.length);
	EXPECT_EQ(0, ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach));
	destroy.id = hwpt.out_hwpt_id;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_DESTROY, &destroy));
	destroy.id = alloc.out_ioas_id;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_DESTROY, &destroy));
	close(device);
	close(iommufd);
}

TEST_HARNESS_MAIN
