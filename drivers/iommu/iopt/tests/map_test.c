// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_map_user(): the page table, pins and charge of a mapping, and the errnos
 * for invalid arguments, inaccessible memory, mapped IOVAs and limits. A failed
 * map must change nothing.
 */
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/sched/user.h>

#include "../io_pagetable.h"
#include "../validate.h"
#include "space.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/* Without a domain, a map does not access, pin or charge the memory. */
static void map_without_domain_pins_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long charged = test_charged();
	unsigned long uaddr = test_touched(test, 4);

	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 4));
	/* The map does not even check that the user address is mapped. */
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, IOVA + PAGES(4), 0, 4));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));

	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 8));
}

/*
 * A map pins and charges each page once, and the domain translates each IOVA to
 * its page.
 */
static void map_translates(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long charged = test_charged();
	unsigned long n = 700; /* more than a batch */
	unsigned long uaddr = test_touched(test, n);
	unsigned long pfn;

	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0,
			test_map_prot(iopt, IOVA, uaddr, n,
				      TEST_RW | IOMMU_CACHE));
	mock_expect_maps(mock, IOVA, uaddr, n);
	KUNIT_EXPECT_EQ(test, n, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, TEST_RW | IOMMU_CACHE,
			mock_domain_prot(mock, IOVA));
	KUNIT_EXPECT_EQ(test, charged + n, test_charged());
	KUNIT_EXPECT_EQ(test, n, atomic64_read(&current->mm->pinned_vm));
	test_validate(test);

	pfn = test_user_pfn(test, uaddr);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, n));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * A mapping keeps its pages pinned after the process has unmapped the memory.
 */
static void map_survives_munmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, pfn;

	uaddr = test_touched(test, 1);
	pfn = test_user_pfn(test, uaddr);

	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 1));
	test_munmap(test, uaddr, 1);
	KUNIT_EXPECT_EQ(test, pfn, mock_domain_pfn(mock, IOVA));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 1));
}

/* A map fails if the process lacks the requested access to the memory. */
static void map_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long ro, wo, none, hole, charged = test_charged();

	test_attach(test, mock);

	ro = test_mmap(test, 1, PROT_READ);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_map(iopt, IOVA, ro, 1));
	none = test_mmap(test, 1, PROT_NONE);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_map_prot(iopt, IOVA, none, 1, IOMMU_READ));
	wo = test_mmap(test, 2, PROT_WRITE);
	test_touch(test, wo, 2);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_map_prot(iopt, IOVA, wo, 2, IOMMU_READ));
	hole = test_touched(test, 40);
	test_munmap(test, hole + PAGES(20), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_map(iopt, IOVA, hole, 40));

	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, hole)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA, 40));
}

/* Memory that the process can only write to can be mapped for writing. */
static void map_write_only_memory(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long wo;

	test_attach(test, mock);
	wo = test_mmap(test, 1, PROT_WRITE);
	test_touch(test, wo, 1);
	KUNIT_EXPECT_EQ(test, 0,
			test_map_prot(iopt, IOVA, wo, 1, IOMMU_WRITE));
	KUNIT_EXPECT_EQ(test, IOMMU_WRITE, mock_domain_prot(mock, IOVA));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 1));
}

/*
 * A map fails with -EINVAL if an argument is unaligned, the length is 0, or the
 * protection allows neither reading nor writing. It fails with -EOVERFLOW if
 * the IOVAs or the user addresses wrap around.
 */
static void map_EINVAL_EOVERFLOW(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 2), iova = IOVA;

	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, IOVA, uaddr, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, IOVA + 1, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, IOVA, uaddr + 8, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_map_user(iopt, &iova, (void __user *)uaddr,
				      PAGE_SIZE + 1, TEST_RW,
				      IOPT_ACCOUNT_USER, IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			test_map_prot(iopt, IOVA, uaddr, 1, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			test_map_prot(iopt, IOVA, uaddr, 1, IOMMU_CACHE));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			test_map(iopt, -PAGES(1), uaddr, 2));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			test_map(iopt, IOVA, -PAGES(1), 2));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA, 2));
}

