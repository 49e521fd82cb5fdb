// SPDX-License-Identifier: GPL-2.0-only
/*
 * Release of resources when a process forks, execs, exits or is killed.
 *
 * The objects of a /dev/iommu file live until its last reference is dropped.
 * After that no page is pinned and another process can use the device. A
 * mapping always refers to the memory of the process that created it, no matter
 * which process uses the file.
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
#include "rig.h"

NEEDS_EDU
EXPECTS_DMA_FAULTS

/* Progress of the child, in memory shared with the parent. */
struct shared {
	int ready;
	int failed;
};

FIXTURE(process)
{
	struct rig rig;
	struct shared *shared;
};

FIXTURE_SETUP(process)
{
	ASSERT_EQ(0, rig_open(&self->rig));
	self->shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->shared);
}

FIXTURE_TEARDOWN(process)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int attach(struct rig *rig)
{
	__u32 pt_id = rig->ioas;

	return vfio_attach(rig->device.fd, &pt_id);
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

/* Open a rig in this process, attach its device and map its memory. */
static void open_attach_and_map(struct shared *shared)
{
	static struct rig child_rig;

	if (rig_open(&child_rig) || attach(&child_rig) || rig_map(&child_rig))
		publish(&shared->failed, 1);
	publish(&shared->ready, 1);
}

TEST_F(process, kill_releases_all)
{
	pid_t child;
	int status;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		open_attach_and_map(self->shared);
		pause();
		_exit(1);
	}
	ASSERT_TRUE(wait_until_ready(self->shared));
	EXPECT_EQ(0, self->shared->failed);
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	ASSERT_EQ(0, kill(child, SIGKILL));
	status = wait_for(child);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, rig_pinned(&self->rig));

	/* Another process can open the device. */
	EXPECT_EQ(0, rig_open(&self->rig));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
}

TEST_F(process, kill_during_dma)
{
	pid_t child;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		static struct rig child_rig;

		if (rig_open(&child_rig) || attach(&child_rig) ||
		    rig_map(&child_rig))
			publish(&self->shared->failed, 1);
		publish(&self->shared->ready, 1);
		for (;;)
			edu_store(&child_rig.device.edu, RIG_IOVA, 0, TRANSFER);
	}
	ASSERT_TRUE(wait_until_ready(self->shared));
	EXPECT_EQ(0, self->shared->failed);
	usleep(50 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	wait_for(child);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(process, exit_without_close_releases_all)
{
	pid_t child;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		open_attach_and_map(self->shared);
		_exit(self->shared->failed);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(process, exec_releases_all)
{
	int input[2];
	pid_t child;
	char byte;
	int done[2];

	rig_close(&self->rig);
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
	/* exec closes this pipe and the O_CLOEXEC files of the rig. */
	EXPECT_EQ(0, read(done[0], &byte, 1));
	ASSERT_TRUE(wait_until_ready(self->shared));
	EXPECT_EQ(0, self->shared->failed);
	EXPECT_EQ(0, kill(child, 0));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	close(input[1]);
	EXPECT_EQ(0, wait_for(child));
}

TEST_F(process, fork_does_not_redirect_dma)
{
	pid_t child;

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, rig_map(&self->rig));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		/* This write copies the pages, the device uses the parent's. */
		memset(self->rig.memory, 0, RIG_LENGTH);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
}

/* A child maps its own memory in an IOAS of the parent. */
TEST_F(process, child_maps_its_memory)
{
	struct device *device = &self->rig.device;
	pid_t child;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		pattern_fill(self->rig.memory, TRANSFER, 3000);
		_exit(-rig_map(&self->rig));
	}
	pattern_fill(self->rig.memory, TRANSFER, 3001);
	EXPECT_EQ(0, wait_for(child));
	/* The mapping outlives the child. */
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(0, edu_load(&device->edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.bounce, TRANSFER, 3000));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, rig_pinned(&self->rig));
}

TEST_F(process, attach_with_memory_of_dead_process_EFAULT)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child)
		_exit(-rig_map(&self->rig));
	EXPECT_EQ(0, wait_for(child));
	/* The pages were not pinned before the child exited. */
	EXPECT_EQ(-EFAULT, attach(&self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, attach(&self->rig));
}

