// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything against everything: threads that map, unmap, attach, detach and
 * query one space at the same time.
 *
 * Each thread makes a fixed number of calls with arguments by chance, and only
 * expects errnos that its calls may give. The mock domains watch that nothing
 * is mapped twice, unmapped twice or unpinned too early; at the end all is
 * unmapped, and nothing may be left.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched/mm.h>

#include "space.h"

#define NR_IOVAS	32U
#define NR_PAGES	16U
#define NR_CALLS	2000U

/**
 * struct stress - one thread
 * @space: what all threads work on
 * @mm: memory of all threads
 * @uaddr: NR_PAGES pages of it
 * @call: what the thread does, again and again; false if that went wrong
 * @rnd: where chance comes from
 * @mock: the domain of this thread, for attach and detach
 * @done: calls that changed something
 * @failed: something went wrong
 * @finished: completed at the end
 */
struct stress {
	struct test_space *space;
	struct mm_struct *mm;
	unsigned long uaddr;
	bool (*call)(struct stress *stress);
	struct rnd_state rnd;
	struct mock_domain *mock;
	unsigned int done;
	bool failed;
	struct completion finished;
};

static unsigned int dice(struct stress *stress, unsigned int n)
{
	return prandom_u32_state(&stress->rnd) % n;
}

static bool stress_map(struct stress *stress)
{
	unsigned int n = dice(stress, 4) + 1;
	unsigned int iova = dice(stress, NR_IOVAS - n + 1);
	unsigned int page = dice(stress, NR_PAGES - n + 1);
	int rc = test_map(stress->space->iopt, PAGES(iova),
			  stress->uaddr + PAGES(page), n);

	stress->done += !rc;
	return !rc || rc == -EEXIST;
}

static bool stress_unmap(struct stress *stress)
{
	unsigned int n = dice(stress, 8) + 1;
	unsigned int iova = dice(stress, NR_IOVAS - n + 1);
	unsigned long bytes;
	int rc;

	if (dice(stress, 16))
		rc = iopt_unmap(stress->space->iopt, PAGES(iova),
				PAGES(iova + n) - 1, &bytes);
	else
		rc = iopt_unmap(stress->space->iopt, 0, ULONG_MAX, &bytes);

	stress->done += !rc && bytes;
	return !rc || (rc == -ENOENT && !bytes);
}

static bool stress_attach(struct stress *stress)
{
	struct iommu_domain *domain = &stress->mock->domain;

	if (iopt_attach_domain(stress->space->iopt, domain))
		return false;
	usleep_range(50, 500);
	iopt_detach_domain(stress->space->iopt, domain);
	stress->done++;
	return stress->mock->nr_ptes == 0;
}

static bool stress_query(struct stress *stress)
{
	struct iopt_range range;

	iopt_iova_ranges(stress->space->iopt, &range, 1);
	stress->done++;
	return !iopt_validate(stress->space->iopt);
}

static int stress_main(void *data)
{
	struct stress *stress = data;
	unsigned int i, n = NR_CALLS;

	/* Attaching is slower than the rest. */
	if (stress->call == stress_attach)
		n /= 20;
	kthread_use_mm(stress->mm);
	for (i = 0; i != n && !stress->failed; i++) {
		stress->failed = !stress->call(stress);
		/* Without preemption let the others have a turn. */
		if (dice(stress, 4))
			cond_resched();
		else
			usleep_range(10, 50);
	}
	kthread_unuse_mm(stress->mm);
	complete(&stress->finished);
	return 0;
}

static void all_against_all(struct kunit *test)
{
	static bool (* const calls[])(struct stress *) = {
		stress_map, stress_map, stress_unmap, stress_query,
		stress_attach, stress_attach,
	};
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, NR_PAGES);
	unsigned long bytes, i, nr_domains = 0;
	struct stress *stress;

	stress = kunit_kcalloc(test, ARRAY_SIZE(calls), sizeof(*stress),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stress);

	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		struct task_struct *task;

		stress[i].space = space;
		stress[i].mm = current->mm;
		stress[i].uaddr = uaddr;
		stress[i].call = calls[i];
		prandom_seed_state(&stress[i].rnd, 4711 + i);
		init_completion(&stress[i].finished);
		if (calls[i] == stress_attach)
			stress[i].mock = space->mock[nr_domains++];
		task = kthread_run(stress_main, &stress[i], "iopt-stress");
		KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	}
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		wait_for_completion(&stress[i].finished);
		KUNIT_EXPECT_FALSE(test, stress[i].failed);
		KUNIT_EXPECT_GE(test, stress[i].done, 20);
	}

	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	for (i = 0; i != NR_PAGES; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr +
								 PAGES(i))));
}

static struct kunit_case stress_cases[] = {
	KUNIT_CASE(all_against_all),
	{}
};

static struct kunit_suite stress_suite = {
	.name = "iopt-stress",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = stress_cases,
};

kunit_test_suite(stress_suite);
