// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins, unmaps, detach and close of a mediated device against each other.
 *
 * Rule: an unmap returns when nobody has pages of it pinned any more, whatever
 * ends that; a call fails for a reason of its own and never because it met
 * another one; and when all is over nothing is pinned.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mdev_rig.h"

#define IOVA		RIG_IOVA
#define FAR_IOVA	(RIG_IOVA + 64 * PAGE)
#define SECONDS		3
#define WORKERS		5

NEEDS_MDEV_PIN

/**
 * struct call - an unmap in a thread of its own
 * @rig: where
 * @iova: first byte
 * @length: bytes
 * @result: what it returned
 * @done: it has
 * @thread: the thread
 */
struct call {
	const struct mdev_rig *rig;
	__u64 iova;
	__u64 length;
	long long result;
	int done;
	pthread_t thread;
};

FIXTURE(race)
{
	struct mdev_rig rig;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, mdev_rig_open(&self->rig));
	ASSERT_EQ(0, mdev_attach(&self->rig, self->rig.fd));
	ASSERT_EQ(0, mdev_map(&self->rig, IOVA, 0, 4));
	ASSERT_EQ(0, mdev_map(&self->rig, FAR_IOVA, 4, 4));
}

FIXTURE_TEARDOWN(race)
{
	mdev_rig_close(&self->rig);
	EXPECT_EQ(0, mdev_pinned(&self->rig));
}

static void *unmap(void *data)
{
	struct call *call = data;

	call->result = mdev_unmap(call->rig, call->iova, call->length);
	__atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int start(struct call *call, const struct mdev_rig *rig, __u64 iova,
		 __u64 length)
{
	*call = (struct call){ .rig = rig, .iova = iova, .length = length };
	return pthread_create(&call->thread, NULL, unmap, call);
}

static long long finish(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->result;
}

/* Long enough for a call that does not wait to have returned */
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

/* The driver drops nothing in the notice. */
TEST_F(race, unmap_waits_for_unpin)
{
	struct call call;

	ASSERT_EQ(0, mdev_set_flags(self->rig.fd, 0));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->rig, IOVA, 4 * PAGE));
	EXPECT_EQ(0, wait_for_notices(self->rig.fd, 1));
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, IOVA, 2));
	EXPECT_EQ(0, is_done(&call));
	EXPECT_EQ(2, mdev_pinned(&self->rig));

	/* Nobody pins there meanwhile, and elsewhere all goes on. */
	EXPECT_EQ(-ENOENT, mediated_pin(self->rig.fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(1, mediated_pin(self->rig.fd, FAR_IOVA, 1, PIN_READ));
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, FAR_IOVA, 1));
	EXPECT_EQ(BYTES(4), mdev_unmap(&self->rig, FAR_IOVA, 4 * PAGE));
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, IOVA, 2));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(0, mdev_pinned(&self->rig));
}

TEST_F(race, unmap_waits_for_detach)
{
	struct call call;

	ASSERT_EQ(0, mdev_set_flags(self->rig.fd, 0));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->rig, IOVA, 4 * PAGE));
	EXPECT_EQ(0, wait_for_notices(self->rig.fd, 1));
	EXPECT_EQ(0, is_done(&call));
	EXPECT_EQ(0, vfio_detach(self->rig.fd));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(0, mdev_pinned(&self->rig));
	EXPECT_EQ(2, mdev_forget(self->rig.fd, IOVA, 2));
}

static void *close_device(void *data)
{
	struct call *call = data;

	close((int)call->iova);
	__atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A device is not closed while a notice runs, and gets none from then on. */
TEST_F(race, close_waits_for_notice)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	struct call call = { .iova = self->rig.fd };
	struct mdev_pin_state state;
	pid_t child;

	ASSERT_EQ(0, mediated_control(self->rig.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, FAR_IOVA, 2, PIN_BOTH));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(self->rig.fd);
		mdev_unmap(&self->rig, IOVA, 4 * PAGE);
		_exit(0);
	}
	EXPECT_EQ(0, mdev_wait_held(self->rig.fd, 1));
	ASSERT_EQ(0, pthread_create(&call.thread, NULL, close_device, &call));
	self->rig.fd = -1;
	EXPECT_EQ(0, is_done(&call));
	/* A signal ends the notice, which then unpins, and the child. */
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	pthread_join(call.thread, NULL);
	EXPECT_EQ(0, mdev_pinned(&self->rig));

	ASSERT_EQ(0, mdev_open(&self->rig.device, self->rig.iommufd,
			       &self->rig.fd, &self->rig.id));
	ASSERT_EQ(0, mediated_state(self->rig.fd, &state));
	EXPECT_EQ(1u, state.notices);
	EXPECT_EQ(0u, state.late);
}

