// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O address space: making one, mapping into it, unmapping.
 *
 * A map puts its area into the tree first, busy, so that its IOVA is taken.
 * Then, without any lock, it pins and programs one domain after the other until
 * it is in every open one, and goes live. An unmap makes all areas of its range
 * busy at once, takes them out of the domains and the tree, and frees them.
 *
 * Rule: all or nothing. A map that fails leaves nothing, an unmap decides
 * before it touches the first area.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "pages.h"

/**
 * iopt_alloc - make an empty I/O address space
 * @policy: of the front end, copied
 *
 * Everything is usable and nothing mapped.
 *
 * Context: may sleep if @policy->gfp does.
 * Return: the space, to be freed with iopt_free(), or ERR_PTR(-ENOMEM).
 */
struct io_pagetable *iopt_alloc(const struct iopt_policy *policy)
{
	struct io_pagetable *iopt;

	iopt = kzalloc(sizeof(*iopt), policy->gfp);
	if (!iopt)
		return ERR_PTR(-ENOMEM);

	mutex_init(&iopt->attach_mutex);
	mutex_init(&iopt->lock);
	iopt->areas = RB_ROOT_CACHED;
	iopt->reserved = RB_ROOT_CACHED;
	xa_init_flags(&iopt->domains, XA_FLAGS_ALLOC);
	init_waitqueue_head(&iopt->settled);
	iopt->policy = *policy;
	iopt->iova_alignment = PAGE_SIZE;
	return iopt;
}
EXPORT_SYMBOL_NS_GPL(iopt_alloc, IOPT);

/**
 * iopt_free - unmap everything and free a space
 * @iopt: the space; nobody else uses it, and no domain is attached
 *
 * Context: process context, may sleep.
 */
void iopt_free(struct io_pagetable *iopt)
{
	unsigned long unmapped;

	WARN_ON(!xa_empty(&iopt->domains));
	/* Nobody builds, so there is nothing to wait for that could fail. */
	WARN_ON(iopt_unmap(iopt, 0, ULONG_MAX, &unmapped));
	WARN_ON(!RB_EMPTY_ROOT(&iopt->reserved.rb_root));
	xa_destroy(&iopt->domains);
	mutex_destroy(&iopt->lock);
	mutex_destroy(&iopt->attach_mutex);
	kfree(iopt);
}
EXPORT_SYMBOL_NS_GPL(iopt_free, IOPT);

/* Take an area's IOVA, and find the first domain to put it into. */
static int area_reserve(struct io_pagetable *iopt, struct iopt_area *area,
			struct iopt_domain **domain)
{
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_check_iova(iopt, area->iova.start, area->iova.last);
	if (!rc) {
		interval_tree_insert(&area->iova, &iopt->areas);
		*domain = iopt_area_missing_domain(iopt, area);
	}
	mutex_unlock(&iopt->lock);
	return rc;
}

/* Go live, unless there is another domain to be put into. */
static struct iopt_domain *area_publish(struct io_pagetable *iopt,
					struct iopt_area *area)
{
	struct iopt_domain *domain;

	mutex_lock(&iopt->lock);
	domain = iopt_area_missing_domain(iopt, area);
	if (!domain) {
		area->state = IOPT_AREA_LIVE;
		area->busy = false;
		iopt_wake_settled(iopt);
	}
	mutex_unlock(&iopt->lock);
	return domain;
}

/* Undo areas that are in the tree and busy for the caller, and free them. */
static void areas_destroy(struct io_pagetable *iopt, struct list_head *areas)
{
	struct iopt_area *area, *next;

	iopt_areas_clear(iopt, areas, ~0UL);

	mutex_lock(&iopt->lock);
	list_for_each_entry(area, areas, node)
		interval_tree_remove(&area->iova, &iopt->areas);
	iopt_wake_settled(iopt);
	mutex_unlock(&iopt->lock);

	list_for_each_entry_safe(area, next, areas, node)
		iopt_area_free(area);
}

static struct iopt_area *area_alloc_user(struct io_pagetable *iopt,
					 unsigned long start,
					 unsigned long last, void __user *uptr,
					 unsigned long length, int prot,
					 enum iopt_account account)
{
	gfp_t gfp = iopt->policy.gfp;
	struct iopt_pages *pages;
	struct iopt_area *area;

	pages = iopt_pages_alloc(uptr, length, prot & IOMMU_WRITE, account,
				 gfp);
	if (IS_ERR(pages))
		return ERR_CAST(pages);
	area = iopt_area_alloc(start, last, pages, prot, gfp);
	if (!area) {
		iopt_pages_put(pages);
		return ERR_PTR(-ENOMEM);
	}
	return area;
}

