/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plain model of I/O address spaces and of the memory behind them: what the
 * engine should do, said in the simplest way.
 *
 * Everything is small: the IOVAs of a space are the bits of a word, memory is a
 * few slots of one page each. For each operation there is a function that says
 * what it must return, and one that does it.
 *
 * Vocabulary:
 *  slot      a page of the user's memory; what is in it may be replaced
 *  absent    a slot that was not written to: reading finds the zero page
 *  frame     a page frame that somebody has pinned, whichever slot it was in
 *  memory    what an iopt_pages is: a range of slots, and which frame is
 *            pinned for each, whatever is in the slot now
 *  mapping   what an area is
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
 * @refs: mappings that show it; 0 if it is not in use
 * @slot: the first slot
 * @length: how many
 * @writable: pinned for writing
 * @account: who pays
 * @frame: by page: what is pinned, or 0
 * @held: by page: mappings that hold it
 * @pinned: by page: how often accesses have pinned it
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
 * @memory: what it shows; NULL if it is not in use
 * @start: first IOVA page
 * @length: pages
 * @first: first page of @memory
 * @prot: IOMMU_READ and so on
 * @orphan: see iopt_orphan()
 * @pins: pages that accesses have pinned through it
 * @dirty: by page
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
 * @at: by IOVA page, the mapping there
 * @nr: mappings
 * @max: how many there may be
 * @reserved: by owner, IOVA pages that must not be mapped
 * @allowed: ranges of IOVA pages, if any
 * @nr_allowed: how many
 * @nr_domains: that are attached
 * @tracking: dirty pages are tracked
 * @nr_blind: blind devices
 * @changed: IOVA pages whose page table entries an operation has changed
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
	unsigned int nr_blind;
	u64 changed;
};

/**
 * struct model - all there is
 * @test: the test case
 * @uaddr: the user's memory, MODEL_SLOTS pages
 * @zero: the frame of the zero page
 * @absent: slots that are absent
 * @now: by slot, the frame that is in it; 0 if nobody has looked
 * @space: the spaces
 * @mapping: all mappings
 * @memory: all memories
 * @frame: frames that are pinned
 * @frame_pins: how often
 * @nr_frames: how many
 * @touched: frames that an operation has pinned or unpinned
 * @nr_touched: how many
 * @charged: by account, pages charged
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
int model_choose(const struct model_space *space, unsigned int length,
		 unsigned int nr, unsigned int *start);
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
void model_unblind(struct model_space *space, bool sees);
int model_check_dirty(const struct model_space *space, unsigned int start,
		      unsigned int length, unsigned int per_bit);
void model_report(struct model_space *space, unsigned int start,
		  unsigned int length, unsigned int per_bit, bool keep,
		  u64 *word);

/* owners */
int model_check_orphan(const struct model_space *space, unsigned int start,
		       unsigned int length, unsigned int *pages);
unsigned int model_orphans(const struct model_space *space);

#endif /* __IOPT_TEST_MODEL_H */
