/* SPDX-License-Identifier: GPL-2.0-only */
/* Accesses: in-kernel users of the mapped memory. */
#ifndef __IOPT_ACCESS_H
#define __IOPT_ACCESS_H

#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/types.h>

struct io_pagetable;

/**
 * struct iopt_access - an in-kernel user of a space
 * @iopt: the space
 * @ops: callbacks of the user; NULL if it does not call iopt_access_pin()
 * @data: argument of the callbacks in @ops
 * @owner: unique number of an access that owns its pins, 0 for all others
 * @closing: iopt_access_destroy() is running, so no callback may be started
 * @nr_callbacks: number of running callbacks that unmaps have called; the
 *                access stays on the list until all of them have returned
 * @node: entry in io_pagetable.accesses
 *
 * @closing, @nr_callbacks and @node are protected by io_pagetable.lock.
 */
struct iopt_access {
	struct io_pagetable *iopt;
	const struct iopt_access_ops *ops;
	void *data;
	u16 owner;
	bool closing;
	unsigned int nr_callbacks;
	struct list_head node;
};

#endif /* __IOPT_ACCESS_H */
