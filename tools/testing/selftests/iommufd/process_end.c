// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left when a process forks, execs, ends or is killed.
 *
 * Rule: what a /dev/iommu holds lives as long as it is open anywhere; then
 * nothing is pinned, and the device is free for the next program. Memory stays
 * that of the process that mapped it, whoever holds the file.
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

/* Where a child tells how far it is; shared with the parent. */
struct board {
	int ready;
	int failed;
};

FIXTURE(process)
{
	struct rig rig;
	struct board *board;
};

FIXTURE_SETUP(process)
{
	ASSERT_EQ(0, rig_open(&self->rig));
	self->board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->board);
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

static void tell(int *word, int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Until the child told that it is ready; false if it never does. */
static bool wait_until_ready(struct board *board)
{
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		if (__atomic_load_n(&board->ready, __ATOMIC_ACQUIRE))
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

/* All of a rig from the first open on, in this process. */
static void hold_everything(struct board *board)
{
	static struct rig mine;

	if (rig_open(&mine) || attach(&mine) || rig_map(&mine))
		tell(&board->failed, 1);
	tell(&board->ready, 1);
}

TEST_F(process, killed_leaves_nothing)
{
	pid_t child;
	int status;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		hold_everything(self->board);
		pause();
		_exit(1);
	}
	ASSERT_TRUE(wait_until_ready(self->board));
	EXPECT_EQ(0, self->board->failed);
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	ASSERT_EQ(0, kill(child, SIGKILL));
	status = wait_for(child);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, rig_pinned(&self->rig));

	/* And the device is anyone's. */
	EXPECT_EQ(0, rig_open(&self->rig));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
}

TEST_F(process, killed_while_the_device_writes)
{
	pid_t child;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		static struct rig mine;

		if (rig_open(&mine) || attach(&mine) || rig_map(&mine))
			tell(&self->board->failed, 1);
		tell(&self->board->ready, 1);
		for (;;)
			edu_store(&mine.device.edu, RIG_IOVA, 0, TRANSFER);
	}
	ASSERT_TRUE(wait_until_ready(self->board));
	EXPECT_EQ(0, self->board->failed);
	usleep(50 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	wait_for(child);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(process, exit_without_close_leaves_nothing)
{
	pid_t child;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		hold_everything(self->board);
		_exit(self->board->failed);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(process, exec_closes)
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
		hold_everything(self->board);
		if (dup2(input[0], STDIN_FILENO) == STDIN_FILENO)
			execlp("cat", "cat", (char *)NULL);
		tell(&self->board->failed, 2);
		_exit(1);
	}
	close(done[1]);
	/* The end of that pipe comes with exec, as do the ends of the files. */
	EXPECT_EQ(0, read(done[0], &byte, 1));
	ASSERT_TRUE(wait_until_ready(self->board));
	EXPECT_EQ(0, self->board->failed);
	EXPECT_EQ(0, kill(child, 0));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	close(input[1]);
	EXPECT_EQ(0, wait_for(child));
}

TEST_F(process, fork_shares_the_file_and_not_the_memory)
{
	pid_t child;

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, rig_map(&self->rig));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		/* Copies, to this process; the device sees the parent's. */
		memset(self->rig.memory, 0, RIG_LENGTH);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
}

/* A child maps its own memory into the parent's address space. */
TEST_F(process, memory_of_a_child)
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
	/* It is gone; what it mapped is not. */
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(0, edu_load(&device->edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.bounce, TRANSFER, 3000));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, rig_pinned(&self->rig));
}

TEST_F(process, memory_of_a_gone_process_cannot_be_pinned_EFAULT)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child)
		_exit(-rig_map(&self->rig));
	EXPECT_EQ(0, wait_for(child));
	/* Nothing was pinned while it lived, so there is nothing to pin now. */
	EXPECT_EQ(-EFAULT, attach(&self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, attach(&self->rig));
}

