// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record random sequences of operations. Each seed determines one sequence,
 * which runs on a container of its own.
 *
 * The trace of a sequence contains each operation with its results, followed by
 * the number of charged pages. The trace also contains the number of pinned
 * pages at every tenth operation, unless the container has a mediated device.
 * After every STRETCH operations, the program adds to the trace which pages of
 * two memory areas may be pinned, and prints a line with the hash of the trace
 * so far.
 *
 * Random numbers depend only on the seed and on earlier results. CONTRACT_SEEDS
 * in the environment sets the number of sequences. If CONTRACT_SEED is set,
 * only the sequence of that seed runs, and each operation is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev.h"
#include "type1.h"
#include "vfio.h"

#define SEEDS		200u
#define OPERATIONS	500u
#define STRETCH		50u
#define SLOTS		48u
#define SLOT_PAGES	16u
#define MEMORY_PAGES	64u
#define BITMAP_BYTES	512u
#define PINS		8u

/* PFN bits of an entry of /proc/self/pagemap */
#define PAGEMAP_PFN	((1ull << 55) - 1)

#define ALL		VFIO_DMA_UNMAP_FLAG_ALL
#define VADDR		VFIO_DMA_UNMAP_FLAG_VADDR
#define DIRTY		VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP

enum kind {
	PRESENT, FRESH, SHARED, READABLE, ZERO, HUGETLB, THP, HOLE,
	PRIVATE_FILE, BAR,
	KINDS
};

struct query {
	struct vfio_iommu_type1_dirty_bitmap head;
	struct vfio_iommu_type1_dirty_bitmap_get get;
};

/*
 * The mappings that should exist, at most one per slot. Operations choose most
 * of their targets among them. A slot of size 0 is free. @stale is set if the
 * process has changed the memory since it was mapped.
 */
static struct {
	__u64 size;
	const char *vaddr;
	__u32 prot;
	bool no_vaddr;
	bool stale;
} slots[SLOTS];

static struct type1 type1;
static int second = -1;
static struct mdev mdev;
static bool joined, mdev_joined, tracking, version_1;
static char *memory[KINDS];
static __u64 state, hash;
static bool verbose;

static __u32 draw(__u32 below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (__u32)(state >> 33) % below;
}

static bool chance(__u32 percent)
{
	return draw(100) < percent;
}

static void trace(const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	while (length--)
		hash = (hash ^ *byte++) * 0x100000001b3ull;
}

__printf(1, 2)
static void tracef(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	trace(text, strlen(text));
	if (verbose)
		printf("# %s\n", text);
}

static __u64 iova_of(unsigned int slot)
{
	return IOVA + (__u64)slot * SLOT_PAGES * PAGE;
}

static unsigned int draw_slot(bool mapped)
{
	unsigned int slot = draw(SLOTS), i;

	for (i = 0; i < SLOTS; i++, slot = (slot + 1) % SLOTS)
		if (!slots[slot].size == !mapped)
			break;
	return slot;
}

static void forget_range(__u64 iova, __u64 size)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (iova_of(slot) >= iova && iova_of(slot) - iova < size)
			slots[slot].size = 0;
}

/*
 * Write to the pages, so that the process has private copies of them. Otherwise
 * the trace would depend on the kernel: kernels differ in how much memory a
 * failed map faults in, and in how a read-only pin treats a page that is not
 * private to the process. map_memory records the latter.
 */
static void touch(enum kind kind, const char *vaddr, __u64 size)
{
	char *page = memory[kind] + (vaddr - memory[kind]);

	for (; size >= PAGE; size -= PAGE, page += PAGE)
		__atomic_fetch_or(page, 0, __ATOMIC_RELAXED);
}

