/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Output of the program, one line per step.
 *
 * A step that passes prints "step NN ok: ...", and a step that is skipped
 * prints "step NN skipped: ...". The first step that fails prints "step NN
 * failed: ..." with the reason and terminates the program with status 1.
 */
#ifndef SAMPLES_IOMMUFD_STEPS_H
#define SAMPLES_IOMMUFD_STEPS_H

#include <stdbool.h>
#include <stdio.h>

/* Start a step. @what describes it in the line that the step prints. */
void step_begin(const char *what);

/* Helpers for step_ok(). */
void step_print_head(void);
void step_print_tail(void);

/* End a step that passed. The arguments are those of printf(). */
#define step_ok(...) do {		\
	step_print_head();		\
	printf(__VA_ARGS__);		\
	step_print_tail();		\
} while (0)

/* Skip a step that this machine cannot run, and print @why. */
void step_skipped(const char *why);

/* Fail the step unless @passed. @detail describes the failure. */
void check(bool passed, const char *detail);

/* Return @result, or fail the step if it is an -errno. @call names the call. */
int check_call(int result, const char *call);

/* Return the number of steps that passed. */
unsigned int steps_passed(void);

#endif
