// SPDX-License-Identifier: GPL-2.0-only
/* Output of the program, one line per step. See steps.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

static const char *current = "start";
static unsigned int number = 1;
static unsigned int nr_passed;

void step_begin(const char *what)
{
	current = what;
}

void step_print_head(void)
{
	printf("step %02u ok: %s: ", number++, current);
}

void step_print_tail(void)
{
	printf("\n");
	fflush(stdout);
	nr_passed++;
}

void step_skipped(const char *why)
{
	printf("step %02u skipped: %s: %s\n", number++, current, why);
	fflush(stdout);
}

static void fail(const char *detail, const char *reason)
{
	printf("step %02u failed: %s: %s%s%s\n", number, current, detail,
	       reason ? ": " : "", reason ? reason : "");
	fflush(stdout);
	exit(1);
}

void check(bool passed, const char *detail)
{
	if (!passed)
		fail(detail, NULL);
}

int check_call(int result, const char *call)
{
	if (result < 0)
		fail(call, strerror(-result));
	return result;
}

unsigned int steps_passed(void)
{
	return nr_passed;
}
