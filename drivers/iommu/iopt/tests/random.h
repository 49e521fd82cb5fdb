/* SPDX-License-Identifier: GPL-2.0-only */
/* State and operations of the random test. */
#ifndef __IOPT_TEST_RANDOM_H
#define __IOPT_TEST_RANDOM_H

#include <linux/random.h>

#include "mock_domain.h"
#include "model.h"

#define RANDOM_DOMAINS	4U
#define RANDOM_ACCESSES	3U
#define RANDOM_PINS	48U

/*
 * Index in model_space.reserved of the first owner that is not a domain. There
 * are two such owners.
 */
#define RANDOM_OWNER	RANDOM_DOMAINS

struct random;

/**
 * struct random_access - access of the random test
 * @random: state of the test
 * @access: access of the engine
 * @space: index of its space
 * @notified: number of unmap notifications for each mapping
 */
struct random_access {
	struct random *random;
	struct iopt_access *access;
	unsigned int space;
	unsigned int notified[MODEL_MAPPINGS];
};

/**
 * struct random_pin - pages of one mapping that an access has pinned
 * @access: access that pinned the pages; NULL if the record is unused
 * @mapping: mapping that contains the pages
 * @start: first IOVA page
 * @length: number of pages
 */
struct random_pin {
	struct random_access *access;
	struct model_mapping *mapping;
	unsigned int start;
	unsigned int length;
};

/**
 * struct random - state of one test case
 * @test: the test case
 * @model: expected state
 * @rnd: state of the random number generator
 * @iopt: spaces
 * @mock: domains; the last one belongs to the second space, all others to the
 *        first space
 * @outside: bitmap of the IOVA pages outside of the aperture of each domain
 * @access: accesses; the last one belongs to the second space, all others to
 *          the first space
 * @pin: pages that the accesses have pinned
 * @owner: owners of reservations, other than domains
 * @content: expected content of the user's memory
 * @buffer: buffer of two pages
 * @bitmap: user address of a page for dirty bits
 * @charged: number of pages charged to the user at the start
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
 * struct random_kind - kind of operation
 * @name: name
 * @op: runs one operation with random arguments, and asserts that the engine
 *      returns what the model predicts. Returns true if the operation succeeded
 * @weight: relative frequency
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
bool random_do_untracked(struct random *random);
bool random_do_orphan(struct random *random);
bool random_do_adopt(struct random *random);

static inline unsigned int dice(struct random *random, unsigned int n)
{
	return prandom_u32_state(&random->rnd) % n;
}

/* Return the last byte of a range of IOVA pages. */
static inline unsigned long last_byte(unsigned int start, unsigned int length)
{
	return ((unsigned long)(start + length) << PAGE_SHIFT) - 1;
}

static inline unsigned int random_space_of(unsigned int domain)
{
	return domain == RANDOM_DOMAINS - 1;
}

#endif /* __IOPT_TEST_RANDOM_H */
