/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Byte patterns for verifying data transfers.
 *
 * A pattern is defined by its seed: equal seeds give equal bytes at equal
 * offsets. No pattern contains a zero byte.
 */
#ifndef SAMPLES_IOMMUFD_PATTERN_H
#define SAMPLES_IOMMUFD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

static inline __u8 pattern_byte(__u32 seed, size_t offset)
{
	__u32 mix = (__u32)offset + seed * 0x9e3779b1u;

	mix = (mix ^ mix >> 16) * 0x045d9f3bu;
	mix = (mix ^ mix >> 15) * 0x2c1b3c6du;
	return (mix ^ mix >> 14) % 255 + 1;
}

static inline void pattern_fill(void *memory, size_t length, __u32 seed)
{
	__u8 *byte = memory;
	size_t i;

	for (i = 0; i < length; i++)
		byte[i] = pattern_byte(seed, i);
}

/* Returns true if @memory holds the pattern. */
static inline bool pattern_is(const void *memory, size_t length, __u32 seed)
{
	const __u8 *byte = memory;
	size_t i;

	for (i = 0; i < length; i++)
		if (byte[i] != pattern_byte(seed, i))
			return false;
	return true;
}

/*
 * Returns true if at most one byte in 32 of @memory equals the byte of the
 * pattern at the same offset.
 */
static inline bool pattern_is_absent(const void *memory, size_t length,
				     __u32 seed)
{
	const __u8 *byte = memory;
	size_t same = 0, i;

	/* In unrelated data, about one byte in 255 matches by chance. */
	for (i = 0; i < length; i++)
		same += byte[i] == pattern_byte(seed, i);
	return same <= length / 32;
}

#endif
