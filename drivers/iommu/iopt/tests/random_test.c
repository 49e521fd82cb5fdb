// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations compared with a plain model.
 *
 * The test uses two spaces, three accesses and four domains, one of which has a
 * small aperture. All of them share a few pages of memory. After each operation
 * the test validates the spaces and compares the engine with the model: the
 * return value, the page tables, the pin count of each page and the charges.
 * The comparison is limited to what the operation changed, but covers
 * everything after every 16th operation.
 *
 * Module parameters:
 *  iopt_test.ops=N   number of operations; 300000 take minutes
 *  iopt_test.seed=N  seed of the random number generator
 *
 * A test case has a timeout of 300 s, so the operations are split into parts.
 * Each part starts from an empty state with its own seed.
 */
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>

#include "../io_pagetable.h"
#include "../reserve.h"
#include "../validate.h"
#include "random.h"
#include "space.h"

#define PART	10000U
#define FULL	16U

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopt_test."

static unsigned int ops = PART;
module_param(ops, uint, 0444);
static unsigned int seed = 19700101;
module_param(seed, uint, 0444);

static unsigned int tried[RANDOM_KINDS], succeeded[RANDOM_KINDS];

/* Reserve the IOVAs that the model does not represent. */
static int reserve_rest(struct random *random, struct io_pagetable *iopt)
{
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_reserve_iova(iopt, PAGES(MODEL_IOVAS), ULONG_MAX, random);
	mutex_unlock(&iopt->lock);
	return rc;
}

static void unreserve_all(struct random *random, struct io_pagetable *iopt)
{
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, random);
	iopt_unreserve_iova(iopt, &random->owner[0]);
	iopt_unreserve_iova(iopt, &random->owner[1]);
	mutex_unlock(&iopt->lock);
}

static int random_test_init(struct kunit *test)
{
	const struct iopt_policy policy[MODEL_SPACES] = {
		{ .gfp = GFP_KERNEL, .max_areas = UINT_MAX },
		{ .gfp = GFP_KERNEL, .max_areas = 8 },
	};
	struct random *random;
	unsigned int i;

	test_user_mm(test);
	random_set_limit(RLIM_INFINITY);
	random = kunit_kzalloc(test, sizeof(*random), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, random);
	test->priv = random;
	random->test = test;
	random->charged = test_charged();
	random->bitmap = test_touched(test, 1);
	random->buffer = kunit_kzalloc(test, 2 * PAGE_SIZE, GFP_KERNEL);
	random->content = kunit_kzalloc(test, PAGES(MODEL_SLOTS), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, random->buffer);
	KUNIT_ASSERT_NOT_NULL(test, random->content);
	model_init(&random->model, test, test_touched(test, MODEL_SLOTS));
	for (i = 0; i != MODEL_SLOTS; i++)
		*(unsigned long *)(random->content + PAGES(i)) = i;

	for (i = 0; i != MODEL_SPACES; i++) {
		struct io_pagetable *iopt = iopt_alloc(&policy[i]);

		KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
		random->iopt[i] = iopt;
		random->model.space[i].max = policy[i].max_areas;
		KUNIT_ASSERT_EQ(test, 0, reserve_rest(random, iopt));
	}
	KUNIT_ASSERT_EQ(test, 0,
			iopt_set_max_iopte(random->iopt[1], PAGE_SIZE));
	for (i = 0; i != RANDOM_DOMAINS; i++)
		random->mock[i] = mock_domain_alloc(test);
	random->mock[2]->domain.geometry.aperture_start = PAGES(4);
	random->mock[2]->domain.geometry.aperture_end = PAGES(48) - 1;
	random->outside[2] = ~model_bits(4, 44);
	for (i = 0; i != RANDOM_ACCESSES; i++) {
		struct random_access *access = &random->access[i];

		access->random = random;
		access->space = i == RANDOM_ACCESSES - 1;
		access->access = iopt_access_create(random->iopt[access->space],
						    &random_access_ops, access);
		KUNIT_ASSERT_FALSE(test, IS_ERR(access->access));
	}
	return 0;
}

