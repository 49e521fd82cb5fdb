// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress test: threads concurrently map, copy, unmap, attach, detach, pin,
 * read, write, track dirty pages, orphan, adopt, reserve and query in one
 * space.
 *
 * Each thread makes calls with random arguments for some seconds, and accepts
 * only errnos that its calls may return. It also counts the calls of other
 * threads that are in flight when its own calls start, to show that calls
 * overlap. The mock domains check that nothing is mapped twice, unmapped twice
 * or unpinned too early. At the end everything is unmapped, and no area, pin or
 * charge may be left.
 *
 * Module parameter:
 *  iopt_test.seconds=N  duration, split into rounds of 60 s; 0 skips the test
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "../io_pagetable.h"
#include "../reserve.h"
#include "../validate.h"
#include "space.h"

#define NR_IOVAS	32U
#define NR_PAGES	16U
#define NR_PINS		8U
#define NR_THREADS	14U
#define ROUND		60U
#define ENOUGH		20U
#define PATIENCE	180U

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopt_test."

static unsigned int seconds = 3;
module_param(seconds, uint, 0444);

struct arena;

/**
 * struct stress_pin - pages that a thread has pinned
 * @nr: number of pages; 0 if the record is unused
 * @start: first IOVA
 * @last: last IOVA
 * @notified: an unmap has notified the access, so the thread must unpin the
 *            pages
 */
struct stress_pin {
	unsigned int nr;
	unsigned long start;
	unsigned long last;
	bool notified;
};

/**
 * struct stress - state of one thread
 * @arena: objects that all threads work on
 * @kind: name of the thread's kind
 * @call: makes one call; returns 0, or an errno if the result is wrong
 * @rnd: state of the random number generator
 * @mock: domain of a thread that attaches and detaches
 * @access: access of a thread that pins, reads or writes
 * @lock: protects @pin
 * @pin: pages that the thread has pinned
 * @bitmap: user address of memory for dirty bits
 * @done: number of successful calls, not counting unpins and unmaps of empty
 *        ranges
 * @overlaps: number of calls of each thread that were in flight when a call of
 *            this thread started
 * @rc: first unexpected result, or 0
 * @finished: completed when the thread ends
 */
struct stress {
	struct arena *arena;
	const char *kind;
	int (*call)(struct stress *stress);
	struct rnd_state rnd;
	struct mock_domain *mock;
	struct iopt_access *access;
	spinlock_t lock;	/* protects pin */
	struct stress_pin pin[NR_PINS];
	unsigned long bitmap;
	unsigned int done;
	unsigned int overlaps[NR_THREADS];
	int rc;
	struct completion finished;
};

/**
 * struct arena - objects that all threads work on
 * @iopt: space
 * @mm: mm that all threads use
 * @uaddr: user address of %NR_PAGES pages
 * @until: time to stop if every thread has done enough, in jiffies
 * @limit: time to stop in any case, in jiffies
 * @inside: true for each thread that is in a call
 * @stress: threads
 */
struct arena {
	struct io_pagetable *iopt;
	struct mm_struct *mm;
	unsigned long uaddr;
	unsigned long until;
	unsigned long limit;
	bool inside[NR_THREADS];
	struct stress stress[NR_THREADS];
};

static unsigned int dice(struct stress *stress, unsigned int n)
{
	return prandom_u32_state(&stress->rnd) % n;
}

static void dice_range(struct stress *stress, unsigned int longest,
		       unsigned long *start, unsigned long *last)
{
	unsigned int n = dice(stress, longest) + 1;

	*start = PAGES(dice(stress, NR_IOVAS - n + 1));
	*last = *start + PAGES(n) - 1;
}

static int stress_map(struct stress *stress)
{
	unsigned int n = dice(stress, 4) + 1;
	unsigned int page = dice(stress, NR_PAGES - n + 1);
	unsigned long iova = PAGES(dice(stress, NR_IOVAS - n + 1));
	int prot = dice(stress, 4) ? TEST_RW : IOMMU_READ;
	int rc = iopt_map_user(stress->arena->iopt, &iova,
			       (void __user *)stress->arena->uaddr +
			       PAGES(page), PAGES(n), prot, IOPT_ACCOUNT_USER,
			       IOPT_MAP_FIXED);

	stress->done += !rc;
	return rc == -EEXIST ? 0 : rc;
}

