// SPDX-License-Identifier: GPL-2.0-only
/* Output of the contract programs. See record.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

static char name_prefix[32];

/* Print each line at once, in case the next call crashes the kernel. */
static void __attribute__((constructor)) set_line_buffering(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void record_set_prefix(const char *prefix)
{
	snprintf(name_prefix, sizeof(name_prefix), "%s%s", prefix,
		 *prefix ? "." : "");
}

void record(const char *rules, const char *name, const char *format, ...)
{
	va_list arguments;

	printf("%s %s%s: ", rules, name_prefix, name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

const char *rc_text(long rc)
{
	static char texts[8][24];
	static unsigned int next;
	char *text = texts[next++ % 8];
	const char *name = rc < 0 ? strerrorname_np((int)-rc) : NULL;

	if (name)
		snprintf(text, sizeof(texts[0]), "-%s", name);
	else
		snprintf(text, sizeof(texts[0]), "%ld", rc);
	return text;
}

void record_rc(const char *rules, const char *name, long rc)
{
	record(rules, name, "%s", rc_text(rc));
}

void record_yes(const char *rules, const char *name, bool yes)
{
	record(rules, name, "%s", yes ? "yes" : "no");
}

void record_bytes(const char *rules, const char *name, const void *bytes,
		  size_t length)
{
	const unsigned char *byte = bytes;
	size_t i;

	printf("%s %s%s:", rules, name_prefix, name);
	for (i = 0; i < length; i++)
		printf("%s%02x", i % 4 ? "" : " ", byte[i]);
	putchar('\n');
}

void die(const char *format, ...)
{
	va_list arguments;

	printf("cannot continue: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
	exit(1);
}
