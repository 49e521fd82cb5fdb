// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations of the random test.
 *
 * Each operation chooses random arguments, predicts the result with the model,
 * makes the call, compares the results, and applies the operation to the model.
 */
#include <linux/iommu.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "../io_pagetable.h"
#include "../reserve.h"
#include "random.h"
#include "space.h"

/* Choose the index of a space: 0 in three of four cases. */
unsigned int random_space(struct random *random)
{
	return !dice(random, 4);
}

static int dice_prot(struct random *random)
{
	static const int prots[] = { TEST_RW, TEST_RW, TEST_RW, IOMMU_WRITE,
				     IOMMU_READ };

	return prots[dice(random, ARRAY_SIZE(prots))];
}

enum iopt_account random_account(struct random *random)
{
	return dice(random, 2) ? IOPT_ACCOUNT_USER :
				 dice(random, MODEL_ACCOUNTS);
}

/* Choose a mapping of a space, or return NULL if there is none. */
struct model_mapping *random_mapping(struct random *random,
				     const struct model_space *space)
{
	unsigned int start = dice(random, MODEL_IOVAS);

	return model_next(space, start, MODEL_IOVAS - start, NULL) ?:
	       model_next(space, 0, MODEL_IOVAS, NULL);
}

void random_set_limit(unsigned long pages)
{
	test_set_memlock(pages == RLIM_INFINITY ? pages : PAGES(pages));
}

static bool map_here(struct random *random, bool fixed, int prot)
{
	unsigned int s = random_space(random);
	struct model_space *space = &random->model.space[s];
	unsigned int length = dice(random, MODEL_LENGTH) + 1;
	unsigned int slot = dice(random, MODEL_SLOTS - length + 1);
	unsigned int start = dice(random, MODEL_IOVAS - length + 1);
	enum iopt_account account = random_account(random);
	unsigned long iova = PAGES(start);
	int rc;

	if (fixed)
		rc = model_check_fixed(space, start, length, 1);
	else
		rc = model_choose(&random->model, space, slot, length, 1,
				  &start);
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_map_user(random->iopt[s], &iova,
				      (void __user *)random->model.uaddr +
				      PAGES(slot), PAGES(length), prot,
				      account, fixed ? IOPT_MAP_FIXED : 0));
	if (rc)
		return false;
	KUNIT_ASSERT_EQ(random->test, PAGES(start), iova);
	model_map(&random->model, space, start, slot, length, prot, account);
	return true;
}

static bool do_map_fixed(struct random *random)
{
	return map_here(random, true, dice(random, 8) ? TEST_RW : IOMMU_WRITE);
}

static bool do_map_anywhere(struct random *random)
{
	return map_here(random, false, dice_prot(random));
}

static bool do_map_read_only(struct random *random)
{
	return map_here(random, dice(random, 2), IOMMU_READ);
}

static bool copy_here(struct random *random, unsigned int from_space,
		      unsigned int to_space)
{
	struct model_space *src = &random->model.space[from_space];
	struct model_space *dst = &random->model.space[to_space];
	struct model_mapping *mapping = random_mapping(random, src);
	unsigned int length = dice(random, MODEL_LENGTH) + 1;
	unsigned int start = dice(random, MODEL_IOVAS - length + 1);
	unsigned int flags = dice(random, 2) ? IOPT_MAP_FIXED : 0;
	unsigned int to = start, nr;
	unsigned long iova = PAGES(to);
	int prot = dice_prot(random), rc;

	/*
	 * Mostly copy from existing mappings, with a protection that they
	 * allow.
	 */
	if (mapping && dice(random, 8)) {
		start = mapping->start + dice(random, mapping->length);
		length = min(length, MODEL_IOVAS - start);
		if (dice(random, 2))
			length = min(length, mapping->start + mapping->length -
					     start);
		if (dice(random, 4) && !mapping->memory->writable)
			prot = IOMMU_READ;
	}
	rc = model_check_copy(src, start, length, prot, &nr);
	if (!rc && flags)
		rc = model_check_fixed(dst, to, length, nr);
	else if (!rc)
		rc = model_choose(&random->model, dst, model_slot(src, start),
				  length, nr, &to);
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_copy(random->iopt[to_space], &iova,
				  random->iopt[from_space], PAGES(start),
				  PAGES(length), prot, flags));
	if (rc)
		return false;
	KUNIT_ASSERT_EQ(random->test, PAGES(to), iova);
	model_copy(&random->model, dst, to, src, start, length, prot);
	return true;
}

static bool do_copy(struct random *random)
{
	unsigned int s = random_space(random);

	return copy_here(random, s, s);
}