/*
 * The engine chooses IOVAs in the allowed range, where other threads map and
 * unmap.
 */
static int stress_map_anywhere(struct stress *stress)
{
	unsigned long iova;
	int rc = iopt_map_user(stress->arena->iopt, &iova,
			       (void __user *)stress->arena->uaddr, PAGES(2),
			       TEST_RW, IOPT_ACCOUNT_USER, 0);

	stress->done += !rc;
	if (!rc && iova >= PAGES(NR_IOVAS))
		return -ERANGE;
	return rc == -ENOSPC ? 0 : rc;
}

static int stress_copy(struct stress *stress)
{
	struct io_pagetable *iopt = stress->arena->iopt;
	unsigned long start, last, iova;
	int rc;

	dice_range(stress, 3, &start, &last);
	iova = PAGES(dice(stress, NR_IOVAS - 3));
	rc = iopt_copy(iopt, &iova, iopt, start, last - start + 1, IOMMU_READ,
		       dice(stress, 2) ? IOPT_MAP_FIXED : 0);
	stress->done += !rc;
	switch (rc) {
	case -EEXIST:
	case -ENOENT:
	case -ENOSPC:
	case -EBUSY:	/* an orphan */
		return 0;
	}
	return rc;
}

static int stress_unmap(struct stress *stress)
{
	unsigned long start = 0, last = ULONG_MAX, bytes;
	int rc;

	if (dice(stress, 16))
		dice_range(stress, 8, &start, &last);
	rc = iopt_unmap(stress->arena->iopt, start, last, &bytes);
	stress->done += !rc && bytes;
	if (rc && bytes)
		return -EBADE;
	return rc == -ENOENT ? 0 : rc;
}

static int stress_attach(struct stress *stress)
{
	struct iommu_domain *domain = &stress->mock->domain;
	int rc = iopt_attach_domain(stress->arena->iopt, domain);

	if (rc && stress->mock->nr_ptes)
		return -EBADE;
	/* Attach fails with -EBUSY while the space has an orphan. */
	if (rc)
		return rc == -EBUSY ? 0 : rc;
	usleep_range(50, 500);
	iopt_detach_domain(stress->arena->iopt, domain);
	stress->done++;
	return stress->mock->nr_ptes ? -EBADE : 0;
}

static int stress_query(struct stress *stress)
{
	struct iopt_range range;
	const char *wrong;

	iopt_iova_ranges(stress->arena->iopt, &range, 1);
	iopt_find_mapping(stress->arena->iopt, PAGES(dice(stress, NR_IOVAS)),
			  ULONG_MAX, &range);
	wrong = iopt_validate(stress->arena->iopt);
	if (wrong)
		pr_err("an invariant is violated: %s\n", wrong);
	stress->done++;
	return wrong ? -EBADE : 0;
}

/* Move a pin out of its record. Return false if the record is unused. */
static bool take_pin(struct stress *stress, struct stress_pin *pin,
		     struct stress_pin *taken)
{
	spin_lock(&stress->lock);
	*taken = *pin;
	pin->nr = 0;
	pin->notified = false;
	spin_unlock(&stress->lock);
	return taken->nr;
}

static int unpin(struct stress *stress, struct stress_pin *pin)
{
	struct stress_pin taken;

	if (!take_pin(stress, pin, &taken))
		return 0;
	if (iopt_access_unpin(stress->access, taken.start, taken.last) !=
	    taken.nr)
		return -EBADE;
	return 0;
}

/*
 * Unmap callback: of the records that overlap the range, unpin those with an
 * even index, and leave the others to the thread that pinned the pages.
 */
