// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations of the random test on pins, user memory, dirty pages and orphans.
 */
#include <linux/iommu.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "random.h"
#include "space.h"

/* Drop the pins of one record, and expect that no other pins are dropped. */
static void unpin(struct random *random, struct random_pin *pin)
{
	unsigned long start = PAGES(pin->start);
	unsigned long last = last_byte(pin->start, pin->length);

	KUNIT_ASSERT_EQ(random->test, pin->length,
			iopt_access_unpin(pin->access->access, start, last));
	model_unpin(&random->model, pin->mapping, pin->start, pin->length);
	pin->access = NULL;
}

/*
 * Unmap callback of an access: expect that the range is a whole mapping, and
 * drop the pins of the access in that mapping.
 */
static void access_unmap(void *data, unsigned long start, unsigned long last)
{
	struct random_access *access = data;
	struct random *random = access->random;
	struct model *model = &random->model;
	struct model_mapping *mapping =
		model->space[access->space].at[start >> PAGE_SHIFT];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(random->test, mapping);
	KUNIT_ASSERT_EQ(random->test, PAGES(mapping->start), start);
	KUNIT_ASSERT_EQ(random->test,
			last_byte(mapping->start, mapping->length), last);
	access->notified[mapping - model->mapping]++;
	for (i = 0; i != RANDOM_PINS; i++) {
		struct random_pin *pin = &random->pin[i];

		if (pin->access != access || pin->mapping != mapping)
			continue;
		unpin(random, pin);
	}
}

const struct iopt_access_ops random_access_ops = { .unmap = access_unmap };

static struct random_pin *unused_pin(struct random *random)
{
	unsigned int i;

	for (i = 0; i != RANDOM_PINS; i++)
		if (!random->pin[i].access)
			return &random->pin[i];
	return NULL;
}

static int need_of(unsigned int flags)
{
	return (flags & IOPT_ACCESS_READ ? IOMMU_READ : 0) |
	       (flags & IOPT_ACCESS_WRITE ? IOMMU_WRITE : 0);
}

/*
 * Pin the pages in the model, and expect that the engine returned the same
 * pages.
 */
static void pinned_here(struct random *random, struct random_access *access,
			unsigned int start, unsigned int length,
			struct page **pages)
{
	struct model_space *space = &random->model.space[access->space];
	unsigned int i, n, page;

	for (i = start; i != start + length; i += n) {
		struct model_mapping *mapping = space->at[i];
		struct random_pin *pin = unused_pin(random);

		n = min(mapping->start + mapping->length, start + length) - i;
		model_pin(&random->model, mapping, i, n);
		*pin = (struct random_pin){ access, mapping, i, n };
		for (page = i; page != i + n; page++)
			KUNIT_ASSERT_EQ(random->test,
					mapping->memory->frame
					[mapping->first + page -
					 mapping->start],
					page_to_pfn(pages[page - start]));
	}
	model_mark(space, start, length);
}

bool random_do_pin(struct random *random)
{
	struct random_access *access =
		&random->access[dice(random, RANDOM_ACCESSES)];
	struct model_space *space = &random->model.space[access->space];
	unsigned int flags = dice(random, 4), done, unused = 0, i;
	unsigned int length = dice(random, MODEL_LENGTH) + 1, start;
	struct model_mapping *mapping = random_mapping(random, space);
	struct page *pages[MODEL_LENGTH];
	unsigned long first, last;
	int rc;

	for (i = 0; i != RANDOM_PINS; i++)
		unused += !random->pin[i].access;
	if (unused < MODEL_LENGTH || !mapping)
		return false;
	start = mapping->start + dice(random, mapping->length);
	length = min(length, MODEL_IOVAS - start);
	if (dice(random, 4))
		length = min(length, mapping->start + mapping->length - start);
	if (dice(random, 2))
		flags = 0;
	rc = model_check_access(space, start, length, need_of(flags), &done);
	first = PAGES(start);
	last = last_byte(start, length);
	if (dice(random, 2)) {
		flags |= IOPT_ACCESS_UNALIGNED;
		first += dice(random, PAGE_SIZE);
		last -= dice(random, PAGE_SIZE);
	}
	/* The unaligned range might end before it starts. */
	if (last < first)
		return false;

	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_access_pin(access->access, first, last, pages,
					flags));
	if (!rc) {
		pinned_here(random, access, start, length, pages);
		return true;
	}
	/*
	 * Pages that were pinned before the failure stay populated and dirty.
	 */
	model_look_again(&random->model);
	model_mark(space, start, done);
	return false;
}

