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
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "type1.h"

#define ROUNDS	200
#define THREADS	4
#define ACROSS	2000	/* rounds of across() */

static struct type1 type1;
static pthread_barrier_t barrier;
static char *memory;
static atomic_uint won, refused, other;
static atomic_ullong unmapped;
static atomic_bool done;

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

static void *map_across_start(void *arg)
{
	const __u64 iova = IOVA - PAGE, size = 2 * PAGE;

	while (!done) {
		map(type1.container, iova, memory, size, READ_WRITE);
		unmap(type1.container, iova, size, 0, NULL);
	}
	return NULL;
}

static long unmap_flags(__u64 iova, __u64 size, __u32 flags, __u64 *bytes)
{
	__u64 bits;

	if (flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)
		return unmap_bitmap(type1.container, iova, size, &bits,
				    sizeof(bits), bytes);
	return unmap(type1.container, iova, size, flags, bytes);
}

/*
 * Unmap a range that contains one mapping, while another thread maps and unmaps
 * memory across the start of the range. The unmap may fail because the range
 * cuts the mapping of the other thread, but must not succeed with a size of 0.
 */
static void across(const char *rules, const char *name, __u32 flags)
{
	unsigned int round, wrong = 0, missed = 0;
	pthread_t thread;
	__u64 bytes;
	long rc;

	record_set_prefix(name);
	done = false;
	if (pthread_create(&thread, NULL, map_across_start, NULL))
		die("threads");
	for (round = 0; round < ACROSS; round++) {
		if (map(type1.container, IOVA + 2 * PAGE, memory, PAGE,
			READ_WRITE))
			die("map in round %u", round);
		rc = unmap_flags(IOVA, 4 * PAGE, flags, &bytes);
		missed += !rc && !bytes;
		wrong += rc && rc != -EINVAL;
		unmap(type1.container, IOVA + 2 * PAGE, PAGE, 0, NULL);
	}
	done = true;
	pthread_join(thread, NULL);
	record(rules, "unmaps", "missed %u wrong %u", missed, wrong);
	record(rules, "avail", "%u", avail(type1.container));
}

static void across_all(void)
{
	struct vfio_iommu_type1_dirty_bitmap tracking = {
		.argsz = sizeof(tracking),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};

	across("T1-86,T1-164", "across", 0);
	across("T1-95,T1-164", "across_vaddr", VFIO_DMA_UNMAP_FLAG_VADDR);
	ioctl(type1.container, VFIO_IOMMU_DIRTY_PAGES, &tracking);
	across("T1-86,T1-164", "across_dirty",
	       VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
	tracking.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
	ioctl(type1.container, VFIO_IOMMU_DIRTY_PAGES, &tracking);
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
	across_all();
	killed();
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15", "end");
	return 0;
}