TEST_F(process, copy_with_memory_of_dead_process_EFAULT)
{
	struct rig *rig = &self->rig;
	__u64 length = RIG_LENGTH;
	pid_t child = fork();
	__u32 other, pt_id;

	ASSERT_LE(0, child);
	if (!child)
		_exit(-rig_map(rig));
	EXPECT_EQ(0, wait_for(child));
	ASSERT_EQ(0, ioas_alloc(rig->iommufd, &other));
	pt_id = other;
	ASSERT_EQ(0, vfio_attach(rig->device.fd, &pt_id));
	EXPECT_EQ(-EFAULT, ioas_copy(rig->iommufd, rig->ioas, RIG_IOVA, other,
				     RIG_IOVA, RIG_LENGTH,
				     IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, rig_pinned(rig));
	EXPECT_EQ(-ENOENT, ioas_unmap(rig->iommufd, other, RIG_IOVA, &length));
}

/* Mapping a large unpopulated area takes long because all pages are faulted. */
#define LARGE		(96ul << 20)
#define LARGE_IOVA	0x40000000ull
/* Round n kills the child n * ROUND_MS after it starts. */
#define ROUNDS		6
#define ROUND_MS	40

static int map_large(struct rig *rig)
{
	char *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (large == MAP_FAILED)
		return -errno;
	return ioas_map(rig->iommufd, rig->ioas, large, LARGE, LARGE_IOVA,
			IOAS_READ_WRITE);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/*
 * Run @work in a child and kill the child after @round * ROUND_MS. Returns 1 if
 * the kill interrupted @work, 0 if @work was already done, or -errno. -ETIME
 * means that the child did not react to the signal in time.
 */
static int kill_during(struct shared *shared, unsigned int round,
		       int (*work)(struct rig *rig))
{
	long long begin;
	pid_t child;
	int status;

	*shared = (struct shared){ 0 };
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		static struct rig child_rig;

		if (rig_open(&child_rig))
			publish(&shared->failed, 1);
		publish(&shared->ready, 1);
		if (work(&child_rig))
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
	/* A killed process must stop pinning pages. */
	if (now_ms() - begin > 20 * 1000)
		return -ETIME;
	return shared->ready == 1;
}

static int attach_then_map(struct rig *rig)
{
	int err = attach(rig);

	return err ? err : map_large(rig);
}

static int map_then_attach(struct rig *rig)
{
	int err = map_large(rig);

	return err ? err : attach(rig);
}

TEST_F(process, kill_during_map)
{
	unsigned int round;
	int interrupted = 0;

	rig_close(&self->rig);
	for (round = 0; round < ROUNDS; round++) {
		int result = kill_during(self->shared, round,
					  attach_then_map);

		EXPECT_LE(0, result);
		EXPECT_EQ(0, rig_pinned(&self->rig));
		interrupted += result == 1;
	}
	EXPECT_NE(0, interrupted);
	/* The killed processes left no reference to the device. */
	EXPECT_EQ(0, rig_open(&self->rig));
	EXPECT_EQ(0, attach(&self->rig));
}

TEST_F(process, kill_during_attach)
{
	unsigned int round;
	int interrupted = 0;

	rig_close(&self->rig);
	for (round = 0; round < ROUNDS; round++) {
		int result = kill_during(self->shared, round,
					  map_then_attach);

		EXPECT_LE(0, result);
		EXPECT_EQ(0, rig_pinned(&self->rig));
		interrupted += result == 1;
	}
	EXPECT_NE(0, interrupted);
	EXPECT_EQ(0, rig_open(&self->rig));
	EXPECT_EQ(0, attach(&self->rig));
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

	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, pthread_create(&thread, NULL, map_in_thread, &self->rig));
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
	EXPECT_EQ((long)(LARGE / PAGE), rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, LARGE_IOVA, LARGE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(process, exec_during_map)
{
	pid_t child;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		static struct rig child_rig;
		pthread_t thread;

		if (rig_open(&child_rig) || attach(&child_rig) ||
		    pthread_create(&thread, NULL, map_in_thread, &child_rig))
			_exit(1);
		usleep(2 * ROUND_MS * 1000);
		execlp("true", "true", (char *)NULL);
		_exit(2);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_open(&self->rig));
}

TEST_F(process, attach_outlives_the_process)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		/* The parent still has the files open when the child exits. */
		_exit(-attach(&self->rig));
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_HARNESS_MAIN
