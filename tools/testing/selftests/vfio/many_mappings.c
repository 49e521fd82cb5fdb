// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many mappings as a program likes to make, each of one page, and their end.
 *
 * The space has no domain, so that nothing is pinned, and one page of memory is
 * mapped again and again.
 *
 * Rule: work that grows with the number of mappings lets others run. Another
 * thread on the same processor runs at least every other second while the last
 * file is closed, in a kernel that preempts nothing, and a kernel that looks for
 * soft lockups finds none.
 *
 * The environment's MANY_MAPPINGS, or 500000 without, is the number. A mapping
 * takes about 340 bytes.
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
#include "mdev_rig.h"
#include "record.h"
#include "text.h"

#define FIRST_IOVA	(4ull << 30)
#define THRESHOLD	"/proc/sys/kernel/watchdog_thresh"
#define LIMIT		"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
/* The kernel reports what keeps a processor for twice as long. */
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

static unsigned long number_wanted(void)
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
	self->nr = number_wanted();
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
	/* The threads of a test have one processor. */
	sched_getaffinity(0, sizeof(self->processors), &self->processors);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
}

/* The first line of the log that reports a lockup since the test began. */
static bool locked_up(int log, char *record, size_t size)
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
	EXPECT_FALSE(locked_up(self->log, record, sizeof(record))) {
		TH_LOG("%s", record);
	}
	close(self->log);
}

/**
 * struct pulse - a thread that notes for how long it could not run
 * @stop: it is time to end
 * @gap: the longest time, in milliseconds
 * @thread: the thread
 */
struct pulse {
	int stop;
	long gap;
	pthread_t thread;
};

static void *beat(void *argument)
{
	struct pulse *pulse = argument;
	long last = milliseconds(), now;

	while (!__atomic_load_n(&pulse->stop, __ATOMIC_ACQUIRE)) {
		usleep(10 * 1000);
		now = milliseconds();
		if (now - last > pulse->gap)
			pulse->gap = now - last;
		last = now;
	}
	return NULL;
}

static int pulse_start(struct pulse *pulse)
{
	*pulse = (struct pulse){ .stop = 0 };
	return pthread_create(&pulse->thread, NULL, beat, pulse);
}

static long pulse_end(struct pulse *pulse)
{
	__atomic_store_n(&pulse->stop, 1, __ATOMIC_RELEASE);
	pthread_join(pulse->thread, NULL);
	return pulse->gap;
}

/* Maps the page so often; -errno, with the number that succeeded in @done. */
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

static void end_all(struct __test_metadata *_metadata, struct front *front,
		    const char *page, unsigned long nr, bool by_close)
{
	long before = free_memory(), start = milliseconds(), mapped, used;
	struct pulse pulse;
	unsigned long done;

	ASSERT_EQ(0, pulse_start(&pulse));
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
	EXPECT_GE(GAP, pulse_end(&pulse)) {
		TH_LOG("longest gap %ld ms", pulse.gap);
	}
	printf("# longest gap %ld ms\n", pulse.gap);
	fflush(stdout);
}

TEST_F_TIMEOUT(many, close_lets_others_run, 3000)
{
	end_all(_metadata, &self->front, self->page, self->nr, true);
}

TEST_F_TIMEOUT(many, unmap_lets_others_run, 3000)
{
	end_all(_metadata, &self->front, self->page, self->nr, false);
}

/* One more than type1 may have. */
TEST_F_TIMEOUT(many, limit_holds, 3000)
{
	unsigned long done;

	if (!variant->type1)
		SKIP(return, "only type1 has a limit");
	ASSERT_EQ(-ENOSPC, map_all(&self->front, self->page, self->nr + 1,
				   &done));
	EXPECT_EQ(self->nr, done);
}

TEST_HARNESS_MAIN
