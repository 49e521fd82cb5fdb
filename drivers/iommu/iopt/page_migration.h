/* SPDX-License-Identifier: GPL-2.0-only */
/* Serialising callers that may migrate the same pages. */
#ifndef __IOPT_PAGE_MIGRATION_H
#define __IOPT_PAGE_MIGRATION_H

#include <linux/list.h>

struct vm_area_struct;

/**
 * struct iopt_migration - a call to GUP that may migrate pages
 * @node: entry in the list of the bucket, in order of arrival
 * @object: the address_space or mm_struct that the pages belong to
 * @first: first page index in @object of the blocks that the call may migrate
 * @last: last page index in @object of these blocks
 */
struct iopt_migration {
	struct list_head node;
	const void *object;
	unsigned long first;
	unsigned long last;
};

void iopt_migration_init(void);
void iopt_migration_set(struct iopt_migration *migration,
			struct vm_area_struct *vma, unsigned long addr,
			unsigned long npages);
int iopt_migration_start(struct iopt_migration *migration);
void iopt_migration_end(struct iopt_migration *migration);

#endif /* __IOPT_PAGE_MIGRATION_H */
