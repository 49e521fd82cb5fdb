// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumping a space as lines of text.
 *
 * The dump starts with the space, its domains and its usable and allowed IOVAs.
 * Then each area is shown, followed by its pages, the runs of its slice and the
 * pages that accesses have pinned in it.
 *
 * Documentation/ABI/testing/debugfs-iopt describes the lines. The debugfs file
 * and iopt_dump() print the same lines.
 *
 * A dump is not a snapshot. While a line is formatted, io_pagetable.lock is
 * held, and for pages, runs and pins also iopt_pages.mutex. Each line is
 * therefore consistent, except for counters that these locks do not protect.
 * Between lines the locks are dropped, and the dump continues at the next IOVA
 * or page index, whatever has changed. Other threads therefore wait for at most
 * one line, and the dump ends even if they keep mapping. The dump does not wait
 * for pages to be pinned: if another thread holds iopt_pages.mutex, the pages
 * are printed as busy.
 */
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "access_pins.h"
#include "account.h"
#include "area.h"
#include "domain.h"
#include "dump.h"
#include "interval.h"
#include "io_pagetable.h"
#include "pages.h"

/* Maximum number of lines of iopt_dump(), to keep it from flooding the log. */
#define DUMP_MAX_LINES	1000

static const char * const state_names[] = {
	[IOPT_AREA_BUILDING] = "building",
	[IOPT_AREA_LIVE] = "live",
	[IOPT_AREA_QUIESCING] = "quiescing",
	[IOPT_AREA_DYING] = "dying",
};

static const char * const kind_names[] = {
	[IOPT_RUN_HOLE] = "hole",
	[IOPT_RUN_RAM] = "ram",
	[IOPT_RUN_RESERVED] = "reserved",
	[IOPT_RUN_ZERO] = "zero",
	[IOPT_RUN_PFNMAP] = "pfnmap",
};

static const char * const account_names[] = {
	[IOPT_ACCOUNT_NONE] = "none",
	[IOPT_ACCOUNT_USER] = "user",
	[IOPT_ACCOUNT_MM] = "mm",
	[IOPT_ACCOUNT_MM_UNLIMITED] = "unlimited",
	[IOPT_ACCOUNT_MM_PINNED] = "pinned",
};

static __printf(2, 3) bool view_print(struct iopt_view *view,
				      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vscnprintf(view->line, sizeof(view->line), format, args);
	va_end(args);
	return true;
}

/* Continue with the first line of a part. */
static void view_enter(struct iopt_view *view, enum iopt_view_part part)
{
	view->part = part;
	view->next = 0;
	view->done = false;
}

/* Continue at @last + 1, or end the part if @last is ULONG_MAX. */
static void view_move(struct iopt_view *view, unsigned long last)
{
	view->done = !iopt_next_start(last, &view->next);
}

static bool view_space(struct iopt_view *view)
{
	struct io_pagetable *iopt = view->iopt;

	view->done = true;
	return view_print(view,
			  "space %lu areas=%u max_areas=%u alignment=0x%lx max_iopte=0x%lx tracking=%d untracked=%u orphans=%u lost=%ld",
			  iopt->id, iopt->nr_areas, iopt->policy.max_areas,
			  iopt->iova_alignment, iopt->max_iopte,
			  iopt->tracking, iopt->nr_untracked, iopt->nr_orphans,
			  atomic_long_read(&iopt->nr_lost));
}

static bool view_domain(struct iopt_view *view)
{
	struct list_head *domains = &view->iopt->domains;
	const struct iommu_domain_geometry *geometry;
	struct iopt_domain *domain;

	list_for_each_entry(domain, domains, node)
		if (domain->seq >= view->next)
			break;
	if (list_entry_is_head(domain, domains, node))
		return false;
	view_move(view, domain->seq);
	geometry = &domain->domain->geometry;
	return view_print(view,
			  "domain %lu pgsizes=0x%lx aperture=0x%lx-0x%lx open=%d",
			  domain->seq, domain->domain->pgsize_bitmap,
			  (unsigned long)geometry->aperture_start,
			  (unsigned long)geometry->aperture_end,
			  domain->open);
}

static bool view_usable(struct iopt_view *view)
{
	struct iopt_range gap;

	if (!iopt_interval_gap(&view->iopt->reserved, view->next, ULONG_MAX,
			       &gap))
		return false;
	view_move(view, gap.last);
	return view_print(view, "usable 0x%lx-0x%lx", gap.start, gap.last);
}

static bool view_allowed(struct iopt_view *view)
{
	struct iopt_interval *interval;

	interval = iopt_interval_first(&view->iopt->allowed, view->next,
				       ULONG_MAX);
	if (!interval)
		return false;
	view_move(view, interval->iova.last);
	return view_print(view, "allowed 0x%lx-0x%lx", interval->iova.start,
			  interval->iova.last);
}

static bool view_area(struct iopt_view *view)
{
	struct iopt_area *area = iopt_area_first(view->iopt, view->next,
						 ULONG_MAX);

	if (!area)
		return false;
	view->start = area->start;
	view->last = area->last;
	view_enter(view, IOPT_VIEW_PAGES);
	return view_print(view,
			  "area 0x%lx-0x%lx prot=%c%c%c state=%s busy=%d orphan=%d domains=%u pins=%u users=%u",
			  area->start, area->last,
			  area->prot & IOMMU_READ ? 'r' : '-',
			  area->prot & IOMMU_WRITE ? 'w' : '-',
			  area->prot & IOMMU_CACHE ? 'c' : '-',
			  state_names[area->state], area->busy, area->orphan,
			  READ_ONCE(area->nr_domains), READ_ONCE(area->nr_pins),
			  area->nr_users);
}