static bool do_copy_across(struct random *random)
{
	unsigned int s = dice(random, 2);

	return copy_here(random, s, !s);
}

/*
 * Expect that unmaps of @mapping have notified every access of space @s
 * @notified times, and no access of the other space. Reset the counters.
 */
static void expect_notified(struct random *random, unsigned int s,
			    const struct model_mapping *mapping,
			    unsigned int notified)
{
	unsigned int i;

	for (i = 0; i != RANDOM_ACCESSES; i++) {
		struct random_access *access = &random->access[i];
		unsigned int *count =
			&access->notified[mapping - random->model.mapping];

		KUNIT_ASSERT_EQ(random->test, access->space == s ? notified : 0,
				*count);
		*count = 0;
	}
}

/*
 * Unmap a range, and report dirty pages if @query is not NULL. A @length of 0
 * stands for the whole space. @rc is the expected errno of the query, or 0.
 * Return the result of the unmap. If it is 0, the caller unmaps the range in
 * the model.
 */
static int unmap_here(struct random *random, unsigned int s,
		      unsigned int start, unsigned int length,
		      const struct iopt_dirty_query *query, int rc)
{
	struct model *model = &random->model;
	struct model_space *space = &model->space[s];
	unsigned long first = PAGES(start), last = last_byte(start, length);
	DECLARE_BITMAP(pinned, MODEL_MAPPINGS) = {};
	struct model_mapping *mapping = NULL;
	unsigned int mapped, got;
	unsigned long bytes;

	if (!length) {
		length = MODEL_IOVAS;
		last = ULONG_MAX;
	}
	got = model_check_unmap(space, start, length, &mapped);
	if (!rc)
		rc = last == ULONG_MAX ? 0 : got;
	while ((mapping = model_next(space, start, length, mapping)))
		__assign_bit(mapping - model->mapping, pinned, mapping->pins);

	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_unmap_dirty(random->iopt[s], first, last, query,
					 &bytes));
	KUNIT_ASSERT_EQ(random->test, rc ? 0 : PAGES(mapped), bytes);
	while ((mapping = model_next(space, start, length, mapping)))
		expect_notified(random, s, mapping,
				!rc && test_bit(mapping - model->mapping,
						pinned));
	return rc;
}

/* Choose a range of IOVA pages. Most ranges contain mappings and split none. */
void random_range(struct random *random, const struct model_space *space,
		  unsigned int *start, unsigned int *length)
{
	struct model_mapping *mapping = random_mapping(random, space);

	*start = mapping && dice(random, 4) ? mapping->start :
					      dice(random, MODEL_IOVAS);
	*length = dice(random, min(MODEL_IOVAS - *start, 12U)) + 1;
	while (dice(random, 8) && model_crosses(space, *start) && *length > 1) {
		++*start;
		--*length;
	}
	while (dice(random, 8) && model_crosses(space, *start + *length))
		++*length;
}

static bool do_unmap(struct random *random)
{
	unsigned int s = random_space(random), start, length;
	struct model_space *space = &random->model.space[s];

	random_range(random, space, &start, &length);
	if (unmap_here(random, s, start, length, NULL, 0))
		return false;
	model_unmap(&random->model, space, start, length);
	return true;
}

static bool do_unmap_all(struct random *random)
{
	unsigned int s = random_space(random);

	unmap_here(random, s, 0, 0, NULL, 0);
	model_unmap(&random->model, &random->model.space[s], 0, MODEL_IOVAS);
	return true;
}

/*
 * Return a dirty query with a bitmap at a random address. @per_bit receives the
 * number of pages that one bit covers, and @word the random initial content of
 * the bitmap.
 */
struct iopt_dirty_query random_query(struct random *random,
				     unsigned int *per_bit, u64 *word)
{
	static const unsigned int sizes[] = { 1, 1, 1, 1, 1, 1, 2, 4 };
	unsigned long addr = random->bitmap + dice(random, 64);

	*per_bit = sizes[dice(random, ARRAY_SIZE(sizes))];
	*word = (u64)prandom_u32_state(&random->rnd) << 32 |
		prandom_u32_state(&random->rnd);
	KUNIT_ASSERT_EQ(random->test, 0,
			copy_to_user((void __user *)addr, word,
				     sizeof(*word)));
	return (struct iopt_dirty_query){
		.bitmap = (u64 __user *)addr,
		.pgsize = PAGES(*per_bit),
	};
}

void random_expect_word(struct random *random,
			const struct iopt_dirty_query *query, u64 word)
{
	u64 reported;

	KUNIT_ASSERT_EQ(random->test, 0,
			copy_from_user(&reported, query->bitmap,
				       sizeof(reported)));
	KUNIT_ASSERT_EQ(random->test, word, reported);
}

