/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The random test: what it works on, and its operations.
 */
#ifndef __IOPT_TEST_RANDOM_H
#define __IOPT_TEST_RANDOM_H

#include <linux/random.h>

#include "mock_domain.h"
#include "model.h"

#define RANDOM_DOMAINS	4U
#define RANDOM_ACCESSES	3U
#define RANDOM_PINS	48U

/* Owners of reserved IOVAs: the domains, and then two others. */
#define RANDOM_OWNER	RANDOM_DOMAINS

struct random;

/**
 * struct random_access - an access
 * @random: where it belongs
 * @access: the access
 * @space: its space
 * @told: by mapping, how often it was told to let go of it
 */
struct random_access {
	struct random *random;
	struct iopt_access *access;
	unsigned int space;
	unsigned int told[MODEL_MAPPINGS];
};

/**
 * struct random_pin - pages of one mapping that an access has pinned
 * @access: who; NULL if it is not in use
 * @mapping: where
 * @start: first IOVA page
 * @length: pages
 */
struct random_pin {
	struct random_access *access;
	struct model_mapping *mapping;
	unsigned int start;
	unsigned int length;
};

/**
 * struct random - all that a run works on
 * @test: the test case
 * @model: what should be
 * @rnd: where chance comes from
 * @iopt: the spaces
 * @mock: the domains; all but the last one are the first space's
 * @outside: by domain, the IOVA pages that it does not translate
 * @access: the accesses; all but the last one are the first space's
 * @pin: what they have pinned
 * @owner: who else reserves IOVAs
 * @content: of the user's memory
 * @buffer: room for two pages
 * @bitmap: a page of user memory for dirty bits
 * @charged: pages charged to the user before
 */
struct random {
	struct kunit *test;
	struct model model;
	struct rnd_state rnd;
	struct io_pagetable *iopt[MODEL_SPACES];
	struct mock_domain *mock[RANDOM_DOMAINS];
	u64 outside[RANDOM_DOMAINS];
	struct random_access access[RANDOM_ACCESSES];
	struct random_pin pin[RANDOM_PINS];
	char owner[2];
	u8 *content;
	u8 *buffer;
	unsigned long bitmap;
	unsigned long charged;
};

/**
 * struct random_kind - a kind of operations
 * @name: of it
 * @op: makes one with arguments by chance, and returns whether it succeeded;
 *      that it does as the model says is asserted
 * @weight: how many of them there are among others
 */
struct random_kind {
	const char *name;
	bool (*op)(struct random *random);
	unsigned int weight;
};

#define RANDOM_KINDS	25U

extern const struct random_kind random_kinds[RANDOM_KINDS];
extern const struct iopt_access_ops random_access_ops;

/* random_ops.c */
unsigned int random_space(struct random *random);
enum iopt_account random_account(struct random *random);
struct model_mapping *random_mapping(struct random *random,
				     const struct model_space *space);
void random_range(struct random *random, const struct model_space *space,
		  unsigned int *start, unsigned int *length);
struct iopt_dirty_query random_query(struct random *random,
				     unsigned int *per_bit, u64 *word);
void random_expect_word(struct random *random,
			const struct iopt_dirty_query *query, u64 word);
void random_set_limit(unsigned long pages);

/* random_memory.c */
bool random_do_pin(struct random *random);
bool random_do_unpin(struct random *random);
bool random_do_read(struct random *random);
bool random_do_write(struct random *random);
bool random_do_replace(struct random *random);
bool random_do_dirty_start(struct random *random);
bool random_do_dirty_stop(struct random *random);
bool random_do_dirty_read(struct random *random);
bool random_do_blind(struct random *random);
bool random_do_orphan(struct random *random);
bool random_do_adopt(struct random *random);

static inline unsigned int dice(struct random *random, unsigned int n)
{
	return prandom_u32_state(&random->rnd) % n;
}

/* The last byte of some IOVA pages. */
static inline unsigned long last_byte(unsigned int start, unsigned int length)
{
	return ((unsigned long)(start + length) << PAGE_SHIFT) - 1;
}

static inline unsigned int random_space_of(unsigned int domain)
{
	return domain == RANDOM_DOMAINS - 1;
}

#endif /* __IOPT_TEST_RANDOM_H */
