// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations against a plain model.
 *
 * The model is an array: for each IOVA page, which mapping covers it and which
 * user page is behind. After each operation the space is validated; what the
 * model says must be what the operation returned, what both page tables show,
 * and how often each page is pinned.
 */
#include <linux/random.h>

#include "space.h"

#define NR_IOVAS	48U
#define NR_PAGES	32U
#define NR_OPS		6000U
#define NOTHING		0U

enum op { OP_MAP, OP_UNMAP, OP_UNMAP_ALL, OP_ATTACH, OP_DETACH, NR_KINDS };

static const char * const op_names[NR_KINDS] = {
	"map", "unmap", "unmap all", "attach", "detach",
};

/**
 * struct model - what should be
 * @uaddr: the user's memory, NR_PAGES pages
 * @mapping: by IOVA page, the number of the mapping there, or NOTHING
 * @page: by IOVA page, index of the user page
 * @next: number of the next mapping
 * @rnd: where chance comes from
 * @done: operations that succeeded, by kind
 */
struct model {
	unsigned long uaddr;
	unsigned int mapping[NR_IOVAS];
	unsigned int page[NR_IOVAS];
	unsigned int next;
	struct rnd_state rnd;
	unsigned int done[NR_KINDS];
};

static unsigned int dice(struct model *model, unsigned int n)
{
	return prandom_u32_state(&model->rnd) % n;
}

static int model_map(struct model *model, unsigned int iova, unsigned int page,
		     unsigned int n)
{
	unsigned int i;

	for (i = iova; i != iova + n; i++)
		if (model->mapping[i] != NOTHING)
			return -EEXIST;
	for (i = 0; i != n; i++) {
		model->mapping[iova + i] = model->next;
		model->page[iova + i] = page + i;
	}
	model->next++;
	return 0;
}

/* Does a mapping go across the border before IOVA page @i? */
static bool model_crosses(struct model *model, unsigned int i)
{
	return i && i < NR_IOVAS && model->mapping[i] != NOTHING &&
	       model->mapping[i] == model->mapping[i - 1];
}

static int model_unmap(struct model *model, unsigned int iova, unsigned int n,
		       unsigned int *unmapped)
{
	unsigned int i;

	*unmapped = 0;
	if (model_crosses(model, iova) || model_crosses(model, iova + n))
		return -ENOENT;
	for (i = iova; i != iova + n; i++) {
		if (model->mapping[i] != NOTHING)
			(*unmapped)++;
		model->mapping[i] = NOTHING;
	}
	return 0;
}

static void check_model(struct kunit *test, struct model *model)
{
	struct test_space *space = test->priv;
	unsigned int i, nr = 0, d, domains = 0;
	unsigned int pins[NR_PAGES] = {};

	for (i = 0; i != NR_IOVAS; i++) {
		if (model->mapping[i] == NOTHING)
			continue;
		nr++;
		pins[model->page[i]]++;
	}
	for (d = 0; d != 2; d++) {
		struct mock_domain *mock = space->mock[d];

		if (!mock->attached)
			continue;
		domains++;
		KUNIT_ASSERT_EQ(test, nr, mock->nr_ptes);
		for (i = 0; i != NR_IOVAS; i++) {
			unsigned long pfn = 0;

			if (model->mapping[i] != NOTHING)
				pfn = test_user_pfn(test, model->uaddr +
						    PAGES(model->page[i]));
			KUNIT_ASSERT_EQ(test, pfn,
					mock_domain_pfn(mock, PAGES(i)));
		}
	}
	for (i = 0; i != NR_PAGES; i++)
		KUNIT_ASSERT_EQ(test, domains ? pins[i] : 0,
				test_pins(test_user_pfn(test, model->uaddr +
							PAGES(i))));
	KUNIT_ASSERT_EQ(test, domains ? nr : 0,
			atomic64_read(&current->mm->pinned_vm));
}

static bool do_map(struct kunit *test, struct model *model)
{
	struct test_space *space = test->priv;
	unsigned int n = dice(model, 6) + 1;
	unsigned int iova = dice(model, NR_IOVAS - n + 1);
	unsigned int page = dice(model, NR_PAGES - n + 1);
	int rc = model_map(model, iova, page, n);

	KUNIT_ASSERT_EQ(test, rc,
			test_map(space->iopt, PAGES(iova),
				 model->uaddr + PAGES(page), n));
	return !rc;
}

static bool do_unmap(struct kunit *test, struct model *model)
{
	struct test_space *space = test->priv;
	unsigned int iova = dice(model, NR_IOVAS);
	unsigned int n = dice(model, min(NR_IOVAS - iova, 12U)) + 1;
	unsigned int pages;
	unsigned long bytes;
	int rc;

	/* Mostly ranges that fit, or little would ever succeed. */
	while (dice(model, 8) && model_crosses(model, iova) && n > 1) {
		iova++;
		n--;
	}
	while (dice(model, 8) && model_crosses(model, iova + n))
		n++;
	rc = model_unmap(model, iova, n, &pages);
	if (!rc && !pages)
		rc = -ENOENT;

	KUNIT_ASSERT_EQ(test, rc,
			iopt_unmap(space->iopt, PAGES(iova),
				   PAGES(iova + n) - 1, &bytes));
	KUNIT_ASSERT_EQ(test, PAGES(pages), bytes);
	return !rc;
}

static bool do_unmap_all(struct kunit *test, struct model *model)
{
	struct test_space *space = test->priv;
	unsigned int pages;
	unsigned long bytes;

	if (dice(model, 20))
		return false;
	model_unmap(model, 0, NR_IOVAS, &pages);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_ASSERT_EQ(test, PAGES(pages), bytes);
	return true;
}

static bool do_attach(struct kunit *test, struct model *model)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[dice(model, 2)];

	if (mock->attached)
		return false;
	test_attach(test, mock);
	return true;
}

static bool do_detach(struct kunit *test, struct model *model)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[dice(model, 2)];

	if (!mock->attached)
		return false;
	test_detach(test, mock);
	return true;
}

static bool (* const do_op[NR_KINDS])(struct kunit *, struct model *) = {
	do_map, do_unmap, do_unmap_all, do_attach, do_detach,
};

static void random_against_model(struct kunit *test)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, model);
	model->uaddr = test_touched(test, NR_PAGES);
	model->next = NOTHING + 1;
	prandom_seed_state(&model->rnd, 19700101);

	for (i = 0; i != NR_OPS; i++) {
		enum op op = dice(model, NR_KINDS);

		model->done[op] += do_op[op](test, model);
		test_validate(test);
		check_model(test, model);
	}
	for (i = 0; i != NR_KINDS; i++) {
		kunit_info(test, "%u times %s", model->done[i], op_names[i]);
		KUNIT_EXPECT_GE(test, model->done[i], 40);
	}
}

static struct kunit_case random_cases[] = {
	KUNIT_CASE(random_against_model),
	{}
};

static struct kunit_suite random_suite = {
	.name = "iopt-random",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = random_cases,
};

kunit_test_suite(random_suite);