static void stress_notified(void *data, unsigned long start, unsigned long last)
{
	struct stress *stress = data;
	unsigned int i;

	for (i = 0; i != NR_PINS; i++) {
		struct stress_pin *pin = &stress->pin[i];
		bool meant, later = i % 2;

		spin_lock(&stress->lock);
		meant = pin->nr && pin->start <= last && pin->last >= start;
		if (meant && later)
			pin->notified = true;
		spin_unlock(&stress->lock);
		if (meant && !later && unpin(stress, pin))
			stress->rc = -EBADE;
	}
}

static const struct iopt_access_ops stress_ops = { .unmap = stress_notified };

static int stress_pin(struct stress *stress)
{
	struct stress_pin *pin = &stress->pin[dice(stress, NR_PINS)];
	struct page *pages[4];
	unsigned long start, last;
	unsigned int i, n;
	int rc = 0;

	for (i = 0; i != NR_PINS && !rc; i++)
		if (READ_ONCE(stress->pin[i].notified))
			rc = unpin(stress, &stress->pin[i]);
	if (rc || READ_ONCE(pin->nr))
		return rc ?: unpin(stress, pin);

	dice_range(stress, 4, &start, &last);
	rc = iopt_access_pin(stress->access, start, last, pages, 0);
	switch (rc) {
	case -ENOENT:
	case -EBUSY:	/* an orphan */
		return 0;
	case 0:
		break;
	default:
		return rc;
	}
	n = (last - start + 1) >> PAGE_SHIFT;
	for (i = 0; i != n; i++)
		if (!page_maybe_dma_pinned(pages[i]))
			return -EBADE;
	/* From now on, an unmap in any thread may unpin the pages. */
	spin_lock(&stress->lock);
	pin->start = start;
	pin->last = last;
	pin->nr = n;
	spin_unlock(&stress->lock);
	stress->done++;
	return 0;
}

/*
 * Read or write a word. The first word of each page contains the index of the
 * page, and is never overwritten.
 */
static int stress_rw(struct stress *stress)
{
	unsigned long iova = PAGES(dice(stress, NR_IOVAS)), word = 0;
	bool write = dice(stress, 2);
	int rc;

	rc = iopt_access_rw(stress->access, write ? iova + 64 : iova, &word,
			    sizeof(word), write ? IOPT_ACCESS_WRITE : 0);
	switch (rc) {
	case 0:
		stress->done++;
		return word < NR_PAGES ? 0 : -EBADE;
	case -ENOENT:
	case -EPERM:	/* read-only */
	case -EBUSY:	/* an orphan */
		return 0;
	}
	return rc;
}

static int stress_dirty(struct stress *stress)
{
	const struct iopt_dirty_query query = {
		.bitmap = (u64 __user *)stress->bitmap,
		.pgsize = PAGE_SIZE,
	};
	struct io_pagetable *iopt = stress->arena->iopt;
	unsigned int i, n = dice(stress, 8);
	int rc = iopt_dirty_start(iopt);
	bool untracked;

	for (i = 0; i != n && !rc; i++)
		rc = iopt_dirty_read(iopt, 0, PAGES(64) - 1, &query, i % 2);
	untracked = !rc && !dice(stress, 4);
	if (untracked)
		iopt_dirty_add_untracked(iopt);
	if (!rc)
		rc = iopt_dirty_read(iopt, 0, PAGES(64) - 1, &query, 0);
	if (untracked)
		iopt_dirty_remove_untracked(iopt, dice(stress, 2));
	iopt_dirty_stop(iopt);
	stress->done++;
	return rc;
}

