// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of moving the devices of an IOMMU group between domains.
 *
 * A fake IOMMU driver records the domain that each device on a fake bus is
 * attached to. A test can make attaches fail. A device that fails to attach
 * stays attached to its old domain, which is the worst case for the core.
 *
 * A domain must never be freed while a device is attached to it: fake_free()
 * checks this in all tests.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/slab.h>

#define DEVICES	4

/**
 * struct fake_device - device on the fake bus
 * @dev: the device
 * @domain: domain that the device is attached to, or NULL
 * @fails: number of upcoming attaches that fail
 * @attaches: number of successful attaches
 * @deferred: the driver defers the first attach to the first use of the DMA API
 */
struct fake_device {
	struct device dev;
	struct iommu_domain *domain;
	unsigned int fails;
	unsigned int attaches;
	bool deferred;
};

/**
 * struct testbed - fixture of a test
 * @test: the test
 * @group: group of all devices
 * @devices: devices of the group
 * @user: domain for user space DMA
 * @user_freed: the free op was called for @user
 */
struct testbed {
	struct kunit *test;
	struct iommu_group *group;
	struct fake_device *devices[DEVICES];
	struct iommu_domain *user;
	bool user_freed;
};

static struct testbed *bed;

static int fake_attach(struct iommu_domain *domain, struct device *dev)
{
	struct fake_device *device = container_of(dev, struct fake_device, dev);

	if (device->fails) {
		device->fails--;
		return -ENOMEM;
	}
	device->domain = domain;
	device->attaches++;
	return 0;
}

static void fake_detach(struct iommu_domain *domain, struct device *dev)
{
	struct fake_device *device = container_of(dev, struct fake_device, dev);

	KUNIT_EXPECT_PTR_EQ(bed->test, domain, device->domain);
	device->domain = NULL;
}

static void fake_free(struct iommu_domain *domain)
{
	unsigned int i;

	for (i = 0; i != DEVICES; i++)
		if (bed->devices[i])
			KUNIT_EXPECT_PTR_NE(bed->test, domain,
					    bed->devices[i]->domain);
	if (domain == bed->user)
		bed->user_freed = true;
	kfree(domain);
}

static const struct iommu_domain_ops fake_domain_ops = {
	.attach_dev = fake_attach,
	.detach_dev = fake_detach,
	.free = fake_free,
};

static struct iommu_domain *fake_alloc(unsigned int type)
{
	if (type != IOMMU_DOMAIN_UNMANAGED)
		return NULL;
	return kzalloc(sizeof(struct iommu_domain), GFP_KERNEL);
}

static bool fake_is_attach_deferred(struct device *dev)
{
	struct fake_device *device = container_of(dev, struct fake_device, dev);

	return device->deferred && !device->domain;
}

static const struct iommu_ops fake_ops = {
	.domain_alloc = fake_alloc,
	.is_attach_deferred = fake_is_attach_deferred,
	.default_domain_ops = &fake_domain_ops,
	.pgsize_bitmap = PAGE_SIZE,
};

static struct iommu_device fake_iommu = { .ops = &fake_ops };
static struct dev_iommu fake_dev_iommu = { .iommu_dev = &fake_iommu };
static struct bus_type fake_bus = {
	.name = "iommu-group-test",
	.iommu_ops = &fake_ops,
};

static void fake_release(struct device *dev)
{
	kfree(container_of(dev, struct fake_device, dev));
}

static struct fake_device *new_device(struct kunit *test, unsigned int id)
{
	struct fake_device *device = kzalloc(sizeof(*device), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, device);
	device->dev.bus = &fake_bus;
	device->dev.release = fake_release;
	device->dev.iommu = &fake_dev_iommu;
	dev_set_name(&device->dev, "iommu-group-test%u", id);
	if (device_register(&device->dev)) {
		put_device(&device->dev);
		KUNIT_FAIL(test, "device_register() failed");
		return NULL;
	}
	return device;
}

static int setup(struct kunit *test)
{
	unsigned int i;

	bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bed);
	bed->test = test;
	KUNIT_ASSERT_EQ(test, 0, bus_register(&fake_bus));
	test->priv = bed;
	bed->group = iommu_group_alloc();
	KUNIT_ASSERT_FALSE(test, IS_ERR(bed->group));
	for (i = 0; i != DEVICES; i++) {
		bed->devices[i] = new_device(test, i);
		KUNIT_ASSERT_NOT_NULL(test, bed->devices[i]);
		KUNIT_ASSERT_EQ(test, 0,
				iommu_group_add_device(bed->group,
						       &bed->devices[i]->dev));
	}
	bed->user = iommu_domain_alloc(&fake_bus);
	KUNIT_ASSERT_NOT_NULL(test, bed->user);
	return 0;
}

