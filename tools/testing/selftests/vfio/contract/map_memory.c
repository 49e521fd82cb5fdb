// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record which kinds of memory VFIO_IOMMU_MAP_DMA accepts, how many pages it
 * pins, and what devices can access.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "type1.h"
#include "vfio.h"

#define NR 4

static struct type1 type1;

static void unmap_all(const char *rules, const char *name)
{
	record_unmap(rules, name, type1.container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);
}

/* Map @vaddr for each direction of DMA, record the accounting, and unmap. */
static void record_map(const char *rules, const char *kind,
		       const void *vaddr, unsigned int nr)
{
	static const struct {
		const char *name;
		__u32 flags;
	} directions[] = {
		{ "read", READ_ONLY },
		{ "write", WRITE_ONLY },
		{ "both", READ_WRITE },
	};
	unsigned int i;
	char name[48];

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s.%s", kind, directions[i].name);
		record_rc_pages(rules, name,
				map(type1.container, IOVA, vaddr, nr * PAGE,
				    directions[i].flags));
		unmap(type1.container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
		snprintf(name, sizeof(name), "%s.%s.unmapped", kind,
			 directions[i].name);
		record_pages("T1-71", name);
	}
}

static void *new_protected(int protection)
{
	char *memory = new_pages(NR);

	if (mprotect(memory, NR * PAGE, protection))
		die("mprotect");
	return memory;
}

static void *map_file(int fd, int protection, int flags, unsigned int nr)
{
	void *memory = mmap(NULL, nr * PAGE, protection, flags, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int create_memfd(unsigned int flags, unsigned long size)
{
	int fd = memfd_create("contract", MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		die("memfd");
	return fd;
}

static void private_memory(void)
{
	char *hole = new_pages(NR);

	record_set_prefix("anonymous");
	record_map("T1-44", "present", new_pages(NR), NR);
	record_map("T1-44", "fresh", fresh_pages(NR), NR);
	record_map("T1-44", "prot_read", new_protected(PROT_READ), NR);
	record_map("T1-44", "prot_write", new_protected(PROT_WRITE), NR);
	record_map("T1-44", "prot_none", new_protected(PROT_NONE), NR);
	record_map("T1-44", "prot_exec", new_protected(PROT_EXEC), NR);
	munmap(hole + PAGE, PAGE);
	record_map("T1-46,T1-48", "hole", hole, NR);
	record_map("T1-46", "hole_first", hole + PAGE, 2);
	record_map("T1-48", "before_hole", hole, 1);
	record_map("T1-46", "kernel", (void *)-(1ul << 40), 1);
	record_map("T1-46", "null", NULL, 1);
}

static void files(void)
{
	int fd = create_memfd(0, NR * PAGE), huge, own, secret;
	void *memory;

	record_set_prefix("file");
	record_map("T1-44", "shared",
		   map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED, NR), NR);
	record_map("T1-44", "shared_read",
		   map_file(fd, PROT_READ, MAP_SHARED, NR), NR);
	record_map("T1-44", "private",
		   map_file(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, NR), NR);
	record_map("T1-44", "private_read",
		   map_file(fd, PROT_READ, MAP_PRIVATE, NR), NR);
	record_map("T1-46", "beyond_end",
		   map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 2 * NR),
		   2 * NR);
	own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	memory = map_file(own, PROT_READ, MAP_PRIVATE, 1);
	if (!memory)
		die("the program's own file");
	record_map("T1-44", "program", memory, 1);
	close(own);
	close(fd);

	huge = create_memfd(MFD_HUGETLB, HUGE);
	memory = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, huge, 0);
	record_yes("T1-59", "huge.there", memory != MAP_FAILED);
	if (memory != MAP_FAILED) {
		record_map("T1-54,T1-59", "huge", memory, HUGE / PAGE);
		record_map("T1-59", "huge_part", memory + 3 * PAGE, 2);
		munmap(memory, HUGE);
	}
	close(huge);

	secret = (int)syscall(SYS_memfd_secret, 0);
	record_yes("T1-46", "secret.there", secret >= 0);
	if (secret >= 0 && !ftruncate(secret, NR * PAGE)) {
		memory = map_file(secret, PROT_READ | PROT_WRITE, MAP_SHARED,
				  NR);
		if (memory)
			record_map("T1-46", "secret", memory, NR);
	}
}

/* A read-only mapping of untouched memory may use the zero page. */
static void zero_page(void)
{
	char *memory = fresh_pages(NR), seen[TRANSFER], zero[TRANSFER] = "";

	record_set_prefix("zero");
	record_rc_pages("T1-49,T1-51", "map",
			map(type1.container, IOVA, memory, NR * PAGE,
			    READ_ONLY));
	device_load(&type1, IOVA, seen);
	record_yes("T1-51", "reads_zero", !memcmp(seen, zero, TRANSFER));
	record_yes("T1-51", "later_writes_seen",
		   device_reads(&type1, IOVA, memory));
	device_store(&type1, IOVA, 4711);
	record_yes("T1-55", "device_writes",
		   pattern_is(memory, TRANSFER, 4711));
	unmap_all("T1-49", "unmap");
	record_pages("T1-49,T1-60", "unmapped");
}

