/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for an area of a space to become idle. */
#ifndef __IOPT_WAIT_H
#define __IOPT_WAIT_H

struct io_pagetable;

int iopt_wait_idle_since(struct io_pagetable *iopt, unsigned long seen,
			 unsigned int state);
int iopt_wait_idle(struct io_pagetable *iopt, unsigned int state);
void iopt_wake_idle(struct io_pagetable *iopt);

#endif /* __IOPT_WAIT_H */
