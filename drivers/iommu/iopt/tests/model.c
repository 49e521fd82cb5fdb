// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model of spaces (see model.h): mappings, domains, accesses, dirty pages and
 * orphans.
 *
 * The model never reads the state of the engine. It looks up the current pages
 * of the user's memory in the process.
 */
#include <linux/iommu.h>
#include <linux/log2.h>

#include "model.h"
#include "user_mm.h"

void model_init(struct model *model, struct kunit *test, unsigned long uaddr)
{
	unsigned int i;

	model->test = test;
	model->uaddr = uaddr;
	model->zero = page_to_pfn(ZERO_PAGE(0));
	for (i = 0; i != MODEL_SPACES; i++)
		model->space[i].max = UINT_MAX;
}

/*
 * Return the frame that is currently in a slot. Look it up only if it is not
 * cached in @model->now.
 */
unsigned long model_now(struct model *model, unsigned int slot)
{
	if (!model->now[slot])
		model->now[slot] = test_user_pfn(model->test, model->uaddr +
						 (slot << PAGE_SHIFT));
	return model->now[slot];
}

/*
 * Look up the absent slots again, because a failed call may have populated
 * some.
 */
void model_look_again(struct model *model)
{
	unsigned int slot;

	for (slot = 0; slot != MODEL_SLOTS; slot++) {
		if (!(model->absent & BIT_ULL(slot)))
			continue;
		model->now[slot] = 0;
		if (model_now(model, slot) != model->zero)
			model->absent &= ~BIT_ULL(slot);
	}
}

static unsigned int frame_find(const struct model *model, unsigned long frame)
{
	unsigned int i;

	for (i = 0; i != model->nr_frames && model->frame[i] != frame; i++)
		;
	return i;
}

unsigned int model_frame_pins(const struct model *model, unsigned long frame)
{
	unsigned int i = frame_find(model, frame);

	return i == model->nr_frames ? 0 : model->frame_pins[i];
}

static void frame_pin(struct model *model, unsigned long frame, int change)
{
	unsigned int i = frame_find(model, frame);

	if (i == model->nr_frames) {
		KUNIT_ASSERT_LT(model->test, i, MODEL_FRAMES);
		model->frame[model->nr_frames++] = frame;
		model->frame_pins[i] = 0;
	}
	model->frame_pins[i] += change;
	if (!model->frame_pins[i]) {
		model->nr_frames--;
		model->frame[i] = model->frame[model->nr_frames];
		model->frame_pins[i] = model->frame_pins[model->nr_frames];
	}
	if (model->nr_touched != MODEL_FRAMES)
		model->touched[model->nr_touched++] = frame;
}

/*
 * Add a user of page @i. @count points to the counter of the page in
 * @memory->held or @memory->pinned. The first user pins and charges the page,
 * which populates an absent slot.
 */
static void page_get(struct model *model, struct model_memory *memory,
		     unsigned int i, unsigned int *count)
{
	u64 slot = BIT_ULL(memory->slot + i);

	if ((*count)++ || memory->held[i] + memory->pinned[i] != 1)
		return;
	if (model->absent & slot)
		model->now[memory->slot + i] = 0;
	model->absent &= ~slot;
	memory->frame[i] = model_now(model, memory->slot + i);
	frame_pin(model, memory->frame[i], 1);
	model->charged[memory->account]++;
}

static void page_put(struct model *model, struct model_memory *memory,
		     unsigned int i, unsigned int *count)
{
	if (--*count || memory->held[i] + memory->pinned[i])
		return;
	frame_pin(model, memory->frame[i], -1);
	model->charged[memory->account]--;
	memory->frame[i] = 0;
}

static void mapping_hold(struct model *model, struct model_mapping *mapping)
{
	struct model_memory *memory = mapping->memory;
	unsigned int i, last = mapping->first + mapping->length;

	for (i = mapping->first; i != last; i++)
		page_get(model, memory, i, &memory->held[i]);
}

static void mapping_drop(struct model *model, struct model_mapping *mapping)
{
	struct model_memory *memory = mapping->memory;
	unsigned int i, last = mapping->first + mapping->length;

	for (i = mapping->first; i != last; i++)
		page_put(model, memory, i, &memory->held[i]);
}

static u64 space_mapped(const struct model_space *space)
{
	u64 mapped = 0;
	unsigned int i;

	for (i = 0; i != MODEL_IOVAS; i++)
		if (space->at[i])
			mapped |= BIT_ULL(i);
	return mapped;
}

u64 model_reserved(const struct model_space *space)
{
	u64 reserved = 0;
	unsigned int i;

	for (i = 0; i != MODEL_OWNERS; i++)
		reserved |= space->reserved[i];
	return reserved;
}

/*
 * Return true if the engine may choose these IOVAs if they are free. It never
 * chooses page 0, which only a fixed mapping can use.
 */