static bool view_pages(struct iopt_view *view, const struct iopt_area *area)
{
	const struct iopt_pages *pages = area->pages;

	view->done = true;
	return view_print(view,
			  " pages %p npages=%lu uaddr=0x%lx writable=%d shown=%u charged=%lu payer=%d account=%s",
			  pages, pages->npages, pages->uaddr, pages->writable,
			  kref_read(&pages->kref), pages->nr_charged,
			  task_tgid_nr(pages->payer->task),
			  account_names[pages->payer->account]);
}

static bool view_run(struct iopt_view *view, const struct iopt_area *area)
{
	unsigned long first = max(view->next, area->slice.start);
	struct iopt_run_iter iter;
	struct iopt_run run;

	if (first > area->slice.last)
		return false;
	iopt_run_iter_start(&iter, &area->pages->runs, first, area->slice.last);
	iopt_run_iter_next(&iter, &run);
	view_move(view, run.index + run.count - 1);
	if (run.kind == IOPT_RUN_HOLE)
		return view_print(view, "  run %lu+%lu hole", run.index,
				  run.count);
	return view_print(view, "  run %lu+%lu %s pfn=0x%lx lost=%d", run.index,
			  run.count, kind_names[run.kind], run.pfn, run.lost);
}

static bool view_pin(struct iopt_view *view, const struct iopt_area *area)
{
	unsigned long first = max(view->next, area->slice.start), index;
	unsigned long count = 0, all = 0;
	struct iopt_pin *pin, *by;

	if (first > area->slice.last)
		return false;
	pin = iopt_pins_first(area->pages, first, area->slice.last, &index);
	if (!pin)
		return false;
	for (by = pin; by; by = by->next) {
		all += by->count;
		if (by->by == &area->nr_pins)
			count += by->count;
	}
	view_move(view, index);
	return view_print(view,
			  "  pin %lu %s pfn=0x%lx count=%lu all=%lu owns=%d lost=%d",
			  index, kind_names[pin->kind], pin->pfn, count, all,
			  pin->owns, pin->lost);
}

/*
 * Format the next line for the pages, runs or pins of an area. Returns false if
 * there is none, or if there is no area at exactly [@view->start, @view->last]
 * any more.
 */
static bool view_below(struct iopt_view *view)
{
	struct iopt_area *area = iopt_area_first(view->iopt, view->start,
						 view->start);
	bool shown;

	if (!area || area->start != view->start || area->last != view->last)
		return false;
	if (!mutex_trylock(&area->pages->mutex)) {
		view_enter(view, IOPT_VIEW_PINS);
		view->done = true;
		return view_print(view, " pages %p busy", area->pages);
	}
	if (view->part == IOPT_VIEW_PAGES)
		shown = view_pages(view, area);
	else if (view->part == IOPT_VIEW_RUNS)
		shown = view_run(view, area);
	else
		shown = view_pin(view, area);
	mutex_unlock(&area->pages->mutex);
	return shown;
}

static bool view_part(struct iopt_view *view)
{
	if (view->done)
		return false;
	switch (view->part) {
	case IOPT_VIEW_SPACE:
		return view_space(view);
	case IOPT_VIEW_DOMAINS:
		return view_domain(view);
	case IOPT_VIEW_USABLE:
		return view_usable(view);
	case IOPT_VIEW_ALLOWED:
		return view_allowed(view);
	case IOPT_VIEW_AREAS:
		return view_area(view);
	default:
		return view_below(view);
	}
}

/*
 * Start the next part; after the pins of an area, start the next area. Returns
 * false at the end of the dump.
 */
static bool view_next_part(struct iopt_view *view)
{
	switch (view->part) {
	case IOPT_VIEW_AREAS:
		return false;
	case IOPT_VIEW_PINS:
		view_enter(view, IOPT_VIEW_AREAS);
		view_move(view, view->last);
		return true;
	default:
		view_enter(view, view->part + 1);
		return true;
	}
}

/**
 * iopt_view_start() - start a dump of a space
 * @view: iterator over the lines
 * @iopt: the space; it must outlive the dump
 *
 * Context: any context.
 */
void iopt_view_start(struct iopt_view *view, struct io_pagetable *iopt)
{
	view->iopt = iopt;
	view_enter(view, IOPT_VIEW_SPACE);
}

/**
 * iopt_view_next() - format the next line of a dump
 * @view: iterator over the lines; receives the line, without a newline, in
 *        @view->line
 *
 * Context: process context, may sleep; does not wait for pages to be pinned.
 * Return: true if there is another line, otherwise false.
 */
bool iopt_view_next(struct iopt_view *view)
{
	bool shown;

	mutex_lock(&view->iopt->lock);
	do {
		shown = view_part(view);
	} while (!shown && view_next_part(view));
	mutex_unlock(&view->iopt->lock);
	return shown;
}

/**
 * iopt_dump() - print a space to the kernel log
 * @iopt: the space; other threads may use it concurrently
 *
 * Prints the same lines as the space's debugfs file, but at most
 * %DUMP_MAX_LINES of them.
 *
 * Context: process context, may sleep; no lock of the space is held. Does not
 * wait for pages to be pinned.
 */
void iopt_dump(struct io_pagetable *iopt)
{
	unsigned int lines = 0;
	struct iopt_view view;

	iopt_view_start(&view, iopt);
	while (iopt_view_next(&view)) {
		if (lines++ == DUMP_MAX_LINES) {
			pr_info("iopt: (truncated)\n");
			break;
		}
		pr_info("iopt: %s\n", view.line);
		cond_resched();
	}
}