bool random_do_unpin(struct random *random)
{
	struct random_access *access =
		&random->access[dice(random, RANDOM_ACCESSES)];
	struct model_space *space = &random->model.space[access->space];
	unsigned int start = dice(random, MODEL_IOVAS), i;
	struct random_pin *pin = random->pin;

	for (i = 0; i != RANDOM_PINS && !pin->access && dice(random, 64); i++)
		pin = &random->pin[i];

	if (pin->access) {
		unpin(random, pin);
		return true;
	}
	/* Unpinning where nothing is pinned or mapped has no effect. */
	if (!space->at[start] || !space->at[start]->pins)
		KUNIT_ASSERT_EQ(random->test, 0,
				iopt_access_unpin(access->access, PAGES(start),
						  last_byte(start, 1)));
	return false;
}

/* Return the expected content of an IOVA page. */
static u8 *content_at(struct random *random, const struct model_space *space,
		      unsigned int iova)
{
	return random->content + PAGES(model_slot(space, iova));
}

/*
 * Return the number of bytes of [@iova, @iova + @bytes) that are in IOVA page
 * @i. @offset receives the offset of the first of these bytes from @iova.
 */
static unsigned int piece(unsigned int i, unsigned long iova,
			  unsigned long bytes, unsigned long *offset)
{
	unsigned long start = max(PAGES(i), iova);

	*offset = start - iova;
	return min(PAGES(i + 1), iova + bytes) - start;
}

static bool access_rw(struct random *random, unsigned int flags)
{
	struct random_access *access =
		&random->access[dice(random, RANDOM_ACCESSES)];
	struct model *model = &random->model;
	struct model_space *space = &model->space[access->space];
	struct model_mapping *mapping = random_mapping(random, space);
	unsigned int start, length, done, i, n;
	unsigned long iova, bytes, offset;
	bool write = flags & IOPT_ACCESS_WRITE;
	int rc;

	start = mapping ? mapping->start + dice(random, mapping->length) :
			  dice(random, MODEL_IOVAS);
	iova = PAGES(start) + dice(random, PAGE_SIZE);
	bytes = min(PAGES(MODEL_IOVAS) - iova,
		    dice(random, dice(random, 2) ? 16 : PAGE_SIZE) + 1UL);
	length = (iova + bytes - 1) / PAGE_SIZE - start + 1;
	rc = model_check_access(space, start, length,
				need_of(flags ?: IOPT_ACCESS_READ), &done);
	if (write)
		prandom_bytes_state(&random->rnd, random->buffer, bytes);
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_access_rw(access->access, iova, random->buffer,
				       bytes, flags));
	for (i = start; i != start + done; i++) {
		u8 *content = content_at(random, space, i);
		unsigned int slot = (content - random->content) >> PAGE_SHIFT;

		n = piece(i, iova, bytes, &offset);
		content += (iova + offset) & ~PAGE_MASK;
		if (write) {
			memcpy(content, random->buffer + offset, n);
			if (model->absent & BIT_ULL(slot))
				model->now[slot] = 0;
			model->absent &= ~BIT_ULL(slot);
		} else {
			KUNIT_ASSERT_EQ(random->test, 0,
					memcmp(content, random->buffer + offset,
					       n));
		}
	}
	if (write)
		model_mark(space, start, done);
	return !rc;
}

bool random_do_read(struct random *random)
{
	return access_rw(random, dice(random, 2) ? IOPT_ACCESS_READ : 0);
}

bool random_do_write(struct random *random)
{
	return access_rw(random, IOPT_ACCESS_WRITE |
			 (dice(random, 4) ? 0 : IOPT_ACCESS_READ));
}

/*
 * Replace a page of the process. If the old page is pinned, it stays pinned.
 * The operation counts as a success only in that case.
 */
bool random_do_replace(struct random *random)
{
	struct model *model = &random->model;
	unsigned int slot = dice(random, MODEL_SLOTS);
	unsigned long addr = model->uaddr + PAGES(slot);
	bool pinned = model_frame_pins(model, model_now(model, slot));
	u64 value = prandom_u32_state(&random->rnd);

	KUNIT_ASSERT_EQ(random->test, 0, vm_munmap(addr, PAGE_SIZE));
	KUNIT_ASSERT_EQ(random->test, addr,
			vm_mmap(NULL, addr, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, 0));
	memset(random->content + PAGES(slot), 0, PAGE_SIZE);
	model->now[slot] = 0;
	model->absent |= BIT_ULL(slot);
	if (!dice(random, 4))
		return pinned;
	KUNIT_ASSERT_EQ(random->test, 0,
			copy_to_user((void __user *)addr, &value,
				     sizeof(value)));
	memcpy(random->content + PAGES(slot), &value, sizeof(value));
	model->absent &= ~BIT_ULL(slot);
	return pinned;
}

