// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure the throughput of two threads that map and unmap disjoint ranges of
 * one space, and that of two processes with a space each.
 *
 * Usage: parallel FRONT_END ROUNDS MILLISECONDS PAGES...
 *
 * A turn is one map and one unmap of PAGES pages. In each round, two workers
 * run for MILLISECONDS and count their turns, first as threads and then as
 * processes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "space.h"

#define WORKERS	2
#define LENGTH	(8ul << 20)	/* of a worker's memory */

/* State shared by the workers, whether they are threads or processes. */
struct board {
	atomic_int ready;
	atomic_int go;
	unsigned long turns[WORKERS];
};

struct worker {
	pthread_t thread;
	unsigned int number;
	struct space *space;
	const char *memory;
	size_t length;
	__u64 nanoseconds;
	struct board *board;
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	__u64 iova = IOVA + worker->number * (1ull << 30), end;
	unsigned long turns = 0;
	size_t offset = 0;

	atomic_fetch_add(&worker->board->ready, 1);
	while (!atomic_load(&worker->board->go))
		;
	end = nanoseconds() + worker->nanoseconds;
	do {
		space_map(worker->space, worker->memory + offset,
			  worker->length, iova + offset);
		space_unmap(worker->space, iova + offset, worker->length);
		offset = (offset + worker->length) % LENGTH;
		turns++;
	} while (nanoseconds() < end);
	worker->board->turns[worker->number] = turns;
	return NULL;
}

static void start_all(struct board *board)
{
	while (atomic_load(&board->ready) != WORKERS)
		usleep(1000);
	atomic_store(&board->go, 1);
}

static unsigned long threads(const char *front_end,
			     const struct pci_address *devices,
			     struct worker *workers)
{
	struct board *board = workers->board;
	struct space space;
	unsigned int i;

	space_open(&space, front_end, devices[0].text);
	memset(board, 0, sizeof(*board));
	for (i = 0; i < WORKERS; i++) {
		workers[i].space = &space;
		must("start a thread", -pthread_create(&workers[i].thread, NULL,
						       work, &workers[i]));
	}
	start_all(board);
	for (i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	space_close(&space);
	return board->turns[0] + board->turns[1];
}

static void process(const char *front_end, const char *address,
		    struct worker *worker)
{
	struct space space;

	/* Pages of the parent are shared copy-on-write. Use fresh ones. */
	worker->memory = new_fragmented(LENGTH);
	space_open(&space, front_end, address);
	worker->space = &space;
	work(worker);
	space_close(&space);
	_exit(0);
}

static unsigned long processes(const char *front_end,
			       const struct pci_address *devices,
			       struct worker *workers)
{
	struct board *board = workers->board;
	int i, status;

	memset(board, 0, sizeof(*board));
	for (i = 0; i < WORKERS; i++) {
		pid_t child = fork();

		if (child < 0)
			must("fork", -errno);
		if (!child)
			process(front_end, devices[i].text, &workers[i]);
	}
	start_all(board);
	for (i = 0; i < WORKERS; i++)
		must("end of a process", wait(&status) < 0 || status ? -ECHILD
								     : 0);
	return board->turns[0] + board->turns[1];
}

int main(int argc, char **argv)
{
	struct worker workers[WORKERS] = {};
	struct pci_address devices[WORKERS];
	struct board *board;
	int size, i, rounds;

	if (argc < 5)
		return 2;
	rounds = atoi(argv[2]);
	set_up_process();
	find_devices(devices, WORKERS);
	board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		must("mmap", -errno);
	for (size = 4; size < argc; size++) {
		for (i = 0; i < WORKERS; i++)
			workers[i] = (struct worker){
				.number = i,
				.length = atoi(argv[size]) * PAGE,
				.nanoseconds = atoi(argv[3]) * 1000000ull,
				.board = board,
			};
		for (i = 0; i < rounds; i++) {
			unsigned long turns;
			int w;

			for (w = 0; w < WORKERS; w++)
				workers[w].memory = new_fragmented(LENGTH);
			turns = threads(argv[1], devices, workers);
			for (w = 0; w < WORKERS; w++)
				unmap_memory((void *)workers[w].memory, LENGTH);
			printf("bench: threads_%s %lu\n", argv[size], turns);
			turns = processes(argv[1], devices, workers);
			printf("bench: processes_%s %lu\n", argv[size], turns);
		}
	}
	return 0;
}
