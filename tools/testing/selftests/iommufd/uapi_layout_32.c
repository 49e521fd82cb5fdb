// SPDX-License-Identifier: GPL-2.0-only
/*
 * The uAPI's numbers once more, for a 32-bit machine. This is compiled and not
 * run: a number that is wrong is a division by zero, which is no initializer.
 */
#include <linux/iommufd.h>
#include <linux/vfio.h>

const char compiled_for_32_bits[] = { 1 / (sizeof(void *) == 4) };

#define NUMBER(name, value)	(1 / ((name) == (value)))
#define ALIAS(name, value)	(1 / ((name) == (value)))
#define SIZE(type, bytes)	(1 / (sizeof(struct type) == (bytes)))
#define FIELD(type, field, offset, bytes) \
	(1 / (__builtin_offsetof(struct type, field) == (offset)))

const char numbers[] = {
#include "layout.h"
};

#undef FIELD
#define FIELD(type, field, offset, bytes) \
	(1 / (sizeof(((struct type){ 0 }).field) == (bytes)))

const char numbers_with_bytes[] = {
#include "layout.h"
};
