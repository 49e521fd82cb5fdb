/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plain model of I/O address spaces and the memory behind them. It states the
 * expected behaviour of the engine as simply as possible.
 *
 * The model is small: the IOVA pages of a space are the bits of a word, and
 * memory consists of a few slots of one page each. For most operations, one
 * function predicts the return value, and another one applies the operation to
 * the model.
 *
 * Vocabulary:
 *  slot      page of the user's memory, which the process may replace
 *  absent    slot that has been neither written to nor pinned since it was
 *            mapped: reads find the zero page
 *  frame     page frame number. Pins belong to a frame, even after its slot has
 *            received another page
 *  memory    counterpart of an iopt_pages: a range of slots, and the frame that
 *            is pinned for each, even if the slot has another page now
 *  mapping   counterpart of an area
 */
#ifndef __IOPT_TEST_MODEL_H
#define __IOPT_TEST_MODEL_H

#include <kunit/test.h>
#include <linux/iopt.h>
#include <linux/random.h>

#define MODEL_IOVAS	64U
#define MODEL_SLOTS	24U
#define MODEL_LENGTH	6U
#define MODEL_SPACES	2U
#define MODEL_MAPPINGS	96U
#define MODEL_FRAMES	512U
#define MODEL_ALLOWED	3U
#define MODEL_OWNERS	8U
#define MODEL_ACCOUNTS	(IOPT_ACCOUNT_MM_UNLIMITED + 1)

/**
 * struct model_memory - pages that mappings share
 * @refs: number of mappings of the memory; 0 if the record is unused
 * @slot: first slot
 * @length: number of slots
 * @writable: pages are pinned for writing
 * @account: accounting mode of the payer
 * @frame: pinned frame of each page, or 0
 * @held: number of mappings that hold each page
 * @pinned: number of pins that accesses have on each page
 */
struct model_memory {
	unsigned int refs;
	unsigned int slot;
	unsigned int length;
	bool writable;
	enum iopt_account account;
	unsigned long frame[MODEL_LENGTH];
	unsigned int held[MODEL_LENGTH];
	unsigned int pinned[MODEL_LENGTH];
};

/**
 * struct model_mapping - one mapping
 * @memory: memory that is mapped; NULL if the record is unused
 * @start: first IOVA page
 * @length: number of pages
 * @first: index in @memory of the first page of the mapping
 * @prot: IOMMU_READ, IOMMU_WRITE etc.
 * @orphan: the mapping was passed to iopt_orphan() and has not been adopted
 * @pins: number of pins that accesses have through the mapping
 * @dirty: bitmap of the dirty pages, bit 0 for the first page
 */
struct model_mapping {
	struct model_memory *memory;
	unsigned int start;
	unsigned int length;
	unsigned int first;
	int prot;
	bool orphan;
	unsigned int pins;
	u64 dirty;
};

/**
 * struct model_space - one space
 * @at: mapping at each IOVA page, or NULL
 * @nr: number of mappings
 * @max: maximum number of mappings
 * @reserved: bitmap of the IOVA pages that each owner reserves
 * @allowed: ranges of IOVA pages that must not be reserved
 * @nr_allowed: number of @allowed ranges
 * @nr_domains: number of attached domains
 * @tracking: dirty pages are tracked
 * @nr_untracked: number of untracked devices
 * @changed: bitmap of the IOVA pages with translations that may have changed
 *           since the last comparison
 */
struct model_space {
	struct model_mapping *at[MODEL_IOVAS];
	unsigned int nr;
	unsigned int max;
	u64 reserved[MODEL_OWNERS];
	struct iopt_range allowed[MODEL_ALLOWED];
	unsigned int nr_allowed;
	unsigned int nr_domains;
	bool tracking;
	unsigned int nr_untracked;
	u64 changed;
};