TEST_F(process, memory_of_a_gone_process_cannot_be_pinned_by_copy_EFAULT)
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

/*
 * Memory that no page is behind yet, so that to map it for a device takes long:
 * each of its pages is made then.
 */
#define LARGE		(96ul << 20)
#define LARGE_IOVA	0x40000000ull
/* The middle is wherever it is after so many ms. */
#define TURNS		6
#define TURN_MS		40

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
 * Kills a child TURN_MS * @turn after it began @work. Whether it was still at
 * it: 1 or 0; -errno. It has to be gone long before the work would be done.
 */
static int kill_at_work(struct board *board, unsigned int turn,
			int (*work)(struct rig *rig))
{
	long long begin;
	pid_t child;
	int status;

	*board = (struct board){ 0 };
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		static struct rig mine;

		if (rig_open(&mine))
			tell(&board->failed, 1);
		tell(&board->ready, 1);
		if (work(&mine))
			tell(&board->failed, 2);
		tell(&board->ready, 2);
		pause();
		_exit(1);
	}
	if (!wait_until_ready(board))
		return -ETIMEDOUT;
	usleep(turn * TURN_MS * 1000);
	begin = now_ms();
	if (kill(child, SIGKILL))
		return -errno;
	status = wait_for(child);
	if (!WIFSIGNALED(status) || board->failed)
		return -EPROTO;
	/* E8: it does not go on with what nobody waits for. */
	if (now_ms() - begin > 20 * 1000)
		return -ETIME;
	return board->ready == 1;
}

static int work_attach_then_map(struct rig *rig)
{
	int err = attach(rig);

	return err ? err : map_large(rig);
}

static int work_map_then_attach(struct rig *rig)
{
	int err = map_large(rig);

	return err ? err : attach(rig);
}

TEST_F(process, killed_in_the_middle_of_a_large_map)
{
	unsigned int turn;
	int at_work = 0;

	rig_close(&self->rig);
	for (turn = 0; turn < TURNS; turn++) {
		int result = kill_at_work(self->board, turn,
					  work_attach_then_map);

		EXPECT_LE(0, result);
		EXPECT_EQ(0, rig_pinned(&self->rig));
		at_work += result == 1;
	}
	EXPECT_NE(0, at_work);
	/* Nothing of it keeps the device. */
	EXPECT_EQ(0, rig_open(&self->rig));
	EXPECT_EQ(0, attach(&self->rig));
}

TEST_F(process, killed_in_the_middle_of_a_large_attach)
{
	unsigned int turn;
	int at_work = 0;

	rig_close(&self->rig);
	for (turn = 0; turn < TURNS; turn++) {
		int result = kill_at_work(self->board, turn,
					  work_map_then_attach);

		EXPECT_LE(0, result);
		EXPECT_EQ(0, rig_pinned(&self->rig));
		at_work += result == 1;
	}
	EXPECT_NE(0, at_work);
	EXPECT_EQ(0, rig_open(&self->rig));
	EXPECT_EQ(0, attach(&self->rig));
}

static void *map_in_thread(void *argument)
{
	return (void *)(long)map_large(argument);
}

TEST_F(process, forks_in_the_middle_of_a_large_map)
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

TEST_F(process, execs_in_the_middle_of_a_large_map)
{
	pid_t child;

	rig_close(&self->rig);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		static struct rig mine;
		pthread_t thread;

		if (rig_open(&mine) || attach(&mine) ||
		    pthread_create(&thread, NULL, map_in_thread, &mine))
			_exit(1);
		usleep(2 * TURN_MS * 1000);
		execlp("true", "true", (char *)NULL);
		_exit(2);
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_open(&self->rig));
}

TEST_F(process, files_outlive_the_process_that_opened_them)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		/* Ends with its copies of the parent's files open. */
		_exit(-attach(&self->rig));
	}
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_HARNESS_MAIN
