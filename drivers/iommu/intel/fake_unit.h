/* SPDX-License-Identifier: GPL-2.0-only */
/* A fake IOMMU unit that records its invalidations, for KUnit tests. */
#ifndef _VTD_FAKE_UNIT_H
#define _VTD_FAKE_UNIT_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/iommu.h>

#include "iommu.h"

#define MAX_FLUSHES	16
/* Page-selective invalidation of up to 2^18 pages */
#define CAP_PSI		(BIT_ULL(39) | 18ULL << 48)
#define CAP_CACHING	BIT_ULL(7)
/* 2 MiB and 1 GiB pages, and page tables of 3, 4 and 5 levels */
#define CAP_SUPER	(3ULL << 34)
#define CAP_3_LEVELS	BIT_ULL(9)
#define CAP_4_LEVELS	BIT_ULL(10)
#define CAP_5_LEVELS	BIT_ULL(11)
#define CAP_WIDTH(bits)	((u64)((bits) - 1) << 16)
#define ECAP_COHERENT	1ULL

/**
 * struct vtd_flush - one invalidation
 * @type: QI_CC_TYPE, QI_IOTLB_TYPE, QI_DIOTLB_TYPE or QI_EIOTLB_TYPE
 * @did: domain ID of a context or IOTLB invalidation
 * @sid: requester ID of a context or device TLB invalidation
 * @start: first IOVA
 * @last: last IOVA
 * @table_refs: refcount of vtd_bed.table at the time of the invalidation
 * @entry: word that vtd_bed.entry points to, as of that time
 */
struct vtd_flush {
	u8 type;
	u16 did;
	u16 sid;
	u64 start;
	u64 last;
	int table_refs;
	u64 entry;
};

/**
 * struct vtd_bed - fixture of a test
 * @iommu: the fake unit
 * @info: entry of the unit in the domain's array
 * @domain: the domain
 * @flushes: recorded invalidations
 * @nr: number of recorded invalidations, at most MAX_FLUSHES
 * @table: page table; vtd_flush.table_refs records its refcount. May be NULL
 * @entry: word of an entry that vtd_flush.entry records, or NULL
 */
struct vtd_bed {
	struct intel_iommu iommu;
	struct iommu_domain_info info;
	struct iommu_domain *domain;
	struct vtd_flush flushes[MAX_FLUSHES];
	unsigned int nr;
	struct page *table;
	const u64 *entry;
};

struct iommu_domain *vtd_bed_domain(struct kunit *test);
struct vtd_bed *vtd_bed_create(struct kunit *test);
void vtd_bed_destroy(struct vtd_bed *bed);
void vtd_bed_start_queue(struct kunit *test, struct vtd_bed *bed);
void vtd_bed_stop_queue(struct vtd_bed *bed);
bool vtd_bed_flushed(const struct vtd_bed *bed, u8 type, u64 start, u64 last);

#endif /* _VTD_FAKE_UNIT_H */