static int stress_orphan(struct stress *stress)
{
	struct io_pagetable *iopt = stress->arena->iopt;
	unsigned long start, last, bytes;
	struct iopt_range at;
	int rc;

	dice_range(stress, 8, &start, &last);
	if (dice(stress, 4) && iopt_find_mapping(iopt, start, last, &at)) {
		start = at.start;
		last = at.last;
	}
	rc = iopt_orphan(iopt, start, last, &bytes);
	if (rc) {
		/*
		 * -ENOENT: the range splits a mapping or contains none. -EBUSY:
		 * another mapping shares the pages.
		 */
		return rc == -ENOENT || rc == -EBUSY ? 0 : rc;
	}
	while (start < last && iopt_find_mapping(iopt, start, last, &at)) {
		rc = iopt_adopt(iopt, at.start, at.last,
				(void __user *)stress->arena->uaddr,
				IOPT_ACCOUNT_USER);
		stress->done += !rc;
		/*
		 * -ENOENT or -EINVAL: another thread has unmapped the mapping,
		 * or has created the mapping after the call of iopt_orphan().
		 */
		if (rc && rc != -ENOENT && rc != -EINVAL)
			return rc;
		start = at.last + 1;
	}
	return 0;
}

/* Reserve IOVAs that no other thread uses. */
static int stress_reserve(struct stress *stress)
{
	struct io_pagetable *iopt = stress->arena->iopt;
	unsigned long start = PAGES(NR_IOVAS + dice(stress, 32));
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_reserve_iova(iopt, start, start + PAGES(4) - 1, stress);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, stress);
	mutex_unlock(&iopt->lock);
	stress->done++;
	return 0;
}

static void count_overlaps(struct stress *stress)
{
	struct arena *arena = stress->arena;
	unsigned int i;

	for (i = 0; i != NR_THREADS; i++)
		stress->overlaps[i] += READ_ONCE(arena->inside[i]);
}

static bool goes_on(const struct arena *arena)
{
	unsigned int i;

	if (time_before(jiffies, arena->until))
		return true;
	if (!time_before(jiffies, arena->limit))
		return false;
	for (i = 0; i != NR_THREADS; i++)
		if (READ_ONCE(arena->stress[i].rc))
			return false;
	for (i = 0; i != NR_THREADS; i++)
		if (READ_ONCE(arena->stress[i].done) < ENOUGH)
			return true;
	return false;
}

static int stress_main(void *data)
{
	struct stress *stress = data;
	struct arena *arena = stress->arena;
	bool *inside = &arena->inside[stress - arena->stress];
	unsigned int i;
	int rc;

	kthread_use_mm(arena->mm);
	while (!READ_ONCE(stress->rc) && goes_on(arena)) {
		count_overlaps(stress);
		WRITE_ONCE(*inside, true);
		rc = stress->call(stress);
		WRITE_ONCE(*inside, false);
		if (rc)
			WRITE_ONCE(stress->rc, rc);
		/* Give other threads a turn on kernels without preemption. */
		if (dice(stress, 4))
			cond_resched();
		else
			usleep_range(10, 50);
	}
	for (i = 0; i != NR_PINS; i++)
		if (unpin(stress, &stress->pin[i]))
			stress->rc = -EBADE;
	kthread_unuse_mm(arena->mm);
	complete(&stress->finished);
	return 0;
}

static const struct {
	const char *kind;
	int (*call)(struct stress *stress);
} threads[NR_THREADS] = {
	{ "map", stress_map },
	{ "map", stress_map },
	{ "map anywhere", stress_map_anywhere },
	{ "copy", stress_copy },
	{ "unmap", stress_unmap },
	{ "attach and detach", stress_attach },
	{ "attach and detach", stress_attach },
	{ "query and validate", stress_query },
	{ "pin and unpin", stress_pin },
	{ "pin and unpin", stress_pin },
	{ "read and write", stress_rw },
	{ "track", stress_dirty },
	{ "orphan and adopt", stress_orphan },
	{ "reserve", stress_reserve },
};