bool model_allows(const struct model_space *space, unsigned int start,
		  unsigned int length)
{
	unsigned int i;

	if (!start)
		return false;
	for (i = 0; i != space->nr_allowed; i++)
		if (start >= space->allowed[i].start &&
		    start + length - 1 <= space->allowed[i].last)
			return true;
	return !space->nr_allowed;
}

/*
 * Predict the result of inserting @nr mappings, which have @length pages in
 * total, at IOVA page @start.
 */
int model_check_fixed(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int nr)
{
	u64 bits = model_bits(start, length);

	if (bits & model_reserved(space))
		return -EINVAL;
	if (bits & space_mapped(space))
		return -EEXIST;
	return nr > space->max - space->nr ? -ENOSPC : 0;
}

/* Find the lowest free IOVAs that are aligned like the memory at @page. */
static bool find_free(const struct model_space *space, unsigned long page,
		      unsigned int length, unsigned int align,
		      unsigned int *start)
{
	u64 taken = space_mapped(space) | model_reserved(space);

	for (*start = 1; *start + length <= MODEL_IOVAS; ++*start)
		if (!((page - *start) & (align - 1)) &&
		    !(taken & model_bits(*start, length)) &&
		    model_allows(space, *start, length))
			return true;
	return false;
}

/*
 * Predict the result of inserting @nr mappings, which have @length pages in
 * total, at free IOVAs. The memory starts at @slot. @start receives the first
 * IOVA page.
 */
int model_choose(const struct model *model, const struct model_space *space,
		 unsigned int slot, unsigned int length, unsigned int nr,
		 unsigned int *start)
{
	unsigned long page = (model->uaddr >> PAGE_SHIFT) + slot;

	if (!find_free(space, page, length, rounddown_pow_of_two(length),
		       start) &&
	    !find_free(space, page, length, 1, start))
		return -ENOSPC;
	return nr > space->max - space->nr ? -ENOSPC : 0;
}

/* Return the slot that is mapped at an IOVA page. */
unsigned int model_slot(const struct model_space *space, unsigned int start)
{
	const struct model_mapping *mapping = space->at[start];

	return mapping->memory->slot + mapping->first +
	       (start - mapping->start);
}

static void mapping_add(struct model *model, struct model_space *space,
			const struct model_mapping *template)
{
	struct model_mapping *mapping = model->mapping;
	unsigned int i;

	while (mapping->memory)
		mapping++;
	*mapping = *template;
	mapping->memory->refs++;
	for (i = 0; i != mapping->length; i++)
		space->at[mapping->start + i] = mapping;
	space->nr++;
	space->changed |= model_bits(mapping->start, mapping->length);
	if (space->nr_domains)
		mapping_hold(model, mapping);
}

void model_map(struct model *model, struct model_space *space,
	       unsigned int start, unsigned int slot, unsigned int length,
	       int prot, enum iopt_account account)
{
	struct model_memory *memory = model->memory;

	while (memory->refs)
		memory++;
	*memory = (struct model_memory){
		.slot = slot,
		.length = length,
		.writable = prot & IOMMU_WRITE,
		.account = account,
	};
	mapping_add(model, space, &(struct model_mapping){
		.memory = memory,
		.start = start,
		.length = length,
		.prot = prot,
	});
}

/*
 * Return the mapping after @before in a range, or the first mapping of the
 * range if @before is NULL.
 */
struct model_mapping *model_next(const struct model_space *space,
				 unsigned int start, unsigned int length,
				 const struct model_mapping *before)
{
	unsigned int i = before ? before->start + before->length : start;

	for (; i < start + length; i++)
		if (space->at[i])
			return space->at[i];
	return NULL;
}

/*
 * Predict the result of copying a range. @nr receives the number of mappings
 * that the range overlaps.
 */
int model_check_copy(const struct model_space *space, unsigned int start,
		     unsigned int length, int prot, unsigned int *nr)
{
	const struct model_mapping *before = NULL;
	bool permitted = true;
	unsigned int i;

	*nr = 0;
	for (i = start; i != start + length; i++) {
		const struct model_mapping *mapping = space->at[i];

		if (!mapping)
			return -ENOENT;
		if (mapping->orphan)
			return -EBUSY;
		if (prot & IOMMU_WRITE && !mapping->memory->writable)
			permitted = false;
		*nr += mapping != before;
		before = mapping;
	}
	return permitted ? 0 : -EPERM;
}

void model_copy(struct model *model, struct model_space *dst,
		unsigned int to, const struct model_space *src,
		unsigned int from, unsigned int length, int prot)
{
	unsigned int i, n;

	for (i = 0; i != length; i += n) {
		struct model_mapping *old = src->at[from + i];

		n = min(old->start + old->length, from + length) - from - i;
		mapping_add(model, dst, &(struct model_mapping){
			.memory = old->memory,
			.start = to + i,
			.length = n,
			.first = old->first + from + i - old->start,
			.prot = prot,
		});
	}
}

