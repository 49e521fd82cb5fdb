// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress test: random calls from several processes and threads on one iommufd
 * and its devices, while processes are killed at random points.
 *
 * A call may fail only with an errno that calls[] lists for it, and no page may
 * be left pinned at the end.
 *
 * The environment variables STRESS_SECONDS (default 10) and STRESS_SEED
 * (default 1) set the run time and the seed. A run is not fully reproducible
 * because it depends on timing, too.
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
#include "testbed.h"

#define PROCESSES	3
#define THREADS		3
#define IDS		6
#define SLOTS		8
#define SLOT_PAGES	8

NEEDS_EDU(1)
RECORDS_NO_ERRNO

#define MAX_CALLS	32

/**
 * struct shared - state shared by all processes
 * @ioas: IDs of address spaces, or 0; may be stale or already reused
 * @hwpt: IDs of page tables, or 0; may be stale or already reused
 * @succeeded: how often each entry of calls[] succeeded
 * @unexpected: for each entry of calls[], the last -errno that the entry does
 *              not list, or 0
 * @stop: set to end all processes
 */
struct shared {
	__u32 ioas[IDS];
	__u32 hwpt[IDS];
	unsigned long succeeded[MAX_CALLS];
	int unexpected[MAX_CALLS];
	bool stop;
};

/**
 * struct env - objects that the calls operate on
 * @bed: testbed with the first device and the memory to map
 * @second: second device, bound to the same iommufd
 * @shared: state shared by all processes
 */
struct env {
	struct testbed bed;
	struct device second;
	struct shared *shared;
};

FIXTURE(stress)
{
	struct env env;
};

/**
 * struct worker - a thread that makes random calls
 * @env: objects that the calls operate on
 * @seed: state of the random number generator
 */
struct worker {
	struct env *env;
	unsigned int seed;
};

static unsigned int rand_below(struct worker *worker, unsigned int limit)
{
	return (unsigned int)rand_r(&worker->seed) % limit;
}

static __u32 *random_slot(struct worker *worker, __u32 *ids)
{
	return &ids[rand_below(worker, IDS)];
}

static __u32 random_ioas(struct worker *worker)
{
	return __atomic_load_n(random_slot(worker, worker->env->shared->ioas),
			       __ATOMIC_RELAXED);
}

static __u32 random_hwpt(struct worker *worker)
{
	return __atomic_load_n(random_slot(worker, worker->env->shared->hwpt),
			       __ATOMIC_RELAXED);
}

static struct device *random_device(struct worker *worker)
{
	return rand_below(worker, 2) ? &worker->env->bed.device :
				       &worker->env->second;
}

static __u64 random_iova(struct worker *worker)
{
	return TESTBED_IOVA + rand_below(worker, SLOTS) * SLOT_PAGES * PAGE;
}

/* Choose up to SLOT_PAGES pages of the process's own memory. */
static char *random_memory(struct worker *worker, size_t *length)
{
	*length = (1 + rand_below(worker, SLOT_PAGES)) * PAGE;
	return worker->env->bed.memory +
	       rand_below(worker, TESTBED_PAGES - SLOT_PAGES) * PAGE;
}

/*
 * Publish @id in @slot for other workers, and try to destroy the object with
 * the ID that @slot held before.
 */
static void store_id(struct worker *worker, __u32 *slot, __u32 id)
{
	id = __atomic_exchange_n(slot, id, __ATOMIC_RELAXED);
	if (id)
		iommu_destroy(worker->env->bed.iommufd, id);
}

static int call_destroy(struct worker *worker, int iommufd)
{
	__u32 id = rand_below(worker, 2) ? random_ioas(worker) :
					   random_hwpt(worker);

	return iommu_destroy(iommufd, id);
}

static int call_ioas_alloc(struct worker *worker, int iommufd)
{
	__u32 id;
	int err = ioas_alloc(iommufd, &id);

	if (!err)
		store_id(worker, random_slot(worker, worker->env->shared->ioas),
			 id);
	return err;
}

static int call_ioasid_alloc(struct worker *worker, int iommufd)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.addr_width = rand_below(worker, 4) ? 0 : 64,
	};
	int err = iommu_call(iommufd, IOMMU_IOASID_ALLOC, &alloc);

	if (!err)
		store_id(worker, random_slot(worker, worker->env->shared->ioas),
			 alloc.out_ioasid);
	return err;
}

