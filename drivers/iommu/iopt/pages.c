// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_pages: a range of user memory, and the process that is charged for it.
 *
 * iopt_pages.payer is protected by iopt_pages.mutex, because iopt_pages_adopt()
 * changes it. Users of an area need no mutex to read it, because iopt_adopt()
 * waits for them.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "account.h"
#include "pages.h"

struct kmem_cache *iopt_pages_cache;

/**
 * iopt_pages_alloc() - allocate an iopt_pages for a range of user memory
 * @uptr: user address of the first byte
 * @length: length in bytes, not 0
 * @writable: devices may write to the memory
 * @pfnmap: allow memory without struct page
 * @payer: the process that the memory belongs to and that is charged for pinned
 *         pages; a reference is taken
 * @gfp: allocation flags, also used for later allocations
 *
 * The memory is not accessed until its pages are pinned.
 *
 * Context: may sleep if @gfp allows it.
 * Return: the pages with one reference, or NULL if out of memory.
 */
struct iopt_pages *iopt_pages_alloc(void __user *uptr, unsigned long length,
				    bool writable, bool pfnmap,
				    struct iopt_payer *payer, gfp_t gfp)
{
	unsigned long uaddr = (unsigned long)untagged_addr(uptr);
	struct iopt_pages *pages;

	pages = kmem_cache_alloc(iopt_pages_cache, gfp);
	if (!pages)
		return NULL;

	*pages = (struct iopt_pages){
		.kref = KREF_INIT(1),
		.writable = writable,
		.pfnmap = pfnmap,
		.gfp = gfp,
		.uaddr = uaddr & PAGE_MASK,
		.npages = ((offset_in_page(uaddr) + length - 1) >> PAGE_SHIFT) +
			  1,
		.payer = iopt_payer_get(payer),
		.holders = RB_ROOT_CACHED,
	};
	mutex_init(&pages->mutex);
	xa_init_flags(&pages->pins,
		      gfp & __GFP_ACCOUNT ? XA_FLAGS_ACCOUNT : 0);
	return pages;
}

static void pages_release(struct kref *kref)
{
	struct iopt_pages *pages = container_of(kref, struct iopt_pages, kref);

	WARN_ON(!RB_EMPTY_ROOT(&pages->holders.rb_root));
	WARN_ON(!xa_empty(&pages->pins));
	iopt_payer_put(pages->payer);
	mutex_destroy(&pages->mutex);
	kmem_cache_free(iopt_pages_cache, pages);
}

/**
 * iopt_pages_put() - drop a reference
 * @pages: the pages; they must have no holders and no pins when the last
 *         reference is dropped
 *
 * Context: process context, may sleep.
 */
void iopt_pages_put(struct iopt_pages *pages)
{
	kref_put(&pages->kref, pages_release);
}

/**
 * iopt_pages_unlock() - release the mutex and lower VmLck
 * @pages: the pages
 *
 * Pages that were uncharged under the mutex are subtracted from VmLck. If the
 * mmap_lock is contended, a worker does this later, because other threads may
 * be waiting for the caller.
 *
 * Context: process context, may sleep. Releases @pages->mutex.
 */
void iopt_pages_unlock(struct iopt_pages *pages)
{
	struct iopt_payer *payer = NULL;

	/* iopt_pages_adopt() may change the payer after the unlock. */
	if (iopt_payer_is_unsynced(pages->payer))
		payer = iopt_payer_get(pages->payer);
	mutex_unlock(&pages->mutex);
	if (payer) {
		iopt_payer_try_sync(payer);
		iopt_payer_put(payer);
	}
}

/**
 * iopt_pages_adopt() - transfer pages to another process or address
 * @pages: the pages of an orphan that the caller keeps busy; no other mapping
 *         shares them. Other callers may unpin pages meanwhile, but cannot pin
 *         any, because accesses, copies and attach fail for an orphan
 * @uptr: new user address of the same memory, page aligned
 * @payer: the process that the memory belongs to now, and that is charged for
 *         pinned pages from now on; a reference is taken
 *
 * Pinned pages stay pinned. Pages that are pinned later are looked up at @uptr.
 *
 * Context: process context. May block indefinitely (killable) on the mmap_lock
 * of @payer. Takes @pages->mutex, but drops it to charge @payer.
 * Return: 0, or
 * * %-ENOMEM - RLIMIT_MEMLOCK of @payer would be exceeded.
 * * %-EINTR - A fatal signal is pending.
 *
 * On failure the old payer is charged as before.
 */
int iopt_pages_adopt(struct iopt_pages *pages, void __user *uptr,
		     struct iopt_payer *payer)
{
	struct iopt_payer *old;
	unsigned long npages;
	int rc;

	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	old = pages->payer;
	npages = pages->nr_charged;
	if (payer != old) {
		/* Drop the mutex: detach waits for it uninterruptibly. */
		mutex_unlock(&pages->mutex);
		rc = iopt_move_charge_begin(old, payer, npages);
		if (rc)
			return rc;
		mutex_lock(&pages->mutex);
		iopt_move_charge_end(old, payer, npages, pages->nr_charged);
		pages->payer = iopt_payer_get(payer);
	}
	pages->uaddr = (unsigned long)untagged_addr(uptr);
	mutex_unlock(&pages->mutex);
	if (payer != old) {
		iopt_payer_sync(payer);
		iopt_payer_sync(old);
		iopt_payer_put(old);
	}
	return 0;
}
