/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Children without privilege, who work with what root has opened for them and
 * answer by their exit status.
 */
#ifndef SELFTESTS_VFIO_USER_H
#define SELFTESTS_VFIO_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "rig.h"

/* What such a child counts: how far it is, and which step was the first bad. */
struct steps {
	int number;
	int failed;
};

static inline void step(struct steps *steps, bool held)
{
	steps->number++;
	if (!held && !steps->failed)
		steps->failed = steps->number;
}

/* One test's work: 0, or the number of the step that failed. */
typedef int (*work_fn)(struct rig *rig);

/* Lets this process be of @user, who may lock so many pages. 0 or -errno. */
int user_become(uid_t user, unsigned int pages);

/* The exit status of a child that ended by itself, or -ECHILD. */
int user_wait(pid_t child);

/* What @work returned to a child of @user; 99 if there is no such user. */
int user_run(uid_t user, unsigned int pages, work_fn work, struct rig *rig);

#endif
