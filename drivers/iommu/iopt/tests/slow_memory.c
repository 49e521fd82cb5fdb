// SPDX-License-Identifier: GPL-2.0-only
/* Memory in which page faults block until a test lets them continue. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "slow_memory.h"
#include "space.h"

static vm_fault_t new_page(struct vm_fault *vmf)
{
	vmf->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static vm_fault_t driver_fault(struct vm_fault *vmf)
{
	struct slow_memory *slow = vmf->vma->vm_private_data;

	complete(&slow->blocked);
	wait_for_completion(&slow->resume);
	return new_page(vmf);
}

static vm_fault_t file_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct slow_memory *slow = vma->vm_private_data;
	struct mm_struct *mm = vma->vm_mm;

	if (vmf->pgoff != slow->page || completion_done(&slow->resume))
		return new_page(vmf);
	/* Fail: blocking this caller would keep the mmap_lock held. */
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY) ||
	    (vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return VM_FAULT_SIGBUS;
	mmap_read_unlock(mm);
	complete(&slow->blocked);
	/* The caller checks for a signal when it retries. */
	wait_for_completion_killable(&slow->resume);
	return VM_FAULT_RETRY;
}

static vm_fault_t slow_fault(struct vm_fault *vmf)
{
	struct slow_memory *slow = vmf->vma->vm_private_data;

	return slow->fault(vmf);
}

static const struct vm_operations_struct slow_vm_ops = { .fault = slow_fault };

static int slow_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_private_data = file->private_data;
	vma->vm_ops = &slow_vm_ops;
	return 0;
}

static const struct file_operations slow_fops = { .mmap = slow_mmap };

static unsigned long map_slow(struct kunit *test, struct slow_memory *slow,
			      vm_fault_t (*fault)(struct vm_fault *vmf),
			      unsigned long npages, int prot,
			      unsigned long flags)
{
	unsigned long uaddr;
	struct file *file;

	slow->fault = fault;
	init_completion(&slow->blocked);
	init_completion(&slow->resume);
	file = anon_inode_getfile("[iopt-slow]", &slow_fops, slow, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(npages), prot, flags, 0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}

/*
 * Map driver memory in which every fault blocks with the mmap_lock held. @slow
 * must remain valid while the memory is mapped.
 */
unsigned long test_slow_memory(struct kunit *test, struct slow_memory *slow,
			       unsigned long npages)
{
	return map_slow(test, slow, driver_fault, npages,
			PROT_READ | PROT_WRITE, MAP_SHARED);
}

/*
 * Map a file in which faults on page @slow->page block, killably and with the
 * mmap_lock released. @slow must remain valid while the file is mapped.
 */
unsigned long test_slow_file(struct kunit *test, struct slow_memory *slow,
			     unsigned long npages, int prot,
			     unsigned long flags)
{
	return map_slow(test, slow, file_fault, npages, prot, flags);
}
