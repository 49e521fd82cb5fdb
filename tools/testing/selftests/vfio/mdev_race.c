// SPDX-License-Identifier: GPL-2.0-only
/*
 * Race pins, unmaps, detach and close of a mediated device against each other.
 *
 * An unmap waits until no device has a page of the range pinned. Pins are
 * dropped by unpin, detach or close. Concurrency introduces no new errors: a
 * call returns only errnos that it can also return when run on its own. Each
 * test leaves no page pinned.
 *
 * A notice is one call of the dma_unmap op of the driver.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mdev_testbed.h"

#define IOVA TESTBED_IOVA
#define FAR_IOVA (TESTBED_IOVA + 64 * PAGE)
#define SECONDS		3
#define WORKERS		5

NEEDS_MDEV_PIN

/**
 * struct call - an unmap or a close that runs in a thread
 * @bed: testbed with the address space
 * @iova: first IOVA of the range; for a close, the file to close
 * @length: length of the range in bytes
 * @result: return value of mdev_unmap(), valid once @done is set
 * @done: the call has returned
 * @thread: the thread
 */
struct call {
	const struct mdev_testbed *bed;
	__u64 iova;
	__u64 length;
	long long result;
	int done;
	pthread_t thread;
};

FIXTURE(race)
{
	struct mdev_testbed bed;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, mdev_testbed_open(&self->bed));
	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 4));
	ASSERT_EQ(0, mdev_map(&self->bed, FAR_IOVA, 4, 4));
}

FIXTURE_TEARDOWN(race)
{
	mdev_testbed_close(&self->bed);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

static void *unmap(void *data)
{
	struct call *call = data;

	call->result = mdev_unmap(call->bed, call->iova, call->length);
	__atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int start(struct call *call, const struct mdev_testbed *bed, __u64 iova,
		 __u64 length)
{
	*call = (struct call){ .bed = bed, .iova = iova, .length = length };
	return pthread_create(&call->thread, NULL, unmap, call);
}

static long long finish(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->result;
}

/*
 * Wait long enough for a call that does not block to return. Return whether the
 * call has returned.
 */
static int is_done(struct call *call)
{
	usleep(200 * 1000);
	return __atomic_load_n(&call->done, __ATOMIC_ACQUIRE);
}

static int wait_for_notices(int fd, __u64 nr)
{
	struct mdev_pin_state state;
	int i;

	for (i = 0; i < 10000; i++) {
		if (mediated_state(fd, &state))
			return -EIO;
		if (state.notices >= nr)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* The driver keeps its pins during the notice and unpins later. */
TEST_F(race, unmap_waits_for_unpin)
{
	struct call call;

	ASSERT_EQ(0, mdev_set_flags(self->bed.fd, 0));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->bed, IOVA, 4 * PAGE));
	EXPECT_EQ(0, wait_for_notices(self->bed.fd, 1));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 2));
	EXPECT_EQ(0, is_done(&call));
	EXPECT_EQ(2, mdev_pinned(&self->bed));

	/* The range cannot be pinned now; other mappings are not affected. */
	EXPECT_EQ(-ENOENT, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(1, mediated_pin(self->bed.fd, FAR_IOVA, 1, PIN_READ));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, FAR_IOVA, 1));
	EXPECT_EQ(BYTES(4), mdev_unmap(&self->bed, FAR_IOVA, 4 * PAGE));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 2));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

TEST_F(race, unmap_waits_for_detach)
{
	struct call call;

	ASSERT_EQ(0, mdev_set_flags(self->bed.fd, 0));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->bed, IOVA, 4 * PAGE));
	EXPECT_EQ(0, wait_for_notices(self->bed.fd, 1));
	EXPECT_EQ(0, is_done(&call));
	EXPECT_EQ(0, vfio_detach(self->bed.fd));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(2, mdev_forget(self->bed.fd, IOVA, 2));
}

static void *close_device(void *data)
{
	struct call *call = data;

	close((int)call->iova);
	__atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Close waits for a running notice, and no notice is sent after the close. */
TEST_F(race, close_waits_for_notice)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	struct call call = { .iova = self->bed.fd };
	struct mdev_pin_state state;
	pid_t child;

	ASSERT_EQ(0, mediated_control(self->bed.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, FAR_IOVA, 2, PIN_BOTH));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(self->bed.fd);
		mdev_unmap(&self->bed, IOVA, 4 * PAGE);
		_exit(0);
	}
	EXPECT_EQ(0, mdev_wait_held(self->bed.fd, 1));
	ASSERT_EQ(0, pthread_create(&call.thread, NULL, close_device, &call));
	self->bed.fd = -1;
	EXPECT_EQ(0, is_done(&call));
	/*
	 * SIGKILL ends the wait in the driver, which then unpins, so the notice
	 * completes and the child exits.
	 */
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	pthread_join(call.thread, NULL);
	EXPECT_EQ(0, mdev_pinned(&self->bed));

	ASSERT_EQ(0, mdev_open(&self->bed.device, self->bed.iommufd,
			       &self->bed.fd, &self->bed.id));
	ASSERT_EQ(0, mediated_state(self->bed.fd, &state));
	EXPECT_EQ(1u, state.notices);
	EXPECT_EQ(0u, state.late);
}

