/* SPDX-License-Identifier: GPL-2.0-only */
/* Notifying accesses of an unmap. */
#ifndef __IOPT_NOTIFY_H
#define __IOPT_NOTIFY_H

#include <linux/list.h>

struct io_pagetable;

int iopt_areas_quiesce(struct io_pagetable *iopt, struct list_head *areas);

#endif /* __IOPT_NOTIFY_H */
