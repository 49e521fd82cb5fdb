// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete program, from open to close, that uses the command names of the
 * first /dev/iommu proposal together with the current structs.
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

TEST_F(program, first_proposal)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};
	struct iommu_check_extension check = {
		.size = sizeof(check),
		.extension = EXT_MAP_TYPE1V2,
	};
	struct iommu_device_get_info info = { .size = sizeof(info) };
	struct iommu_ioasid_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.user_va = (uintptr_t)self->bed.memory,
		.length = TESTBED_LENGTH,
		.iova = TESTBED_IOVA,
	};
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.iova = TESTBED_IOVA,
		.length = TESTBED_LENGTH,
	};
	struct iommu_destroy destroy = { .size = sizeof(destroy) };
	int iommufd = iommu_open();
	int device = vfio_open(self->bed.machine.singleton[0].text);

	ASSERT_LE(0, iommufd);
	ASSERT_LE(0, device);
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_CHECK_EXTENSION, &check));
	EXPECT_EQ(1u, check.out_value);
	check.extension = EXT_DMA_NO_SNOOP;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_CHECK_EXTENSION, &check));
	EXPECT_EQ(1u, check.out_value);

	bind.iommufd = iommufd;
	ASSERT_EQ(0, ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	info.dev_id = bind.out_devid;
	ASSERT_EQ(0, ioctl(iommufd, IOMMU_DEVICE_GET_INFO, &info));
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_PGSIZES);
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_ADDR_WIDTH);

	alloc.addr_width = info.addr_width;
	if (info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP)
		alloc.flags = IOMMU_IOASID_ENFORCE_SNOOP;
	ASSERT_EQ(0, ioctl(iommufd, IOMMU_IOASID_ALLOC, &alloc));
	attach.pt_id = alloc.out_ioasid;
	ASSERT_EQ(0, ioctl(device, VFIO_DEVICE_ATTACH_IOASID, &attach));
	map.ioas_id = alloc.out_ioasid;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_MAP_DMA, &map));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	unmap.ioas_id = alloc.out_ioasid;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_UNMAP_DMA, &unmap));
	EXPECT_EQ(0, ioctl(device, VFIO_DEVICE_DETACH_IOASID, &detach));
	destroy.id = alloc.out_ioasid;
	EXPECT_EQ(0, ioctl(iommufd, IOMMU_IOASID_FREE, &destroy));
	close(device);
	close(iommufd);
}

TEST_HARNESS_MAIN