/* A map that overlaps another mapping fails and changes nothing. */
static void map_EEXIST(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, i;

	uaddr = test_touched(test, 8);
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 4));

	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, -EEXIST,
				test_map(iopt, IOVA + PAGES(i), uaddr, 4));
	KUNIT_EXPECT_EQ(test, -EEXIST,
			test_map(iopt, IOVA - PAGES(1), uaddr, 2));
	mock_expect_maps(mock, IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);

	/* Adjacent ranges do not overlap, and stay separate mappings. */
	KUNIT_EXPECT_EQ(test, 0,
			test_map(iopt, IOVA + PAGES(4), uaddr + PAGES(4), 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 4));
	mock_expect_maps(mock, IOVA + PAGES(4), uaddr + PAGES(4), 4);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA + PAGES(4), 4));
}

/*
 * A map may reach RLIMIT_MEMLOCK exactly. A map that would exceed the limit
 * fails and changes nothing.
 */
static void map_ENOMEM_at_limit(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, charged = test_charged();

	uaddr = test_touched(test, 40);
	test_attach(test, mock);

	test_set_memlock(PAGES(charged + 40) - 1);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_map(iopt, IOVA, uaddr, 40));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));

	test_set_memlock(PAGES(charged + 40));
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 40));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			test_map(iopt, IOVA + PAGES(40), uaddr, 1));
	KUNIT_EXPECT_EQ(test, charged + 40, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 40));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * The last byte of the address space can be mapped and unmapped like any other.
 */
static void map_last_page_of_space(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long iova = -PAGES(2), uaddr, bytes;

	mock->domain.geometry.aperture_end = ~0ULL;
	uaddr = test_touched(test, 2);

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, iova, uaddr, 2));
	test_attach(test, mock);
	mock_expect_maps(mock, iova, uaddr, 2);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			test_map(iopt, -PAGES(1), uaddr, 1));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_unmap(iopt, -PAGES(1), ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, iova, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(2), bytes);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

/*
 * Simulate a map that has a claim and has yet to insert @nr mappings, or undo
 * this if @nr is negative.
 */
static void map_claims(struct io_pagetable *iopt, int nr)
{
	mutex_lock(&iopt->lock);
	iopt->nr_claimed += nr;
	mutex_unlock(&iopt->lock);
}

/*
 * iopt_mappings_left() returns the number of mappings that the policy still
 * allows, minus the mappings that are yet to be inserted by any map that has a
 * claim. A call that needs more mappings than that fails with -ENOSPC.
 */
static void mappings_left(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = 3,
	};
	struct test_space *space = test->priv;
	unsigned long iova = COPY;

	test_space_replace(test, &policy);
	KUNIT_EXPECT_EQ(test, 3, iopt_mappings_left(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, 0, 100));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(100), 0,
					  1));
	KUNIT_EXPECT_EQ(test, 1, iopt_mappings_left(space->iopt));
	map_claims(space->iopt, 1);
	KUNIT_EXPECT_EQ(test, 0, iopt_mappings_left(space->iopt));
	KUNIT_EXPECT_EQ(test, -ENOSPC, test_map(space->iopt, 0, 0, 1));
	map_claims(space->iopt, -1);
	/* A copy that spans two mappings needs room for two. */
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			iopt_copy(space->iopt, &iova, space->iopt, IOVA +
				  PAGES(99), PAGES(2), TEST_RW,
				  IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 1, iopt_mappings_left(space->iopt));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(space->iopt, &iova, space->iopt, IOVA +
				  PAGES(99), PAGES(1), TEST_RW,
				  IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 0, iopt_mappings_left(space->iopt));
	/* -EEXIST takes precedence over -ENOSPC. */
	KUNIT_EXPECT_EQ(test, -EEXIST, test_map(space->iopt, IOVA, 0, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, test_map(space->iopt, 0, 0, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			iopt_map_user(space->iopt, &iova, NULL, PAGES(1),
				      TEST_RW, IOPT_ACCOUNT_USER, 0));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, 0, 0, 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_mappings_left(space->iopt));
}