bool random_do_dirty_start(struct random *random)
{
	unsigned int s = random_space(random);
	bool tracking = random->model.space[s].tracking;

	KUNIT_ASSERT_EQ(random->test, 0, iopt_dirty_start(random->iopt[s]));
	model_track(&random->model.space[s], true);
	return !tracking;
}

bool random_do_dirty_stop(struct random *random)
{
	unsigned int s = random_space(random);
	bool tracking = random->model.space[s].tracking;

	iopt_dirty_stop(random->iopt[s]);
	model_track(&random->model.space[s], false);
	return tracking;
}

bool random_do_dirty_read(struct random *random)
{
	unsigned int s = random_space(random), start = 0, length = MODEL_IOVAS;
	struct model_space *space = &random->model.space[s];
	bool keep = !dice(random, 4);
	struct iopt_dirty_query query;
	unsigned int per_bit;
	u64 word;
	int rc;

	if (dice(random, 2))
		random_range(random, space, &start, &length);
	query = random_query(random, &per_bit, &word);
	rc = model_check_dirty(space, start, length, per_bit);
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_dirty_read(random->iopt[s], PAGES(start),
					last_byte(start, length), &query,
					keep ? IOPT_DIRTY_KEEP : 0));
	if (!rc)
		model_report(space, start, length, per_bit, keep, &word);
	random_expect_word(random, &query, word);
	return !rc;
}

bool random_do_untracked(struct random *random)
{
	unsigned int s = random_space(random);
	struct model_space *space = &random->model.space[s];
	bool tracked = dice(random, 2);

	if (!space->nr_untracked || !dice(random, 4)) {
		iopt_dirty_add_untracked(random->iopt[s]);
		space->nr_untracked++;
	} else {
		iopt_dirty_remove_untracked(random->iopt[s], tracked);
		model_remove_untracked(space, tracked);
	}
	return true;
}

bool random_do_orphan(struct random *random)
{
	unsigned int s = random_space(random), start, length, pages;
	struct model_space *space = &random->model.space[s];
	struct model_mapping *mapping = random_mapping(random, space);
	unsigned long bytes;
	int rc;

	random_range(random, space, &start, &length);
	if (mapping && dice(random, 2)) {
		start = mapping->start;
		length = mapping->length;
	}
	rc = model_check_orphan(space, start, length, &pages);
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_orphan(random->iopt[s], PAGES(start),
				    last_byte(start, length), &bytes));
	KUNIT_ASSERT_EQ(random->test, PAGES(pages), bytes);
	for (mapping = NULL; !rc && (mapping = model_next(space, start, length,
							  mapping));)
		mapping->orphan = true;
	KUNIT_ASSERT_EQ(random->test, model_orphans(space) != 0,
			iopt_has_orphans(random->iopt[s]));
	return !rc;
}

static struct model_mapping *find_orphan(const struct model_space *space)
{
	struct model_mapping *mapping = NULL;

	while ((mapping = model_next(space, 0, MODEL_IOVAS, mapping)))
		if (mapping->orphan)
			break;
	return mapping;
}

/*
 * Adopt an orphan at a new address, or try to adopt a mapping that is not an
 * orphan. If no space has an orphan, try to make one first.
 */
bool random_do_adopt(struct random *random)
{
	struct model_mapping *mapping;
	struct model_space *space;
	unsigned int s, slot;
	int rc;

	if (!model_orphans(&random->model.space[0]) &&
	    !model_orphans(&random->model.space[1]))
		random_do_orphan(random);
	s = random_space(random);
	if (!model_orphans(&random->model.space[s]))
		s = !s;
	space = &random->model.space[s];
	mapping = find_orphan(space);
	if (!mapping || !dice(random, 16))
		mapping = random_mapping(random, space);
	if (!mapping)
		return false;
	slot = dice(random, MODEL_SLOTS - mapping->length + 1);
	rc = mapping->orphan ? 0 : -EINVAL;
	KUNIT_ASSERT_EQ(random->test, rc,
			iopt_adopt(random->iopt[s], PAGES(mapping->start),
				   last_byte(mapping->start, mapping->length),
				   (void __user *)random->model.uaddr +
				   PAGES(slot), random_account(random)));
	if (rc)
		return false;
	mapping->orphan = false;
	/*
	 * The mapping may cover only a slice of its memory, and the adopted
	 * address is that of the slice.
	 */
	mapping->memory->slot = slot - mapping->first;
	return true;
}
