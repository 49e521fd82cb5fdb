/* SPDX-License-Identifier: GPL-2.0-only */
/* Debugfs files of spaces. */
#ifndef __IOPT_DEBUGFS_H
#define __IOPT_DEBUGFS_H

struct io_pagetable;

void iopt_debugfs_init(void);
void iopt_debugfs_exit(void);
void iopt_debugfs_add(struct io_pagetable *iopt);
void iopt_debugfs_remove(struct io_pagetable *iopt);

#endif /* __IOPT_DEBUGFS_H */
