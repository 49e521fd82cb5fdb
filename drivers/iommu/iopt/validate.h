/* SPDX-License-Identifier: GPL-2.0-only */
/* Checking the invariants of a space. */
#ifndef __IOPT_VALIDATE_H
#define __IOPT_VALIDATE_H

#include <linux/bug.h>

#include "dump.h"

struct io_pagetable;

const char *iopt_validate(struct io_pagetable *iopt);

/*
 * Validate the space if CONFIG_IOPT_DEBUG is set. Called after map, unmap,
 * attach, detach and adoption.
 */
static inline void iopt_debug_validate(struct io_pagetable *iopt)
{
	if (IS_ENABLED(CONFIG_IOPT_DEBUG)) {
		const char *wrong = iopt_validate(iopt);

		if (WARN(wrong, "iopt: an invariant is violated: %s\n", wrong))
			iopt_dump(iopt);
	}
}

#endif /* __IOPT_VALIDATE_H */
