// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying mappings: mapping memory that is already mapped elsewhere.
 *
 * New areas are built from the areas of the source range and share their
 * iopt_pages. The new areas are then mapped in the same way as those of
 * iopt_map_user().
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "area.h"
#include "interval.h"
#include "io_pagetable.h"
#include "map.h"
#include "pages.h"
#include "trace.h"

/**
 * struct source - a range of mappings to copy
 * @iopt: space of the mappings
 * @start: first IOVA
 * @last: last IOVA
 * @prot: protection of the new mappings
 */
struct source {
	struct io_pagetable *iopt;
	unsigned long start;
	unsigned long last;
	int prot;
};

/*
 * Check whether an area can be copied. Returns -EAGAIN if it is being built or
 * torn down: the caller waits until an area becomes idle and checks again.
 */
static int source_check(const struct iopt_area *area)
{
	if (!area)
		return -ENOENT;
	if (area->state != IOPT_AREA_LIVE)
		return -EAGAIN;
	return area->orphan ? -EBUSY : 0;
}

/*
 * Add a new area that maps the same pages as @area, from source IOVA @next to
 * the end of @area or of the source range, whichever comes first. Drops and
 * retakes iopt->lock of the source to allocate memory. The caller is a user of
 * @area, so @area stays in place.
 */
static int slice_add(const struct source *source, struct iopt_area *area,
		     unsigned long next, struct iopt_new_areas *new)
{
	unsigned long end = min(source->last, area->last);
	unsigned long first = iopt_area_index(area, next);
	unsigned int offset = iopt_area_offset(area, next);
	struct iopt_pages *pages = area->pages;
	struct iopt_area *slice;

	if (next == source->start)
		new->uaddr = READ_ONCE(pages->uaddr) + (first << PAGE_SHIFT) +
			     offset;
	/*
	 * Take a reference before the lock is dropped. It makes the pages
	 * shared, and an area with shared pages cannot become an orphan.
	 */
	kref_get(&pages->kref);
	mutex_unlock(&source->iopt->lock);
	slice = iopt_area_alloc(next - source->start, end - source->start,
				pages, first, offset, source->prot,
				new->iopt->policy.gfp);
	iopt_pages_put(pages);
	if (slice) {
		list_add_tail(&slice->node, &new->list);
		new->misalignment |= iopt_area_misalignment(slice);
	}
	cond_resched();
	mutex_lock(&source->iopt->lock);
	if (!slice)
		return -ENOMEM;
	new->nr++;
	return 0;
}

/* Put all areas from the start of the source range up to @last. */
static void source_leave(const struct source *source, unsigned long last)
{
	struct io_pagetable *iopt = source->iopt;
	unsigned int steps = 0;
	struct iopt_area *area;

	iopt_for_each_area_break(iopt, area, source->start, last, &steps)
		iopt_area_put(iopt, area);
}

/*
 * Build new areas from the source range. The first and the last of them are
 * clamped to the range, and the IOVAs of all of them are relative to its start.
 * Each source area stays in use until the last source area has been found, so
 * that all source areas exist at the same time.
 */
static int areas_slice(const struct source *source, struct iopt_new_areas *new)
{
	struct io_pagetable *iopt = source->iopt;
	unsigned long next = source->start;
	bool permitted = true, more = true;
	struct iopt_area *area;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	while (more && next <= source->last) {
		area = iopt_area_first(iopt, next, next);
		rc = source_check(area);
		if (rc)
			break;
		if ((source->prot & IOMMU_WRITE) && !area->pages->writable)
			permitted = false;
		area->nr_users++;
		rc = slice_add(source, area, next, new);
		more = iopt_next_start(area->last, &next);
		if (rc)
			break;
	}
	/* Areas below @next are in use. Without @more, @next wrapped to 0. */
	if (next != source->start || !more)
		source_leave(source, more ? min(source->last, next - 1) :
					    source->last);
	if (rc)
		return rc;
	return permitted ? 0 : -EPERM;
}

/* Build new areas from the source range, once all of its areas are live. */
static int areas_copy(const struct source *source, struct iopt_new_areas *new)
{
	struct io_pagetable *iopt = source->iopt;
	unsigned long seen;
	int rc;

	mutex_lock(&iopt->lock);
	do {
		seen = iopt->idle_seq;
		rc = areas_slice(source, new);
		if (!rc)
			break;
		mutex_unlock(&iopt->lock);
		iopt_areas_free(&new->list);
		new->nr = 0;
		new->misalignment = 0;
		mutex_lock(&iopt->lock);
		if (rc == -EAGAIN)
			rc = iopt_wait_idle_since(iopt, seen, TASK_KILLABLE) ?:
				     -EAGAIN;
	} while (rc == -EAGAIN);
	mutex_unlock(&iopt->lock);
	return rc;
}

/**
 * iopt_copy() - map memory that is already mapped elsewhere
 * @dst: the space to map in, may be the same as @src
 * @dst_iova: first IOVA in @dst, a multiple of iopt_iova_alignment(). Without
 *            %IOPT_MAP_FIXED the value is ignored and replaced by the IOVA that
 *            the engine chooses
 * @src: the space of the existing mappings
 * @src_iova: first IOVA in @src, which may be inside a mapping. The user
 *            address mapped there must be a multiple of iopt_iova_alignment()
 *            of @dst. If the range spans mappings, this also applies to the
 *            user address at which each further mapping starts, and to the
 *            distance of its first IOVA from @src_iova
 * @length: length in bytes, a nonzero multiple of iopt_iova_alignment(). The
 *          range in @src may span mappings, but must not contain a hole
 * @prot: IOMMU_READ, IOMMU_WRITE or both, and other flags of iommu_map()
 * @flags: %IOPT_MAP_FIXED or 0
 *
 * The new mappings share the memory, its pins and its payer with the mappings
 * in @src. Either side can be unmapped without affecting the other.
 *
 * Context: process context, may block indefinitely (killable) while pages are
 * faulted in. Also waits killably for mappings in the source or destination
 * range that are being built or torn down. The caller must not hold an
 * mmap_lock.
 * Return: 0, or
 * * %-ENOENT - Part of the source range is not mapped.
 * * %-EPERM - @prot allows writing, but the memory was mapped read-only.
 * * %-EBUSY - A mapping in the source range is an orphan.
 * * %-ESRCH - The memory has to be pinned for a domain, but the process that
 *   owns the memory has exited.
 * * Another errno of iopt_map_user().
 *
 * On failure no mapping is added to @dst, and nothing stays pinned or charged
 * for it, except for pages that an IOMMU driver failed to unmap during the
 * rollback.
 */
int iopt_copy(struct io_pagetable *dst, unsigned long *dst_iova,
	      struct io_pagetable *src, unsigned long src_iova,
	      unsigned long length, int prot, unsigned int flags)
{
	struct source source = {
		.iopt = src,
		.start = src_iova,
		.last = src_iova + (length - 1),
		.prot = prot,
	};
	struct iopt_new_areas new = {
		.iopt = dst,
		.list = LIST_HEAD_INIT(new.list),
		.length = length,
	};
	int rc;

	rc = iopt_check_map(dst_iova, src_iova, length, prot, flags);
	rc = rc ?: areas_copy(&source, &new);
	rc = rc ?: iopt_areas_map(&new, dst_iova, flags);
	trace_iopt_copy(dst, *dst_iova, src, src_iova, length, prot, flags, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_copy, IOPT);
