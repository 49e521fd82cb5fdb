// SPDX-License-Identifier: GPL-2.0-only
/*
 * All calls at once, from several processes and threads, on one file, some of
 * them killed on the way.
 *
 * Rule: whatever the others do, a call ends in one of the ways that are
 * documented for it, and in the end nothing is left.
 *
 * How long: the seconds in the environment's STRESS_SECONDS, 10 without. What
 * happens is decided by STRESS_SEED, 1 without, and by time.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "rig.h"

#define PROCESSES	3
#define THREADS		3
#define IDS		6
#define PLACES		8
#define PLACE_PAGES	8

NEEDS_EDU
RECORDS_NO_ERRNO

#define MAX_CALLS	32

/**
 * struct board - what the processes share
 * @ioas: IDs that were made, 0 for none; any of them may be gone or reused
 * @hwpt: likewise
 * @succeeded: how often each call did
 * @odd: a result of each call that is not documented, or 0
 * @stop: time is up
 */
struct board {
	__u32 ioas[IDS];
	__u32 hwpt[IDS];
	unsigned long succeeded[MAX_CALLS];
	int odd[MAX_CALLS];
	bool stop;
};

/**
 * struct arena - where it happens
 * @rig: one device and the memory
 * @second: another device, bound to the same file
 * @board: shared memory
 */
struct arena {
	struct rig rig;
	struct device second;
	struct board *board;
};

FIXTURE(stress)
{
	struct arena arena;
};

/**
 * struct worker - a thread
 * @arena: all else
 * @seed: of its choices
 */
struct worker {
	struct arena *arena;
	unsigned int seed;
};

static unsigned int choose(struct worker *worker, unsigned int among)
{
	return (unsigned int)rand_r(&worker->seed) % among;
}

static __u32 *any_slot(struct worker *worker, __u32 *ids)
{
	return &ids[choose(worker, IDS)];
}

static __u32 some_ioas(struct worker *worker)
{
	return __atomic_load_n(any_slot(worker, worker->arena->board->ioas),
			       __ATOMIC_RELAXED);
}

static __u32 some_hwpt(struct worker *worker)
{
	return __atomic_load_n(any_slot(worker, worker->arena->board->hwpt),
			       __ATOMIC_RELAXED);
}

static struct device *some_device(struct worker *worker)
{
	return choose(worker, 2) ? &worker->arena->rig.device :
				   &worker->arena->second;
}

static __u64 some_place(struct worker *worker)
{
	return RIG_IOVA + choose(worker, PLACES) * PLACE_PAGES * PAGE;
}

/* Up to PLACE_PAGES pages of the process' own memory. */
static char *some_memory(struct worker *worker, size_t *length)
{
	*length = (1 + choose(worker, PLACE_PAGES)) * PAGE;
	return worker->arena->rig.memory +
	       choose(worker, RIG_PAGES - PLACE_PAGES) * PAGE;
}

/* Keeps an ID, and ends the object whose place it takes. */
static void keep(struct worker *worker, __u32 *slot, __u32 id)
{
	id = __atomic_exchange_n(slot, id, __ATOMIC_RELAXED);
	if (id)
		iommu_end(worker->arena->rig.iommufd, id);
}

static int call_destroy(struct worker *worker, int iommufd)
{
	return iommu_end(iommufd, choose(worker, 2) ? some_ioas(worker) :
						      some_hwpt(worker));
}

static int call_ioas_alloc(struct worker *worker, int iommufd)
{
	__u32 id;
	int err = ioas_alloc(iommufd, &id);

	if (!err)
		keep(worker, any_slot(worker, worker->arena->board->ioas), id);
	return err;
}

static int call_ioasid_alloc(struct worker *worker, int iommufd)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.addr_width = choose(worker, 4) ? 0 : 64,
	};
	int err = iommu_call(iommufd, IOMMU_IOASID_ALLOC, &alloc);

	if (!err)
		keep(worker, any_slot(worker, worker->arena->board->ioas),
		     alloc.out_ioasid);
	return err;
}

static int call_allow(struct worker *worker, int iommufd)
{
	const struct iommu_iova_range ranges[] = {
		{ RIG_IOVA, RIG_IOVA + PLACES * PLACE_PAGES * PAGE - 1 },
		{ MSI_START, MSI_LAST },
	};

	return ioas_allow(iommufd, some_ioas(worker), ranges,
			  choose(worker, 3));
}

