/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that call a function in a loop, for tests of races. */
#ifndef SELFTESTS_VFIO_WORKERS_H
#define SELFTESTS_VFIO_WORKERS_H

#include <pthread.h>

#define MAX_WORKERS	4

struct device;
struct worker;

typedef int (*worker_fn)(struct worker *worker);

/**
 * struct worker - a thread that calls @work in a loop
 * @work: one iteration; returns 0, or an unexpected -errno that ends the loop
 * @shared: state that the threads of the test share
 * @device: device that the thread uses, or NULL
 * @index: index of the thread
 * @iterations: number of successful calls to @work
 * @result: unexpected -errno that ended the loop, or 0
 * @stop: set to end the loop
 * @thread: thread handle
 */
struct worker {
	worker_fn work;
	void *shared;
	struct device *device;
	unsigned int index;
	unsigned long iterations;
	int result;
	int *stop;
	pthread_t thread;
};

/**
 * struct workers - the threads of a test; must be zero-initialised
 * @worker: the threads
 * @nr: number of threads
 * @stop: set to end all threads
 */
struct workers {
	struct worker worker[MAX_WORKERS];
	unsigned int nr;
	int stop;
};

/* Start a thread. The program is aborted if that fails. */
void workers_start(struct workers *workers, worker_fn work, void *shared,
		   struct device *device);

/* Stop all threads. Their results are valid until other threads are started. */
void workers_join(struct workers *workers);

/*
 * Stop all threads once each has completed two iterations. Returns the first
 * unexpected -errno, -ETIME if a thread does not complete two iterations within
 * a minute, or 0.
 */
int workers_stop(struct workers *workers);

/* Return how many seconds a race runs: $STRESS_SECONDS, or 4 by default. */
unsigned int stress_seconds(void);

#endif