static bool do_map(void)
{
	enum kind kind = chance(70) ? draw(4) : draw(KINDS);
	unsigned int slot = draw_slot(chance(8));
	__u64 size = (1 + draw(SLOT_PAGES)) * PAGE, iova = iova_of(slot);
	const char *vaddr = memory[kind] +
			    draw(MEMORY_PAGES - SLOT_PAGES) * PAGE;
	__u32 flags = 1 + draw(3);
	long rc;

	if (kind == BAR)
		vaddr = memory[BAR] + draw(4) * PAGE;
	if (kind == READABLE || kind == ZERO)
		flags = chance(90) ? READ_ONLY : flags;
	switch (draw(40)) {
	case 0:
		iova += draw(PAGE);
		break;
	case 1:
		vaddr += draw(PAGE);
		break;
	case 2:
		size += draw(PAGE);
		break;
	case 3:
		flags = draw(16);
		break;
	case 4:
		iova = 0xfee00000ull - PAGE * draw(SLOT_PAGES);
		break;
	case 5:
		iova = 1ull << (30 + draw(33));
		break;
	}
	if (!(flags & VFIO_DMA_MAP_FLAG_WRITE) &&
	    (kind == PRESENT || kind == FRESH))
		touch(kind, vaddr, size);
	rc = map(type1.container, iova, vaddr, size, flags);
	tracef("map kind %u iova %llx size %llx flags %x: %s", kind, iova, size,
	       flags, rc_text(rc));
	if (!rc && iova == iova_of(slot)) {
		slots[slot].size = size;
		slots[slot].vaddr = vaddr;
		slots[slot].prot = flags & PIN_BOTH;
		slots[slot].no_vaddr = false;
		slots[slot].stale = false;
	}
	if (rc == -ENOMEM && (flags & VFIO_DMA_MAP_FLAG_WRITE) &&
	    (kind == PRESENT || kind == FRESH))
		touch(kind, vaddr, size);
	return !rc;
}

static bool do_update_vaddr(void)
{
	unsigned int slot = draw_slot(true), i;
	long rc;

	for (i = 0; i < SLOTS; i++, slot = (slot + 1) % SLOTS)
		if (slots[slot].size && slots[slot].no_vaddr)
			break;
	rc = map(type1.container, iova_of(slot), slots[slot].vaddr,
		 slots[slot].size + (chance(10) ? PAGE : 0),
		 VFIO_DMA_MAP_FLAG_VADDR);
	tracef("give slot %u: %s", slot, rc_text(rc));
	if (!rc)
		slots[slot].no_vaddr = false;
	return !rc;
}

/*
 * Choose the range of an unmap: one mapping, or several slots, at times moved
 * or resized so that the range cuts mappings or is misaligned.
 */
static void draw_range(__u64 *iova, __u64 *size)
{
	unsigned int slot = draw_slot(true), nr = 1 + draw(6);

	*iova = iova_of(slot);
	*size = slots[slot].size ? slots[slot].size : PAGE;
	if (chance(25))
		*size = (__u64)nr * SLOT_PAGES * PAGE;
	if (chance(10))
		*iova -= draw(SLOT_PAGES) * PAGE;
	if (chance(10))
		*size += draw(SLOT_PAGES) * PAGE;
	if (chance(4))
		*iova += draw(PAGE);
	if (chance(4))
		*size -= draw(PAGE);
}

static bool do_unmap(void)
{
	__u64 iova, size, done;
	__u32 flags = 0;
	long rc;

	draw_range(&iova, &size);
	if (chance(4)) {
		iova = 0;
		size = 0;
		flags = ALL;
	}
	if (chance(3))
		flags |= draw(16);
	rc = unmap(type1.container, iova, size, flags, &done);
	tracef("unmap iova %llx size %llx flags %x: %s size %llx", iova, size,
	       flags, rc_text(rc), done);
	if (!rc && !(flags & VADDR))
		forget_range(iova, flags & ALL ? -1ull : size);
	return !rc;
}

static bool do_invalidate_vaddr(void)
{
	unsigned int slot = draw_slot(true);
	__u64 done;
	long rc = unmap(type1.container, iova_of(slot), slots[slot].size,
			VADDR, &done);

	tracef("lose slot %u: %s size %llx", slot, rc_text(rc), done);
	if (!rc && done)
		slots[slot].no_vaddr = true;
	return !rc;
}