static void stress_init(struct kunit *test, struct arena *arena, unsigned int i)
{
	struct test_space *space = test->priv;
	struct stress *stress = &arena->stress[i];
	unsigned int j, nr = 0;

	stress->arena = arena;
	stress->kind = threads[i].kind;
	stress->call = threads[i].call;
	stress->bitmap = test_touched(test, 1);
	spin_lock_init(&stress->lock);
	init_completion(&stress->finished);
	prandom_seed_state(&stress->rnd, 4711 + i +
			   1000 * (unsigned long)test->param_value);
	for (j = 0; j != i; j++)
		nr += threads[j].call == stress_attach;
	if (stress->call == stress_attach) {
		stress->mock = space->mock[nr];
		stress->mock->lazy = true;
	}
	stress->access = iopt_access_create(space->iopt, &stress_ops, stress);
	KUNIT_ASSERT_FALSE(test, IS_ERR(stress->access));
}

static void stress_report(struct kunit *test, struct stress *stress)
{
	unsigned int i, others = 0, overlaps = 0;

	for (i = 0; i != NR_THREADS; i++) {
		others += stress->overlaps[i] != 0;
		overlaps += stress->overlaps[i];
	}
	kunit_info(test, "%-20s%10u done, overlapped with %u others %u times",
		   stress->kind, stress->done, others, overlaps);
	KUNIT_EXPECT_EQ_MSG(test, 0, stress->rc, "%s", stress->kind);
	KUNIT_EXPECT_GE_MSG(test, stress->done, ENOUGH, "%s", stress->kind);
	/*
	 * On a single processor, a call overlaps only with calls that sleep or
	 * were preempted.
	 */
	KUNIT_EXPECT_GE_MSG(test, others, num_online_cpus() > 1 ? 8 : 1, "%s",
			    stress->kind);
}

static const void *next_round(const void *previous, char *name)
{
	unsigned long round = (unsigned long)previous;

	if (round * ROUND >= max(seconds, 1U))
		return NULL;
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "round %lu", round + 1);
	return (void *)(round + 1);
}

/*
 * Concurrency introduces no new errors: each call returns only errnos that its
 * thread accepts. Once everything is unmapped, nothing is left behind.
 */
static void concurrent_calls(struct kunit *test)
{
	const struct iopt_range allowed = { 0, PAGES(NR_IOVAS) - 1 };
	unsigned long round = (unsigned long)test->param_value - 1;
	unsigned long charged = test_charged(), bytes, i;
	struct test_space *space = test->priv;
	struct arena *arena;

	if (!seconds)
		kunit_skip(test, "iopt_test.seconds=0");
	/*
	 * Use the allocation flags of a front end: GFP_NOWAIT may fail, and no
	 * failure is expected here.
	 */
	space->iopt->policy.gfp = GFP_KERNEL;
	test_set_memlock(RLIM_INFINITY);
	arena = kunit_kzalloc(test, sizeof(*arena), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena);
	arena->iopt = space->iopt;
	arena->mm = current->mm;
	arena->uaddr = test_touched(test, NR_PAGES);
	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(space->iopt, &allowed, 1));
	for (i = 0; i != NR_THREADS; i++)
		stress_init(test, arena, i);

	arena->until = jiffies +
		       min(seconds - (unsigned int)round * ROUND, ROUND) * HZ;
	arena->limit = arena->until + PATIENCE * HZ;
	for (i = 0; i != NR_THREADS; i++) {
		struct task_struct *task = kthread_run(stress_main,
						       &arena->stress[i],
						       "iopt-stress");

		KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	}
	for (i = 0; i != NR_THREADS; i++)
		wait_for_completion(&arena->stress[i].finished);
	for (i = 0; i != NR_THREADS; i++) {
		stress_report(test, &arena->stress[i]);
		iopt_access_destroy(arena->stress[i].access);
	}

	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&space->iopt->nr_lost));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
	for (i = 0; i != 2; i++)
		KUNIT_EXPECT_EQ(test, 0, space->mock[i]->nr_ptes);
	for (i = 0; i != NR_PAGES; i++) {
		unsigned long addr = arena->uaddr + PAGES(i);

		KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, addr)));
	}
}

static struct kunit_case stress_cases[] = {
	KUNIT_CASE_PARAM(concurrent_calls, next_round),
	{}
};

static struct kunit_suite stress_suite = {
	.name = "iopt-stress",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = stress_cases,
};

kunit_test_suite(stress_suite);