/* KUnit also calls this if setup() has failed. */
static void teardown(struct kunit *test)
{
	unsigned int i;

	if (!test->priv)
		return;
	for (i = 0; i != DEVICES; i++) {
		struct fake_device *device = bed->devices[i];

		if (!device)
			continue;
		if (device->dev.iommu_group)
			iommu_group_remove_device(&device->dev);
		device->dev.iommu = NULL;
		bed->devices[i] = NULL;
		device_unregister(&device->dev);
	}
	if (!bed->user_freed)
		kfree(bed->user);
	if (!IS_ERR_OR_NULL(bed->group))
		iommu_group_put(bed->group);
	bus_unregister(&fake_bus);
}

static void claim_and_attach(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, iommu_device_claim_dma_owner(dev, bed));
	KUNIT_ASSERT_EQ(test, 0, iommu_device_attach_user_dma(dev, bed->user));
	for (i = 0; i != DEVICES; i++)
		KUNIT_ASSERT_PTR_EQ(test, bed->user, bed->devices[i]->domain);
}

/*
 * When the core moves a device off a domain, it retries a failed attach once,
 * so a single failure has no effect.
 */
static void one_failure_is_tried_again(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;
	unsigned int i;

	claim_and_attach(test);
	bed->devices[1]->fails = 1;
	iommu_device_detach_user_dma(dev);
	for (i = 0; i != DEVICES; i++)
		KUNIT_EXPECT_PTR_NE(test, bed->user, bed->devices[i]->domain);
	iommu_domain_free(bed->user);
	KUNIT_EXPECT_TRUE(test, bed->user_freed);
	iommu_device_release_dma_owner(dev);
}

/*
 * If a device cannot be moved, the core must still move the devices that follow
 * it in the group, and must not free the domain that the device remains
 * attached to.
 */
static void other_devices_leave(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;
	unsigned int i;

	claim_and_attach(test);
	bed->devices[1]->fails = UINT_MAX;
	iommu_device_detach_user_dma(dev);
	for (i = 0; i != DEVICES; i++) {
		if (i == 1)
			KUNIT_EXPECT_PTR_EQ(test, bed->user,
					    bed->devices[i]->domain);
		else
			KUNIT_EXPECT_PTR_NE(test, bed->user,
					    bed->devices[i]->domain);
	}
	/* The core attempts the attach twice. */
	KUNIT_EXPECT_EQ(test, UINT_MAX - 2, bed->devices[1]->fails);
	iommu_domain_free(bed->user);
	KUNIT_EXPECT_FALSE(test, bed->user_freed);

	bed->devices[1]->fails = 0;
	bed->devices[1]->domain = bed->devices[0]->domain;
	iommu_device_release_dma_owner(dev);
	for (i = 0; i != DEVICES; i++)
		KUNIT_EXPECT_NULL(test, bed->devices[i]->domain);
}

/* After a failed attach, no device is attached to the new domain. */
static void failed_attach_is_undone(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, iommu_device_claim_dma_owner(dev, bed));
	bed->devices[2]->fails = 1;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_device_attach_user_dma(dev, bed->user));
	for (i = 0; i != DEVICES; i++)
		KUNIT_EXPECT_PTR_NE(test, bed->user, bed->devices[i]->domain);
	iommu_domain_free(bed->user);
	KUNIT_EXPECT_TRUE(test, bed->user_freed);
	iommu_device_release_dma_owner(dev);
}

/*
 * Fail the attach of the last device, and then both attempts to move the first
 * device back. The rollback must continue with the remaining devices.
 */
static int attach_one(struct iommu_domain *domain, struct device *dev)
{
	struct fake_device *device = container_of(dev, struct fake_device, dev);

	if (domain == bed->user && device == bed->devices[DEVICES - 1]) {
		bed->devices[0]->fails = 2;
		return -EINVAL;
	}
	return fake_attach(domain, dev);
}

static void undo_continues(struct kunit *test)
{
	static const struct iommu_domain_ops ops = {
		.attach_dev = attach_one,
		.detach_dev = fake_detach,
		.free = fake_free,
	};
	struct device *dev = &bed->devices[0]->dev;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, iommu_device_claim_dma_owner(dev, bed));
	bed->user->ops = &ops;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_device_attach_user_dma(dev, bed->user));
	KUNIT_EXPECT_PTR_EQ(test, bed->user, bed->devices[0]->domain);
	for (i = 1; i != DEVICES; i++)
		KUNIT_EXPECT_PTR_NE(test, bed->user, bed->devices[i]->domain);
	iommu_domain_free(bed->user);
	KUNIT_EXPECT_FALSE(test, bed->user_freed);
	bed->devices[0]->domain = bed->devices[1]->domain;
	iommu_device_release_dma_owner(dev);
}

/* Remove the last device of the group, and add it again without a domain. */
static void rejoin(struct kunit *test)
{
	struct fake_device *device = bed->devices[DEVICES - 1];

	iommu_group_remove_device(&device->dev);
	device->domain = NULL;
	device->deferred = true;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_group_add_device(bed->group, &device->dev));
}