/*
 * A map fails with -ENOSPC if there are iopt_policy.max_areas mappings already,
 * but -EEXIST takes precedence. An unmap makes room. A limit of 0 allows no
 * mapping.
 */
static void map_ENOSPC_at_limit(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = 3,
	};
	const struct iopt_policy none = { .gfp = GFP_KERNEL };
	struct io_pagetable *iopt = iopt_alloc(&policy);
	unsigned long i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	for (i = 0; i != 3; i++)
		KUNIT_EXPECT_EQ(test, 0, test_map(iopt, PAGES(i), 0, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, test_map(iopt, PAGES(3), 0, 1));
	KUNIT_EXPECT_EQ(test, -EEXIST, test_map(iopt, PAGES(2), 0, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, PAGES(3), 0, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, test_map(iopt, PAGES(1), 0, 1));
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(iopt));
	iopt_free(iopt);

	iopt = iopt_alloc(&none);
	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	KUNIT_EXPECT_EQ(test, -ENOSPC, test_map(iopt, 0, 0, 1));
	iopt_free(iopt);
}

/*
 * Each mapping is charged according to its own accounting mode, and the space
 * leaks no reference to the user_struct.
 */
static void map_accounts(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = UINT_MAX,
	};
	static const enum iopt_account accounts[] = {
		IOPT_ACCOUNT_USER, IOPT_ACCOUNT_NONE, IOPT_ACCOUNT_MM,
		IOPT_ACCOUNT_USER,
	};
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), iova, i;
	const struct cred *before = test_be_user(test, 4711);
	unsigned int users = refcount_read(&current_user()->__count);
	struct io_pagetable *iopt = iopt_alloc(&policy);

	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	KUNIT_ASSERT_EQ(test, 0,
			iopt_attach_domain(iopt, &space->mock[0]->domain));
	for (i = 0; i != ARRAY_SIZE(accounts); i++) {
		iova = IOVA + PAGES(2 * i);
		KUNIT_EXPECT_EQ(test, 0,
				iopt_map_user(iopt, &iova, (void __user *)
					      (uaddr + PAGES(2 * i)), PAGES(2),
					      TEST_RW, accounts[i],
					      IOPT_MAP_FIXED));
	}
	KUNIT_EXPECT_EQ(test, 4, test_charged());
	KUNIT_EXPECT_EQ(test, 6, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 2, current->mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, test_charged());

	iopt_detach_domain(iopt, &space->mock[0]->domain);
	KUNIT_EXPECT_EQ(test, 0, test_charged());
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	iopt_free(iopt);
	KUNIT_EXPECT_EQ(test, users, refcount_read(&current_user()->__count));
	revert_creds(before);
}

static struct kunit_case map_cases[] = {
	KUNIT_CASE(map_without_domain_pins_nothing),
	KUNIT_CASE(map_translates),
	KUNIT_CASE(map_survives_munmap),
	KUNIT_CASE(map_EFAULT),
	KUNIT_CASE(map_write_only_memory),
	KUNIT_CASE(map_EINVAL_EOVERFLOW),
	KUNIT_CASE(map_EEXIST),
	KUNIT_CASE(map_ENOMEM_at_limit),
	KUNIT_CASE(map_last_page_of_space),
	KUNIT_CASE(map_accounts),
	KUNIT_CASE(mappings_left),
	KUNIT_CASE(map_ENOSPC_at_limit),
	{}
};

static struct kunit_suite map_suite = {
	.name = "iopt-map",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = map_cases,
};

kunit_test_suite(map_suite);
