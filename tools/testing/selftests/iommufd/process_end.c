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
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
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
