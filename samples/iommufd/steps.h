/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line for each thing the program shows.
 *
 * Rule: "step NN ok: ..." when it held; the first time one does not hold,
 * "step NN failed: ..." with the reason, and the program ends with status 1.
 */
#ifndef SAMPLES_IOMMUFD_STEPS_H
#define SAMPLES_IOMMUFD_STEPS_H

#include <stdbool.h>
#include <stdio.h>

/* What the step that now begins is about, for the line if it fails. */
void step_begins(const char *what);

/* The two halves of step_ok(). */
void step_line_begins(void);
void step_line_ends(void);

/* The step held; prints its line, which ends with what printf() makes. */
#define step_ok(...) do {		\
	step_line_begins();		\
	printf(__VA_ARGS__);		\
	step_line_ends();		\
} while (0)

/* The step is impossible with the devices given; prints why. */
void step_skipped(const char *why);

/* Ends the program unless @held. @detail says what was expected. */
void must(bool held, const char *detail);

/* Ends the program unless @result is not negative. @call says what failed. */
int must_do(int result, const char *call);

/* How many steps held. */
unsigned int steps_held(void);

#endif
