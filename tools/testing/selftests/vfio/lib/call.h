/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a call in a separate process, because the call might never return.
 *
 * Like a thread, the process shares memory and open files with the test, but it
 * can be killed without killing the test. errno is shared as well, so the test
 * cannot rely on it: the function that makes the call must return -errno.
 */
#ifndef SELFTESTS_VFIO_CALL_H
#define SELFTESTS_VFIO_CALL_H

#include <stdbool.h>
#include <sys/types.h>

/* Upper bound in milliseconds for a call that does not block */
#define CALL_TIMEOUT	1000

typedef long (*call_fn)(void *data);

/**
 * struct call - a call and the process that runs it
 * @work: function to run
 * @data: argument of @work
 * @result: return value of @work, valid once @done is set
 * @done: @work has returned
 * @stack: stack of the process
 * @pid: process ID, 0 once the process has been reaped
 */
struct call {
	call_fn work;
	void *data;
	long result;
	int done;
	char *stack;
	pid_t pid;
};

/* Start @work in a new process. Return 0 or -errno. */
int call_start(struct call *call, call_fn work, void *data);

/*
 * Return 0 if the call sleeps, -EALREADY if it has returned, and -EBUSY if it
 * keeps running.
 */
int call_sleeps(const struct call *call);

/*
 * Wait for the call and return its result, -ETIMEDOUT if it takes longer than
 * @milliseconds, or -ECHILD if the process exited without a result. A call that
 * times out is not killed.
 */
long call_end(struct call *call, unsigned int milliseconds);

/*
 * Kill the process. Return the number of milliseconds that it took to exit, 0
 * if it had already been reaped, or -ETIMEDOUT after five seconds.
 */
long call_kill(struct call *call);

/*
 * Run @work in a process and return its result. If @work takes longer than
 * CALL_TIMEOUT, kill the process and return -ETIMEDOUT.
 */
long call_timed(call_fn work, void *data);

/* Return the monotonic time in milliseconds. */
long milliseconds(void);

#endif