/* Notices of one device are serialised. */
TEST_F(race, notices_do_not_overlap)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct mdev_pin_state state;
	struct call first, second;

	ASSERT_EQ(0, mediated_control(self->bed.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, FAR_IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&first, &self->bed, IOVA, 4 * PAGE));
	EXPECT_EQ(0, mdev_wait_held(self->bed.fd, 1));
	ASSERT_EQ(0, start(&second, &self->bed, FAR_IOVA, 4 * PAGE));
	EXPECT_EQ(0, is_done(&second));
	/* The device accepts commands during a notice. */
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, FAR_IOVA, 1));
	EXPECT_EQ(0, mediated_run(self->bed.fd, 1, &release));
	EXPECT_EQ(BYTES(4), finish(&first));
	EXPECT_EQ(BYTES(4), finish(&second));
	ASSERT_EQ(0, mediated_state(self->bed.fd, &state));
	EXPECT_EQ(2u, state.notices);
	EXPECT_EQ(0u, state.overlapped);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/* An unmap that waits for another notice of the device is killable. */
TEST_F(race, wait_for_other_notice_is_killable)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct call call;
	pid_t child;

	ASSERT_EQ(0, mediated_control(self->bed.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, FAR_IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->bed, IOVA, 4 * PAGE));
	EXPECT_EQ(0, mdev_wait_held(self->bed.fd, 1));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		mdev_unmap(&self->bed, FAR_IOVA, 4 * PAGE);
		_exit(0);
	}
	usleep(200 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(2, mediated_pin(self->bed.fd, FAR_IOVA, 2, PIN_BOTH));
	EXPECT_EQ(0, mediated_run(self->bed.fd, 1, &release));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(BYTES(4), mdev_unmap(&self->bed, FAR_IOVA, 4 * PAGE));
}

/* Detach waits for a running notice. */
TEST_F(race, detach_waits_for_notice)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct mdev_pin_state state;
	struct call call;
	pid_t child;
	int status;

	ASSERT_EQ(0, mediated_control(self->bed.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->bed.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->bed, IOVA, 4 * PAGE));
	EXPECT_EQ(0, mdev_wait_held(self->bed.fd, 1));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(vfio_detach(self->bed.fd) ? 1 : 0);
	usleep(200 * 1000);
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));
	EXPECT_EQ(0, mediated_run(self->bed.fd, 1, &release));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	ASSERT_EQ(0, mediated_state(self->bed.fd, &state));
	EXPECT_EQ(0u, state.pins);
}

/* An unmap that is killed while it waits does not change the mappings. */
TEST_F(race, killed_unmap_keeps_mappings)
{
	pid_t child;

	ASSERT_EQ(0, mdev_set_flags(self->bed.fd, 0));
	ASSERT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_BOTH));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		mdev_unmap(&self->bed, 0, -1);
		_exit(1);
	}
	EXPECT_EQ(0, wait_for_notices(self->bed.fd, 1));
	usleep(100 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(4, mediated_pin(self->bed.fd, IOVA, 4, PIN_BOTH));
	EXPECT_EQ(4, mediated_pin(self->bed.fd, FAR_IOVA, 4, PIN_BOTH));
	EXPECT_EQ(8, mdev_pinned(&self->bed));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 4));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 1));
	EXPECT_EQ(0, mediated_unpin(self->bed.fd, FAR_IOVA, 4));
	EXPECT_EQ(BYTES(8), mdev_unmap(&self->bed, 0, -1));
}

/*
 * While an unmap of everything waits for a slow notice, a second unmap of a
 * part of the range waits as well, and then finds no mapping.
 */
TEST_F(race, overlapping_unmaps_with_slow_notice)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct call all, part;
	long long all_result, part_result;

	ASSERT_EQ(0, mediated_control(self->bed.fd, &control));
	ASSERT_EQ(4, mediated_pin(self->bed.fd, IOVA, 4, PIN_BOTH));
	ASSERT_EQ(4, mediated_pin(self->bed.fd, FAR_IOVA, 4, PIN_BOTH));
	ASSERT_EQ(0, start(&all, &self->bed, 0, -1));
	EXPECT_EQ(0, mdev_wait_held(self->bed.fd, 1));
	ASSERT_EQ(0, start(&part, &self->bed, FAR_IOVA, 4 * PAGE));
	EXPECT_EQ(0, is_done(&part));
	EXPECT_EQ(0, mediated_run(self->bed.fd, 1, &release));
	all_result = finish(&all);
	part_result = finish(&part);
	EXPECT_EQ(BYTES(8), all_result);
	EXPECT_EQ(-ENOENT, part_result);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