static bool do_unmap_dirty(void)
{
	unsigned char bits[BITMAP_BYTES];
	struct unmap_dirty arg = {
		.unmap = {
			.argsz = sizeof(arg),
			.flags = DIRTY,
		},
		.bitmap = {
			.pgsize = PAGE << (chance(5) ? 1 : 0),
			.size = chance(90) ? sizeof(bits) : 8 * draw(8),
			.data = (void *)bits,
		},
	};
	__u64 iova, size;
	long rc;

	draw_range(&iova, &size);
	arg.unmap.iova = iova;
	arg.unmap.size = size;
	memset(bits, 0, sizeof(bits));
	rc = ioctl(type1.container, VFIO_IOMMU_UNMAP_DMA, &arg) ? -errno : 0;
	tracef("unmap dirty iova %llx size %llx bitmap %llu: %s size %llx",
	       iova, size, arg.bitmap.size, rc_text(rc), arg.unmap.size);
	if (!rc) {
		trace(bits, sizeof(bits));
		forget_range(iova, size);
	}
	return !rc;
}

static bool do_track(void)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = sizeof(arg),
		.flags = tracking ? VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP :
				    VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};
	long rc;

	if (chance(10))
		arg.flags = draw(16);
	rc = ioctl(type1.container, VFIO_IOMMU_DIRTY_PAGES, &arg) ? -errno : 0;
	tracef("track flags %x: %s", arg.flags, rc_text(rc));
	if (!rc)
		tracking = arg.flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
	return !rc;
}

/*
 * Query exactly the range of one mapping, or pass a wrong size or page size, so
 * that the query fails. For other ranges, type1 of Linux 6.1 returns wrong bits
 * from the second query on. bug_dirty records that.
 */
static bool do_query(void)
{
	unsigned int slot = draw_slot(true);
	unsigned char bits[BITMAP_BYTES];
	struct query arg = {
		.head = {
			.argsz = sizeof(arg),
			.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		},
		.get = {
			.iova = iova_of(slot),
			.size = slots[slot].size - (chance(5) ? PAGE : 0),
			.bitmap = {
				.pgsize = PAGE << (chance(5) ? 1 : 0),
				.size = sizeof(bits),
				.data = (void *)bits,
			},
		},
	};
	long rc;

	memset(bits, 0, sizeof(bits));
	rc = ioctl(type1.container, VFIO_IOMMU_DIRTY_PAGES, &arg) ? -errno : 0;
	tracef("query slot %u size %llx: %s", slot, arg.get.size, rc_text(rc));
	trace(bits, sizeof(bits));
	return !rc;
}

static bool do_info(void)
{
	unsigned char info[512];
	__u32 argsz = chance(50) ? sizeof(info) : draw(160);
	long rc;

	memset(info, 0xa5, sizeof(info));
	rc = get_info(type1.container, info, argsz);
	tracef("info argsz %u: %s", argsz, rc_text(rc));
	trace(info, sizeof(info));
	return !rc;
}

static bool do_extension(void)
{
	static const unsigned long known[] = { 1, 3, 6, 9, 10 };
	unsigned long extension = chance(60) ? known[draw(5)] : draw(16);
	long rc;

	if (for_iommufd() && extension == VFIO_TYPE1_NESTING_IOMMU)
		extension = VFIO_TYPE1v2_IOMMU;
	rc = check_extension(type1.container, extension);
	tracef("extension %lu: %s", extension, rc_text(rc));
	return rc > 0;
}

static bool do_group(void)
{
	long rc = joined ? leave(second) : join(second, type1.container);

	tracef("%s: %s", joined ? "leave" : "join", rc_text(rc));
	if (!rc)
		joined = !joined;
	return !rc;
}

