// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compile-time check of the uAPI layout for 32-bit programs. A wrong value
 * results in a division by zero, which the compiler does not accept as a
 * constant expression.
 */
#include <linux/iommufd.h>
#include <linux/vfio.h>

const char pointers_are_32_bits[] = { 1 / (sizeof(void *) == 4) };

#define NUMBER(name, value)	(1 / ((name) == (value)))
#define ALIAS(name, value)	(1 / ((name) == (value)))
#define SIZE(type, bytes)	(1 / (sizeof(struct type) == (bytes)))
#define FIELD(type, field, offset, bytes) \
	(1 / (__builtin_offsetof(struct type, field) == (offset)))

const char expected_values[] = {
#include "layout.h"
};

#undef FIELD
#define FIELD(type, field, offset, bytes) \
	(1 / (sizeof(((struct type){ 0 }).field) == (bytes)))

const char expected_field_sizes[] = {
#include "layout.h"
};
