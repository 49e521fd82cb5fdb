/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mock devices and accesses, which the test command creates.
 *
 * Built only with CONFIG_IOMMUFD_TEST.
 */
#ifndef __IOMMUFD_TEST_H
#define __IOMMUFD_TEST_H

#include "../iommufd_private.h"
#include "test_abi.h"

struct device;
struct iommu_domain;
struct page;

struct device *mock_device_create(u32 flags);
void mock_device_destroy(struct device *dev);
bool mock_domain_maps(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t phys);

int iommufd_test_create_device(struct iommufd_call *call, u32 flags);
int iommufd_test_move_device(struct iommufd_call *call);
int iommufd_test_check_map(struct iommufd_call *call);
int iommufd_test_check_pins(struct iommufd_call *call);

int iommufd_test_create_access(struct iommufd_call *call);
int iommufd_test_access(struct iommufd_call *call);

struct page *iommufd_test_user_page(unsigned long uaddr);

/* Maximum number of bytes of memory that one command uses */
#define TEST_LENGTH_MAX	(16UL << 20)

#endif