/* A device handles one notice at a time. */
TEST_F(race, notices_do_not_overlap)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct mdev_pin_state state;
	struct call first, second;

	ASSERT_EQ(0, mediated_control(self->rig.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, FAR_IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&first, &self->rig, IOVA, 4 * PAGE));
	EXPECT_EQ(0, mdev_wait_held(self->rig.fd, 1));
	ASSERT_EQ(0, start(&second, &self->rig, FAR_IOVA, 4 * PAGE));
	EXPECT_EQ(0, is_done(&second));
	/* The device can still be used. */
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, FAR_IOVA, 1));
	EXPECT_EQ(0, mediated_run(self->rig.fd, 1, &release));
	EXPECT_EQ(BYTES(4), finish(&first));
	EXPECT_EQ(BYTES(4), finish(&second));
	ASSERT_EQ(0, mediated_state(self->rig.fd, &state));
	EXPECT_EQ(2u, state.notices);
	EXPECT_EQ(0u, state.overlapped);
	EXPECT_EQ(0, mdev_pinned(&self->rig));
}

/* Waiting for a device that handles another notice can be ended by a signal. */
TEST_F(race, wait_for_other_notice_is_killable)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct call call;
	pid_t child;

	ASSERT_EQ(0, mediated_control(self->rig.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, FAR_IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->rig, IOVA, 4 * PAGE));
	EXPECT_EQ(0, mdev_wait_held(self->rig.fd, 1));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		mdev_unmap(&self->rig, FAR_IOVA, 4 * PAGE);
		_exit(0);
	}
	usleep(200 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(2, mediated_pin(self->rig.fd, FAR_IOVA, 2, PIN_BOTH));
	EXPECT_EQ(0, mediated_run(self->rig.fd, 1, &release));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(BYTES(4), mdev_unmap(&self->rig, FAR_IOVA, 4 * PAGE));
}

/* No detach returns while a notice is under way. */
TEST_F(race, detach_during_notice)
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

	ASSERT_EQ(0, mediated_control(self->rig.fd, &control));
	ASSERT_EQ(2, mediated_pin(self->rig.fd, IOVA, 2, PIN_BOTH));
	ASSERT_EQ(0, start(&call, &self->rig, IOVA, 4 * PAGE));
	EXPECT_EQ(0, mdev_wait_held(self->rig.fd, 1));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(vfio_detach(self->rig.fd) ? 1 : 0);
	usleep(200 * 1000);
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));
	EXPECT_EQ(0, mediated_run(self->rig.fd, 1, &release));
	EXPECT_EQ(BYTES(4), finish(&call));
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, mdev_pinned(&self->rig));
	ASSERT_EQ(0, mediated_state(self->rig.fd, &state));
	EXPECT_EQ(0u, state.pins);
}

/* E5: who gave up waiting leaves the mapping as it was. */
TEST_F(race, E5_killed_unmap_leaves_mapping)
{
	pid_t child;

	ASSERT_EQ(0, mdev_set_flags(self->rig.fd, 0));
	ASSERT_EQ(1, mediated_pin(self->rig.fd, IOVA, 1, PIN_BOTH));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		mdev_unmap(&self->rig, 0, -1);
		_exit(1);
	}
	EXPECT_EQ(0, wait_for_notices(self->rig.fd, 1));
	usleep(100 * 1000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(4, mediated_pin(self->rig.fd, IOVA, 4, PIN_BOTH));
	EXPECT_EQ(4, mediated_pin(self->rig.fd, FAR_IOVA, 4, PIN_BOTH));
	EXPECT_EQ(8, mdev_pinned(&self->rig));
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, IOVA, 4));
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, IOVA, 1));
	EXPECT_EQ(0, mediated_unpin(self->rig.fd, FAR_IOVA, 4));
	EXPECT_EQ(BYTES(8), mdev_unmap(&self->rig, 0, -1));
}

