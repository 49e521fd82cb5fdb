/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The I/O page table engine: user memory mapped into I/O address spaces.
 *
 * An io_pagetable is one I/O address space. Its user maps ranges of a
 * process' memory at I/O virtual addresses, and attaches IOMMU domains to it;
 * every attached domain then translates every mapping. The engine pins the
 * memory, charges it, keeps the record of what is pinned and programs the
 * domains. It knows nothing of who uses it: uAPI structures, file descriptors
 * and policies stay with the front ends.
 *
 * Vocabulary: an IOVA range is always a closed interval [start, last] in
 * bytes, so a mapping may end at the last byte of the address space. See
 * Documentation/driver-api/iopt.rst.
 */
#ifndef __LINUX_IOPT_H
#define __LINUX_IOPT_H

#include <linux/types.h>

struct device;
struct io_pagetable;
struct iommu_domain;

/**
 * enum iopt_account - whom pinned pages are charged to
 * @IOPT_ACCOUNT_NONE: nobody's limit; only the process' VmPin shows them
 * @IOPT_ACCOUNT_USER: the user who mapped them, up to RLIMIT_MEMLOCK of the
 *                     mapping process
 *
 * VmPin (mm->pinned_vm) counts the pages in every mode.
 */
enum iopt_account {
	IOPT_ACCOUNT_NONE,
	IOPT_ACCOUNT_USER,
};

/**
 * struct iopt_policy - what differs between users of the engine
 * @gfp: flags of every allocation whose size the user controls
 */
struct iopt_policy {
	gfp_t gfp;
};

/**
 * struct iopt_range - one range of usable IOVAs
 * @start: first byte
 * @last: last byte, inclusive
 */
struct iopt_range {
	unsigned long start;
	unsigned long last;
};

struct io_pagetable *iopt_alloc(const struct iopt_policy *policy);
void iopt_free(struct io_pagetable *iopt);

int iopt_map_user(struct io_pagetable *iopt, unsigned long iova,
		  void __user *uptr, unsigned long length, int prot,
		  enum iopt_account account);
int iopt_unmap(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, unsigned long *unmapped);

int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain);
void iopt_detach_domain(struct io_pagetable *iopt,
			struct iommu_domain *domain);

int iopt_reserve_device(struct io_pagetable *iopt, struct device *dev,
			phys_addr_t *sw_msi_start);
void iopt_unreserve_device(struct io_pagetable *iopt, struct device *dev);
unsigned int iopt_iova_ranges(struct io_pagetable *iopt,
			      struct iopt_range *ranges, unsigned int nr);
unsigned long iopt_iova_alignment(struct io_pagetable *iopt);

const char *iopt_validate(struct io_pagetable *iopt);

#endif /* __LINUX_IOPT_H */
