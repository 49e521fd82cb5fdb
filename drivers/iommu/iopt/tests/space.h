/* SPDX-License-Identifier: GPL-2.0-only */
/* Fixture of most suites: a user mm, a space and two mock domains. */
#ifndef __IOPT_TEST_SPACE_H
#define __IOPT_TEST_SPACE_H

#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/log2.h>
#include <linux/workqueue.h>

#include "../area.h"
#include "mock_domain.h"
#include "user_mm.h"

#define TEST_RW	(IOMMU_READ | IOMMU_WRITE)
#define PAGES(n) ((unsigned long)(n) << PAGE_SHIFT)

struct iopt_area;
struct test_access;

/*
 * Return the lowest IOVA, not below @start, that has the alignment which the
 * engine chooses for @length bytes at @uaddr. @length must be less than 2 MiB.
 */
static inline unsigned long test_align_iova(unsigned long start,
					    unsigned long uaddr,
					    unsigned long length)
{
	return start + ((uaddr - start) & (rounddown_pow_of_two(length) - 1));
}

/**
 * struct test_space - fixture that test->priv points to
 * @iopt: space, initially empty
 * @mock: domains, initially not attached. Domains that are still attached at
 *        the end are detached. The second domain has the map_runs op
 * @accesses: list of accesses. Accesses that are left at the end are destroyed
 * @uaddr: user address of memory, for use by the test case
 * @charged: number of pages charged at the start, for use by the test case
 * @test: the test case
 * @watch: fails the test case if a call hangs; see space_watch()
 * @idle_seq: value of io_pagetable.idle_seq when @watch last ran
 * @nr_idle: number of consecutive runs of @watch that found a waiting call and
 *           no progress
 */
struct test_space {
	struct io_pagetable *iopt;
	struct mock_domain *mock[2];
	struct test_access *accesses;
	unsigned long uaddr;
	unsigned long charged;
	struct kunit *test;
	struct delayed_work watch;
	unsigned long idle_seq;
	unsigned int nr_idle;
};

int test_space_init(struct kunit *test);
void test_space_replace(struct kunit *test, const struct iopt_policy *policy);
void test_space_exit(struct kunit *test);
struct io_pagetable *test_iopt_alloc(struct kunit *test);
struct io_pagetable *test_other_space(struct kunit *test,
				      struct mock_domain *mock);
void test_other_free(struct kunit *test, struct io_pagetable *other,
		     struct mock_domain *mock);
void test_attach(struct kunit *test, struct mock_domain *mock);
void test_detach(struct kunit *test, struct mock_domain *mock);
void test_validate(struct kunit *test);
int test_map_prot(struct io_pagetable *iopt, unsigned long iova,
		  unsigned long uaddr, unsigned long npages, int prot);
int test_map(struct io_pagetable *iopt, unsigned long iova,
	     unsigned long uaddr, unsigned long npages);
void test_map_adjacent(struct kunit *test, unsigned long iova,
		       unsigned long uaddr, unsigned long nr,
		       unsigned long npages);
int test_copy_prot(struct io_pagetable *iopt, unsigned long to,
		   unsigned long from, unsigned long npages, int prot);
int test_copy(struct io_pagetable *iopt, unsigned long to, unsigned long from,
	      unsigned long npages);
int test_copy_to(struct io_pagetable *other, struct io_pagetable *iopt,
		 unsigned long iova, unsigned long npages);
int test_unmap(struct io_pagetable *iopt, unsigned long iova,
	       unsigned long npages);
unsigned long test_charged(void);
struct iopt_dirty_query test_dirty_query(struct kunit *test);
struct iopt_area *test_area_at(struct test_space *space, unsigned long iova);
void test_mark_dirty(struct test_space *space, unsigned long iova,
		     unsigned long npages);

#endif /* __IOPT_TEST_SPACE_H */