static bool part_failed(struct kunit *test)
{
	return READ_ONCE(test->status) == KUNIT_FAILURE;
}

/* Skip the cleanup after a failure, because the cleanup might block. */
static void random_test_exit(struct kunit *test)
{
	struct random *random = test->priv;
	unsigned int i;

	random_set_limit(RLIM_INFINITY);
	if (!random || part_failed(test))
		return;
	for (i = 0; i != RANDOM_DOMAINS; i++)
		if (random->mock[i]->attached)
			iopt_detach_domain(random->iopt[random_space_of(i)],
					   &random->mock[i]->domain);
	for (i = 0; i != MODEL_SPACES; i++) {
		unsigned long bytes;

		KUNIT_EXPECT_EQ(test, 0, iopt_unmap(random->iopt[i], 0,
						    ULONG_MAX, &bytes));
	}
	for (i = 0; i != RANDOM_PINS; i++)
		KUNIT_EXPECT_PTR_EQ(test, NULL, random->pin[i].access);
	for (i = 0; i != RANDOM_ACCESSES; i++)
		iopt_access_destroy(random->access[i].access);
	for (i = 0; i != MODEL_SPACES; i++) {
		unreserve_all(random, random->iopt[i]);
		iopt_free(random->iopt[i]);
	}
	KUNIT_EXPECT_EQ(test, random->charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
}

/*
 * Expect that domain @d translates the IOVA pages in bitmap @iovas as the model
 * does.
 */
static void check_ptes(struct random *random, unsigned int d, u64 iovas)
{
	struct model_space *space = &random->model.space[random_space_of(d)];
	struct mock_domain *mock = random->mock[d];
	unsigned int i;

	for (; iovas; iovas &= iovas - 1) {
		unsigned long frame = 0;
		int prot = 0;

		i = __ffs64(iovas);
		if (space->at[i]) {
			struct model_mapping *mapping = space->at[i];

			frame = mapping->memory->frame[mapping->first + i -
						       mapping->start];
			prot = mapping->prot;
		}
		KUNIT_ASSERT_EQ(random->test, frame,
				mock_domain_pfn(mock, PAGES(i)));
		KUNIT_ASSERT_EQ(random->test, prot,
				mock_domain_prot(mock, PAGES(i)));
	}
}

static void check_domains(struct random *random, bool full)
{
	struct model *model = &random->model;
	unsigned int d, i, nr[MODEL_SPACES] = {};

	for (i = 0; i != MODEL_SPACES * MODEL_IOVAS; i++)
		nr[i / MODEL_IOVAS] +=
			model->space[i / MODEL_IOVAS].at[i % MODEL_IOVAS] !=
			NULL;
	for (d = 0; d != RANDOM_DOMAINS; d++) {
		unsigned int s = random_space_of(d);

		if (!random->mock[d]->attached)
			continue;
		KUNIT_ASSERT_EQ(random->test, nr[s],
				random->mock[d]->nr_ptes);
		check_ptes(random, d, full ? ~0ULL : model->space[s].changed);
	}
	for (i = 0; i != MODEL_SPACES; i++)
		model->space[i].changed = 0;
}

static void check_frame(struct random *random, unsigned long frame)
{
	if (frame != random->model.zero)
		KUNIT_ASSERT_EQ(random->test,
				model_frame_pins(&random->model, frame),
				test_pins(frame));
}

static void check_pins(struct random *random, bool full)
{
	struct model *model = &random->model;
	unsigned int i;

	for (i = 0; i != model->nr_touched; i++)
		check_frame(random, model->touched[i]);
	for (i = 0; full && i != model->nr_frames; i++)
		check_frame(random, model->frame[i]);
	for (i = 0; full && i != MODEL_SLOTS; i++)
		check_frame(random, model_now(model, i));
	model->nr_touched = 0;
}

static void check_charges(struct random *random)
{
	const unsigned long *charged = random->model.charged;

	KUNIT_ASSERT_EQ(random->test,
			random->charged + charged[IOPT_ACCOUNT_USER],
			test_charged());
	KUNIT_ASSERT_EQ(random->test, charged[IOPT_ACCOUNT_USER] +
			charged[IOPT_ACCOUNT_NONE],
			atomic64_read(&current->mm->pinned_vm));
	KUNIT_ASSERT_EQ(random->test, charged[IOPT_ACCOUNT_MM] +
			charged[IOPT_ACCOUNT_MM_UNLIMITED],
			current->mm->locked_vm);
}

/*
 * Compare the usable IOVAs, and the number of mappings that can still be added,
 * with the model.
 */
static void check_queries(struct random *random, unsigned int s)
{
	struct model_space *space = &random->model.space[s];
	struct iopt_range range[MODEL_IOVAS / 2 + 1];
	unsigned int nr, i;
	u64 usable = 0;

	nr = iopt_iova_ranges(random->iopt[s], range, ARRAY_SIZE(range));
	KUNIT_ASSERT_LE(random->test, nr, ARRAY_SIZE(range));
	for (i = 0; i != nr; i++)
		usable |= GENMASK_ULL(range[i].last >> PAGE_SHIFT,
				      range[i].start >> PAGE_SHIFT);
	KUNIT_ASSERT_EQ(random->test, ~model_reserved(space), usable);
	KUNIT_ASSERT_EQ(random->test, space->max - space->nr,
			iopt_mappings_left(random->iopt[s]));
}

static void check(struct random *random, bool full)
{
	unsigned int i;

	for (i = 0; i != MODEL_SPACES; i++) {
		KUNIT_ASSERT_STREQ(random->test, "",
				   iopt_validate(random->iopt[i]) ?: "");
		if (full)
			check_queries(random, i);
	}
	check_domains(random, full);
	check_pins(random, full);
	check_charges(random);
}

static const struct random_kind *dice_kind(struct random *random)
{
	unsigned int i, at, weights = 0;

	for (i = 0; i != RANDOM_KINDS; i++)
		weights += random_kinds[i].weight;
	at = dice(random, weights);
	for (i = 0; at >= random_kinds[i].weight; i++)
		at -= random_kinds[i].weight;
	return &random_kinds[i];
}

static const void *next_part(const void *previous, char *name)
{
	unsigned long part = (unsigned long)previous;

	if (part * PART >= ops)
		return NULL;
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "seed %lu", seed + part);
	return (void *)(part + 1);
}

