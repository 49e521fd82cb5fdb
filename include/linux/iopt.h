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

#include <linux/bits.h>
#include <linux/types.h>

struct device;
struct io_pagetable;
struct iommu_domain;
struct iopt_access;
struct page;

/**
 * enum iopt_account - whom pinned pages are charged to
 * @IOPT_ACCOUNT_NONE: nobody's limit
 * @IOPT_ACCOUNT_USER: the user who mapped them, up to RLIMIT_MEMLOCK of the
 *                     mapping process
 * @IOPT_ACCOUNT_MM: the process that mapped them, up to its RLIMIT_MEMLOCK,
 *                   together with what it has locked
 * @IOPT_ACCOUNT_MM_UNLIMITED: likewise, but without a limit
 * @IOPT_ACCOUNT_MM_PINNED: as @IOPT_ACCOUNT_MM, and counted as pinned too
 *
 * VmLck (mm->locked_vm) counts the pages in the latter three modes. VmPin
 * (mm->pinned_vm) counts them in all modes but @IOPT_ACCOUNT_MM and
 * @IOPT_ACCOUNT_MM_UNLIMITED.
 */
enum iopt_account {
	IOPT_ACCOUNT_NONE,
	IOPT_ACCOUNT_USER,
	IOPT_ACCOUNT_MM,
	IOPT_ACCOUNT_MM_UNLIMITED,
	IOPT_ACCOUNT_MM_PINNED,
};

/* Map at the IOVA that the caller asks for. */
#define IOPT_MAP_FIXED	BIT(0)

/**
 * struct iopt_policy - what differs between users of the engine
 * @gfp: flags of every allocation whose size the user controls
 * @max_areas: how many mappings there may be; UINT_MAX for any number
 * @max_iopte: bytes of the largest I/O page, 0 as large as can be; see
 *             iopt_limit_iopte()
 * @notices: how often accesses are told of an unmap, as long as they have
 *           something pinned, before it waits for them; until the last time
 *           they may pin, read and write there as ever. 0 is as 1
 * @pfnmap: memory without struct page may be mapped, unpinned: device memory
 *          that a driver has mapped into the process
 * @mixed_iopte: @max_iopte may be lowered while domains have larger I/O pages,
 *               which they keep
 */
struct iopt_policy {
	gfp_t gfp;
	unsigned int max_areas;
	unsigned long max_iopte;
	unsigned int notices;
	bool pfnmap;
	bool mixed_iopte;
};

/**
 * struct iopt_range - a range of IOVAs
 * @start: first byte
 * @last: last byte, inclusive
 */
struct iopt_range {
	unsigned long start;
	unsigned long last;
};

/**
 * struct iopt_dirty_query - where to tell which pages were written to
 * @bitmap: a bit for each @pgsize bytes of the interval that is asked for, bit
 *          0 for its first; in words of 64 bits, at any address. Words with no
 *          mapped page are not touched, nor are the bits of other pages
 * @pgsize: a power of two, at least the page size
 * @whole_words: a word whose first bit is for a page of a mapping is written
 *               wholly, bits of other pages as 0; to any other one dirty pages
 *               are added, and none is taken away
 */
struct iopt_dirty_query {
	u64 __user *bitmap;
	unsigned long pgsize;
	bool whole_words;
};

/* Keep what was told dirty for the next time. */
#define IOPT_DIRTY_KEEP	BIT(0)

/**
 * struct iopt_access_ops - what an access can do for the engine
 * @unmap: a mapping goes, [start, last] is all of it: unpin what is pinned
 *         there, now or soon, and pin nothing there again. Called again if that
 *         was not done, as often as iopt_policy.notices says. In process
 *         context with no lock of the engine held but one that
 *         iopt_access_create() and iopt_access_destroy() take
 * @owns_pins: what it pins no other access unpins, and iopt_access_evict() can
 *             be used
 */
struct iopt_access_ops {
	void (*unmap)(void *data, unsigned long start, unsigned long last);
	bool owns_pins;
};

/* What the mapping has to allow; to write, for the CPU; any address. */
#define IOPT_ACCESS_READ	BIT(0)
#define IOPT_ACCESS_WRITE	BIT(1)
#define IOPT_ACCESS_UNALIGNED	BIT(2)

struct io_pagetable *iopt_alloc(const struct iopt_policy *policy);
void iopt_free(struct io_pagetable *iopt);
int iopt_limit_iopte(struct io_pagetable *iopt, unsigned long bytes);

int iopt_map_user(struct io_pagetable *iopt, unsigned long *iova,
		  void __user *uptr, unsigned long length, int prot,
		  enum iopt_account account, unsigned int flags);
int iopt_copy(struct io_pagetable *dst, unsigned long *dst_iova,
	      struct io_pagetable *src, unsigned long src_iova,
	      unsigned long length, int prot, unsigned int flags);
int iopt_unmap(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, unsigned long *unmapped);
int iopt_unmap_dirty(struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, const struct iopt_dirty_query *query,
		     unsigned long *unmapped);
bool iopt_find_mapping(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct iopt_range *mapping);
unsigned int iopt_mappings_left(struct io_pagetable *iopt);

int iopt_orphan(struct io_pagetable *iopt, unsigned long start,
		unsigned long last, unsigned long *bytes);
int iopt_adopt(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, void __user *uptr,
	       enum iopt_account account);
bool iopt_has_orphans(struct io_pagetable *iopt);

struct iopt_access *iopt_access_create(struct io_pagetable *iopt,
				       const struct iopt_access_ops *ops,
				       void *data);
void iopt_access_destroy(struct iopt_access *access);
int iopt_access_pin(struct iopt_access *access, unsigned long start,
		    unsigned long last, struct page **pages,
		    unsigned int flags);
unsigned long iopt_access_unpin(struct iopt_access *access,
				unsigned long start, unsigned long last);
void iopt_access_evict(struct iopt_access *access);
int iopt_access_rw(struct iopt_access *access, unsigned long iova, void *buffer,
		   unsigned long length, unsigned int flags);

int iopt_dirty_start(struct io_pagetable *iopt);
void iopt_dirty_stop(struct io_pagetable *iopt);
bool iopt_dirty_tracking(struct io_pagetable *iopt);
int iopt_dirty_read(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, const struct iopt_dirty_query *query,
		    unsigned int flags);
void iopt_dirty_blind(struct io_pagetable *iopt);
void iopt_dirty_unblind(struct io_pagetable *iopt, bool sees);

int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain);
int iopt_try_attach_domain(struct io_pagetable *iopt,
			   struct iommu_domain *domain);
int iopt_attach_wait(struct io_pagetable *iopt, struct iommu_domain *domain);
void iopt_detach_domain(struct io_pagetable *iopt,
			struct iommu_domain *domain);

int iopt_reserve_regions(struct io_pagetable *iopt,
			 const struct list_head *regions, const void *owner,
			 phys_addr_t *sw_msi_start);
int iopt_reserve_device(struct io_pagetable *iopt, struct device *dev,
			phys_addr_t *sw_msi_start);
void iopt_unreserve(struct io_pagetable *iopt, const void *owner);
int iopt_allow_iova(struct io_pagetable *iopt, const struct iopt_range *ranges,
		    unsigned int nr);
unsigned int iopt_iova_ranges(struct io_pagetable *iopt,
			      struct iopt_range *ranges, unsigned int nr);
unsigned long iopt_iova_alignment(struct io_pagetable *iopt);

const char *iopt_validate(struct io_pagetable *iopt);
void iopt_dump(struct io_pagetable *iopt);

#endif /* __LINUX_IOPT_H */