/**
 * struct model - state of the whole model
 * @test: the test case
 * @uaddr: user address of %MODEL_SLOTS pages of memory
 * @zero: frame of the zero page
 * @absent: bitmap of the absent slots
 * @now: frame in each slot, or 0 if it must be looked up
 * @space: spaces
 * @mapping: mappings
 * @memory: memories
 * @frame: pinned frames
 * @frame_pins: pin count of each entry of @frame
 * @nr_frames: number of entries of @frame
 * @touched: frames that operations have pinned or unpinned since the last
 *           comparison
 * @nr_touched: number of entries of @touched
 * @charged: number of pages charged in each accounting mode
 */
struct model {
	struct kunit *test;
	unsigned long uaddr;
	unsigned long zero;
	u64 absent;
	unsigned long now[MODEL_SLOTS];
	struct model_space space[MODEL_SPACES];
	struct model_mapping mapping[MODEL_MAPPINGS];
	struct model_memory memory[MODEL_MAPPINGS];
	unsigned long frame[MODEL_FRAMES];
	unsigned int frame_pins[MODEL_FRAMES];
	unsigned int nr_frames;
	unsigned long touched[MODEL_FRAMES];
	unsigned int nr_touched;
	unsigned long charged[MODEL_ACCOUNTS];
};

static inline u64 model_bits(unsigned int start, unsigned int length)
{
	return GENMASK_ULL(start + length - 1, start);
}

/* memory */
void model_init(struct model *model, struct kunit *test, unsigned long uaddr);
unsigned long model_now(struct model *model, unsigned int slot);
void model_look_again(struct model *model);
unsigned int model_frame_pins(const struct model *model, unsigned long frame);

/* mappings */
int model_check_fixed(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int nr);
int model_choose(const struct model *model, const struct model_space *space,
		 unsigned int slot, unsigned int length, unsigned int nr,
		 unsigned int *start);
unsigned int model_slot(const struct model_space *space, unsigned int start);
void model_map(struct model *model, struct model_space *space,
	       unsigned int start, unsigned int slot, unsigned int length,
	       int prot, enum iopt_account account);
int model_check_copy(const struct model_space *space, unsigned int start,
		     unsigned int length, int prot, unsigned int *nr);
void model_copy(struct model *model, struct model_space *dst,
		unsigned int to, const struct model_space *src,
		unsigned int from, unsigned int length, int prot);
bool model_crosses(const struct model_space *space, unsigned int border);
int model_check_unmap(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int *mapped);
void model_unmap(struct model *model, struct model_space *space,
		 unsigned int start, unsigned int length);
struct model_mapping *model_next(const struct model_space *space,
				 unsigned int start, unsigned int length,
				 const struct model_mapping *before);

/* domains */
u64 model_reserved(const struct model_space *space);
bool model_allows(const struct model_space *space, unsigned int start,
		  unsigned int length);
int model_check_reserve(const struct model_space *space, u64 iovas);
int model_check_allow(const struct model_space *space,
		      const struct iopt_range *ranges, unsigned int nr);
int model_check_attach(const struct model_space *space, u64 outside);
void model_attach(struct model *model, struct model_space *space,
		  unsigned int owner, u64 outside);
void model_detach(struct model *model, struct model_space *space,
		  unsigned int owner);

/* accesses */
int model_check_access(const struct model_space *space, unsigned int start,
		       unsigned int length, int need, unsigned int *done);
void model_pin(struct model *model, struct model_mapping *mapping,
	       unsigned int start, unsigned int length);
void model_unpin(struct model *model, struct model_mapping *mapping,
		 unsigned int start, unsigned int length);
void model_mark(const struct model_space *space, unsigned int start,
		unsigned int length);

/* limits */
unsigned int model_need(struct model *model, const struct model_space *space,
			enum iopt_account account);

/* dirty pages */
void model_track(struct model_space *space, bool tracking);
void model_remove_untracked(struct model_space *space, bool tracked);
int model_check_dirty(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int per_bit);
void model_report(struct model_space *space, unsigned int start,
		  unsigned int length, unsigned int per_bit, bool keep,
		  u64 *word);

/* orphans */
int model_check_orphan(const struct model_space *space, unsigned int start,
		       unsigned int length, unsigned int *pages);
unsigned int model_orphans(const struct model_space *space);

#endif /* __IOPT_TEST_MODEL_H */