/*
 * Record DMA through mappings that permit only one direction, and DMA after the
 * process has replaced or unmapped the memory.
 */
static void reach(void)
{
	char *memory = new_pages(NR), *moved, seen[TRANSFER];

	record_set_prefix("reach");
	map(type1.container, IOVA, memory, NR * PAGE, READ_ONLY);
	record_reach("T1-55", "read_only", &type1, IOVA, memory);
	unmap_all("T1-55", "unmap_read_only");
	map(type1.container, IOVA, memory, NR * PAGE, WRITE_ONLY);
	record_reach("T1-55", "write_only", &type1, IOVA, memory);
	unmap_all("T1-55", "unmap_write_only");

	map(type1.container, IOVA, memory, NR * PAGE, READ_WRITE);
	pattern_fill(memory + PAGE, TRANSFER, 17);
	madvise(memory + PAGE, PAGE, MADV_DONTNEED);
	record_pages("T1-43", "dontneed");
	device_load(&type1, IOVA + PAGE, seen);
	record_yes("T1-43", "dontneed.device_has_old",
		   pattern_is(seen, TRANSFER, 17));
	record_reach("T1-43", "dontneed.new_page", &type1, IOVA + PAGE,
		     memory + PAGE);
	moved = mremap(memory + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE |
		       MREMAP_FIXED, fresh_pages(1));
	if (moved == MAP_FAILED)
		die("mremap");
	record_reach("T1-43", "moved", &type1, IOVA + 2 * PAGE, moved);
	pattern_fill(memory, TRANSFER, 18);
	munmap(memory, PAGE);
	record_pages("T1-43", "munmap");
	device_load(&type1, IOVA, seen);
	record_yes("T1-43", "munmap.device_has_old",
		   pattern_is(seen, TRANSFER, 18));
	unmap_all("T1-43", "unmap");
	record_pages("T1-43", "unmapped");
}

/*
 * Record mappings of scattered pages, which are pinned in several batches, and
 * of whole huge pages and parts of them.
 */
static void batches(void)
{
	const unsigned int nr = 1500;
	static const unsigned int probed[] = {
		0, 1, 511, 512, 513, 1023, 1024, 1499,
	};
	char *memory = fresh_pages(nr), *huge, name[32];
	unsigned int i;

	record_set_prefix("batches");
	for (i = 0; i < nr; i++)
		memory[(i * 701 % nr) * PAGE] = 1;
	record_rc_pages("T1-54", "map", map(type1.container, IOVA, memory,
					    nr * PAGE, READ_WRITE));
	for (i = 0; i < ARRAY_SIZE(probed); i++) {
		snprintf(name, sizeof(name), "page_%u", probed[i]);
		record_reach("T1-54", name, &type1, IOVA + probed[i] * PAGE,
			     memory + probed[i] * PAGE);
	}
	unmap_all("T1-54,T1-100", "unmap");
	record_pages("T1-98,T1-100", "unmapped");

	huge = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	huge += -(uintptr_t)huge & (HUGE - 1);
	madvise(huge, 2 * HUGE, MADV_HUGEPAGE);
	memset(huge, 1, 2 * HUGE);
	record_rc_pages("T1-54", "huge.map",
			map(type1.container, HUGE * 100, huge, 2 * HUGE,
			    READ_WRITE));
	record_reach("T1-54", "huge.last_of_first", &type1,
		     101 * HUGE - PAGE, huge + HUGE - PAGE);
	record_reach("T1-54", "huge.first_of_second", &type1, 101 * HUGE,
		     huge + HUGE);
	unmap_all("T1-54,T1-100", "huge.unmap");
	record_rc_pages("T1-54", "huge.odd_map",
			map(type1.container, IOVA + PAGE, huge + 3 * PAGE,
			    HUGE, READ_WRITE));
	record_reach("T1-54", "huge.odd", &type1, IOVA + HUGE,
		     huge + HUGE + 2 * PAGE);
	unmap_all("T1-54,T1-100", "huge.odd_unmap");
	record_pages("T1-98,T1-100", "huge.unmapped");
}

static void *bar_at(void *place, int protection)
{
	struct vfio_region_info region;
	void *bar;

	if (vfio_region(type1.device, VFIO_PCI_BAR0_REGION_INDEX, &region))
		die("the region of BAR 0");
	bar = mmap(place, PAGE, protection,
		   MAP_SHARED | (place ? MAP_FIXED : 0), type1.device,
		   (off_t)region.offset);
	if (bar == MAP_FAILED)
		die("the registers: %s", strerror(errno));
	return bar;
}