static int call_copy(struct worker *worker, int iommufd)
{
	return ioas_copy(iommufd, some_ioas(worker), some_place(worker),
			 some_ioas(worker), some_place(worker),
			 (1 + choose(worker, PLACE_PAGES)) * PAGE,
			 IOAS_READ | (choose(worker, 2) ? IOAS_WRITE : 0));
}

static int call_ranges(struct worker *worker, int iommufd)
{
	struct iommu_iova_range ranges[4];
	__u32 nr = choose(worker, 5);
	__u64 alignment;

	return ioas_ranges(iommufd, some_ioas(worker), ranges, &nr,
			   &alignment);
}

static int call_map(struct worker *worker, int iommufd)
{
	size_t length;
	char *memory = some_memory(worker, &length);

	return ioas_map(iommufd, some_ioas(worker), memory, length,
			some_place(worker),
			IOAS_READ | (choose(worker, 2) ? IOAS_WRITE : 0));
}

static int call_map_anywhere(struct worker *worker, int iommufd)
{
	size_t length;
	char *memory = some_memory(worker, &length);
	__u64 iova;

	return ioas_map_anywhere(iommufd, some_ioas(worker), memory, length,
				 IOAS_READ, &iova);
}

static int call_unmap(struct worker *worker, int iommufd)
{
	__u64 length = (1 + choose(worker, 4)) * PLACE_PAGES * PAGE;

	return ioas_unmap(iommufd, some_ioas(worker), some_place(worker),
			  &length);
}

static int call_unmap_all(struct worker *worker, int iommufd)
{
	__u64 length = ~0ull;

	return ioas_unmap(iommufd, some_ioas(worker), 0, &length);
}

static int call_option_set(struct worker *worker, int iommufd)
{
	if (choose(worker, 4))
		return option_set(iommufd, IOMMU_OPTION_HUGE_PAGES,
				  some_ioas(worker), choose(worker, 2));
	return option_set(iommufd, IOMMU_OPTION_RLIMIT_MODE, 0, 0);
}

static int call_option_get(struct worker *worker, int iommufd)
{
	__u64 value = 0;

	return option_get(iommufd, IOMMU_OPTION_HUGE_PAGES, some_ioas(worker),
			  &value);
}

static int call_hwpt_alloc(struct worker *worker, int iommufd)
{
	__u32 id;
	int err = hwpt_alloc(iommufd, some_device(worker)->id,
			     some_ioas(worker), &id);

	if (!err)
		keep(worker, any_slot(worker, worker->arena->board->hwpt), id);
	return err;
}

static int call_hw_info(struct worker *worker, int iommufd)
{
	struct iommu_hw_info_vtd vtd;
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = some_device(worker)->id,
		.data_len = choose(worker, sizeof(vtd) + 1),
		.data_uptr = (uintptr_t)&vtd,
	};

	return iommu_call(iommufd, IOMMU_GET_HW_INFO, &info);
}

static int call_device_info(struct worker *worker, int iommufd)
{
	struct iommu_device_get_info info;

	return iommu_device_info(iommufd, some_device(worker)->id, &info);
}

static int call_set_cookie(struct worker *worker, int iommufd)
{
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = some_device(worker)->id,
		.cookie = choose(worker, 1000),
	};

	return iommu_call(iommufd, IOMMU_DEVICE_SET_COOKIE, &cookie);
}

static int call_check_extension(struct worker *worker, int iommufd)
{
	struct iommu_check_extension check = {
		.size = sizeof(check),
		.extension = choose(worker, 10),
	};

	return iommu_call(iommufd, IOMMU_CHECK_EXTENSION, &check);
}

static int call_attach(struct worker *worker, int iommufd)
{
	__u32 pt_id = choose(worker, 2) ? some_ioas(worker) :
					  some_hwpt(worker);

	(void)iommufd;
	return vfio_attach(some_device(worker)->fd, &pt_id);
}

static int call_detach(struct worker *worker, int iommufd)
{
	(void)iommufd;
	return vfio_detach(some_device(worker)->fd);
}

