/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O page table engine: maps user memory into I/O address spaces.
 *
 * A struct io_pagetable is one I/O address space. A front end maps ranges of a
 * process's memory at I/O virtual addresses (IOVAs) and attaches IOMMU domains
 * to the space; every attached domain translates every mapping. The engine pins
 * the memory, charges it, records which pages are pinned and programs the
 * domains. uAPI structures, file descriptors and policy are left to the front
 * ends.
 *
 * Intervals of IOVAs are closed, [start, last] in bytes, so that a mapping can
 * end at the last byte of the address space. See
 * Documentation/driver-api/iopt.rst.
 */
#ifndef __LINUX_IOPT_H
#define __LINUX_IOPT_H

#include <linux/bits.h>
#include <linux/sizes.h>
#include <linux/types.h>

struct device;
struct io_pagetable;
struct iommu_domain;
struct iopt_access;
struct page;

/**
 * enum iopt_account - how pinned pages are charged
 * @IOPT_ACCOUNT_NONE: apply no limit, and count the pages in VmPin only
 * @IOPT_ACCOUNT_USER: charge the user of the mapping process, up to
 *                     RLIMIT_MEMLOCK of that process
 * @IOPT_ACCOUNT_MM: charge the mapping process, up to its RLIMIT_MEMLOCK.
 *                   Memory that the process locks itself, e.g. by mlock(),
 *                   counts towards the same limit
 * @IOPT_ACCOUNT_MM_UNLIMITED: charge the mapping process without a limit
 * @IOPT_ACCOUNT_MM_PINNED: like @IOPT_ACCOUNT_MM, and also count the pages in
 *                          VmPin
 *
 * Pages count in VmLck (mm->locked_vm) in the last three modes, and in VmPin
 * (mm->pinned_vm) in all modes except @IOPT_ACCOUNT_MM and
 * @IOPT_ACCOUNT_MM_UNLIMITED.
 */
enum iopt_account {
	IOPT_ACCOUNT_NONE,
	IOPT_ACCOUNT_USER,
	IOPT_ACCOUNT_MM,
	IOPT_ACCOUNT_MM_UNLIMITED,
	IOPT_ACCOUNT_MM_PINNED,
};

/*
 * Flags for maps: IOPT_MAP_FIXED maps at the given IOVA. IOPT_MAP_PFNMAP allows
 * iopt_map_user() to map memory without struct page, such as device memory that
 * a driver has mapped into the process. This memory is not pinned: domains
 * still translate it after the driver has removed it from the process.
 */
#define IOPT_MAP_FIXED	BIT(0)
#define IOPT_MAP_PFNMAP	BIT(1)

/*
 * Upper limit on the size of an I/O page in bytes. iopt_set_max_iopte() can set
 * a lower limit for a space.
 */
#define IOPT_MAX_IOPTE	SZ_1G

/**
 * struct iopt_policy - options of a space, chosen by its front end
 * @gfp: flags for all allocations of user-controlled size
 * @max_areas: maximum number of mappings, UINT_MAX for no limit
 * @alignment: minimum alignment of IOVAs, user addresses and lengths in bytes,
 *             a power of two up to the page size; 0 stands for the page size.
 *             See iopt_iova_alignment()
 * @notices: maximum number of times that an unmap calls the unmap callbacks of
 *           accesses for a mapping with pinned pages, before the unmap waits
 *           for the pages to be unpinned. If @notices is more than 1, accesses
 *           may still pin, read and write pages of the mapping until the last
 *           notification. 0 has the same effect as 1
 * @mixed_iopte: allow iopt_set_max_iopte() to lower the limit even if domains
 *               may contain larger I/O pages. Existing I/O pages are not split
 */