/* Random operations have the effect on the engine that the model predicts. */
static void random_against_model(struct kunit *test)
{
	unsigned long part = (unsigned long)test->param_value - 1;
	struct random *random = test->priv;
	unsigned int i, n = min_t(unsigned long, PART, ops - part * PART);

	prandom_seed_state(&random->rnd, seed + part);
	for (i = 1; i <= n; i++) {
		const struct random_kind *kind = dice_kind(random);

		tried[kind - random_kinds]++;
		succeeded[kind - random_kinds] += kind->op(random);
		check(random, i % FULL == 0 || i == n);
		cond_resched();
	}
}

/*
 * Each kind of operation succeeds at least ops / 90 times. Otherwise the test
 * would hardly cover it. If there are few operations, this depends on chance.
 */
static void each_kind_succeeds(struct kunit *test)
{
	unsigned int i;

	/* kunit_skip() would end the thread that random_test_exit() needs. */
	if (ops < PART) {
		kunit_mark_skipped(test, "needs iopt_test.ops=%u or more",
				   PART);
		return;
	}
	kunit_info(test, "%-24s%10s%10s", "random operations", "tried",
		   "succeeded");
	for (i = 0; i != RANDOM_KINDS; i++) {
		kunit_info(test, "%-24s%10u%10u", random_kinds[i].name,
			   tried[i], succeeded[i]);
		KUNIT_EXPECT_GE_MSG(test, succeeded[i], ops / 90, "%s",
				    random_kinds[i].name);
	}
}

static struct kunit_case random_cases[] = {
	KUNIT_CASE_PARAM(random_against_model, next_part),
	KUNIT_CASE(each_kind_succeeds),
	{}
};

static struct kunit_suite random_suite = {
	.name = "iopt-random",
	.init = random_test_init,
	.exit = random_test_exit,
	.test_cases = random_cases,
};

kunit_test_suite(random_suite);
