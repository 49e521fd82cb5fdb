// SPDX-License-Identifier: GPL-2.0-only
/* Threads that call a function in a loop, for tests of races. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workers.h"

#define MIN_ITERATIONS	2
#define PATIENCE	60	/* seconds */

static void *run_worker(void *argument)
{
	struct worker *worker = argument;

	while (!__atomic_load_n(worker->stop, __ATOMIC_RELAXED)) {
		int result = worker->work(worker);

		if (result) {
			__atomic_store_n(&worker->result, result,
					 __ATOMIC_RELAXED);
			break;
		}
		__atomic_fetch_add(&worker->iterations, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

void workers_start(struct workers *workers, worker_fn work, void *shared,
		   struct device *device)
{
	struct worker *worker = &workers->worker[workers->nr];

	if (workers->nr == MAX_WORKERS)
		abort();
	*worker = (struct worker){
		.work = work,
		.shared = shared,
		.device = device,
		.index = workers->nr++,
		.stop = &workers->stop,
	};
	if (pthread_create(&worker->thread, NULL, run_worker, worker))
		abort();
}

void workers_join(struct workers *workers)
{
	unsigned int i;

	__atomic_store_n(&workers->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < workers->nr; i++)
		pthread_join(workers->worker[i].thread, NULL);
	workers->nr = 0;
	workers->stop = 0;
}

/* On a busy machine, an iteration may outlast the run time of the test. */
static void wait_for_iterations(const struct worker *worker)
{
	unsigned int tries;

	for (tries = 0; tries < 10 * PATIENCE; tries++) {
		if (__atomic_load_n(&worker->iterations, __ATOMIC_RELAXED) >=
			    MIN_ITERATIONS ||
		    __atomic_load_n(&worker->result, __ATOMIC_RELAXED))
			return;
		usleep(100 * 1000);
	}
}

int workers_stop(struct workers *workers)
{
	unsigned int nr = workers->nr, i;
	int result = 0;

	for (i = 0; i < nr; i++)
		wait_for_iterations(&workers->worker[i]);
	workers_join(workers);
	for (i = 0; i < nr; i++) {
		struct worker *worker = &workers->worker[i];

		dprintf(STDOUT_FILENO, "# worker %u: %lu iterations, result %d\n",
			i, worker->iterations, worker->result);
		if (result)
			continue;
		result = worker->result;
		if (!result && worker->iterations < MIN_ITERATIONS)
			result = -ETIME;
	}
	return result;
}

unsigned int stress_seconds(void)
{
	const char *text = getenv("STRESS_SECONDS");

	return text ? strtoul(text, NULL, 0) : 4;
}
