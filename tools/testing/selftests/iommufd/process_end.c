// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the release of resources when a process forks, execs, exits or is
 * killed.
 *
 * All remaining objects of an iommufd are destroyed when the last reference to
 * its file is dropped. Afterwards, no page is pinned and another process can
 * use the device. A mapping always refers to the memory of the process that
 * created the mapping, no matter which process uses the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

/* Progress of the child, in memory shared with the parent. */
struct shared {
	int ready;
	int failed;
};

FIXTURE(process)
{
	struct testbed bed;
	struct shared *shared;
};

FIXTURE_SETUP(process)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
	self->shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->shared);
}

FIXTURE_TEARDOWN(process)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int attach(struct testbed *bed)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(bed->device.fd, &pt_id);
}

static void publish(int *word, int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Returns false if the child is not ready within 20 s. */
static bool wait_until_ready(struct shared *shared)
{
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		if (__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE))
			return true;
		usleep(10 * 1000);
	}
	return false;
}

static int wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return -ECHILD;
	return status;
}

/* Open a testbed in this process, attach its device and map its memory. */
static void open_attach_and_map(struct shared *shared)
{
	static struct testbed child;

	if (testbed_open(&child) || attach(&child) || testbed_map(&child))
		publish(&shared->failed, 1);
	publish(&shared->ready, 1);
}

TEST_F(process, kill_releases_all)
{
	pid_t child;
	int status;

	testbed_close(&self->bed);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		open_attach_and_map(self->shared);
		pause();
		_exit(1);
	}
	ASSERT_TRUE(wait_until_ready(self->shared));
	EXPECT_EQ(0, self->shared->failed);
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	ASSERT_EQ(0, kill(child, SIGKILL));
	status = wait_for(child);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, testbed_pinned(&self->bed));

	/* Another process can open the device. */
	EXPECT_EQ(0, testbed_open(&self->bed));
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, TESTBED_IOVA,
				    self->bed.memory));
}

TEST_F(process, kill_during_dma)
{
	pid_t child;

	testbed_close(&self->bed);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		static struct testbed child;

		if (testbed_open(&child) || attach(&child) ||
		    testbed_map(&child))
			publish(&self->shared->failed, 1);
		publish(&self->shared->ready, 1);
		for (;;)
			edu_store(&child.device.edu, TESTBED_IOVA, 0, TRANSFER);
	}
	ASSERT_TRUE(wait_until_ready(self->shared));
	EXPECT_EQ(0, self->shared->failed);
	usleep(50 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	wait_for(child);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(process, exit_without_close_releases_all)
{
	pid_t child;

	testbed_close(&self->bed);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		open_attach_and_map(self->shared);
		_exit(self->shared->failed);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(process, exec_releases_all)
{
	int input[2];
	pid_t child;
	char byte;
	int done[2];

	testbed_close(&self->bed);
	ASSERT_EQ(0, pipe(input));
	ASSERT_EQ(0, pipe2(done, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(input[1]);
		close(done[0]);
		open_attach_and_map(self->shared);
		if (dup2(input[0], STDIN_FILENO) == STDIN_FILENO)
			execlp("cat", "cat", (char *)NULL);
		publish(&self->shared->failed, 2);
		_exit(1);
	}
	close(done[1]);
	/* exec closes this pipe and the O_CLOEXEC files of the testbed. */
	EXPECT_EQ(0, read(done[0], &byte, 1));
	ASSERT_TRUE(wait_until_ready(self->shared));
	EXPECT_EQ(0, self->shared->failed);
	EXPECT_EQ(0, kill(child, 0));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	close(input[1]);
	EXPECT_EQ(0, wait_for(child));
}

TEST_F(process, fork_does_not_redirect_dma)
{
	pid_t child;

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		/*
		 * The child writes to its own copies of the pages. The device
		 * keeps using those of the parent.
		 */
		memset(self->bed.memory, 0, TESTBED_LENGTH);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, TESTBED_IOVA,
				    self->bed.memory));
}

/* A child maps its own memory in an IOAS of the parent. */
TEST_F(process, child_maps_its_memory)
{
	struct device *device = &self->bed.device;
	pid_t child;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		pattern_fill(self->bed.memory, TRANSFER, 3000);
		_exit(-testbed_map(&self->bed));
	}
	pattern_fill(self->bed.memory, TRANSFER, 3001);
	EXPECT_EQ(0, wait_for(child));
	/* The mapping outlives the child. */
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(0, edu_load(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.bounce, TRANSFER, 3000));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(1, testbed_pinned(&self->bed));
}

TEST_F(process, attach_with_memory_of_dead_process_EFAULT)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child)
		_exit(-testbed_map(&self->bed));
	EXPECT_EQ(0, wait_for(child));
	/*
	 * No device was attached while the child was running, so the pages of
	 * the child were never pinned. Now they cannot be pinned any more.
	 */
	EXPECT_EQ(-EFAULT, attach(&self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, attach(&self->bed));
}