/*
 * Return true if one mapping contains both IOVA page @border and the page
 * before it.
 */
bool model_crosses(const struct model_space *space, unsigned int border)
{
	return border && border < MODEL_IOVAS && space->at[border] &&
	       space->at[border] == space->at[border - 1];
}

int model_check_unmap(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int *mapped)
{
	*mapped = 0;
	if (model_crosses(space, start) ||
	    model_crosses(space, start + length))
		return -ENOENT;
	*mapped = hweight64(space_mapped(space) & model_bits(start, length));
	return *mapped ? 0 : -ENOENT;
}

void model_unmap(struct model *model, struct model_space *space,
		 unsigned int start, unsigned int length)
{
	struct model_mapping *mapping;

	while ((mapping = model_next(space, start, length, NULL))) {
		if (space->nr_domains)
			mapping_drop(model, mapping);
		memset(&space->at[mapping->start], 0,
		       mapping->length * sizeof(space->at[0]));
		space->changed |= model_bits(mapping->start, mapping->length);
		space->nr--;
		mapping->memory->refs--;
		mapping->memory = NULL;
	}
}

int model_check_reserve(const struct model_space *space, u64 iovas)
{
	unsigned int i;

	if (iovas & space_mapped(space))
		return -EADDRINUSE;
	for (i = 0; i != space->nr_allowed; i++)
		if (iovas & GENMASK_ULL(space->allowed[i].last,
					space->allowed[i].start))
			return -EADDRINUSE;
	return 0;
}

int model_check_allow(const struct model_space *space,
		      const struct iopt_range *ranges, unsigned int nr)
{
	u64 sum = 0, bits;
	unsigned int i;

	for (i = 0; i != nr; i++) {
		if (ranges[i].last < ranges[i].start)
			return -EINVAL;
		bits = GENMASK_ULL(ranges[i].last, ranges[i].start);
		if (sum & bits)
			return -EINVAL;
		sum |= bits;
	}
	return sum & model_reserved(space) ? -EADDRINUSE : 0;
}

/*
 * Predict the result of attaching a domain with an aperture that excludes the
 * IOVA pages @outside.
 */
int model_check_attach(const struct model_space *space, u64 outside)
{
	if (model_orphans(space))
		return -EBUSY;
	return model_check_reserve(space, outside);
}

void model_attach(struct model *model, struct model_space *space,
		  unsigned int owner, u64 outside)
{
	struct model_mapping *mapping = NULL;

	space->reserved[owner] = outside;
	space->changed = ~0ULL;
	if (space->nr_domains++)
		return;
	while ((mapping = model_next(space, 0, MODEL_IOVAS, mapping)))
		mapping_hold(model, mapping);
}

void model_detach(struct model *model, struct model_space *space,
		  unsigned int owner)
{
	struct model_mapping *mapping = NULL;

	space->reserved[owner] = 0;
	space->changed = ~0ULL;
	if (--space->nr_domains)
		return;
	while ((mapping = model_next(space, 0, MODEL_IOVAS, mapping))) {
		mapping_drop(model, mapping);
		/*
		 * Once no domain is left, reports no longer include these pages
		 * on behalf of untracked devices, so mark them now.
		 */
		if (space->nr_untracked)
			model_mark(space, mapping->start, mapping->length);
	}
}

/*
 * Predict the result of an access to a range. @done receives the number of
 * pages before the first page that fails.
 */
int model_check_access(const struct model_space *space, unsigned int start,
		       unsigned int length, int need, unsigned int *done)
{
	unsigned int i;

	for (i = start; i != start + length; i++) {
		const struct model_mapping *mapping = space->at[i];

		*done = i - start;
		if (!mapping)
			return -ENOENT;
		if (mapping->orphan)
			return -EBUSY;
		if ((mapping->prot & need) != need)
			return -EPERM;
	}
	*done = length;
	return 0;
}

/* Pin pages of one mapping for an access. */
void model_pin(struct model *model, struct model_mapping *mapping,
	       unsigned int start, unsigned int length)
{
	struct model_memory *memory = mapping->memory;
	unsigned int first = mapping->first + start - mapping->start, i;

	for (i = first; i != first + length; i++)
		page_get(model, memory, i, &memory->pinned[i]);
	mapping->pins += length;
}

void model_unpin(struct model *model, struct model_mapping *mapping,
		 unsigned int start, unsigned int length)
{
	struct model_memory *memory = mapping->memory;
	unsigned int first = mapping->first + start - mapping->start, i;

	for (i = first; i != first + length; i++)
		page_put(model, memory, i, &memory->pinned[i]);
	mapping->pins -= length;
}