static bool do_mdev(void)
{
	long rc;

	if (mdev_joined) {
		mdev_close(&mdev);
		rc = leave(mdev.group);
	} else {
		rc = join(mdev.group, type1.container);
		if (!rc)
			mdev_open(&mdev);
	}
	tracef("mdev %s: %s", mdev_joined ? "leaves" : "joins", rc_text(rc));
	if (!rc)
		mdev_joined = !mdev_joined;
	return !rc;
}

/*
 * Choose a mapping of memory that has not changed. For changed memory, kernels
 * differ in whether they pin the new page or the page that the domain maps. The
 * program mdev_attach records that.
 */
static unsigned int draw_pinnable(void)
{
	unsigned int slot = draw_slot(true), i;

	for (i = 0; i < SLOTS; i++, slot = (slot + 1) % SLOTS)
		if (slots[slot].size && !slots[slot].stale &&
		    !slots[(slot + 1) % SLOTS].stale)
			break;
	return slot;
}

static bool do_pin(void)
{
	unsigned int slot = draw_pinnable(), nr = 1 + draw(PINS);
	__u64 iova = iova_of(slot);
	__u32 prot = chance(95) ? slots[slot].prot : 1 + draw(3);
	long rc;

	if (slots[slot].size && chance(95))
		nr = 1 + draw((__u32)(slots[slot].size / PAGE));
	if (chance(5))
		iova += draw(SLOT_PAGES) * PAGE;
	if (slots[slot].stale)
		return true;
	mdev_reset_letters();
	rc = mdev_pin(&mdev, iova, (int)nr, prot);
	tracef("pin iova %llx pages %u prot %u: %s %s", iova, nr, prot,
	       rc_text(rc), mdev_pages_text(&mdev, nr));
	return rc > 0;
}

/*
 * Unpin only pages that were just pinned, because the kernel warns about an
 * unpin of an IOVA that is not mapped. mdev_warn records that.
 */
static bool do_unpin(void)
{
	unsigned int slot = draw_pinnable(), nr = 1 + draw(PINS), less;
	struct mdev_pin_state state;
	long rc;

	if (slots[slot].stale)
		return true;
	if (slots[slot].size)
		nr = 1 + draw((__u32)(slots[slot].size / PAGE));
	rc = mdev_pin(&mdev, iova_of(slot), (int)nr, slots[slot].prot);
	less = 1 + draw(nr);
	if (rc == (long)nr)
		mdev_unpin(&mdev, iova_of(slot), (int)less);
	mdev_state(&mdev, &state);
	tracef("pin slot %u pages %u: %s, unpin %u: held %u", slot, nr,
	       rc_text(rc), less, state.pins);
	return rc == (long)nr;
}

/* Skip the registers of the device, because a write may start a transfer. */
static bool do_rw(void)
{
	unsigned int slot = draw_slot(true);
	__u64 offset = draw(SLOT_PAGES * PAGE), length;
	const char *vaddr = slots[slot].vaddr;
	char data[2 * PAGE];
	bool write = chance(15) ? chance(50) : slots[slot].prot & PIN_WRITE;
	long rc;

	if (slots[slot].size) {
		offset %= slots[slot].size;
		if (vaddr >= memory[BAR] && vaddr < memory[BAR] + (1 << 20))
			return true;
	}
	length = 1 + draw(sizeof(data));
	if (length > SLOT_PAGES * PAGE - offset)
		length = SLOT_PAGES * PAGE - offset;
	if (slots[slot].size && chance(80) &&
	    length > slots[slot].size - offset)
		length = slots[slot].size - offset;
	memset(data, (int)draw(256), sizeof(data));
	rc = write ? mdev_write(&mdev, iova_of(slot) + offset, data, length) :
		     mdev_read(&mdev, iova_of(slot) + offset, data, length);
	tracef("%s slot %u offset %llx length %llx: %s",
	       write ? "write" : "read", slot, offset, length, rc_text(rc));
	if (!rc)
		trace(data, length);
	return !rc;
}

static bool do_limit(void)
{
	long pages = chance(50) ? (long)draw(400) : -1l;

	limit_locked(pages < 0, pages);
	tracef("limit %ld", pages);
	return true;
}

