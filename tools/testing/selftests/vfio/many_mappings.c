// SPDX-License-Identifier: GPL-2.0-only
/*
 * Create a large number of mappings of one page of memory, and remove them all
 * at once.
 *
 * Nothing is pinned, because the space has no domain.
 *
 * Work that grows with the number of mappings must reschedule. While mappings
 * are created, unmapped, or removed by closing the last file, another thread on
 * the same processor must run at least every two seconds, even without kernel
 * preemption. The kernel must report neither a soft lockup nor an RCU stall.
 *
 * MANY_MAPPINGS in the environment sets the number of mappings; the default is
 * 500000. A mapping takes about 340 bytes of kernel memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "call.h"
#include "front.h"
#include "mdev_testbed.h"
#include "record.h"
#include "text.h"

#define FIRST_IOVA	(4ull << 30)
#define THRESHOLD	"/proc/sys/kernel/watchdog_thresh"
#define LIMIT		"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
/*
 * Value of watchdog_thresh during the test: the kernel reports a soft lockup
 * after twice this time.
 */
#define LOCKUP		"3"	/* seconds */
#define GAP		2000	/* milliseconds */

NEEDS_MDEV_PIN
RECORDS_NO_ERRNO

FIXTURE(many)
{
	struct front front;
	struct mediated device;
	char *page;
	unsigned long nr;
	int log;
	char threshold[16];
	char limit[16];
	cpu_set_t processors;
};

FIXTURE_VARIANT(many)
{
	bool type1;
};

FIXTURE_VARIANT_ADD(many, iommufd) { .type1 = false };
FIXTURE_VARIANT_ADD(many, type1) { .type1 = true };

static unsigned long wanted_mappings(void)
{
	const char *text = getenv("MANY_MAPPINGS");

	return text ? strtoul(text, NULL, 0) : 500000;
}

FIXTURE_SETUP(many)
{
	struct front *front = &self->front;
	cpu_set_t one;
	char text[16];

	*front = NO_FRONT;
	self->nr = wanted_mappings();
	self->page = new_memory(PAGE);
	ASSERT_NE(NULL, self->page);
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->log);
	lseek(self->log, 0, SEEK_END);
	self->threshold[0] = 0;
	if (!access(THRESHOLD, W_OK))
		ASSERT_EQ(0, text_exchange(THRESHOLD, LOCKUP,
					   self->threshold,
					   sizeof(self->threshold)));
	snprintf(text, sizeof(text), "%lu", self->nr);
	ASSERT_EQ(0, text_exchange(LIMIT, text, self->limit,
				   sizeof(self->limit)));

	ASSERT_EQ(0, mediated_create(&self->device, "mdev_pin", "notified"));
	ASSERT_EQ(0, front_open_mediated(front, variant->type1, &self->device));
	/* Run all threads of the test on one processor. */
	sched_getaffinity(0, sizeof(self->processors), &self->processors);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
}

/*
 * Search the new records of the kernel log for a soft lockup or an RCU stall.
 * If there is one, store its record in @record and return true.
 */
static bool find_lockup(int log, char *record, size_t size)
{
	ssize_t length;

	for (;;) {
		length = read(log, record, size - 1);
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			return false;
		record[length] = 0;
		if (strstr(record, "soft lockup") || strstr(record, "stall"))
			return true;
	}
}

FIXTURE_TEARDOWN(many)
{
	char record[1024];

	front_close(&self->front);
	EXPECT_EQ(0, mediated_remove(&self->device));
	EXPECT_EQ(0, text_write(LIMIT, self->limit));
	if (self->threshold[0])
		EXPECT_EQ(0, text_write(THRESHOLD, self->threshold));
	EXPECT_FALSE(find_lockup(self->log, record, sizeof(record))) {
		TH_LOG("%s", record);
	}
	close(self->log);
}

/**
 * struct latency - state of a thread that measures its scheduling latency
 * @stop: set to make the thread exit
 * @gap: longest time in milliseconds between two wakeups of the thread
 * @thread: thread handle
 */
struct latency {
	int stop;
	long gap;
	pthread_t thread;
};

static void *measure_gaps(void *argument)
{
	struct latency *latency = argument;
	long last = milliseconds(), now;

	while (!__atomic_load_n(&latency->stop, __ATOMIC_ACQUIRE)) {
		usleep(10 * 1000);
		now = milliseconds();
		if (now - last > latency->gap)
			latency->gap = now - last;
		last = now;
	}
	return NULL;
}

static int latency_start(struct latency *latency)
{
	*latency = (struct latency){ .stop = 0 };
	return pthread_create(&latency->thread, NULL, measure_gaps, latency);
}

static long latency_stop(struct latency *latency)
{
	__atomic_store_n(&latency->stop, 1, __ATOMIC_RELEASE);
	pthread_join(latency->thread, NULL);
	return latency->gap;
}

/*
 * Map the page @nr times. Return 0 or -errno, and set @done to the number of
 * mappings.
 */
static int map_all(const struct front *front, const char *page,
		   unsigned long nr, unsigned long *done)
{
	long start = milliseconds(), shown = start;
	int err;

	for (*done = 0; *done < nr; ++*done) {
		err = front_map(front, page, PAGE, FIRST_IOVA + *done * PAGE,
				true);
		if (err)
			return err;
		if (*done % 1024 || milliseconds() - shown < 20000)
			continue;
		shown = milliseconds();
		printf("# %lu mappings after %ld ms\n", *done, shown - start);
		fflush(stdout);
	}
	return 0;
}

static long free_memory(void)
{
	return counters_of_system("MemAvailable");
}

static void map_and_remove(struct __test_metadata *_metadata,
			   struct front *front, const char *page,
			   unsigned long nr, bool by_close)
{
	long before = free_memory(), start = milliseconds(), mapped, used;
	struct latency latency;
	unsigned long done;

	ASSERT_EQ(0, latency_start(&latency));
	ASSERT_EQ(0, map_all(front, page, nr, &done)) {
		TH_LOG("%lu of %lu", done, nr);
	}
	mapped = milliseconds() - start;
	used = before - free_memory();
	start = milliseconds();
	if (by_close)
		front_close(front);
	else
		EXPECT_EQ((long)(nr * PAGE), front_unmap_all(front));
	printf("# %lu mappings: %ld ms to map, %ld ms to end, %ld bytes each\n",
	       nr, mapped, milliseconds() - start,
	       used * 1024 / (long)nr);
	EXPECT_GE(GAP, latency_stop(&latency)) {
		TH_LOG("longest gap %ld ms", latency.gap);
	}
	printf("# longest gap %ld ms\n", latency.gap);
	fflush(stdout);
}

TEST_F_TIMEOUT(many, close_reschedules, 3000)
{
	map_and_remove(_metadata, &self->front, self->page, self->nr, true);
}

TEST_F_TIMEOUT(many, unmap_reschedules, 3000)
{
	map_and_remove(_metadata, &self->front, self->page, self->nr, false);
}

/* A MAP beyond dma_entry_limit fails with ENOSPC. */
TEST_F_TIMEOUT(many, limit_ENOSPC, 3000)
{
	unsigned long done;

	if (!variant->type1)
		SKIP(return, "only type1 has a limit");
	ASSERT_EQ(-ENOSPC, map_all(&self->front, self->page, self->nr + 1,
				   &done));
	EXPECT_EQ(self->nr, done);
}

TEST_HARNESS_MAIN
