/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unprivileged child processes that use files opened by root and report through
 * their exit status.
 */
#ifndef SELFTESTS_VFIO_USER_H
#define SELFTESTS_VFIO_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "testbed.h"

/**
 * struct steps - progress of a child
 * @number: number of steps done
 * @failed: number of the first step that failed, counting from 1, or 0 if none
 *          failed
 */
struct steps {
	int number;
	int failed;
};

static inline void step(struct steps *steps, bool passed)
{
	steps->number++;
	if (!passed && !steps->failed)
		steps->failed = steps->number;
}

/*
 * A function to run in a child. It returns 0, or the number of the first step
 * that failed.
 */
typedef int (*work_fn)(struct testbed *bed);

/*
 * Switch the calling process to @user and set RLIMIT_MEMLOCK to @pages pages.
 * Return 0 or -errno.
 */
int user_become(uid_t user, unsigned int pages);

/*
 * Drop CAP_IPC_LOCK, so that pages that this process pins are charged and count
 * towards RLIMIT_MEMLOCK. Return 0 or -errno.
 */
int user_drop_ipc_lock(void);

/* Wait for @child. Return its exit status, or -ECHILD if a signal ended it. */
int user_wait(pid_t child);

/*
 * Run @work in a child, as @user and with an RLIMIT_MEMLOCK of @pages pages.
 * Return the low 8 bits of the result of @work, 99 if user_become() failed, or
 * -errno.
 */
int user_run(uid_t user, unsigned int pages, work_fn work, struct testbed *bed);

#endif
