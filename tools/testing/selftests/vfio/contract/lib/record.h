/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a contract program prints: one line per observation,
 *
 *	T1-35 map.size_zero: -EINVAL
 *
 * the rules it shows (several are joined by commas), what was tried, and what
 * came of it. The program's output under two kernels is compared line by line.
 *
 * Rule: a line holds nothing that differs from run to run: no address, page
 * frame, process or time. A name is printed once in a program. A program that
 * cannot go on says why in a line of its own and exits with status 1.
 */
#ifndef SELFTESTS_VFIO_CONTRACT_RECORD_H
#define SELFTESTS_VFIO_CONTRACT_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* Goes before all names that follow, with a dot; "" for none. */
void record_within(const char *prefix);

__printf(3, 4)
void record(const char *rules, const char *name, const char *format, ...);

/* What a call gave: "0", another number that is not negative, or "-EINVAL". */
void record_rc(const char *rules, const char *name, long rc);

/* Bytes as hexadecimal digits, in groups of four bytes. */
void record_bytes(const char *rules, const char *name, const void *bytes,
		  size_t length);

void record_yes(const char *rules, const char *name, bool yes);

/* The text of record_rc(); the last eight results stay valid. */
const char *rc_text(long rc);

/* The machine is not as the program needs it. */
__printf(1, 2)
__noreturn void die(const char *format, ...);

#endif
