/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory whose page faults hang until a test lets them go on.
 */
#ifndef __IOPT_TEST_SLOW_MEMORY_H
#define __IOPT_TEST_SLOW_MEMORY_H

#include <kunit/test.h>
#include <linux/completion.h>

/**
 * struct slow_memory - memory of a driver whose page faults hang
 * @blocked: completed when one does
 * @go_on: it waits for that
 */
struct slow_memory {
	struct completion blocked;
	struct completion go_on;
};

unsigned long test_slow_memory(struct kunit *test, struct slow_memory *slow,
			       unsigned long npages);

#endif /* __IOPT_TEST_SLOW_MEMORY_H */