/**
 * iopt_map_user - map memory of the current process
 * @iopt: the space
 * @iova: where, in bytes, a multiple of iopt_iova_alignment()
 * @uptr: first byte of the memory, page aligned
 * @length: in bytes, a multiple of iopt_iova_alignment(), not 0
 * @prot: IOMMU_READ, IOMMU_WRITE or both, and what else iommu_map() takes
 * @account: whom to charge the pages to
 *
 * When it returns every attached domain translates the mapping. Without one
 * nothing is pinned or looked at before a domain is attached.
 *
 * Context: process context with an mm, may sleep for long. Callers hold no
 * lock that others wait for: maps of other ranges run in parallel.
 * Return: 0, -EINVAL if an argument is 0 or misaligned, @prot allows nothing
 * or the IOVAs are not usable, -EOVERFLOW if a range wraps, -EEXIST if
 * something is mapped there, -ENOMEM for memory or the limit on locked
 * memory, -EFAULT if there is no memory or it may not be accessed so, -EINTR
 * if killed, -EOPNOTSUPP if it cannot be pinned for long, or an errno of the
 * IOMMU driver. Nothing is mapped, pinned or charged then.
 */
int iopt_map_user(struct io_pagetable *iopt, unsigned long iova,
		  void __user *uptr, unsigned long length, int prot,
		  enum iopt_account account)
{
	unsigned long last, uaddr_last;
	struct iopt_domain *domain;
	struct iopt_area *area;
	LIST_HEAD(areas);
	int rc;

	if (!length || !(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last) ||
	    check_add_overflow((unsigned long)uptr, length - 1, &uaddr_last))
		return -EOVERFLOW;
	if (!PAGE_ALIGNED((unsigned long)uptr | iova | length))
		return -EINVAL;

	area = area_alloc_user(iopt, iova, last, uptr, length, prot, account);
	if (IS_ERR(area))
		return PTR_ERR(area);

	rc = area_reserve(iopt, area, &domain);
	if (rc) {
		iopt_area_free(area);
		return rc;
	}

	while (domain || (domain = area_publish(iopt, area))) {
		rc = iopt_area_fill(iopt, area, domain);
		if (rc) {
			list_add(&area->node, &areas);
			areas_destroy(iopt, &areas);
			break;
		}
		domain = NULL;
	}
	iopt_debug_validate(iopt);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_map_user, IOPT);

/*
 * Make every area of an interval busy and dying. If one of them must not be
 * unmapped or is busy, none is.
 */
static int areas_claim(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct list_head *areas,
		       unsigned long *bytes)
{
	struct iopt_area *area, *next;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	*bytes = 0;
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_next(area, last)) {
		if (area->busy) {
			rc = -EAGAIN;
			break;
		}
		if (area->iova.start < start || area->iova.last > last) {
			rc = -ENOENT;
			break;
		}
		area->busy = true;
		area->state = IOPT_AREA_DYING;
		list_add_tail(&area->node, areas);
		*bytes += iopt_area_length(area);
	}
	if (!rc)
		return 0;

	list_for_each_entry_safe(area, next, areas, node) {
		list_del_init(&area->node);
		area->busy = false;
		area->state = IOPT_AREA_LIVE;
	}
	return rc;
}

/**
 * iopt_unmap - unmap every mapping in an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @unmapped: receives the bytes unmapped, 0 on failure
 *
 * Mappings are not split: each one must lie in the interval as a whole. When
 * it returns no device reaches the memory and it is unpinned.
 *
 * Context: process context, may sleep. Waits, killably, for a mapping in the
 * interval that is being built, filled or torn down.
 * Return: 0, -ENOENT if a mapping sticks out of the interval, or if there is
 * none and the interval is not the whole address space, -EINVAL if @last is
 * before @start, -EINTR if killed while waiting. Nothing is unmapped then.
 */
int iopt_unmap(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, unsigned long *unmapped)
{
	unsigned long bytes;
	LIST_HEAD(areas);
	int rc;

	*unmapped = 0;
	if (last < start)
		return -EINVAL;

	mutex_lock(&iopt->lock);
	do {
		rc = areas_claim(iopt, start, last, &areas, &bytes);
		if (rc != -EAGAIN)
			break;
		rc = iopt_wait_settled(iopt);
	} while (!rc);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;

	if (list_empty(&areas))
		return start == 0 && last == ULONG_MAX ? 0 : -ENOENT;

	areas_destroy(iopt, &areas);
	iopt_debug_validate(iopt);
	*unmapped = bytes;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iopt_unmap, IOPT);

MODULE_DESCRIPTION("I/O page table engine: user memory in I/O address spaces");
MODULE_LICENSE("GPL");
