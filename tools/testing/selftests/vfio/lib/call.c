// SPDX-License-Identifier: GPL-2.0-only
/* Run a call in a separate process. See call.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

#define STACK		(128 * 1024)
#define KILL_LIMIT	5000	/* milliseconds */

long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int run(void *argument)
{
	struct call *call = argument;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	call->result = call->work(call->data);
	__atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
	_exit(0);
}

int call_start(struct call *call, call_fn work, void *data)
{
	*call = (struct call){ .work = work, .data = data };
	call->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (call->stack == MAP_FAILED)
		return -ENOMEM;
	call->pid = clone(run, call->stack + STACK,
			  CLONE_VM | CLONE_FILES | SIGCHLD, call);
	if (call->pid > 0)
		return 0;
	munmap(call->stack, STACK);
	return -EAGAIN;
}

/* Return the state letter of /proc/PID/stat, or 'X' if there is no process. */
static char process_state(const struct call *call)
{
	char path[32], letter = 'X';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", call->pid);
	file = fopen(path, "re");
	if (!file)
		return letter;
	if (fscanf(file, "%*d (%*[^)]) %c", &letter) != 1)
		letter = 'X';
	fclose(file);
	return letter;
}

int call_sleeps(const struct call *call)
{
	int i;

	/* Allow enough time for a call that does not block to return. */
	usleep(300 * 1000);
	for (i = 0; i < 100; i++) {
		if (__atomic_load_n(&call->done, __ATOMIC_ACQUIRE))
			return -EALREADY;
		switch (process_state(call)) {
		case 'S':
		case 'D':
		case 'I':
			return 0;
		}
		usleep(10 * 1000);
	}
	return -EBUSY;
}

/*
 * Wait up to @limit milliseconds for the process to exit, then free its stack.
 * Return the milliseconds that this took, or -ETIMEDOUT.
 */
static long reap(struct call *call, long limit)
{
	long start = milliseconds();

	while (waitpid(call->pid, NULL, WNOHANG) != call->pid) {
		if (milliseconds() - start > limit)
			return -ETIMEDOUT;
		usleep(1000);
	}
	call->pid = 0;
	munmap(call->stack, STACK);
	return milliseconds() - start;
}

long call_end(struct call *call, unsigned int milliseconds)
{
	long gone = reap(call, milliseconds);

	if (gone < 0)
		return gone;
	return call->done ? call->result : -ECHILD;
}

long call_kill(struct call *call)
{
	if (call->pid <= 0)
		return 0;
	kill(call->pid, SIGKILL);
	return reap(call, KILL_LIMIT);
}

long call_timed(call_fn work, void *data)
{
	struct call call;
	long result;

	result = call_start(&call, work, data);
	if (result)
		return result;
	result = call_end(&call, CALL_TIMEOUT);
	if (call.pid)
		call_kill(&call);
	return result;
}
