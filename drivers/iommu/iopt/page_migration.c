// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serialising callers that may migrate the same pages.
 *
 * GUP migrates pages out of ZONE_MOVABLE and CMA before a longterm pin. If two
 * callers try to migrate the same page at the same time, both fail, because
 * each of them sees the page reference that the other one holds. Callers that
 * pin the same blocks of a file or of a process therefore take turns in order
 * of arrival. A block is at least as large as the largest folio that the memory
 * may consist of.
 *
 * Migration waits for the page lock and for writeback, which may take
 * arbitrarily long if the filesystem does not respond. Callers that pin other
 * blocks do not wait for the migration, unless they pin memory of the same
 * process: the mmap_lock, which they may need, is held during the migration.
 */
#include <linux/hash.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "page_migration.h"

#define BUCKET_BITS	6

/**
 * struct bucket - calls for objects with the same hash
 * @lock: protects @calls
 * @calls: list of the &struct iopt_migration of all calls, waiting or running
 * @wait: wait queue of calls that wait for an earlier call to end
 */
static struct bucket {
	spinlock_t lock;	/* calls */
	struct list_head calls;
	wait_queue_head_t wait;
} buckets[1 << BUCKET_BITS];

static struct bucket *bucket_of(const struct iopt_migration *migration)
{
	return &buckets[hash_ptr(migration->object, BUCKET_BITS)];
}

/**
 * iopt_migration_init() - initialise the buckets
 *
 * Context: module initialisation.
 */
void iopt_migration_init(void)
{
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(buckets); i++) {
		spin_lock_init(&buckets[i].lock);
		INIT_LIST_HEAD(&buckets[i].calls);
		init_waitqueue_head(&buckets[i].wait);
	}
}

/**
 * iopt_migration_set() - set the pages that a call is going to pin
 * @migration: the call
 * @vma: the VMA of the pages
 * @addr: user address of the first page
 * @npages: number of pages, at least 1; all of them are inside @vma
 *
 * Context: the mmap_lock of @vma->vm_mm is held.
 */
void iopt_migration_set(struct iopt_migration *migration,
			struct vm_area_struct *vma, unsigned long addr,
			unsigned long npages)
{
	unsigned long block = PMD_SIZE >> PAGE_SHIFT;
	unsigned long index = addr >> PAGE_SHIFT;

	migration->object = vma->vm_mm;
	if (vma->vm_file) {
		migration->object = vma->vm_file->f_mapping;
		index = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	}
	if (is_vm_hugetlb_page(vma))
		block = max(block, pages_per_huge_page(hstate_vma(vma)));
	migration->first = round_down(index, block);
	migration->last = round_up(index + npages, block) - 1;
}

/* True if no earlier call pins any of the blocks that this call pins. */
static bool migration_may_start(struct bucket *bucket,
				const struct iopt_migration *migration)
{
	const struct iopt_migration *earlier;
	bool may_start = true;

	spin_lock(&bucket->lock);
	list_for_each_entry(earlier, &bucket->calls, node) {
		if (earlier == migration)
			break;
		if (earlier->object == migration->object &&
		    earlier->first <= migration->last &&
		    migration->first <= earlier->last) {
			may_start = false;
			break;
		}
	}
	spin_unlock(&bucket->lock);
	return may_start;
}

/**
 * iopt_migration_start() - wait for earlier calls that pin the same blocks
 * @migration: the call; see iopt_migration_set()
 *
 * Context: process context, may block indefinitely (killable).
 * Return: 0, after which the caller must call iopt_migration_end(), or -EINTR
 * if a fatal signal is pending.
 */
int iopt_migration_start(struct iopt_migration *migration)
{
	struct bucket *bucket = bucket_of(migration);

	spin_lock(&bucket->lock);
	list_add_tail(&migration->node, &bucket->calls);
	spin_unlock(&bucket->lock);
	if (!wait_event_killable(bucket->wait,
				 migration_may_start(bucket, migration)))
		return 0;
	iopt_migration_end(migration);
	return -EINTR;
}

/**
 * iopt_migration_end() - let later calls that pin the same blocks proceed
 * @migration: the call
 *
 * Context: process context.
 */
void iopt_migration_end(struct iopt_migration *migration)
{
	struct bucket *bucket = bucket_of(migration);

	spin_lock(&bucket->lock);
	list_del(&migration->node);
	spin_unlock(&bucket->lock);
	if (wq_has_sleeper(&bucket->wait))
		wake_up_all(&bucket->wait);
}