static bool do_change(void)
{
	static const enum kind changed[] = { PRESENT, FRESH, SHARED };
	enum kind kind = changed[draw(3)];
	char *page = memory[kind] + draw(MEMORY_PAGES) * PAGE;
	unsigned int how = draw(5), slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slots[slot].size && page >= slots[slot].vaddr &&
		    page < slots[slot].vaddr + slots[slot].size)
			slots[slot].stale = true;
	if (how < 2)
		madvise(page, PAGE, MADV_DONTNEED);
	else if (how < 4)
		*page = (char)draw(256);
	else if (mmap(page, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		 page)
		die("mmap");
	touch(kind, page, PAGE);
	tracef("page %s", how < 2 ? "gone" : how < 4 ? "written" : "replaced");
	return true;
}

/*
 * Have the device copy 64 bytes by DMA, from a mapping to another mapping or to
 * an IOVA that is not mapped.
 */
static bool do_dma(void)
{
	unsigned int from = draw_slot(true), to = draw_slot(chance(70));
	const char *page = slots[to].vaddr;
	__u64 seen = 0;

	if (edu_load(&type1.edu, iova_of(from), 0, 64) ||
	    edu_store(&type1.edu, iova_of(to), 0, 64))
		die("the edu device does not complete a transfer");
	if (slots[to].size && page >= memory[PRESENT] &&
	    page < memory[PRESENT] + MEMORY_PAGES * PAGE)
		memcpy(&seen, page, sizeof(seen));
	tracef("dma %u to %u: %llx", from, to, seen);
	return true;
}

static struct {
	const char *name;
	const char *rules;
	bool (*run)(void);
	unsigned int weight;
	unsigned int tried, done;
} operations[] = {
	{ "map", "T1-35", do_map, 300, 0, 0 },
	{ "unmap", "T1-81", do_unmap, 140, 0, 0 },
	{ "unmap_dirty", "T1-109", do_unmap_dirty, 40, 0, 0 },
	{ "lose", "T1-95", do_invalidate_vaddr, 20, 0, 0 },
	{ "give", "T1-75", do_update_vaddr, 30, 0, 0 },
	{ "track", "T1-105", do_track, 30, 0, 0 },
	{ "query", "T1-106", do_query, 50, 0, 0 },
	{ "info", "T1-27", do_info, 50, 0, 0 },
	{ "extension", "T1-20", do_extension, 40, 0, 0 },
	{ "group", "T1-118", do_group, 50, 0, 0 },
	{ "mdev", "T1-131", do_mdev, 15, 0, 0 },
	{ "pin", "T1-139", do_pin, 60, 0, 0 },
	{ "unpin", "T1-142", do_unpin, 30, 0, 0 },
	{ "rw", "T1-153", do_rw, 50, 0, 0 },
	{ "limit", "T1-62", do_limit, 30, 0, 0 },
	{ "change", "T1-43", do_change, 70, 0, 0 },
	{ "dma", "T1-170", do_dma, 3, 0, 0 },
};

static bool any_slot(bool no_vaddr)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slots[slot].size && slots[slot].no_vaddr == no_vaddr)
			return true;
	return false;
}

/*
 * If an operation cannot succeed, usually return another one instead: one that
 * establishes the missing precondition, or one that can succeed.
 */
static bool (*adjust_operation(bool (*run)(void)))(void)
{
	/*
	 * With an iommufd, groups and mediated devices behave differently than
	 * with type1, so replace their operations.
	 */
	if (for_iommufd() && (run == do_group || run == do_mdev ||
			      run == do_pin || run == do_unpin ||
			      run == do_rw))
		run = do_map;
	if ((run == do_pin || run == do_unpin || run == do_rw) && !mdev_joined)
		return do_mdev;
	if (chance(10))
		return run;
	if ((run == do_invalidate_vaddr || run == do_update_vaddr) &&
	    mdev_joined)
		return do_mdev;
	if ((run == do_query || run == do_unmap_dirty) && !tracking)
		return version_1 ? do_unmap : do_track;
	if (run == do_track && version_1)
		return do_info;
	if (run == do_update_vaddr && !any_slot(true))
		return do_invalidate_vaddr;
	if (run != do_map && run != do_update_vaddr && !any_slot(false))
		return do_map;
	return run;
}