static int call_allow(struct worker *worker, int iommufd)
{
	const struct iommu_iova_range ranges[] = {
		{ TESTBED_IOVA, TESTBED_IOVA + SLOTS * SLOT_PAGES * PAGE - 1 },
		{ MSI_START, MSI_LAST },
	};

	return ioas_allow(iommufd, random_ioas(worker), ranges,
			  rand_below(worker, 3));
}

static int call_copy(struct worker *worker, int iommufd)
{
	return ioas_copy(iommufd, random_ioas(worker), random_iova(worker),
			 random_ioas(worker), random_iova(worker),
			 (1 + rand_below(worker, SLOT_PAGES)) * PAGE,
			 IOAS_READ | (rand_below(worker, 2) ? IOAS_WRITE : 0));
}

static int call_ranges(struct worker *worker, int iommufd)
{
	struct iommu_iova_range ranges[4];
	__u32 nr = rand_below(worker, 5);
	__u64 alignment;

	return ioas_ranges(iommufd, random_ioas(worker), ranges, &nr,
			   &alignment);
}

static int call_map(struct worker *worker, int iommufd)
{
	size_t length;
	char *memory = random_memory(worker, &length);

	return ioas_map(iommufd, random_ioas(worker), memory, length,
			random_iova(worker),
			IOAS_READ | (rand_below(worker, 2) ? IOAS_WRITE : 0));
}

static int call_map_anywhere(struct worker *worker, int iommufd)
{
	size_t length;
	char *memory = random_memory(worker, &length);
	__u64 iova;

	return ioas_map_anywhere(iommufd, random_ioas(worker), memory, length,
				 IOAS_READ, &iova);
}

static int call_unmap(struct worker *worker, int iommufd)
{
	__u64 length = (1 + rand_below(worker, 4)) * SLOT_PAGES * PAGE;

	return ioas_unmap(iommufd, random_ioas(worker), random_iova(worker),
			  &length);
}

static int call_unmap_all(struct worker *worker, int iommufd)
{
	__u64 length = ~0ull;

	return ioas_unmap(iommufd, random_ioas(worker), 0, &length);
}

static int call_option_set(struct worker *worker, int iommufd)
{
	if (rand_below(worker, 4))
		return option_set(iommufd, IOMMU_OPTION_HUGE_PAGES,
				  random_ioas(worker), rand_below(worker, 2));
	return option_set(iommufd, IOMMU_OPTION_RLIMIT_MODE, 0, 0);
}

static int call_option_get(struct worker *worker, int iommufd)
{
	__u64 value = 0;

	return option_get(iommufd, IOMMU_OPTION_HUGE_PAGES, random_ioas(worker),
			  &value);
}

static int call_hwpt_alloc(struct worker *worker, int iommufd)
{
	__u32 id;
	int err = hwpt_alloc(iommufd, random_device(worker)->id,
			     random_ioas(worker), &id);

	if (!err)
		store_id(worker, random_slot(worker, worker->env->shared->hwpt),
			 id);
	return err;
}

static int call_hw_info(struct worker *worker, int iommufd)
{
	struct iommu_hw_info_vtd vtd;
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = random_device(worker)->id,
		.data_len = rand_below(worker, sizeof(vtd) + 1),
		.data_uptr = (uintptr_t)&vtd,
	};

	return iommu_call(iommufd, IOMMU_GET_HW_INFO, &info);
}

static int call_device_info(struct worker *worker, int iommufd)
{
	struct iommu_device_get_info info;

	return iommu_device_info(iommufd, random_device(worker)->id, &info);
}

static int call_set_cookie(struct worker *worker, int iommufd)
{
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = random_device(worker)->id,
		.cookie = rand_below(worker, 1000),
	};

	return iommu_call(iommufd, IOMMU_DEVICE_SET_COOKIE, &cookie);
}

static int call_check_extension(struct worker *worker, int iommufd)
{
	struct iommu_check_extension check = {
		.size = sizeof(check),
		.extension = rand_below(worker, 10),
	};

	return iommu_call(iommufd, IOMMU_CHECK_EXTENSION, &check);
}

