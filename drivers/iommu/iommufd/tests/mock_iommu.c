// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mock IOMMU and its devices.
 *
 * Each device has an IOMMU group of its own. The I/O page tables are xarrays.
 * I/O pages are half as large as CPU pages, so that mappings need not be page
 * aligned. For devices with TEST_DEVICE_HUGE, there are also large I/O pages.
 * The first device of a domain determines the page sizes of the domain.
 */
#include <linux/bug.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "test.h"

#define MOCK_PAGE_SIZE	(PAGE_SIZE / 2)
#define MOCK_HUGE_SIZE	(512 * MOCK_PAGE_SIZE)

/**
 * struct mock_device - mock device
 * @dev: the device
 * @flags: TEST_DEVICE_* flags
 * @id: number in the name of the device
 */
struct mock_device {
	struct device dev;
	u32 flags;
	int id;
};

/**
 * struct mock_domain - domain of the mock IOMMU
 * @domain: the domain
 * @ptes: physical addresses divided by MOCK_PAGE_SIZE, indexed by the IOVA
 *        divided by MOCK_PAGE_SIZE
 * @prepared: the page sizes are fixed
 */
struct mock_domain {
	struct iommu_domain domain;
	struct xarray ptes;
	bool prepared;
};

static DEFINE_IDA(device_ids);

static struct mock_device *to_device(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

static struct mock_domain *to_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static int mock_prepare(struct iommu_domain *domain, struct device *dev)
{
	bool huge = to_device(dev)->flags & TEST_DEVICE_HUGE;
	struct mock_domain *mock = to_domain(domain);

	if (!mock->prepared && huge)
		domain->pgsize_bitmap |= MOCK_HUGE_SIZE;
	mock->prepared = true;
	return domain->pgsize_bitmap & MOCK_HUGE_SIZE && !huge ? -EINVAL : 0;
}

static void mock_detach(struct iommu_domain *domain, struct device *dev)
{
}

static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t phys, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *mock = to_domain(domain);
	size_t done;

	for (done = 0; done != pgsize * pgcount; done += MOCK_PAGE_SIZE) {
		unsigned long pte = (phys + done) / MOCK_PAGE_SIZE;
		int rc = xa_insert(&mock->ptes, (iova + done) / MOCK_PAGE_SIZE,
				   xa_mk_value(pte), gfp);

		if (rc) {
			WARN_ON(rc == -EBUSY);
			return rc;
		}
		*mapped += MOCK_PAGE_SIZE;
	}
	return 0;
}

static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mock = to_domain(domain);
	size_t done;

	for (done = 0; done != pgsize * pgcount; done += MOCK_PAGE_SIZE)
		if (WARN_ON(!xa_erase(&mock->ptes,
				      (iova + done) / MOCK_PAGE_SIZE)))
			break;
	return done;
}

static void mock_free(struct iommu_domain *domain)
{
	struct mock_domain *mock = to_domain(domain);

	WARN_ON(!xa_empty(&mock->ptes));
	xa_destroy(&mock->ptes);
	kfree(mock);
}

static const struct iommu_domain_ops mock_domain_ops = {
	.prepare = mock_prepare,
	.attach_dev = mock_prepare,
	.detach_dev = mock_detach,
	.map_pages = mock_map_pages,
	.unmap_pages = mock_unmap_pages,
	.free = mock_free,
};

static struct iommu_domain *mock_alloc(unsigned int type)
{
	struct mock_domain *mock;

	if (type != IOMMU_DOMAIN_UNMANAGED)
		return NULL;
	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	if (!mock)
		return NULL;
	xa_init(&mock->ptes);
	mock->domain.geometry.aperture_start = TEST_APERTURE_START;
	mock->domain.geometry.aperture_end = TEST_APERTURE_LAST;
	mock->domain.geometry.force_aperture = true;
	return &mock->domain;
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY || cap == IOMMU_CAP_INTR_REMAP;
}

static int mock_device_info(struct device *dev, struct iommu_device_info *info)
{
	info->pgsize_bitmap = MOCK_PAGE_SIZE;
	if (to_device(dev)->flags & TEST_DEVICE_HUGE)
		info->pgsize_bitmap |= MOCK_HUGE_SIZE;
	info->addr_width = fls64(TEST_APERTURE_LAST);
	return 0;
}