struct iopt_policy {
	gfp_t gfp;
	unsigned int max_areas;
	unsigned int alignment;
	unsigned int notices;
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
 * struct iopt_dirty_query - destination and format of a dirty page report
 * @bitmap: array of 64-bit words at any alignment, with one bit for each
 *          @pgsize bytes of the queried interval; bit 0 covers the start of the
 *          interval. By default, the bits of dirty pages are set, the bits of
 *          other mapped pages are cleared, and the bits of unmapped pages are
 *          preserved. Words that cover no mapped page are not accessed
 * @pgsize: number of bytes that each bit covers, a power of two and at least
 *          the page size
 * @whole_words: if bit 0 of a word covers a mapped page, overwrite the whole
 *               word without reading it, which also clears the bits of unmapped
 *               pages. In any other word, set the bits of dirty pages and clear
 *               no bit
 */
struct iopt_dirty_query {
	u64 __user *bitmap;
	unsigned long pgsize;
	bool whole_words;
};

/* Flag for iopt_dirty_read(): reported pages stay dirty. */
#define IOPT_DIRTY_KEEP	BIT(0)

/**
 * struct iopt_access_ops - operations and properties of an access
 * @unmap: called for all accesses of the space when the mapping [start, last]
 *         is being unmapped while any access has pages of it pinned, and for
 *         one access by iopt_access_unpin_all(). The access must unpin all
 *         pages that it has pinned in the mapping, during the callback or
 *         later: the unmap waits until no access has pages of the mapping
 *         pinned. An unmap may repeat the callback while pages are still
 *         pinned. Until the last call, the access may pin more pages; see
 *         iopt_policy.notices. The callback runs in process context without any
 *         lock of the engine and may sleep. iopt_access_destroy() waits for the
 *         callback to return
 * @owns_pins: other accesses cannot unpin the pages that this access has
 *             pinned, and iopt_access_unpin_all() can be used
 */
struct iopt_access_ops {
	void (*unmap)(void *data, unsigned long start, unsigned long last);
	bool owns_pins;
};

/*
 * Flags for accesses: IOPT_ACCESS_READ and IOPT_ACCESS_WRITE are the
 * permissions that a mapping must grant. IOPT_ACCESS_WRITE also makes
 * iopt_access_rw() write instead of read. IOPT_ACCESS_UNALIGNED allows a pinned
 * range to start and end inside a page. IOPT_ACCESS_FOREIGN lets
 * iopt_access_rw() copy memory of a process even if the caller cannot use the
 * page tables of that process, by pinning the pages during the copy; without
 * the flag, such a copy fails. IOPT_ACCESS_PINNED, for tests, makes
 * iopt_access_rw() pin the memory in every case.
 */
#define IOPT_ACCESS_READ	BIT(0)
#define IOPT_ACCESS_WRITE	BIT(1)
#define IOPT_ACCESS_UNALIGNED	BIT(2)
#define IOPT_ACCESS_FOREIGN	BIT(3)
#define IOPT_ACCESS_PINNED	BIT(4)

struct io_pagetable *iopt_alloc(const struct iopt_policy *policy);
void iopt_free(struct io_pagetable *iopt);
int iopt_set_max_iopte(struct io_pagetable *iopt, unsigned long bytes);
unsigned long iopt_max_iopte(struct io_pagetable *iopt);

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
bool iopt_has_accesses(struct io_pagetable *iopt);
int iopt_access_pin(struct iopt_access *access, unsigned long start,
		    unsigned long last, struct page **pages,
		    unsigned int flags);
unsigned long iopt_access_unpin(struct iopt_access *access,
				unsigned long start, unsigned long last);
void iopt_access_unpin_all(struct iopt_access *access);
int iopt_access_rw(struct iopt_access *access, unsigned long iova, void *buffer,
		   unsigned long length, unsigned int flags);

int iopt_dirty_start(struct io_pagetable *iopt);
void iopt_dirty_stop(struct io_pagetable *iopt);
bool iopt_dirty_tracking(struct io_pagetable *iopt);
int iopt_dirty_read(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, const struct iopt_dirty_query *query,
		    unsigned int flags);
void iopt_dirty_add_untracked(struct io_pagetable *iopt);
void iopt_dirty_remove_untracked(struct io_pagetable *iopt, bool tracked);

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
			const void *owner, phys_addr_t *sw_msi_start);
int iopt_try_reserve_device(struct io_pagetable *iopt, struct device *dev,
			    const void *owner, phys_addr_t *sw_msi_start);
void iopt_unreserve(struct io_pagetable *iopt, const void *owner);
int iopt_allow_iova(struct io_pagetable *iopt, const struct iopt_range *ranges,
		    unsigned int nr);
unsigned int iopt_iova_ranges(struct io_pagetable *iopt,
			      struct iopt_range *ranges, unsigned int nr);
unsigned long iopt_iova_alignment(struct io_pagetable *iopt);
unsigned long iopt_pgsizes(struct io_pagetable *iopt);

void iopt_debug_small_batches(bool small);

#endif /* __LINUX_IOPT_H */
