// SPDX-License-Identifier: GPL-2.0-only
/* One line for each thing the program shows, see steps.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

static const char *current = "start";
static unsigned int number = 1;
static unsigned int held_so_far;

void step_begins(const char *what)
{
	current = what;
}

void step_line_begins(void)
{
	printf("step %02u ok: %s: ", number++, current);
}

void step_line_ends(void)
{
	printf("\n");
	fflush(stdout);
	held_so_far++;
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

void must(bool held, const char *detail)
{
	if (!held)
		fail(detail, NULL);
}

int must_do(int result, const char *call)
{
	if (result < 0)
		fail(call, strerror(-result));
	return result;
}

unsigned int steps_held(void)
{
	return held_so_far;
}