static bool do_unmap_dirty(struct random *random)
{
	unsigned int s = random_space(random), start, length, per_bit;
	struct model_space *space = &random->model.space[s];
	struct iopt_dirty_query query;
	u64 word;
	int rc;

	random_range(random, space, &start, &length);
	query = random_query(random, &per_bit, &word);
	rc = model_check_dirty(space, start, length, per_bit);
	rc = unmap_here(random, s, start, length, &query, rc);
	if (!rc)
		model_report(space, start, length, per_bit, false, &word);
	random_expect_word(random, &query, word);
	if (rc)
		return false;
	model_unmap(&random->model, space, start, length);
	return true;
}

/*
 * Choose an attached domain if @attached is true, otherwise one that is not
 * attached. Return RANDOM_DOMAINS if there is none.
 */
static unsigned int dice_domain(struct random *random, bool attached)
{
	unsigned int at = dice(random, RANDOM_DOMAINS), i;

	for (i = 0; i != RANDOM_DOMAINS; i++)
		if (random->mock[(at + i) % RANDOM_DOMAINS]->attached ==
		    attached)
			return (at + i) % RANDOM_DOMAINS;
	return RANDOM_DOMAINS;
}

static bool attach_here(struct random *random, unsigned int d, int rc)
{
	struct mock_domain *mock = random->mock[d];
	unsigned int s = random_space_of(d);

	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_attach_domain(random->iopt[s], &mock->domain));
	if (rc) {
		KUNIT_ASSERT_EQ(random->test, 0, mock->nr_ptes);
		return false;
	}
	mock->attached = true;
	model_attach(&random->model, &random->model.space[s], d,
		     random->outside[d]);
	return true;
}

static bool do_attach(struct random *random)
{
	unsigned int d = dice_domain(random, false);

	if (d == RANDOM_DOMAINS)
		return false;
	return attach_here(random, d, model_check_attach(&random->model.space
					[random_space_of(d)],
					random->outside[d]));
}

static bool do_detach(struct random *random)
{
	unsigned int d = dice_domain(random, true), s;

	if (d == RANDOM_DOMAINS)
		return false;
	s = random_space_of(d);
	iopt_detach_domain(random->iopt[s], &random->mock[d]->domain);
	random->mock[d]->attached = false;
	KUNIT_ASSERT_EQ(random->test, 0, random->mock[d]->nr_ptes);
	model_detach(&random->model, &random->model.space[s], d);
	return true;
}

static bool do_allow(struct random *random)
{
	unsigned int s = random_space(random), i, nr = dice(random, 4);
	struct model_space *space = &random->model.space[s];
	struct iopt_range pages[MODEL_ALLOWED], bytes[MODEL_ALLOWED];
	int rc;

	for (i = 0; i != nr; i++) {
		pages[i].start = dice(random, MODEL_IOVAS);
		pages[i].last = min(MODEL_IOVAS - 1UL, pages[i].start +
				    dice(random, MODEL_IOVAS / nr));
		bytes[i].start = PAGES(pages[i].start);
		bytes[i].last = PAGES(pages[i].last + 1) - 1;
		if (!dice(random, 16)) {
			swap(pages[i].start, pages[i].last);
			swap(bytes[i].start, bytes[i].last);
		}
	}
	rc = model_check_allow(space, pages, nr);
	/*
	 * A range may be reversed within a single page, which the model cannot
	 * represent.
	 */
	for (i = 0; i != nr; i++)
		if (bytes[i].last < bytes[i].start)
			rc = -EINVAL;
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_allow_iova(random->iopt[s], bytes, nr));
	if (rc)
		return false;
	memcpy(space->allowed, pages, sizeof(pages));
	space->nr_allowed = nr;
	return true;
}

static bool do_reserve(struct random *random)
{
	unsigned int s = random_space(random), i = dice(random, 2);
	struct model_space *space = &random->model.space[s];
	struct io_pagetable *iopt = random->iopt[s];
	unsigned int length = dice(random, 3) + 1;
	unsigned int start = dice(random, MODEL_IOVAS - length + 1);
	u64 bits = model_bits(start, length);
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_reserve_iova(iopt, PAGES(start), last_byte(start, length),
			       &random->owner[i]);
	mutex_unlock(&iopt->lock);
	KUNIT_ASSERT_EQ(random->test, model_check_reserve(space, bits), rc);
	if (!rc)
		space->reserved[RANDOM_OWNER + i] |= bits;
	return !rc;
}

