// SPDX-License-Identifier: GPL-2.0-only
/*
 * Are numbers, sizes and offsets of the uAPI what programs were compiled with?
 *
 * The numbers stand in layout.h. uapi_layout_32.c checks the same ones when it
 * is compiled, for a 32-bit machine.
 */
#include <stddef.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "../kselftest_harness.h"

enum kind { NOTHING, A_NUMBER, AN_ALIAS, A_SIZE, A_FIELD };

/**
 * struct expectation - a row of the table
 * @what: its name
 * @kind: which test looks at it
 * @expected: what the table says: value, size or offset
 * @seen: what the compiler says
 */
struct expectation {
	const char *what;
	enum kind kind;
	unsigned long expected;
	unsigned long seen;
};

#define NUMBER(name, value)	{ #name, A_NUMBER, value, name }
#define ALIAS(name, value)	{ #name, AN_ALIAS, value, name }
#define SIZE(type, bytes)	{ #type, A_SIZE, bytes, sizeof(struct type) }
#define FIELD(type, field, offset, bytes) \
	{ #type "." #field, A_FIELD, offset, offsetof(struct type, field) }

static const struct expectation table[] = {
#include "layout.h"
};

#undef NUMBER
#undef ALIAS
#undef SIZE
#undef FIELD

/* The same rows; of a field, now its size. */
#define NUMBER(name, value)	{ .kind = NOTHING }
#define ALIAS(name, value)	{ .kind = NOTHING }
#define SIZE(type, bytes)	{ .kind = NOTHING }
#define FIELD(type, field, offset, bytes) \
	{ #type "." #field, A_FIELD, bytes, sizeof(((struct type){ }).field) }

static const struct expectation table_of_bytes[] = {
#include "layout.h"
};

static void check_row(struct __test_metadata *_metadata,
		      const struct expectation *row)
{
	EXPECT_EQ(row->expected, row->seen)
		TH_LOG("%s", row->what);
}

static void check(struct __test_metadata *_metadata, enum kind kind)
{
	unsigned int rows = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].kind != kind)
			continue;
		check_row(_metadata, &table[i]);
		check_row(_metadata, &table_of_bytes[i]);
		rows++;
	}
	EXPECT_NE(0u, rows);
}

TEST(numbers_of_commands_and_flags)
{
	check(_metadata, A_NUMBER);
}

TEST(names_of_the_first_proposal)
{
	check(_metadata, AN_ALIAS);
}

TEST(struct_sizes)
{
	check(_metadata, A_SIZE);
}

TEST(field_offsets_and_sizes)
{
	check(_metadata, A_FIELD);
}

/* Bytes of all fields of a struct; those of a union stand at one offset. */
static unsigned long sum_of_fields(const char *name)
{
	const size_t length = strlen(name);
	unsigned long sum = 0;
	long offset = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table_of_bytes); i++) {
		const struct expectation *row = &table_of_bytes[i];

		if (row->kind != A_FIELD || strncmp(row->what, name, length) ||
		    row->what[length] != '.')
			continue;
		if (offset != (long)table[i].seen)
			sum += row->seen;
		offset = table[i].seen;
	}
	return sum;
}

/* B17: padding that nobody named differs between ABIs, and may leak memory. */
TEST(structs_are_their_fields_and_nothing_else)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].kind != A_SIZE)
			continue;
		EXPECT_EQ(table[i].seen, sum_of_fields(table[i].what))
			TH_LOG("%s", table[i].what);
	}
}

TEST_HARNESS_MAIN
