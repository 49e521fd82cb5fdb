// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying data between a kernel buffer and mapped memory with the CPU.
 *
 * Data is copied through the page tables of the process that owns the memory.
 * The access therefore sees the memory as that process does, and nothing is
 * pinned.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "access.h"
#include "account.h"
#include "area.h"
#include "dirty_bitmap.h"
#include "io_pagetable.h"
#include "pages.h"

/*
 * Copy between a buffer and the memory of a process. Only a kernel thread
 * without an mm of its own can use the mm of another process; all other callers
 * get -EFAULT. If the other process has exited, every caller gets -EPERM.
 */
static int mm_copy(struct mm_struct *mm, unsigned long uaddr, void *buffer,
		   unsigned long length, bool write)
{
	bool borrow = mm != current->mm;
	unsigned long left;

	if (borrow && !mmget_not_zero(mm))
		return -EPERM;
	if (borrow && (!(current->flags & PF_KTHREAD) || current->mm)) {
		mmput(mm);
		return -EFAULT;
	}
	if (borrow)
		kthread_use_mm(mm);
	if (write)
		left = copy_to_user((void __user *)uaddr, buffer, length);
	else
		left = copy_from_user(buffer, (void __user *)uaddr, length);
	if (borrow) {
		kthread_unuse_mm(mm);
		mmput(mm);
	}
	return left ? -EFAULT : 0;
}

/**
 * iopt_access_rw() - read or write mapped memory with the CPU
 * @access: the access
 * @iova: first IOVA
 * @buffer: kernel buffer to copy to or from
 * @length: length in bytes, not 0; the range may span mappings
 * @flags: %IOPT_ACCESS_WRITE to write, otherwise the function reads. With
 *         %IOPT_ACCESS_READ, a write also requires mappings that permit reading
 *
 * Uses the current page tables of the process that owns the memory, not the
 * pages that are pinned.
 *
 * Context: in the process that owns the memory, or in a kernel thread without
 * an mm; may block indefinitely on page faults.
 * Return: 0 if all bytes were copied, or
 * * %-EINVAL - @length is 0.
 * * %-EOVERFLOW - The range wraps around.
 * * %-ENOENT - Part of the range is not mapped, or is in a dying mapping.
 * * %-EPERM - A mapping does not permit the access, or the memory belongs to
 *   another process, which has exited. This takes precedence over %-EFAULT.
 * * %-EBUSY - A mapping is an orphan.
 * * %-EFAULT - The memory belongs to another process and the caller is not a
 *   kernel thread without an mm, or the process cannot access the address.
 *
 * On failure, some of the bytes may have been copied.
 */
int iopt_access_rw(struct iopt_access *access, unsigned long iova, void *buffer,
		   unsigned long length, unsigned int flags)
{
	unsigned int need = flags & (IOPT_ACCESS_READ | IOPT_ACCESS_WRITE);
	struct io_pagetable *iopt = access->iopt;
	bool write = flags & IOPT_ACCESS_WRITE;
	unsigned long last;
	int rc = 0;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;

	while (!rc && length) {
		struct iopt_area *area =
			iopt_area_get(iopt, iova, need ?: IOPT_ACCESS_READ);
		unsigned long bytes, uaddr;

		if (IS_ERR(area))
			return PTR_ERR(area);
		bytes = min(length - 1, area->last - iova) + 1;
		uaddr = READ_ONCE(area->pages->uaddr) + area->offset +
			(iova - area->start) +
			(area->slice.start << PAGE_SHIFT);
		rc = mm_copy(area->pages->payer->mm, uaddr, buffer, bytes,
			     write);
		mutex_lock(&iopt->lock);
		/* A failed copy may have written part of the range. */
		if (write)
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
