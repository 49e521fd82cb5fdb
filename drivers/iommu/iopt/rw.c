// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying data between a kernel buffer and mapped memory with the CPU.
 *
 * Data is copied through the page tables of the process that owns the memory.
 * The access therefore sees the memory as that process does, and nothing is
 * pinned. With IOPT_ACCESS_FOREIGN, a caller that cannot use these page tables
 * pins the pages for the duration of the copy.
 */
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "access.h"
#include "access_pins.h"
#include "account.h"
#include "area.h"
#include "dirty_bitmap.h"
#include "io_pagetable.h"
#include "pages.h"

/* Number of pages that are pinned at once to copy memory of another process. */
#define PIN_BATCH	16

static int user_copy(unsigned long uaddr, void *buffer, unsigned long length,
		     bool write)
{
	unsigned long left;

	if (write)
		left = copy_to_user((void __user *)uaddr, buffer, length);
	else
		left = copy_from_user(buffer, (void __user *)uaddr, length);
	return left ? -EFAULT : 0;
}

/*
 * Copy between a buffer and the memory of a process through its page tables.
 * Returns false if the caller cannot use them. They can be used by a task that
 * runs with @mm and, until the process has exited, by a kernel thread without
 * an mm.
 */
static bool mm_copy(struct mm_struct *mm, unsigned long uaddr, void *buffer,
		    unsigned long length, bool write, int *rc)
{
	if (mm == current->mm) {
		*rc = user_copy(uaddr, buffer, length, write);
		return true;
	}
	if (!(current->flags & PF_KTHREAD) || current->mm ||
	    !mmget_not_zero(mm))
		return false;
	kthread_use_mm(mm);
	*rc = user_copy(uaddr, buffer, length, write);
	kthread_unuse_mm(mm);
	mmput(mm);
	return true;
}

static void page_copy(struct page *page, unsigned int offset, void *buffer,
		      unsigned int length, bool write)
{
	char *mapped = kmap_local_page(page);

	if (write)
		memcpy(mapped + offset, buffer, length);
	else
		memcpy(buffer, mapped + offset, length);
	kunmap_local(mapped);
}

/*
 * Copy between a buffer and the memory of any process. Pages are pinned only
 * while they are copied. A page that is pinned already is used even after the
 * process has exited.
 */
static int pinned_copy(struct iopt_access *access, struct iopt_area *area,
		       unsigned long iova, void *buffer, unsigned long length,
		       bool write)
{
	struct iopt_pinner pinner = { &area->nr_pins, access->owner };
	unsigned int offset = iopt_area_offset(area, iova);
	unsigned long index = iopt_area_index(area, iova);
	struct page *pages[PIN_BATCH];

	while (length) {
		unsigned long bytes = min(PIN_BATCH * PAGE_SIZE - offset,
					  length);
		unsigned long nr = PAGE_ALIGN(offset + bytes) >> PAGE_SHIFT;
		unsigned long done, lost = 0, i;
		int rc;

		rc = iopt_pins_add(area->pages, pinner, index, nr, pages,
				   &done, &lost);
		for (i = 0; !rc && i != nr; i++) {
			unsigned long part = min(PAGE_SIZE - offset, length);

			page_copy(pages[i], offset, buffer, part, write);
			buffer += part;
			length -= part;
			offset = 0;
		}
		if (!rc)
			iopt_pins_remove(area->pages, pinner, index, nr, false,
					 &lost);
		atomic_long_add(lost, &access->iopt->nr_lost);
		if (rc)
			return rc;
		index += nr;
		cond_resched();
	}
	return 0;
}

/*
 * Copy between a buffer and a part of an area. The caller is a user of @area,
 * so the payer and the user address do not change meanwhile.
 */
static int area_copy(struct iopt_access *access, struct iopt_area *area,
		     unsigned long iova, void *buffer, unsigned long length,
		     unsigned int flags)
{
	struct mm_struct *mm = area->pages->payer->mm;
	unsigned long uaddr = READ_ONCE(area->pages->uaddr) +
			      (iopt_area_index(area, iova) << PAGE_SHIFT) +
			      iopt_area_offset(area, iova);
	bool write = flags & IOPT_ACCESS_WRITE;
	int rc;

	if (!(flags & IOPT_ACCESS_PINNED) &&
	    mm_copy(mm, uaddr, buffer, length, write, &rc))
		return rc;
	if (flags & (IOPT_ACCESS_FOREIGN | IOPT_ACCESS_PINNED))
		return pinned_copy(access, area, iova, buffer, length, write);
	return atomic_read(&mm->mm_users) ? -EFAULT : -EPERM;
}

/**
 * iopt_access_rw() - read or write mapped memory with the CPU
 * @access: the access
 * @iova: first IOVA
 * @buffer: kernel buffer to copy to or from
 * @length: length in bytes, not 0; the range may span mappings
 * @flags: %IOPT_ACCESS_WRITE to write, otherwise the function reads. With
 *         %IOPT_ACCESS_READ, a write also requires mappings that permit
 *         reading. %IOPT_ACCESS_FOREIGN permits access to the memory of a
 *         process even if the caller cannot use the page tables of that process
 *
 * If the caller can use the page tables of the process that owns the memory,
 * the memory is accessed through them, even if other pages are pinned at these
 * IOVAs. With %IOPT_ACCESS_FOREIGN, any other caller uses the pages that are
 * pinned, and pins and charges pages that are not. With %IOPT_ACCESS_PINNED,
 * which is for tests, every caller does so.
 *
 * Context: in the process that owns the memory, in a kernel thread without an
 * mm or, with %IOPT_ACCESS_FOREIGN, in any process; may block indefinitely on
 * page faults.
 * Return: 0 if all bytes were copied, or
 * * %-EINVAL - @length is 0.
 * * %-EOVERFLOW - The range wraps around.
 * * %-ENOENT - Part of the range is not mapped, or is in a dying mapping.
 * * %-EPERM - A mapping does not permit the access, or the memory belongs to
 *   another process, which has exited. This takes precedence over %-EFAULT.
 * * %-EBUSY - A mapping is an orphan.
 * * %-EFAULT - The process that owns the memory cannot access the address or,
 *   without %IOPT_ACCESS_FOREIGN, the memory belongs to another process and the
 *   caller is not a kernel thread without an mm.
 * * With %IOPT_ACCESS_FOREIGN, another errno of pinning; see iopt_access_pin().
 *   %-EPERM then only means that a mapping does not permit the access.
 *
 * On failure, some of the bytes may have been copied.
 */
int iopt_access_rw(struct iopt_access *access, unsigned long iova, void *buffer,
		   unsigned long length, unsigned int flags)
{
	unsigned int need = flags & (IOPT_ACCESS_READ | IOPT_ACCESS_WRITE);
	struct io_pagetable *iopt = access->iopt;
	unsigned long last;
	int rc = 0;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;

	while (!rc && length) {
		struct iopt_area *area =
			iopt_area_get(iopt, iova, need ?: IOPT_ACCESS_READ);
		unsigned long bytes;

		if (IS_ERR(area))
			return PTR_ERR(area);
		bytes = min(length - 1, area->last - iova) + 1;
		rc = area_copy(access, area, iova, buffer, bytes, flags);
		mutex_lock(&iopt->lock);
		/* A failed copy may have written part of the range. */
		if (flags & IOPT_ACCESS_WRITE)
			iopt_area_mark_dirty(area, iova, iova + bytes - 1);
		iopt_area_put(iopt, area);
		mutex_unlock(&iopt->lock);
		iova += bytes;
		buffer += bytes;
		length -= bytes;
	}
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_rw, IOPT);
