// SPDX-License-Identifier: GPL-2.0-only
/*
 * Books: which pins a device holds, and which pages these are.
 *
 * An identity stands for a page over all books, from the first pin in any of
 * them to the last. As pinned pages are not given to anybody else, equal
 * identities are equal pages; the numbers themselves say nothing.
 *
 * Rule: a pin is in the book once vfio_pin_pages() has returned, and out of it
 * before vfio_unpin_pages() is called. In between the book is "moving", which
 * whoever has to find every pin waits out.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "device.h"

/* As notices may block who moves, waiting has to end. */
#define SETTLE_JIFFIES	(HZ / 10)

struct pin_identity {
	u64 number;
	unsigned long users;
};

struct pin_entry {
	struct page *page;
	unsigned long count;
};

/* All books and identities; no other lock is taken inside. */
static DEFINE_MUTEX(book_lock);
static DEFINE_XARRAY(identities);
static u64 last_identity;

void book_init(struct pin_book *book)
{
	xa_init(&book->entries);
	init_waitqueue_head(&book->settled);
}

void book_destroy(struct pin_book *book)
{
	WARN_ON(!xa_empty(&book->entries));
	xa_destroy(&book->entries);
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
 * Enter a pin. Whoever pins an IOVA again is told the same page by vfio; if
 * not, the later page takes the place of the earlier.
 */
int book_add(struct pin_book *book, unsigned long iova, struct page *page,
	     u64 *number)
{
	struct pin_identity *identity;
	struct pin_entry *entry;
	int ret = -ENOMEM;

	mutex_lock(&book_lock);
	identity = identity_get(page);
	if (!identity)
		goto out;
	*number = identity->number;
	entry = xa_load(&book->entries, iova);
	if (entry) {
		identity_put(entry->page);
	} else {
		entry = kzalloc(sizeof(*entry), GFP_KERNEL);
		if (!entry || xa_err(xa_store(&book->entries, iova, entry,
					      GFP_KERNEL))) {
			kfree(entry);
			identity_put(page);
			goto out;
		}
	}
	entry->page = page;
	entry->count++;
	book->count++;
	ret = 0;
out:
	mutex_unlock(&book_lock);
	return ret;
}

static void book_drop(struct pin_book *book, unsigned long iova,
		      struct pin_entry *entry)
{
	lockdep_assert_held(&book_lock);
	book->count--;
	if (--entry->count)
		return;
	identity_put(entry->page);
	xa_erase(&book->entries, iova);
	kfree(entry);
}

/* Strike out one pin of an IOVA; was there any? */
bool book_take(struct pin_book *book, unsigned long iova)
{
	struct pin_entry *entry;

	mutex_lock(&book_lock);
	entry = xa_load(&book->entries, iova);
	if (entry)
		book_drop(book, iova, entry);
	mutex_unlock(&book_lock);
	return entry;
}

/* Strike out one pin of the lowest IOVA in an interval; was there any? */
bool book_take_first(struct pin_book *book, unsigned long first,
		     unsigned long last, unsigned long *iova)
{
	struct pin_entry *entry;

	*iova = first;
	mutex_lock(&book_lock);
	entry = xa_find(&book->entries, iova, last, XA_PRESENT);
	if (entry)
		book_drop(book, *iova, entry);
	mutex_unlock(&book_lock);
	return entry;
}

unsigned int book_count(struct pin_book *book)
{
	unsigned int count;

	mutex_lock(&book_lock);
	count = book->count;
	mutex_unlock(&book_lock);
	return count;
}

/*
 * Copy between data and the page that is pinned as iova, from where in the
 * page the IOVA points to. -ENOENT if it is not pinned, -EINVAL if the data
 * does not end in the page.
 */
int book_copy(struct pin_book *book, unsigned long iova, void *data,
	      size_t length, bool write)
{
	struct pin_entry *entry;
	int ret = 0;

	if (length > PAGE_SIZE - offset_in_page(iova))
		return -EINVAL;
	mutex_lock(&book_lock);
	entry = xa_load(&book->entries, iova);
	if (!entry)
		ret = -ENOENT;
	else if (write)
		memcpy_to_page(entry->page, offset_in_page(iova), data, length);
	else
		memcpy_from_page(data, entry->page, offset_in_page(iova),
				 length);
	mutex_unlock(&book_lock);
	return ret;
}

void book_move(struct pin_book *book)
{
	atomic_inc(&book->moving);
}

void book_moved(struct pin_book *book)
{
	if (atomic_dec_and_test(&book->moving))
		wake_up_all(&book->settled);
}

void book_wait(struct pin_book *book)
{
	wait_event_timeout(book->settled, !atomic_read(&book->moving),
			   SETTLE_JIFFIES);
}
