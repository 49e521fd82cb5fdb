// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved regions of devices (reserve.c). While a device is attached to the
 * space, no mapping may use the regions of the device, except for relaxable
 * regions.
 */
#include <linux/device.h>
#include <linux/sizes.h>

#include "../area.h"
#include "space.h"

/**
 * struct mock_device - device with the fields that the IOMMU core uses
 * @dev: the device
 * @param: data of the IOMMU core for the device
 * @iommu: IOMMU of the device
 * @regions: reserved regions
 * @nr: number of @regions
 */
struct mock_device {
	struct device dev;
	struct dev_iommu param;
	struct iommu_device iommu;
	const struct iommu_resv_region *regions;
	unsigned int nr;
};

static void mock_get_resv_regions(struct device *dev, struct list_head *list)
{
	struct mock_device *mock = container_of(dev, struct mock_device, dev);
	unsigned int i;

	for (i = 0; i != mock->nr; i++) {
		struct iommu_resv_region *region =
			kmemdup(&mock->regions[i], sizeof(*region), GFP_KERNEL);

		if (region)
			list_add_tail(&region->list, list);
	}
}

static const struct iommu_ops mock_iommu_ops = {
	.get_resv_regions = mock_get_resv_regions,
};

static struct device *mock_device_alloc(struct kunit *test,
					const struct iommu_resv_region *regions,
					unsigned int nr)
{
	struct mock_device *mock = kunit_kzalloc(test, sizeof(*mock),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->iommu.ops = &mock_iommu_ops;
	mock->param.iommu_dev = &mock->iommu;
	mock->dev.iommu = &mock->param;
	mock->regions = regions;
	mock->nr = nr;
	return &mock->dev;
}

static void expect_usable(struct kunit *test, unsigned long start,
			  unsigned long last, int rc)
{
	struct test_space *space = test->priv;

	KUNIT_EXPECT_EQ(test, rc, test_map(space->iopt, start, 0, 1));
	if (!rc)
		KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, start, 1));
	last &= PAGE_MASK;
	KUNIT_EXPECT_EQ(test, rc, test_map(space->iopt, last, 0, 1));
	if (!rc)
		KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, last, 1));
}

/*
 * A relaxable region is usable. Any other region stays reserved until the
 * reservations of all devices that have it are removed.
 */
static void device_reserves_regions(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		{ .start = SZ_1M, .length = SZ_64K, .type = IOMMU_RESV_DIRECT },
		{ .start = SZ_2M, .length = SZ_64K,
		  .type = IOMMU_RESV_DIRECT_RELAXABLE },
		{ .start = SZ_4M, .length = 0, .type = IOMMU_RESV_RESERVED },
		{ .start = 0xfee00000, .length = SZ_1M,
		  .type = IOMMU_RESV_MSI },
		/* This region extends beyond the end of the address space. */
		{ .start = -SZ_64K, .length = SZ_1M,
		  .type = IOMMU_RESV_RESERVED },
	};
	struct test_space *space = test->priv;
	struct device *dev = mock_device_alloc(test, regions,
					       ARRAY_SIZE(regions));
	struct device *other = mock_device_alloc(test, regions, 1);
	struct iopt_range range[8];
	phys_addr_t msi = 0;

	KUNIT_ASSERT_EQ(test, 0,
			iopt_reserve_device(space->iopt, dev, dev, &msi));
	KUNIT_ASSERT_EQ(test, 0,
			iopt_reserve_device(space->iopt, other, other, &msi));
	KUNIT_EXPECT_EQ(test, PHYS_ADDR_MAX, msi);
	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(space->iopt, range, 8));
	expect_usable(test, SZ_1M, SZ_1M + SZ_64K - 1, -EINVAL);
	expect_usable(test, SZ_1M - PAGE_SIZE, SZ_1M + SZ_64K, 0);
	expect_usable(test, SZ_2M, SZ_4M, 0);
	expect_usable(test, 0xfee00000, 0xfeefffff, -EINVAL);
	expect_usable(test, -SZ_64K, ULONG_MAX, -EINVAL);

	/* A region that another device reserves too stays reserved. */
	iopt_unreserve(space->iopt, dev);
	expect_usable(test, 0xfee00000, ULONG_MAX, 0);
	expect_usable(test, SZ_1M, SZ_1M + SZ_64K - 1, -EINVAL);
	iopt_unreserve(space->iopt, other);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 8));
}