/* Record mappings of memory without struct pages: the registers of a device. */
static void registers(void)
{
	char *both = fresh_pages(3), *place;

	record_set_prefix("bar");
	record_map("T1-47,T1-49,T1-60", "writable",
		   bar_at(NULL, PROT_READ | PROT_WRITE), 1);
	record_map("T1-47", "read_only", bar_at(NULL, PROT_READ), 1);
	place = bar_at(both + PAGE, PROT_READ | PROT_WRITE);
	record_rc_pages("T1-48,T1-60", "between_memory",
			map(type1.container, IOVA, both, 3 * PAGE,
			    READ_WRITE));
	record_reach("T1-48", "between_memory.before", &type1, IOVA, both);
	record_reach("T1-48", "between_memory.after", &type1, IOVA + 2 * PAGE,
		     both + 2 * PAGE);
	munmap(place, PAGE);
	record_pages("T1-47", "munmap");
	unmap_all("T1-47", "unmap");
	record_pages("T1-47,T1-60", "unmapped");
}

/*
 * Record mappings of two pages of the vvar area. The first one is populated,
 * and the second one may be inaccessible.
 */
static void kernel_page(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start = 0;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]"))
			start = strtoul(line, NULL, 16);
	record_set_prefix("vvar");
	record_yes("T1-47", "there", start);
	if (start) {
		record_map("T1-47,T1-49", "data", (void *)start, 1);
		record_map("T1-47", "absent", (void *)start + PAGE, 1);
	}
	if (maps)
		fclose(maps);
}

static void userfault(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	char *memory = fresh_pages(NR);

	record_set_prefix("userfault");
	reg.range.start = (uintptr_t)memory;
	reg.range.len = NR * PAGE;
	record_yes("T1-45", "there", fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
		   !ioctl(fd, UFFDIO_REGISTER, &reg));
	record_map("T1-45", "missing", memory, NR);
	close(fd);
	record_map("T1-45", "closed", memory, NR);
}

static void protection_key(void)
{
	char *memory = new_pages(NR);
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);

	record_set_prefix("pkey");
	record_yes("T1-44", "there", key >= 0 &&
		   !pkey_mprotect(memory, NR * PAGE, PROT_READ | PROT_WRITE,
				  key));
	record_map("T1-44", "no_access", memory, NR);
}

/* Return whether the page at @memory is marked dirty. */
static bool page_dirty(const void *memory)
{
	__u64 place = 0, flags = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &place, sizeof(place),
			    (off_t)((uintptr_t)memory / PAGE * 8)) != 8)
		die("pagemap: %s", strerror(errno));
	close(fd);
	place &= (1ull << 55) - 1;
	fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &flags, sizeof(flags),
			    (off_t)place * 8) != 8)
		die("kpageflags: %s", strerror(errno));
	close(fd);
	return flags & 1ull << 4;
}

/* An unpin marks a page dirty if the device was able to write to it. */
static void dirty_pages(void)
{
	char *memory = new_pages(2);

	record_set_prefix("dirty");
	record_yes("T1-70", "at_first", page_dirty(memory));
	map(type1.container, IOVA, memory, PAGE, READ_ONLY);
	unmap_all("T1-70", "unmap_read");
	record_yes("T1-70", "after_read", page_dirty(memory));
	map(type1.container, IOVA, memory, 2 * PAGE, READ_WRITE);
	record_yes("T1-70", "mapped_writable", page_dirty(memory));
	unmap_all("T1-70", "unmap_writable");
	record_yes("T1-70", "after_writable", page_dirty(memory));
	record_yes("T1-70", "after_writable.second",
		   page_dirty(memory + PAGE));
}

/* A map that fails at its last page is rolled back completely. */
static void rollback(void)
{
	const unsigned int nr = 600;
	char *memory = new_pages(nr);

	record_set_prefix("unwind");
	munmap(memory + (nr - 1) * PAGE, PAGE);
	record_rc_pages("T1-71", "map", map(type1.container, IOVA, memory,
					    nr * PAGE, READ_WRITE));
	record("T1-71", "avail", "%u", avail(type1.container));
	record_reach("T1-71", "reach", &type1, IOVA, memory);
	record_unmap("T1-71", "unmap", type1.container, IOVA, nr * PAGE, 0);
	record_rc_pages("T1-71", "map_shorter",
			map(type1.container, IOVA, memory, (nr - 1) * PAGE,
			    READ_WRITE));
	unmap_all("T1-71", "unmap_shorter");
	record_pages("T1-71", "unmapped");
}

int main(void)
{
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	private_memory();
	files();
	zero_page();
	reach();
	batches();
	registers();
	kernel_page();
	userfault();
	protection_key();
	dirty_pages();
	rollback();
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15,T1-71", "end");
	return 0;
}
