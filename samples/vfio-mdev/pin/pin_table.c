// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record of the pins of a device and of the pages that they refer to.
 *
 * An identity is an arbitrary number that stands for a page as long as any
 * table contains a pin of the page, and is the same in all tables. A pinned
 * page is not reused, so two pins with equal identities refer to the same page.
 *
 * A pin is added to the table after vfio_pin_pages() returns and removed before
 * vfio_unpin_pages() is called. The table may therefore lack pins between
 * pin_table_begin_call() and pin_table_end_call(). A caller that needs all pins
 * calls pin_table_wait() first, which gives up after a short time.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "device.h"

/*
 * Time limit of pin_table_wait(). The vfio call that the function waits for may
 * itself be waiting for the notice that called the function.
 */
#define WAIT_JIFFIES	(HZ / 10)

struct pin_identity {
	u64 number;
	unsigned long users;
};

struct pin_entry {
	struct page *page;
	unsigned long count;
};

/* Protects all tables and identities. Innermost lock. */
static DEFINE_MUTEX(table_lock);
static DEFINE_XARRAY(identities);
static u64 last_identity;

void pin_table_init(struct pin_table *table)
{
	xa_init(&table->entries);
	init_waitqueue_head(&table->idle);
}

void pin_table_destroy(struct pin_table *table)
{
	WARN_ON(!xa_empty(&table->entries));
	xa_destroy(&table->entries);
}

static struct pin_identity *identity_get(struct page *page)
{
	struct pin_identity *identity;

	identity = xa_load(&identities, page_to_pfn(page));
	if (!identity) {
		identity = kzalloc(sizeof(*identity), GFP_KERNEL);
		if (!identity)
			return NULL;
		if (xa_err(xa_store(&identities, page_to_pfn(page), identity,
				    GFP_KERNEL))) {
			kfree(identity);
			return NULL;
		}
		identity->number = ++last_identity;
	}
	identity->users++;
	return identity;
}

static void identity_put(struct page *page)
{
	struct pin_identity *identity;

	identity = xa_load(&identities, page_to_pfn(page));
	if (--identity->users)
		return;
	xa_erase(&identities, page_to_pfn(page));
	kfree(identity);
}

/*
 * Add a pin of @page at @iova, and set @number to the identity of the page. If
 * @iova is pinned already, vfio normally returns the same page again. If it
 * does not, the new page replaces the old one in the table. Returns 0 or
 * -ENOMEM.
 */
int pin_table_add(struct pin_table *table, unsigned long iova,
		  struct page *page, u64 *number)
{
	struct pin_identity *identity;
	struct pin_entry *entry;
	int ret = -ENOMEM;

	mutex_lock(&table_lock);
	identity = identity_get(page);
	if (!identity)
		goto out;
	*number = identity->number;
	entry = xa_load(&table->entries, iova);
	if (entry) {
		identity_put(entry->page);
	} else {
		entry = kzalloc(sizeof(*entry), GFP_KERNEL);
		if (!entry || xa_err(xa_store(&table->entries, iova, entry,
					      GFP_KERNEL))) {
			kfree(entry);
			identity_put(page);
			goto out;
		}
	}
	entry->page = page;
	entry->count++;
	table->count++;
	ret = 0;
out:
	mutex_unlock(&table_lock);
	return ret;
}

static void put_entry(struct pin_table *table, unsigned long iova,
		      struct pin_entry *entry)
{
	lockdep_assert_held(&table_lock);
	table->count--;
	if (--entry->count)
		return;
	identity_put(entry->page);
	xa_erase(&table->entries, iova);
	kfree(entry);
}

/* Remove one pin of an IOVA. Returns false if there is none. */
bool pin_table_remove(struct pin_table *table, unsigned long iova)
{
	struct pin_entry *entry;

	mutex_lock(&table_lock);
	entry = xa_load(&table->entries, iova);
	if (entry)
		put_entry(table, iova, entry);
	mutex_unlock(&table_lock);
	return entry;
}

/*
 * Remove one pin of the lowest pinned IOVA from @first to @last, and set @iova
 * to that IOVA. Returns false if there is none.
 */
bool pin_table_remove_first(struct pin_table *table, unsigned long first,
			    unsigned long last, unsigned long *iova)
{
	struct pin_entry *entry;

	*iova = first;
	mutex_lock(&table_lock);
	entry = xa_find(&table->entries, iova, last, XA_PRESENT);
	if (entry)
		put_entry(table, *iova, entry);
	mutex_unlock(&table_lock);
	return entry;
}

unsigned int pin_table_count(struct pin_table *table)
{
	unsigned int count;

	mutex_lock(&table_lock);
	count = table->count;
	mutex_unlock(&table_lock);
	return count;
}

/*
 * Copy data from or to the page pinned at @iova, at the page offset of @iova.
 * Returns -EINVAL if the data crosses the end of the page, or -ENOENT if there
 * is no pin of exactly this IOVA. A pin of another IOVA in the same page does
 * not count.
 */
int pin_table_copy(struct pin_table *table, unsigned long iova, void *data,
		   size_t length, bool write)
{
	struct pin_entry *entry;
	int ret = 0;

	if (length > PAGE_SIZE - offset_in_page(iova))
		return -EINVAL;
	mutex_lock(&table_lock);
	entry = xa_load(&table->entries, iova);
	if (!entry)
		ret = -ENOENT;
	else if (write)
		memcpy_to_page(entry->page, offset_in_page(iova), data, length);
	else
		memcpy_from_page(data, entry->page, offset_in_page(iova),
				 length);
	mutex_unlock(&table_lock);
	return ret;
}

void pin_table_begin_call(struct pin_table *table)
{
	atomic_inc(&table->calls);
}

void pin_table_end_call(struct pin_table *table)
{
	if (atomic_dec_and_test(&table->calls))
		wake_up_all(&table->idle);
}

void pin_table_wait(struct pin_table *table)
{
	wait_event_timeout(table->idle, !atomic_read(&table->calls),
			   WAIT_JIFFIES);
}
