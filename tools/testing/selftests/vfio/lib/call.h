/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that may never return, each in a process of its own.
 *
 * Such a process has the memory and the open files of the test, as a thread
 * has, but can be killed alone. It shares errno too, so that a call returns
 * -errno by itself.
 */
#ifndef SELFTESTS_VFIO_CALL_H
#define SELFTESTS_VFIO_CALL_H

#include <stdbool.h>
#include <sys/types.h>

/* Milliseconds in which a call returns that waits for nothing. */
#define PROMPT	1000

typedef long (*call_fn)(void *data);

/**
 * struct call - a call
 * @work: does it
 * @data: for @work
 * @result: what @work returned
 * @done: it did
 * @stack: of the process
 * @pid: the process, or 0
 */
struct call {
	call_fn work;
	void *data;
	long result;
	int done;
	char *stack;
	pid_t pid;
};

/* 0 or -errno */
int call_start(struct call *call, call_fn work, void *data);

/* 0 if the call sleeps, -EALREADY if it has returned, -EBUSY if it runs. */
int call_sleeps(const struct call *call);

/* The work's result, or -ETIMEDOUT; the call is not killed then. */
long call_end(struct call *call, unsigned int milliseconds);

/*
 * Kills the call. Returns the milliseconds until the process was gone, or
 * -ETIMEDOUT after five seconds.
 */
long call_kill(struct call *call);

/* The work's result; -ETIMEDOUT if it took longer than PROMPT. */
long call_prompt(call_fn work, void *data);

/* The time, in milliseconds. */
long milliseconds(void);

#endif