TEST_F(process, copy_with_memory_of_dead_process_EFAULT)
{
	struct testbed *bed = &self->bed;
	__u64 length = TESTBED_LENGTH;
	pid_t child = fork();
	__u32 other, pt_id;

	ASSERT_LE(0, child);
	if (!child)
		_exit(-testbed_map(bed));
	EXPECT_EQ(0, wait_for(child));
	ASSERT_EQ(0, ioas_alloc(bed->iommufd, &other));
	pt_id = other;
	ASSERT_EQ(0, vfio_attach(bed->device.fd, &pt_id));
	EXPECT_EQ(-EFAULT, ioas_copy(bed->iommufd, bed->ioas, TESTBED_IOVA,
				     other, TESTBED_IOVA, TESTBED_LENGTH,
				     IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, testbed_pinned(bed));
	EXPECT_EQ(-ENOENT,
		  ioas_unmap(bed->iommufd, other, TESTBED_IOVA, &length));
}

/*
 * Mapping a large unpopulated area takes a long time, because all pages are
 * faulted in.
 */
#define LARGE		(96ul << 20)
#define LARGE_IOVA	0x40000000ull
/* Round n kills the child about n * ROUND_MS milliseconds into its work. */
#define ROUNDS		6
#define ROUND_MS	40

static int map_large(struct testbed *bed)
{
	char *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (large == MAP_FAILED)
		return -errno;
	return ioas_map(bed->iommufd, bed->ioas, large, LARGE, LARGE_IOVA,
			IOAS_READ_WRITE);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/*
 * Run @work in a child and kill the child @round * ROUND_MS milliseconds after
 * @work starts. Returns 1 if the kill interrupted @work, 0 if @work was already
 * done, or -errno. -ETIME means that the child did not exit in time.
 */
static int kill_during(struct shared *shared, unsigned int round,
		       int (*work)(struct testbed *bed))
{
	long long begin;
	pid_t child;
	int status;

	*shared = (struct shared){ 0 };
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		static struct testbed child;

		if (testbed_open(&child))
			publish(&shared->failed, 1);
		publish(&shared->ready, 1);
		if (work(&child))
			publish(&shared->failed, 2);
		publish(&shared->ready, 2);
		pause();
		_exit(1);
	}
	if (!wait_until_ready(shared))
		return -ETIMEDOUT;
	usleep(round * ROUND_MS * 1000);
	begin = now_ms();
	if (kill(child, SIGKILL))
		return -errno;
	status = wait_for(child);
	if (!WIFSIGNALED(status) || shared->failed)
		return -EPROTO;
	/* A killed process must stop pinning pages within seconds. */
	if (now_ms() - begin > 20 * 1000)
		return -ETIME;
	return shared->ready == 1;
}

static int attach_then_map(struct testbed *bed)
{
	int err = attach(bed);

	return err ? err : map_large(bed);
}

static int map_then_attach(struct testbed *bed)
{
	int err = map_large(bed);

	return err ? err : attach(bed);
}

TEST_F(process, kill_during_map)
{
	unsigned int round;
	int interrupted = 0;

	testbed_close(&self->bed);
	for (round = 0; round < ROUNDS; round++) {
		int result = kill_during(self->shared, round,
					  attach_then_map);

		EXPECT_LE(0, result);
		EXPECT_EQ(0, testbed_pinned(&self->bed));
		interrupted += result == 1;
	}
	EXPECT_NE(0, interrupted);
	/* The killed processes must leave no reference to the device. */
	EXPECT_EQ(0, testbed_open(&self->bed));
	EXPECT_EQ(0, attach(&self->bed));
}

TEST_F(process, kill_during_attach)
{
	unsigned int round;
	int interrupted = 0;

	testbed_close(&self->bed);
	for (round = 0; round < ROUNDS; round++) {
		int result = kill_during(self->shared, round,
					  map_then_attach);

		EXPECT_LE(0, result);
		EXPECT_EQ(0, testbed_pinned(&self->bed));
		interrupted += result == 1;
	}
	EXPECT_NE(0, interrupted);
	EXPECT_EQ(0, testbed_open(&self->bed));
	EXPECT_EQ(0, attach(&self->bed));
}

static void *map_in_thread(void *argument)
{
	return (void *)(long)map_large(argument);
}

TEST_F(process, fork_during_map)
{
	unsigned int children = 0;
	pthread_t thread;
	void *result;
	pid_t child;

	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, pthread_create(&thread, NULL, map_in_thread, &self->bed));
	while (pthread_tryjoin_np(thread, &result)) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			_exit(0);
		EXPECT_EQ(0, wait_for(child));
		children++;
	}
	EXPECT_EQ(NULL, result);
	EXPECT_NE(0u, children);
	EXPECT_EQ((long)(LARGE / PAGE), testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, LARGE_IOVA, LARGE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(process, exec_during_map)
{
	pid_t child;

	testbed_close(&self->bed);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		static struct testbed child;
		pthread_t thread;

		if (testbed_open(&child) || attach(&child) ||
		    pthread_create(&thread, NULL, map_in_thread, &child))
			_exit(1);
		usleep(2 * ROUND_MS * 1000);
		execlp("true", "true", (char *)NULL);
		_exit(2);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_open(&self->bed));
}

TEST_F(process, attach_outlives_the_process)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		/* The parent still has the files open when the child exits. */
		_exit(-attach(&self->bed));
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_HARNESS_MAIN