/* Each call, and how it may end but for 0. */
static const struct {
	const char *name;
	int (*call)(struct worker *worker, int iommufd);
	int errnos[10];
} calls[] = {
	{ "destroy", call_destroy, { ENOENT, EBUSY } },
	{ "ioas_alloc", call_ioas_alloc, { 0 } },
	{ "ioasid_alloc", call_ioasid_alloc, { 0 } },
	{ "allow_iovas", call_allow, { ENOENT, EADDRINUSE } },
	{ "copy", call_copy, { ENOENT, EEXIST, EPERM, EINVAL, EFAULT } },
	{ "iova_ranges", call_ranges, { ENOENT, EMSGSIZE } },
	{ "map", call_map, { ENOENT, EEXIST } },
	{ "map anywhere", call_map_anywhere, { ENOENT, ENOSPC } },
	{ "unmap", call_unmap, { ENOENT } },
	{ "unmap all", call_unmap_all, { ENOENT } },
	{ "option set", call_option_set, { ENOENT, EINVAL, EBUSY } },
	{ "option get", call_option_get, { ENOENT } },
	/* Of an IOAS that is 64 bits wide, EINVAL; an ID may be reused. */
	{ "hwpt_alloc", call_hwpt_alloc, { ENOENT, EINVAL, EOPNOTSUPP } },
	{ "get_hw_info", call_hw_info, { 0 } },
	{ "device_get_info", call_device_info, { 0 } },
	{ "set_cookie", call_set_cookie, { 0 } },
	{ "check_extension", call_check_extension, { 0 } },
	{ "attach", call_attach,
	  { ENOENT, EBUSY, EINVAL, EADDRINUSE, EFAULT } },
	{ "detach", call_detach, { 0 } },
};

static bool is_allowed(size_t call, int result)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls[call].errnos); i++)
		if (-result == calls[call].errnos[i])
			return true;
	return false;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct board *board = worker->arena->board;
	int iommufd = worker->arena->rig.iommufd;

	while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED)) {
		unsigned int call = choose(worker, ARRAY_SIZE(calls));
		int result = calls[call].call(worker, iommufd);

		if (!result)
			__atomic_add_fetch(&board->succeeded[call], 1,
					   __ATOMIC_RELAXED);
		else if (!is_allowed(call, result))
			__atomic_store_n(&board->odd[call], result,
					 __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A process of THREADS threads, which maps memory of its own. */
static pid_t start(struct arena *arena, unsigned int seed)
{
	static struct worker worker[THREADS];
	pthread_t thread[THREADS];
	pid_t child = fork();
	unsigned int i;

	if (child)
		return child;
	for (i = 0; i < THREADS; i++) {
		worker[i].arena = arena;
		worker[i].seed = seed * THREADS + i;
		if (pthread_create(&thread[i], NULL, work, &worker[i]))
			_exit(1);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	_exit(0);
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : otherwise;
}

FIXTURE_SETUP(stress)
{
	self->arena.second.fd = -1;
	ASSERT_EQ(0, rig_open(&self->arena.rig));
	if (self->arena.rig.machine.nr_lone > 1) {
		ASSERT_EQ(0, device_open(&self->arena.second,
					 self->arena.rig.machine.lone[1].text,
					 self->arena.rig.iommufd));
	}
	self->arena.board = mmap(NULL, sizeof(*self->arena.board),
				 PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->arena.board);
	self->arena.board->ioas[0] = self->arena.rig.ioas;
}

FIXTURE_TEARDOWN(stress)
{
	device_close(&self->arena.second);
	rig_close(&self->arena.rig);
	EXPECT_EQ(0, rig_pinned(&self->arena.rig));
}

TEST_F_TIMEOUT(stress, all_calls_at_once, 4000)
{
	const unsigned long seconds = from_environment("STRESS_SECONDS", 10);
	unsigned int seed = from_environment("STRESS_SEED", 1) * 1000;
	pid_t child[PROCESSES];
	unsigned int i, killed = 0;
	time_t end = time(NULL) + (time_t)seconds;
	int status;

	if (self->arena.rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	for (i = 0; i < PROCESSES; i++) {
		child[i] = start(&self->arena, seed++);
		ASSERT_LT(0, child[i]);
	}
	/* Now and then one of them is killed in the middle of what it does. */
	while (time(NULL) < end) {
		i = killed++ % PROCESSES;
		usleep(400 * 1000);
		ASSERT_EQ(0, kill(child[i], SIGKILL));
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		child[i] = start(&self->arena, seed++);
		ASSERT_LT(0, child[i]);
		/* Whoever watches knows that it goes on. */
		if (killed % 25 == 0)
			printf("# killed %u times\n", killed);
	}
	__atomic_store_n(&self->arena.board->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		EXPECT_EQ(0, status);
	}

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		printf("# %-16s %8lu times\n", calls[i].name,
		       self->arena.board->succeeded[i]);
		EXPECT_EQ(0, self->arena.board->odd[i])
			TH_LOG("%s", calls[i].name);
		EXPECT_NE(0ul, self->arena.board->succeeded[i])
			TH_LOG("%s", calls[i].name);
	}
	printf("# killed %u times\n", killed);
}

TEST_HARNESS_MAIN
