// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compare the numbers, sizes and offsets of the uAPI headers with those listed
 * in layout.h. Existing programs were compiled with the listed values.
 *
 * uapi_layout_32.c checks the same values for 32-bit programs at compile time.
 */
#include <stddef.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "../kselftest_harness.h"

enum kind { IGNORED, KIND_NUMBER, KIND_ALIAS, KIND_SIZE, KIND_FIELD };

/**
 * struct expectation - a row of layout.h
 * @name: command, flag, struct or field
 * @kind: selects the test that checks the row
 * @expected: value, size or offset according to layout.h
 * @actual: value, size or offset according to the uAPI header
 */
struct expectation {
	const char *name;
	enum kind kind;
	unsigned long expected;
	unsigned long actual;
};

#define NUMBER(name, value)	{ #name, KIND_NUMBER, value, name }
#define ALIAS(name, value)	{ #name, KIND_ALIAS, value, name }
#define SIZE(type, bytes)	{ #type, KIND_SIZE, bytes, sizeof(struct type) }
#define FIELD(type, field, offset, bytes) \
	{ #type "." #field, KIND_FIELD, offset, offsetof(struct type, field) }

static const struct expectation values[] = {
#include "layout.h"
};

#undef NUMBER
#undef ALIAS
#undef SIZE
#undef FIELD

/* The same rows again, with the sizes of the fields. */
#define NUMBER(name, value)	{ .kind = IGNORED }
#define ALIAS(name, value)	{ .kind = IGNORED }
#define SIZE(type, bytes)	{ .kind = IGNORED }
#define FIELD(type, field, offset, bytes) \
	{ #type "." #field, KIND_FIELD, bytes, \
	  sizeof(((struct type){ }).field) }

static const struct expectation field_sizes[] = {
#include "layout.h"
};

static void check_row(struct __test_metadata *_metadata,
		      const struct expectation *row)
{
	EXPECT_EQ(row->expected, row->actual)
		TH_LOG("%s", row->name);
}

static void check(struct __test_metadata *_metadata, enum kind kind)
{
	unsigned int rows = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].kind != kind)
			continue;
		check_row(_metadata, &values[i]);
		check_row(_metadata, &field_sizes[i]);
		rows++;
	}
	EXPECT_NE(0u, rows);
}

TEST(command_numbers_and_flags)
{
	check(_metadata, KIND_NUMBER);
}

TEST(first_proposal_aliases)
{
	check(_metadata, KIND_ALIAS);
}

TEST(struct_sizes)
{
	check(_metadata, KIND_SIZE);
}

TEST(field_offsets_and_sizes)
{
	check(_metadata, KIND_FIELD);
}

/*
 * Add up the sizes of all fields of a struct. Members of a union share an
 * offset and count once.
 */
static unsigned long sum_of_field_sizes(const char *name)
{
	const size_t length = strlen(name);
	unsigned long sum = 0;
	long offset = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(field_sizes); i++) {
		const struct expectation *row = &field_sizes[i];

		if (row->kind != KIND_FIELD ||
		    strncmp(row->name, name, length) ||
		    row->name[length] != '.')
			continue;
		if (offset != (long)values[i].actual)
			sum += row->actual;
		offset = values[i].actual;
	}
	return sum;
}

/* Implicit padding differs between ABIs and may leak kernel memory. */
TEST(no_implicit_padding)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].kind != KIND_SIZE)
			continue;
		EXPECT_EQ(values[i].actual, sum_of_field_sizes(values[i].name))
			TH_LOG("%s", values[i].name);
	}
}

TEST_HARNESS_MAIN