/*
 * A device that joins a claimed group is attached to the domain of the group,
 * even if its driver defers attaches to the default domain.
 */
static void joining_device_is_attached(struct kunit *test)
{
	struct fake_device *device = bed->devices[DEVICES - 1];
	struct device *dev = &bed->devices[0]->dev;

	KUNIT_ASSERT_EQ(test, 0, iommu_device_claim_dma_owner(dev, bed));
	rejoin(test);
	KUNIT_EXPECT_NOT_NULL(test, device->domain);
	KUNIT_EXPECT_PTR_EQ(test, bed->devices[0]->domain, device->domain);

	KUNIT_ASSERT_EQ(test, 0, iommu_device_attach_user_dma(dev, bed->user));
	rejoin(test);
	KUNIT_EXPECT_PTR_EQ(test, bed->user, device->domain);

	iommu_device_detach_user_dma(dev);
	KUNIT_EXPECT_PTR_NE(test, bed->user, device->domain);
	iommu_domain_free(bed->user);
	KUNIT_EXPECT_TRUE(test, bed->user_freed);
	iommu_device_release_dma_owner(dev);
}

/*
 * Claim the group and attach it, reset the counts of attaches, and return a new
 * domain to replace the attached one.
 */
static struct iommu_domain *prepare_replace(struct kunit *test)
{
	struct iommu_domain *other = iommu_domain_alloc(&fake_bus);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, other);
	claim_and_attach(test);
	for (i = 0; i != DEVICES; i++)
		bed->devices[i]->attaches = 0;
	return other;
}

/*
 * Replacing the domain moves each device of the group straight to the new one,
 * and does not change the number of detaches after which the group is blocked.
 */
static void replace_moves_all_devices(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;
	struct iommu_domain *other = prepare_replace(test);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, iommu_device_attach_user_dma(dev, bed->user));
	KUNIT_EXPECT_EQ(test, 0, iommu_device_replace_user_dma(dev, other));
	for (i = 0; i != DEVICES; i++) {
		KUNIT_EXPECT_PTR_EQ(test, other, bed->devices[i]->domain);
		KUNIT_EXPECT_EQ(test, 1, bed->devices[i]->attaches);
	}
	iommu_domain_free(bed->user);
	KUNIT_EXPECT_TRUE(test, bed->user_freed);

	/* Replacing a domain with itself does not attach the devices again. */
	KUNIT_EXPECT_EQ(test, 0, iommu_device_replace_user_dma(dev, other));
	KUNIT_EXPECT_EQ(test, 1, bed->devices[0]->attaches);
	iommu_device_detach_user_dma(dev);
	KUNIT_EXPECT_PTR_EQ(test, other, bed->devices[0]->domain);
	iommu_device_detach_user_dma(dev);
	KUNIT_EXPECT_PTR_NE(test, other, bed->devices[0]->domain);
	iommu_domain_free(other);
	iommu_device_release_dma_owner(dev);
}

/* If a device cannot be moved, all devices stay in the old domain. */
static void failed_replace_is_undone(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;
	struct iommu_domain *other = prepare_replace(test);
	unsigned int i;

	bed->devices[2]->fails = 1;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_device_replace_user_dma(dev, other));
	for (i = 0; i != DEVICES; i++)
		KUNIT_EXPECT_PTR_EQ(test, bed->user, bed->devices[i]->domain);
	iommu_domain_free(other);
	iommu_device_detach_user_dma(dev);
	iommu_device_release_dma_owner(dev);
}

/* Only the domain of an owner that has attached the group can be replaced. */
static void replace_needs_attach(struct kunit *test)
{
	struct device *dev = &bed->devices[0]->dev;

	KUNIT_EXPECT_EQ(test, -EPERM,
			iommu_device_replace_user_dma(dev, bed->user));
	KUNIT_ASSERT_EQ(test, 0, iommu_device_claim_dma_owner(dev, bed));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_device_replace_user_dma(dev, bed->user));
	KUNIT_EXPECT_PTR_NE(test, bed->user, bed->devices[0]->domain);
	iommu_device_release_dma_owner(dev);
}

static struct kunit_case iommu_group_cases[] = {
	KUNIT_CASE(one_failure_is_tried_again),
	KUNIT_CASE(other_devices_leave),
	KUNIT_CASE(failed_attach_is_undone),
	KUNIT_CASE(undo_continues),
	KUNIT_CASE(joining_device_is_attached),
	KUNIT_CASE(replace_moves_all_devices),
	KUNIT_CASE(failed_replace_is_undone),
	KUNIT_CASE(replace_needs_attach),
	{}
};

static struct kunit_suite iommu_group_suite = {
	.name = "iommu-group",
	.init = setup,
	.exit = teardown,
	.test_cases = iommu_group_cases,
};

kunit_test_suite(iommu_group_suite);