/* A5: an unmap of all and one of a part, with a notice that takes its time. */
TEST_F(race, A5_two_unmaps_and_a_slow_notice)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	const struct mdev_pin_request release = { .op = MDEV_PIN_OP_RELEASE };
	struct call all, part;
	long long one, two;

	ASSERT_EQ(0, mediated_control(self->rig.fd, &control));
	ASSERT_EQ(4, mediated_pin(self->rig.fd, IOVA, 4, PIN_BOTH));
	ASSERT_EQ(4, mediated_pin(self->rig.fd, FAR_IOVA, 4, PIN_BOTH));
	ASSERT_EQ(0, start(&all, &self->rig, 0, -1));
	EXPECT_EQ(0, mdev_wait_held(self->rig.fd, 1));
	ASSERT_EQ(0, start(&part, &self->rig, FAR_IOVA, 4 * PAGE));
	EXPECT_EQ(0, is_done(&part));
	EXPECT_EQ(0, mediated_run(self->rig.fd, 1, &release));
	one = finish(&all);
	two = finish(&part);
	EXPECT_EQ(BYTES(8), one);
	EXPECT_EQ(-ENOENT, two);
	EXPECT_EQ(0, mdev_pinned(&self->rig));
}

/**
 * struct worker - a thread that repeats its work
 * @rig: what it works on
 * @work: once; 0, or what it may not have got
 * @number: its number, which is its slot of the device, too
 * @stop: shared; it is time to end
 * @times: how often it did its work
 * @result: what ended it
 * @thread: the thread
 */
struct worker {
	const struct mdev_rig *rig;
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

static int pins(struct worker *worker)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = IOVA + (worker->times % 3) * PAGE,
		.npage = 2,
		.prot = PIN_BOTH,
	};
	int rc = mediated_run(worker->rig->fd, worker->number, &request);

	if (rc == -ENOENT)
		return 0;
	if (rc != 2)
		return rc < 0 ? rc : -EPROTO;
	request.op = MDEV_PIN_OP_UNPIN;
	return mediated_run(worker->rig->fd, worker->number, &request);
}

static int copies(struct worker *worker)
{
	struct mdev_pin_request request = {
		.op = worker->times & 1 ? MDEV_PIN_OP_READ : MDEV_PIN_OP_WRITE,
		.iova = IOVA + 100,
		.length = 2 * PAGE,
	};
	int rc = mediated_run(worker->rig->fd, worker->number, &request);

	return rc == -ENOENT ? 0 : rc;
}

static int unmaps_and_maps(struct worker *worker)
{
	bool all = worker->times & 1;
	long long rc;

	rc = all ? mdev_unmap(worker->rig, 0, -1) :
		   mdev_unmap(worker->rig, IOVA, 4 * PAGE);
	if (rc < 0 && rc != -ENOENT)
		return (int)rc;
	rc = mdev_map(worker->rig, IOVA, 0, 4);
	return rc == -EEXIST ? 0 : (int)rc;
}

static int comes_and_goes(struct worker *worker)
{
	int rc = mdev_attach(worker->rig, worker->rig->fd);

	if (rc)
		return rc;
	usleep(1000);
	return vfio_detach(worker->rig->fd);
}

/* A6, B13: pins and copies against unmaps, and against attach and detach. */
TEST_F(race, A6_B13_everything_at_once)
{
	int (*const work[WORKERS])(struct worker *) = {
		pins, pins, copies, unmaps_and_maps, comes_and_goes,
	};
	struct worker worker[WORKERS];
	int i, stop = 0;

	ASSERT_EQ(0, vfio_detach(self->rig.fd));
	for (i = 0; i < WORKERS; i++) {
		worker[i] = (struct worker){
			.rig = &self->rig,
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
	EXPECT_EQ(0, mdev_pinned(&self->rig));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
}

/* A6: the same with the device there to the end, which is then closed. */
TEST_F(race, A6_pins_against_unmaps_then_close)
{
	int (*const work[3])(struct worker *) = { pins, pins, unmaps_and_maps };
	struct worker worker[3];
	int i, stop = 0;

	for (i = 0; i < 3; i++) {
		worker[i] = (struct worker){
			.rig = &self->rig,
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
	EXPECT_EQ(0, mdev_pinned(&self->rig));
	EXPECT_EQ(4, mediated_pin(self->rig.fd, IOVA, 4, PIN_BOTH));
	EXPECT_EQ(4, mdev_pinned(&self->rig));
	close(self->rig.fd);
	self->rig.fd = -1;
	EXPECT_EQ(0, mdev_pinned(&self->rig));
}

TEST_HARNESS_MAIN
