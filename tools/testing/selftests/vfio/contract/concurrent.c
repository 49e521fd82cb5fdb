// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the results of concurrent maps and unmaps, and of killing processes
 * that map and unmap.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "type1.h"

#define ROUNDS	200
#define THREADS	4

static struct type1 type1;
static pthread_barrier_t barrier;
static char *memory;
static atomic_uint won, refused, other;
static atomic_ullong unmapped;

static void *same_range(void *arg)
{
	unsigned int round;
	__u64 done;
	long rc;

	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		rc = map(type1.container, IOVA, memory, 16 * PAGE, READ_WRITE);
		if (!rc)
			won++;
		else if (rc == -EEXIST)
			refused++;
		else
			other++;
		pthread_barrier_wait(&barrier);
		if (!unmap(type1.container, IOVA, 16 * PAGE, 0, &done))
			unmapped += done;
	}
	return NULL;
}

static void *own_range(void *arg)
{
	__u64 iova = IOVA * (1 + (unsigned long)arg);
	unsigned int round;
	__u64 done;

	for (round = 0; round < ROUNDS; round++) {
		if (map(type1.container, iova, memory, 16 * PAGE, READ_WRITE))
			other++;
		else
			won++;
		if (!unmap(type1.container, iova, 16 * PAGE, 0, &done))
			unmapped += done;
	}
	return NULL;
}

static void run_threads(const char *rules, const char *name,
			void *(*run)(void *))
{
	pthread_t threads[THREADS];
	unsigned long i;

	record_set_prefix(name);
	won = 0;
	refused = 0;
	other = 0;
	unmapped = 0;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			die("threads");
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	record(rules, "maps", "won %u refused %u other %u", won, refused,
	       other);
	record(rules, "unmapped", "%#llx", unmapped);
	record_pages(rules, "pages");
	record(rules, "avail", "%u", avail(type1.container));
}

/* Kill children while they map and unmap memory in the container. */
static void killed(void)
{
	const unsigned int nr = 20000;
	unsigned int round;
	int status, c;
	pid_t child;

	record_set_prefix("killed");
	for (round = 0; round < 8; round++) {
		child = fork();
		if (child < 0)
			die("fork");
		if (!child) {
			char *large = fresh_pages(nr);

			for (;;) {
				map(type1.container, IOVA, large, nr * PAGE,
				    READ_WRITE);
				unmap(type1.container, IOVA, nr * PAGE, 0,
				      NULL);
			}
		}
		usleep(2000 + 3000 * round);
		kill(child, SIGKILL);
		if (waitpid(child, &status, 0) != child)
			die("waitpid");
		c = type1.container;
		if (unmap(c, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL))
			die("UNMAP of all");
	}
	record_pages("T1-57,T1-163", "pages");
	record("T1-57,T1-163", "avail", "%u", avail(type1.container));
	record_rc("T1-163", "map_after",
		  map(type1.container, IOVA, memory, 16 * PAGE, READ_WRITE));
	record_unmap("T1-163", "unmap_after", type1.container, IOVA,
		     16 * PAGE, 0);
}

int main(void)
{
	memory = new_pages(16);
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	run_threads("T1-164,T1-171", "same", same_range);
	run_threads("T1-164,T1-171", "apart", own_range);
	killed();
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15", "end");
	return 0;
}