static int call_attach(struct worker *worker, int iommufd)
{
	__u32 pt_id = rand_below(worker, 2) ? random_ioas(worker) :
					      random_hwpt(worker);

	(void)iommufd;
	return vfio_attach(random_device(worker)->fd, &pt_id);
}

static int call_detach(struct worker *worker, int iommufd)
{
	(void)iommufd;
	return vfio_detach(random_device(worker)->fd);
}

/* The calls and the errnos that they may fail with. */
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
	/*
	 * EINVAL if the IOAS does not exist or has an address width of 64 bits,
	 * which the device does not support. EOPNOTSUPP if the ID of the IOAS
	 * was reused for a page table.
	 */
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

	if (calls[call].call == call_attach && result == -EOPNOTSUPP)
		return !has_vtd();
	for (i = 0; i < ARRAY_SIZE(calls[call].errnos); i++)
		if (-result == calls[call].errnos[i])
			return true;
	return false;
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;
	struct shared *shared = worker->env->shared;
	int iommufd = worker->env->bed.iommufd;

	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		unsigned int call = rand_below(worker, ARRAY_SIZE(calls));
		int result = calls[call].call(worker, iommufd);

		if (!result)
			__atomic_add_fetch(&shared->succeeded[call], 1,
					   __ATOMIC_RELAXED);
		else if (!is_allowed(call, result))
			__atomic_store_n(&shared->unexpected[call], result,
					 __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Fork a process with THREADS threads that make random calls. */
static pid_t start_process(struct env *env, unsigned int seed)
{
	static struct worker worker[THREADS];
	pthread_t thread[THREADS];
	pid_t child = fork();
	unsigned int i;

	if (child)
		return child;
	for (i = 0; i < THREADS; i++) {
		worker[i].env = env;
		worker[i].seed = seed * THREADS + i;
		if (pthread_create(&thread[i], NULL, run_worker, &worker[i]))
			_exit(1);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	_exit(0);
}

static unsigned long env_ulong(const char *name, unsigned long fallback)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : fallback;
}

FIXTURE_SETUP(stress)
{
	self->env.second.fd = -1;
	ASSERT_EQ(0, testbed_open(&self->env.bed));
	if (self->env.bed.machine.nr_singletons > 1) {
		ASSERT_EQ(0,
			  device_open(&self->env.second,
				      self->env.bed.machine.singleton[1].text,
				      self->env.bed.iommufd));
	}
	self->env.shared = mmap(NULL, sizeof(*self->env.shared),
				PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->env.shared);
	self->env.shared->ioas[0] = self->env.bed.ioas;
}

FIXTURE_TEARDOWN(stress)
{
	device_close(&self->env.second);
	testbed_close(&self->env.bed);
	EXPECT_EQ(0, testbed_pinned(&self->env.bed));
}

TEST_F_TIMEOUT(stress, all_ioctls_in_parallel, 4000)
{
	const unsigned long seconds = env_ulong("STRESS_SECONDS", 10);
	unsigned int seed = env_ulong("STRESS_SEED", 1) * 1000;
	pid_t child[PROCESSES];
	unsigned int i, kills = 0;
	time_t end = time(NULL) + (time_t)seconds;
	int status;

	if (self->env.bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	for (i = 0; i < PROCESSES; i++) {
		child[i] = start_process(&self->env, seed++);
		ASSERT_LT(0, child[i]);
	}
	/* Kill a process every 400 ms, most likely during a call. */
	while (time(NULL) < end) {
		i = kills++ % PROCESSES;
		usleep(400 * 1000);
		ASSERT_EQ(0, kill(child[i], SIGKILL));
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		child[i] = start_process(&self->env, seed++);
		ASSERT_LT(0, child[i]);
		/* Show that the test makes progress. */
		if (kills % 25 == 0)
			printf("# killed %u times\n", kills);
	}
	__atomic_store_n(&self->env.shared->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		EXPECT_EQ(0, status);
	}

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		printf("# %-16s %8lu times\n", calls[i].name,
		       self->env.shared->succeeded[i]);
		EXPECT_EQ(0, self->env.shared->unexpected[i])
			TH_LOG("%s", calls[i].name);
		EXPECT_NE(0ul, self->env.shared->succeeded[i])
			TH_LOG("%s", calls[i].name);
	}
	printf("# killed %u times\n", kills);
}

TEST_HARNESS_MAIN
