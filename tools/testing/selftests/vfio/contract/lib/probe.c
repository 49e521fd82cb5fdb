// SPDX-License-Identifier: GPL-2.0-only
/* DMA by edu devices and accounting of pages. See type1.h. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>

#include "type1.h"

/* Each check uses a new pattern, so that stale data cannot match it. */
static __u32 next_seed = 1;

static long pinned_before, charged_before;

static void __attribute__((constructor)) count_before(void)
{
	pinned_before = counters_pinned();
	charged_before = counters_of_self("VmLck");
	if (pinned_before < 0 || charged_before < 0)
		die("the kernel does not count pinned pages");
}

void *fresh_pages(unsigned int nr)
{
	void *memory = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("no memory");
	return memory;
}

void *new_pages(unsigned int nr)
{
	void *memory = fresh_pages(nr);

	memset(memory, 0x5a, nr * PAGE);
	return memory;
}

static void must(long rc, const char *what)
{
	if (rc)
		die("%s: %s", what, rc_text(rc));
}

static char *map_bounce(struct type1 *type1)
{
	static char *bounce;

	if (!bounce)
		bounce = new_pages(1);
	must(map(type1->container, BOUNCE_IOVA, bounce, PAGE, READ_WRITE),
	     "map of the bounce page");
	return bounce;
}

static void unmap_bounce(struct type1 *type1)
{
	__u64 done;

	must(unmap(type1->container, BOUNCE_IOVA, PAGE, 0, &done),
	     "unmap of the bounce page");
	if (done != PAGE)
		die("the bounce page is still mapped");
}

void device_load(struct type1 *type1, __u64 iova, void *data)
{
	char *bounce = map_bounce(type1);

	/*
	 * Overwrite older patterns in the buffer, because a blocked load may
	 * leave the buffer unchanged.
	 */
	memset(bounce, 0xee, TRANSFER);
	must(edu_load(&type1->edu, BOUNCE_IOVA, 0, TRANSFER), "load");
	must(edu_load(&type1->edu, iova, 0, TRANSFER), "load");
	must(edu_store(&type1->edu, BOUNCE_IOVA, 0, TRANSFER), "store");
	memcpy(data, bounce, TRANSFER);
	unmap_bounce(type1);
}

void device_store(struct type1 *type1, __u64 iova, __u32 seed)
{
	char *bounce = map_bounce(type1);

	pattern_fill(bounce, TRANSFER, seed);
	must(edu_load(&type1->edu, BOUNCE_IOVA, 0, TRANSFER), "load");
	must(edu_store(&type1->edu, iova, 0, TRANSFER), "store");
	unmap_bounce(type1);
}

bool device_reads(struct type1 *type1, __u64 iova, void *memory)
{
	__u32 seed = next_seed++;
	char data[TRANSFER];

	pattern_fill(memory, TRANSFER, seed);
	device_load(type1, iova, data);
	return pattern_is(data, TRANSFER, seed);
}

bool device_writes(struct type1 *type1, __u64 iova, const void *memory)
{
	__u32 seed = next_seed++;

	device_store(type1, iova, seed);
	return pattern_is(memory, TRANSFER, seed);
}

void record_reach(const char *rules, const char *name, struct type1 *type1,
		  __u64 iova, void *memory)
{
	bool reads = device_reads(type1, iova, memory);
	bool writes = device_writes(type1, iova, memory);

	record(rules, name, "reads %s writes %s", reads ? "yes" : "no",
	       writes ? "yes" : "no");
}

long pages_pinned(void)
{
	return counters_pinned() - pinned_before;
}

long pages_charged(void)
{
	return (counters_of_self("VmLck") - charged_before) * 1024 /
	       (long)PAGE;
}

void record_pages(const char *rules, const char *name)
{
	record(rules, name, "charged %ld pinned %ld", pages_charged(),
	       pages_pinned());
}

void record_rc_pages(const char *rules, const char *name, long rc)
{
	record(rules, name, "%s charged %ld pinned %ld", rc_text(rc),
	       pages_charged(), pages_pinned());
}

void limit_locked(bool capable, long pages)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const __u32 bit = 1u << CAP_IPC_LOCK;
	struct __user_cap_data_struct data[2];
	struct rlimit limit;

	/* Keep the permitted set, so that the capability can be set again. */
	if (syscall(SYS_capget, &header, data))
		die("capget: %s", strerror(errno));
	data[0].effective &= ~bit;
	if (capable)
		data[0].effective |= bit;
	if (syscall(SYS_capset, &header, data))
		die("capset: %s", strerror(errno));
	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		die("getrlimit: %s", strerror(errno));
	limit.rlim_cur = pages < 0 ? limit.rlim_max : (rlim_t)pages * PAGE;
	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		die("setrlimit: %s", strerror(errno));
}