static void *mock_hw_info(struct device *dev, u32 *length, u32 *type)
{
	struct test_hw_info *info = kzalloc(sizeof(*info), GFP_KERNEL);

	if (!info)
		return ERR_PTR(-ENOMEM);
	info->test_reg = TEST_HW_INFO_REGISTER;
	*length = sizeof(*info);
	*type = TEST_HW_INFO_TYPE;
	return info;
}

static const struct iommu_ops mock_ops = {
	.capable = mock_capable,
	.device_info = mock_device_info,
	.hw_info = mock_hw_info,
	.domain_alloc = mock_alloc,
	.default_domain_ops = &mock_domain_ops,
	.pgsize_bitmap = MOCK_PAGE_SIZE,
};

static struct iommu_device mock_iommu = { .ops = &mock_ops };
static struct dev_iommu mock_dev_iommu = { .iommu_dev = &mock_iommu };
static struct bus_type mock_bus = {
	.name = "iommufd_mock",
	.iommu_ops = &mock_ops,
};

static void mock_device_release(struct device *dev)
{
	struct mock_device *mock = to_device(dev);

	ida_free(&device_ids, mock->id);
	kfree(mock);
}

static struct mock_device *device_alloc(u32 flags)
{
	struct mock_device *mock = kzalloc(sizeof(*mock), GFP_KERNEL);

	if (!mock)
		return ERR_PTR(-ENOMEM);
	mock->id = ida_alloc(&device_ids, GFP_KERNEL);
	if (mock->id < 0) {
		int rc = mock->id;

		kfree(mock);
		return ERR_PTR(rc);
	}
	mock->flags = flags;
	device_initialize(&mock->dev);
	mock->dev.bus = &mock_bus;
	mock->dev.release = mock_device_release;
	mock->dev.iommu = &mock_dev_iommu;
	return mock;
}

static int device_add_to_group(struct device *dev)
{
	struct iommu_group *group = iommu_group_alloc();
	int rc;

	if (IS_ERR(group))
		return PTR_ERR(group);
	rc = iommu_group_add_device(group, dev);
	iommu_group_put(group);
	return rc;
}

/**
 * mock_device_create() - create a device with an IOMMU group of its own
 * @flags: TEST_DEVICE_* flags
 *
 * Context: May sleep.
 * Return: the device, which mock_device_destroy() destroys, or an ERR_PTR():
 * * %-ENOMEM - Out of memory.
 * * Another errno of the driver core or of the IOMMU core.
 */
struct device *mock_device_create(u32 flags)
{
	struct mock_device *mock = device_alloc(flags);
	int rc;

	if (IS_ERR(mock))
		return ERR_CAST(mock);
	rc = dev_set_name(&mock->dev, "iommufd_mock%d", mock->id);
	if (rc)
		goto err_put;
	rc = device_add(&mock->dev);
	if (rc)
		goto err_put;
	rc = device_add_to_group(&mock->dev);
	if (!rc)
		return &mock->dev;

	device_del(&mock->dev);
err_put:
	put_device(&mock->dev);
	return ERR_PTR(rc);
}

/**
 * mock_device_destroy() - destroy a mock device
 * @dev: a device that mock_device_create() returned. It must not be bound to a
 *       context
 *
 * Context: May sleep.
 */
void mock_device_destroy(struct device *dev)
{
	iommu_group_remove_device(dev);
	dev->iommu = NULL;
	device_unregister(dev);
}

/**
 * mock_domain_maps() - check the translation of an IOVA
 * @domain: a domain of the mock IOMMU
 * @iova: the IOVA
 * @phys: the expected physical address
 *
 * Context: Any context.
 * Return: true if @domain translates the I/O page at @iova to @phys.
 */
bool mock_domain_maps(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t phys)
{
	return xa_load(&to_domain(domain)->ptes, iova / MOCK_PAGE_SIZE) ==
	       xa_mk_value(phys / MOCK_PAGE_SIZE);
}

/* Called when the module is loaded. */
int iommufd_test_init(void)
{
	return bus_register(&mock_bus);
}

/* Called when the module is unloaded. No file is open. */
void iommufd_test_exit(void)
{
	bus_unregister(&mock_bus);
}
