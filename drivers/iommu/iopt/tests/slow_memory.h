/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory in which page faults block until a test lets them continue. */
#ifndef __IOPT_TEST_SLOW_MEMORY_H
#define __IOPT_TEST_SLOW_MEMORY_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/mm_types.h>

/**
 * struct slow_memory - memory in which page faults block
 * @page: index of the page on which faults block, for test_slow_file()
 * @blocked: completed when a fault blocks
 * @resume: complete() lets one fault of test_slow_memory() continue, and
 *          complete_all() lets all faults of either function continue
 * @fault: fault handler
 */
struct slow_memory {
	unsigned long page;
	struct completion blocked;
	struct completion resume;
	vm_fault_t (*fault)(struct vm_fault *vmf);
};

unsigned long test_slow_memory(struct kunit *test, struct slow_memory *slow,
			       unsigned long npages);
unsigned long test_slow_file(struct kunit *test, struct slow_memory *slow,
			     unsigned long npages, int prot,
			     unsigned long flags);

#endif /* __IOPT_TEST_SLOW_MEMORY_H */
