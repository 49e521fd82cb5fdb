// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory whose page faults hang until a test lets them go on.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "slow_memory.h"
#include "space.h"

static vm_fault_t slow_fault(struct vm_fault *vmf)
{
	struct slow_memory *slow = vmf->vma->vm_private_data;

	complete(&slow->blocked);
	wait_for_completion(&slow->go_on);
	vmf->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static const struct vm_operations_struct slow_vm_ops = { .fault = slow_fault };

static int slow_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_private_data = file->private_data;
	vma->vm_ops = &slow_vm_ops;
	return 0;
}

static const struct file_operations slow_fops = { .mmap = slow_mmap };

/* @slow must stay as long as the memory is mapped. */
unsigned long test_slow_memory(struct kunit *test, struct slow_memory *slow,
			       unsigned long npages)
{
	unsigned long uaddr;
	struct file *file;

	init_completion(&slow->blocked);
	init_completion(&slow->go_on);
	file = anon_inode_getfile("[iopt-slow]", &slow_fops, slow, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(npages), PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}
