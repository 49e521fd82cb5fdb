/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Output of the contract programs. A program prints one line per observation,
 * such as
 *
 *	T1-35,T1-37 v1.size_zero: -EINVAL
 *
 * The line starts with the numbers of the rules that the observation shows,
 * separated by commas, followed by the name of the observation and the result.
 * The file `rules` in the folder of the programs lists the rules. The output
 * under two kernels is compared line by line.
 *
 * A line must not contain anything that differs from run to run, such as an
 * address, a PFN, a PID or a time. Names are unique in a program. A program
 * that cannot continue prints the reason and exits with status 1.
 */
#ifndef SELFTESTS_VFIO_CONTRACT_RECORD_H
#define SELFTESTS_VFIO_CONTRACT_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* Prepend @prefix and a dot to all later names, or nothing if @prefix is "". */
void record_set_prefix(const char *prefix);

__printf(3, 4)
void record(const char *rules, const char *name, const char *format, ...);

/* Record the result of a call as a number, or as a name such as "-EINVAL". */
void record_rc(const char *rules, const char *name, long rc);

/* Record bytes as hexadecimal digits in groups of four bytes. */
void record_bytes(const char *rules, const char *name, const void *bytes,
		  size_t length);

void record_yes(const char *rules, const char *name, bool yes);

/* Return the text that record_rc() prints. The last eight texts stay valid. */
const char *rc_text(long rc);

/* Print why the program cannot continue, and exit with status 1. */
__printf(1, 2)
__noreturn void die(const char *format, ...);

#endif