static bool do_unreserve(struct random *random)
{
	unsigned int s = random_space(random), i = dice(random, 2);
	struct io_pagetable *iopt = random->iopt[s];
	u64 *bits = &random->model.space[s].reserved[RANDOM_OWNER];
	bool some;

	if (!bits[i])
		i = !i;
	bits += i;
	some = *bits;
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, &random->owner[i]);
	mutex_unlock(&iopt->lock);
	*bits = 0;
	return some;
}

/*
 * Attach a domain with an RLIMIT_MEMLOCK that is one page too low, then with
 * one that is just high enough.
 */
static bool limit_attach(struct random *random)
{
	unsigned int d = dice_domain(random, false), need;
	struct model *model = &random->model;
	struct model_space *space;
	unsigned long charged;

	if (d == RANDOM_DOMAINS)
		return false;
	space = &model->space[random_space_of(d)];
	need = model_need(model, space, IOPT_ACCOUNT_USER);
	/*
	 * If the space has untracked devices, a failed attach makes pages dirty
	 * that such a device could have written to, which the model does not
	 * predict.
	 */
	if (!need || model_need(model, space, IOPT_ACCOUNT_MM) ||
	    space->nr_untracked ||
	    model_check_attach(space, random->outside[d]))
		return false;
	charged = random->charged + model->charged[IOPT_ACCOUNT_USER];
	random_set_limit(charged + need - 1);
	attach_here(random, d, -ENOMEM);
	KUNIT_ASSERT_EQ(random->test, charged, test_charged());
	model_look_again(model);
	need = model_need(model, space, IOPT_ACCOUNT_USER);
	if (!model_need(model, space, IOPT_ACCOUNT_MM)) {
		random_set_limit(charged + need);
		attach_here(random, d, 0);
	}
	return true;
}

/*
 * Map with an RLIMIT_MEMLOCK that is one page too low, then with one that is
 * just high enough.
 */
static bool limit_map(struct random *random)
{
	unsigned int s = random_space(random), start;
	struct model_space *space = &random->model.space[s];
	unsigned int length = dice(random, MODEL_LENGTH) + 1;
	unsigned int slot = dice(random, MODEL_SLOTS - length + 1);
	unsigned long charged = random->charged +
				random->model.charged[IOPT_ACCOUNT_USER];
	unsigned long uaddr = random->model.uaddr + PAGES(slot);

	if (!space->nr_domains ||
	    model_choose(&random->model, space, slot, length, 1, &start))
		return false;
	random_set_limit(charged + length - 1);
	KUNIT_ASSERT_EQ(random->test, -ENOMEM,
			test_map(random->iopt[s], PAGES(start), uaddr, length));
	KUNIT_ASSERT_EQ(random->test, charged, test_charged());
	random_set_limit(charged + length);
	KUNIT_ASSERT_EQ(random->test, 0,
			test_map(random->iopt[s], PAGES(start), uaddr, length));
	model_look_again(&random->model);
	model_map(&random->model, space, start, slot, length, TEST_RW,
		  IOPT_ACCOUNT_USER);
	return true;
}

static bool do_limit(struct random *random)
{
	bool done = limit_attach(random) || limit_map(random);

	random_set_limit(RLIM_INFINITY);
	return done;
}

const struct random_kind random_kinds[RANDOM_KINDS] = {
	{ "map fixed", do_map_fixed, 9 },
	{ "map anywhere", do_map_anywhere, 6 },
	{ "map read-only", do_map_read_only, 7 },
	{ "copy", do_copy, 14 },
	{ "copy to another space", do_copy_across, 14 },
	{ "unmap a range", do_unmap, 8 },
	{ "unmap all", do_unmap_all, 5 },
	{ "unmap and read dirty", do_unmap_dirty, 17 },
	{ "attach", do_attach, 12 },
	{ "detach", do_detach, 6 },
	{ "allow ranges", do_allow, 9 },
	{ "reserve", do_reserve, 8 },
	{ "unreserve", do_unreserve, 15 },
	{ "pin", random_do_pin, 13 },
	{ "unpin", random_do_unpin, 19 },
	{ "read", random_do_read, 8 },
	{ "write", random_do_write, 11 },
	{ "replace pinned memory", random_do_replace, 15 },
	{ "start tracking", random_do_dirty_start, 14 },
	{ "stop tracking", random_do_dirty_stop, 8 },
	{ "read dirty", random_do_dirty_read, 11 },
	{ "untracked devices", random_do_untracked, 5 },
	{ "orphan", random_do_orphan, 13 },
	{ "adopt", random_do_adopt, 10 },
	{ "reach the limit", do_limit, 7 },
};