/*
 * The address for the MSI doorbell is that of the software MSI region. If the
 * device also has a hardware MSI region, the address is PHYS_ADDR_MAX, because
 * the doorbell need not be mapped.
 */
static void device_msi_doorbell(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		{ .start = SZ_128M, .length = SZ_1M,
		  .type = IOMMU_RESV_SW_MSI },
		{ .start = 0xfee00000, .length = SZ_1M,
		  .type = IOMMU_RESV_MSI },
	};
	struct test_space *space = test->priv;
	struct device *dev = mock_device_alloc(test, regions, 1);
	struct device *window = mock_device_alloc(test, regions, 2);
	phys_addr_t msi = 0;

	KUNIT_ASSERT_EQ(test, 0,
			iopt_reserve_device(space->iopt, dev, dev, &msi));
	KUNIT_EXPECT_EQ(test, SZ_128M, msi);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_reserve_device(space->iopt, window, window, &msi));
	KUNIT_EXPECT_EQ(test, PHYS_ADDR_MAX, msi);
	iopt_unreserve(space->iopt, dev);
	iopt_unreserve(space->iopt, window);
}

/*
 * If a region of a device conflicts with a mapping or an allowed range, none of
 * the device's regions is reserved.
 */
static void device_EADDRINUSE(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		{ .start = SZ_1M, .length = SZ_64K, .type = IOMMU_RESV_DIRECT },
		{ .start = SZ_2M, .length = SZ_64K, .type = IOMMU_RESV_DIRECT },
	};
	const struct iopt_range allowed = { SZ_2M + SZ_64K - 1, SZ_4M };
	struct test_space *space = test->priv;
	struct device *dev = mock_device_alloc(test, regions, 2);
	struct iopt_range range[2];
	phys_addr_t msi;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, SZ_2M, 0, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_reserve_device(space->iopt, dev, dev, &msi));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, SZ_2M, 1));

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(space->iopt, &allowed, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_reserve_device(space->iopt, dev, dev, &msi));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(space->iopt, NULL, 0));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_reserve_device(space->iopt, dev, dev, &msi));
	iopt_unreserve(space->iopt, dev);
}

/*
 * iopt_try_reserve_device() does not wait for a mapping that is being removed,
 * but treats it as a conflict.
 */
static void try_does_not_wait(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		{ .start = SZ_1M, .length = SZ_64K, .type = IOMMU_RESV_DIRECT },
		{ .start = SZ_2M, .length = SZ_64K, .type = IOMMU_RESV_SW_MSI },
	};
	struct test_space *space = test->priv;
	struct device *dev = mock_device_alloc(test, regions, 2);
	struct iopt_range range[3];
	struct iopt_area *area;
	phys_addr_t msi = 0;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, SZ_2M, 0, 1));
	area = test_area_at(space, SZ_2M);
	area->busy = true;
	area->state = IOPT_AREA_DYING;
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_try_reserve_device(space->iopt, dev, dev, &msi));
	area->busy = false;
	area->state = IOPT_AREA_LIVE;
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 3));

	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, SZ_2M, 1));
	KUNIT_ASSERT_EQ(test, 0,
			iopt_try_reserve_device(space->iopt, dev, dev, &msi));
	KUNIT_EXPECT_EQ(test, SZ_2M, msi);
	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(space->iopt, range, 3));
	iopt_unreserve(space->iopt, dev);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 3));
}

static struct kunit_case reserve_cases[] = {
	KUNIT_CASE(device_reserves_regions),
	KUNIT_CASE(device_msi_doorbell),
	KUNIT_CASE(device_EADDRINUSE),
	KUNIT_CASE(try_does_not_wait),
	{}
};

static struct kunit_suite reserve_suite = {
	.name = "iopt-reserve",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = reserve_cases,
};

kunit_test_suite(reserve_suite);