static void operate(unsigned int number)
{
	bool (*run)(void);
	unsigned int sum = 0, at, i;
	long charged;

	for (i = 0; i < ARRAY_SIZE(operations); i++)
		sum += operations[i].weight;
	at = draw(sum);
	for (i = 0; at >= operations[i].weight; i++)
		at -= operations[i].weight;
	run = adjust_operation(operations[i].run);
	for (i = 0; operations[i].run != run; i++)
		;
	operations[i].tried++;
	operations[i].done += run();
	charged = pages_charged();
	trace(&charged, sizeof(charged));
	/*
	 * Kernels differ in whether they pin a page a second time if a mediated
	 * device has already pinned it, so do not record the number of pinned
	 * pages while the container has a mediated device.
	 */
	if (number % 10 == 0 && !mdev_joined)
		tracef("charged %ld pinned %ld", charged, pages_pinned());
}

static void read_pagemap(const char *pages, __u64 *entries)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t size = MEMORY_PAGES * sizeof(*entries);

	if (fd < 0 || pread(fd, entries, (size_t)size,
			    (off_t)((uintptr_t)pages / PAGE *
				    sizeof(*entries))) != size)
		die("pagemap");
	close(fd);
}

/*
 * Add to the trace which pages may be pinned: fork() copies these immediately,
 * while the child shares all other private pages with its parent.
 */
static void trace_pinned(const char *name, const char *pages)
{
	__u64 parent[MEMORY_PAGES], copy[MEMORY_PAGES];
	char text[MEMORY_PAGES + 1] = "";
	unsigned int i;
	int ends[2];
	pid_t child;

	read_pagemap(pages, parent);
	if (pipe(ends))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		read_pagemap(pages, copy);
		_exit(write(ends[1], copy, sizeof(copy)) < 0);
	}
	close(ends[1]);
	if (read(ends[0], copy, sizeof(copy)) != sizeof(copy))
		die("the pagemap of the child");
	close(ends[0]);
	waitpid(child, NULL, 0);
	for (i = 0; i < MEMORY_PAGES; i++)
		text[i] = (parent[i] & PAGEMAP_PFN) &&
			  ((parent[i] ^ copy[i]) & PAGEMAP_PFN) ? 'p' : '-';
	tracef("%s pages %s", name, text);
}

/* Allocate memory of each kind, anew for each sequence. */
static void prepare(void)
{
	struct vfio_region_info bar;
	struct stat file;
	enum kind kind;
	int fd;

	for (kind = PRESENT; kind < BAR; kind++)
		memory[kind] = kind == FRESH ? fresh_pages(MEMORY_PAGES) :
					       new_pages(MEMORY_PAGES);
	mprotect(memory[READABLE], MEMORY_PAGES * PAGE, PROT_READ);
	mprotect(memory[ZERO], MEMORY_PAGES * PAGE, PROT_READ);
	munmap(memory[HOLE] + 20 * PAGE, 4 * PAGE);

	fd = memfd_create("shared", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, MEMORY_PAGES * PAGE) ||
	    mmap(memory[SHARED], MEMORY_PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		die("shared memory");
	close(fd);

	/*
	 * Touch only the pages up to the end of the file. An access to a later
	 * page raises SIGBUS.
	 */
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file) ||
	    mmap(memory[PRIVATE_FILE], MEMORY_PAGES * PAGE,
		 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
		 0) == MAP_FAILED)
		die("memory of a file");
	close(fd);
	if (file.st_size > (off_t)(MEMORY_PAGES * PAGE))
		file.st_size = MEMORY_PAGES * PAGE;
	touch(PRIVATE_FILE, memory[PRIVATE_FILE],
	      ((__u64)file.st_size + PAGE - 1) & ~(__u64)(PAGE - 1));

	munmap(memory[THP], MEMORY_PAGES * PAGE);
	memory[THP] = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[THP] += -(uintptr_t)memory[THP] & (HUGE - 1);
	madvise(memory[THP], HUGE, MADV_HUGEPAGE);
	memset(memory[THP], 1, HUGE);

	munmap(memory[HUGETLB], MEMORY_PAGES * PAGE);
	memory[HUGETLB] = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1,
			       0);
	if (memory[HUGETLB] == MAP_FAILED)
		die("no huge pages");

	if (vfio_region(type1.device, VFIO_PCI_BAR0_REGION_INDEX, &bar))
		die("the device's registers");
	memory[BAR] = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   type1.device, (off_t)bar.offset);
	if (memory[BAR] == MAP_FAILED)
		die("the device's registers");
}