/**
 * struct worker - a thread that repeats one operation
 * @bed: testbed with the device and the address space
 * @work: the operation; returns 0 or an unexpected result
 * @number: number of the thread, and of the command slot that it uses
 * @stop: flag shared by all threads, set to make them exit
 * @times: number of operations
 * @result: unexpected result that ended the thread, or 0
 * @thread: the thread
 */
struct worker {
	const struct mdev_testbed *bed;
	int (*work)(struct worker *worker);
	unsigned int number;
	int *stop;
	unsigned long times;
	int result;
	pthread_t thread;
};

static void *repeat(void *data)
{
	struct worker *worker = data;

	while (!worker->result && !__atomic_load_n(worker->stop,
						   __ATOMIC_ACQUIRE)) {
		worker->result = worker->work(worker);
		worker->times++;
	}
	return NULL;
}

static int pin_and_unpin(struct worker *worker)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = IOVA + (worker->times % 3) * PAGE,
		.npage = 2,
		.prot = PIN_BOTH,
	};
	int rc = mediated_run(worker->bed->fd, worker->number, &request);

	if (rc == -ENOENT)
		return 0;
	if (rc != 2)
		return rc < 0 ? rc : -EPROTO;
	request.op = MDEV_PIN_OP_UNPIN;
	return mediated_run(worker->bed->fd, worker->number, &request);
}

static int copy(struct worker *worker)
{
	struct mdev_pin_request request = {
		.op = worker->times & 1 ? MDEV_PIN_OP_READ : MDEV_PIN_OP_WRITE,
		.iova = IOVA + 100,
		.length = 2 * PAGE,
	};
	int rc = mediated_run(worker->bed->fd, worker->number, &request);

	return rc == -ENOENT ? 0 : rc;
}

static int unmap_and_map(struct worker *worker)
{
	bool all = worker->times & 1;
	long long rc;

	rc = all ? mdev_unmap(worker->bed, 0, -1) :
		   mdev_unmap(worker->bed, IOVA, 4 * PAGE);
	if (rc < 0 && rc != -ENOENT)
		return (int)rc;
	rc = mdev_map(worker->bed, IOVA, 0, 4);
	return rc == -EEXIST ? 0 : (int)rc;
}

static int attach_and_detach(struct worker *worker)
{
	int rc = mdev_attach(worker->bed, worker->bed->fd);

	if (rc)
		return rc;
	usleep(1000);
	return vfio_detach(worker->bed->fd);
}

/* Pins and copies race with unmaps and with attach and detach. */
TEST_F(race, all_operations)
{
	int (*const work[WORKERS])(struct worker *) = {
		pin_and_unpin, pin_and_unpin, copy, unmap_and_map,
		attach_and_detach,
	};
	struct worker worker[WORKERS];
	int i, stop = 0;

	ASSERT_EQ(0, vfio_detach(self->bed.fd));
	for (i = 0; i < WORKERS; i++) {
		worker[i] = (struct worker){
			.bed = &self->bed,
			.work = work[i],
			.number = i,
			.stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&worker[i].thread, NULL, repeat,
					    &worker[i]));
	}
	sleep(SECONDS);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < WORKERS; i++) {
		pthread_join(worker[i].thread, NULL);
		EXPECT_EQ(0, worker[i].result)
			TH_LOG("worker %d", i);
		EXPECT_LT(2ul, worker[i].times);
	}
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

/*
 * Pins by a device that stays attached race with unmaps. The device is closed
 * at the end.
 */
TEST_F(race, pin_races_with_unmap)
{
	int (*const work[3])(struct worker *) = {
		pin_and_unpin, pin_and_unpin, unmap_and_map,
	};
	struct worker worker[3];
	int i, stop = 0;

	for (i = 0; i < 3; i++) {
		worker[i] = (struct worker){
			.bed = &self->bed,
			.work = work[i],
			.number = i,
			.stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&worker[i].thread, NULL, repeat,
					    &worker[i]));
	}
	sleep(SECONDS);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++) {
		pthread_join(worker[i].thread, NULL);
		EXPECT_EQ(0, worker[i].result)
			TH_LOG("worker %d", i);
	}
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	EXPECT_EQ(4, mediated_pin(self->bed.fd, IOVA, 4, PIN_BOTH));
	EXPECT_EQ(4, mdev_pinned(&self->bed));
	close(self->bed.fd);
	self->bed.fd = -1;
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

TEST_HARNESS_MAIN