/*
 * Return the number of pages that attaching a domain would charge in an
 * accounting mode: those that are not pinned yet.
 */
unsigned int model_need(struct model *model, const struct model_space *space,
			enum iopt_account account)
{
	u64 seen[MODEL_MAPPINGS] = {};
	struct model_mapping *mapping = NULL;
	unsigned int need = 0, i;

	if (space->nr_domains)
		return 0;
	while ((mapping = model_next(space, 0, MODEL_IOVAS, mapping))) {
		struct model_memory *memory = mapping->memory;
		u64 *done = &seen[memory - model->memory];

		for (i = mapping->first;
		     i != mapping->first + mapping->length; i++) {
			if (*done & BIT_ULL(i) || memory->held[i] ||
			    memory->pinned[i])
				continue;
			*done |= BIT_ULL(i);
			need += memory->account == account;
		}
	}
	return need;
}

/*
 * Return a bitmap of the pages of @mapping that accesses have pinned, through
 * this mapping or another one.
 */
static u64 mapping_pinned(const struct model_mapping *mapping)
{
	u64 pinned = 0;
	unsigned int i;

	for (i = 0; i != mapping->length; i++)
		if (mapping->memory->pinned[mapping->first + i])
			pinned |= BIT_ULL(i);
	return pinned;
}

/* Mark mapped pages as dirty if dirty pages are tracked. */
void model_mark(const struct model_space *space, unsigned int start,
		unsigned int length)
{
	unsigned int i;

	for (i = start; space->tracking && i != start + length; i++)
		space->at[i]->dirty |= BIT_ULL(i - space->at[i]->start);
}

void model_track(struct model_space *space, bool tracking)
{
	struct model_mapping *mapping = NULL;

	if (tracking && space->tracking)
		return;
	while ((mapping = model_next(space, 0, MODEL_IOVAS, mapping)))
		mapping->dirty = tracking ? mapping_pinned(mapping) : 0;
	space->tracking = tracking;
}

void model_remove_untracked(struct model_space *space, bool tracked)
{
	struct model_mapping *mapping = NULL;

	while (!tracked &&
	       (mapping = model_next(space, 0, MODEL_IOVAS, mapping)))
		model_mark(space, mapping->start, mapping->length);
	space->nr_untracked--;
}

int model_check_dirty(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int per_bit)
{
	struct model_mapping *mapping = NULL;

	if (!space->tracking || start % per_bit || length % per_bit)
		return -EINVAL;
	if (model_crosses(space, start) ||
	    model_crosses(space, start + length))
		return -EINVAL;
	while ((mapping = model_next(space, start, length, mapping)))
		if (mapping->start % per_bit || mapping->length % per_bit)
			return -EINVAL;
	return 0;
}

/*
 * Report the dirty pages of a range in @word. Each bit covers @per_bit IOVA
 * pages, and bit 0 covers the page at @start. Bits of unmapped pages do not
 * change. Unless @keep is set, pages that are not pinned become clean.
 */
void model_report(struct model_space *space, unsigned int start,
		  unsigned int length, unsigned int per_bit, bool keep,
		  u64 *word)
{
	struct model_mapping *mapping = NULL;
	unsigned int i;

	while ((mapping = model_next(space, start, length, mapping))) {
		u64 pinned = mapping_pinned(mapping);
		u64 dirty;

		mapping->dirty |= pinned;
		dirty = mapping->dirty;
		if (space->nr_untracked && space->nr_domains)
			dirty = ~0ULL;
		for (i = 0; i != mapping->length; i += per_bit) {
			unsigned int bit = (mapping->start + i - start) /
					   per_bit;

			*word &= ~BIT_ULL(bit);
			if (dirty & model_bits(i, per_bit))
				*word |= BIT_ULL(bit);
		}
		if (!keep)
			mapping->dirty = pinned;
	}
}

int model_check_orphan(const struct model_space *space, unsigned int start,
		       unsigned int length, unsigned int *pages)
{
	struct model_mapping *mapping = NULL;
	unsigned int n = 0;

	*pages = 0;
	while ((mapping = model_next(space, start, length, mapping))) {
		if (mapping->start < start ||
		    mapping->start + mapping->length > start + length)
			return -ENOENT;
		if (mapping->orphan)
			return -EINVAL;
		if (mapping->memory->refs != 1)
			return -EBUSY;
		n += mapping->length;
	}
	*pages = n;
	return n ? 0 : -ENOENT;
}

unsigned int model_orphans(const struct model_space *space)
{
	struct model_mapping *mapping = NULL;
	unsigned int nr = 0;

	while ((mapping = model_next(space, 0, MODEL_IOVAS, mapping)))
		nr += mapping->orphan;
	return nr;
}