static void clean_up(void)
{
	enum kind kind;

	for (kind = PRESENT; kind < KINDS; kind++)
		munmap(memory[kind], kind == BAR ? 1 << 20 :
		       kind == HUGETLB || kind == THP ? HUGE :
		       MEMORY_PAGES * PAGE);
}

/*
 * Use the first version of type1 for one seed in four, and nesting for one seed
 * in eight if the IOMMU supports it. An iommufd does not support nesting.
 */
static void open_container(unsigned int seed)
{
	long rc;

	version_1 = seed % 4 == 0;
	if (seed % 8 != 5 || for_iommufd()) {
		type1_open(&type1, version_1 ? VFIO_TYPE1_IOMMU :
					       VFIO_TYPE1v2_IOMMU);
		return;
	}
	rc = type1_try(&type1, VFIO_TYPE1_NESTING_IOMMU);
	tracef("nesting: %s", rc_text(rc));
	if (rc && set_iommu(type1.container, VFIO_TYPE1v2_IOMMU))
		die("a container without nesting");
}

static void sequence(unsigned int seed)
{
	char name[48];
	unsigned int i;

	state = seed;
	hash = 0xcbf29ce484222325ull;
	draw(1);
	memset(slots, 0, sizeof(slots));
	joined = false;
	mdev_joined = false;
	tracking = false;
	open_container(seed);
	type1_device(&type1);
	mdev_create(&mdev, seed % 8 == 3 ? "plain" : "notified");
	prepare();
	for (i = 0; i < OPERATIONS; i++) {
		operate(i);
		if (i % STRETCH != STRETCH - 1)
			continue;
		trace_pinned("present", memory[PRESENT]);
		trace_pinned("fresh", memory[FRESH]);
		snprintf(name, sizeof(name), "seed_%u.to_%u", seed, i);
		record("T1-164", name, "%016llx", hash);
	}
	if (joined)
		leave(second);
	if (mdev_joined)
		do_mdev();
	mdev_destroy(&mdev);
	limit_locked(true, -1);
	clean_up();
	type1_close(&type1);
	tracef("closed: charged %ld pinned %ld", pages_charged(),
	       pages_pinned());
	snprintf(name, sizeof(name), "seed_%u.closed", seed);
	record("T1-15", name, "%016llx", hash);
}

int main(void)
{
	const char *only = getenv("CONTRACT_SEED");
	const char *count = getenv("CONTRACT_SEEDS");
	unsigned int seeds = count ? (unsigned int)atoi(count) : SEEDS;
	unsigned int seed, i;

	if (devices()->nr_singletons < 2)
		die("needs two edu devices with groups of their own");
	second = new_group(&devices()->singleton[1]);
	verbose = only;
	if (only)
		sequence((unsigned int)atoi(only));
	for (seed = 1; !only && seed <= seeds; seed++)
		sequence(seed);
	for (i = 0; i < ARRAY_SIZE(operations); i++)
		record(operations[i].rules, operations[i].name,
		       "tried %u succeeded %u", operations[i].tried,
		       operations[i].done);
	record_pages("T1-15", "end");
	return 0;
}
