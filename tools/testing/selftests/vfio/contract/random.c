// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequences of calls that nobody thought of: from each seed a container, and
 * operations on it one after the other.
 *
 * Vocabulary: an operation's trace is what it gave, each byte of it, and what
 * the process was charged after; now and then what is pinned. A stretch is so
 * many operations in a row, of which a line shows the hash of all traces; at
 * its end the trace says of each page of some memory whether it is pinned.
 *
 * Rule: what is drawn depends on the seed and on earlier results alone. With
 * CONTRACT_SEED=n in the environment that seed alone runs, and prints each
 * operation as it is.
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

/* The bits of an entry of /proc/self/pagemap that say which page it is */
#define PAGEMAP_PFN	((1ull << 55) - 1)

#define ALL		VFIO_DMA_UNMAP_FLAG_ALL
#define VADDR		VFIO_DMA_UNMAP_FLAG_VADDR
#define DIRTY		VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP

enum kind {
	PRESENT, FRESH, SHARED, READABLE, ZERO, HUGETLB, THP, HOLE, OF_FILE, BAR,
	KINDS
};

struct unmap_dirty {
	struct vfio_iommu_type1_dma_unmap unmap;
	struct vfio_bitmap bitmap;
};

struct query {
	struct vfio_iommu_type1_dirty_bitmap head;
	struct vfio_iommu_type1_dirty_bitmap_get get;
};

/* What the program believes to be mapped, so that it can aim. */
static struct {
	__u64 size;
	const char *vaddr;
	__u32 prot;
	bool lost;
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
static void tell(const char *format, ...)
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
 * Make pages the process' own. A MAP that fails may have faulted in some of its
 * memory, which is no rule; and a read-only pin of a page that is not the process'
 * own is an allowed difference, see the other programs.
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
	tell("map kind %u iova %llx size %llx flags %x: %s", kind, iova, size,
	     flags, rc_text(rc));
	if (!rc && iova == iova_of(slot)) {
		slots[slot].size = size;
		slots[slot].vaddr = vaddr;
		slots[slot].prot = flags & PIN_BOTH;
		slots[slot].lost = false;
		slots[slot].stale = false;
	}
	if (rc == -ENOMEM && (flags & VFIO_DMA_MAP_FLAG_WRITE) &&
	    (kind == PRESENT || kind == FRESH))
		touch(kind, vaddr, size);
	return !rc;
}

static bool do_give(void)
{
	unsigned int slot = draw_slot(true), i;
	long rc;

	for (i = 0; i < SLOTS && !(slots[slot].size && slots[slot].lost); i++)
		slot = (slot + 1) % SLOTS;
	rc = map(type1.container, iova_of(slot), slots[slot].vaddr,
		 slots[slot].size + (chance(10) ? PAGE : 0),
		 VFIO_DMA_MAP_FLAG_VADDR);
	tell("give slot %u: %s", slot, rc_text(rc));
	if (!rc)
		slots[slot].lost = false;
	return !rc;
}

/* Where an UNMAP or a query goes: one mapping, several, or whatever. */
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
	tell("unmap iova %llx size %llx flags %x: %s size %llx", iova, size,
	     flags, rc_text(rc), done);
	if (!rc && !(flags & VADDR))
		forget_range(iova, flags & ALL ? -1ull : size);
	return !rc;
}

static bool do_lose(void)
{
	unsigned int slot = draw_slot(true);
	__u64 done;
	long rc = unmap(type1.container, iova_of(slot), slots[slot].size,
			VADDR, &done);

	tell("lose slot %u: %s size %llx", slot, rc_text(rc), done);
	if (!rc && done)
		slots[slot].lost = true;
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
	tell("unmap dirty iova %llx size %llx bitmap %llu: %s size %llx", iova,
	     size, arg.bitmap.size, rc_text(rc), arg.unmap.size);
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
	tell("track flags %x: %s", arg.flags, rc_text(rc));
	if (!rc)
		tracking = arg.flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
	return !rc;
}

/*
 * The range starts where a mapping does, and holds it alone: what stock type1
 * says of others is wrong the second time, and bug_dirty shows it.
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
	tell("query slot %u size %llx: %s", slot, arg.get.size, rc_text(rc));
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
	tell("info argsz %u: %s", argsz, rc_text(rc));
	trace(info, sizeof(info));
	return !rc;
}

static bool do_extension(void)
{
	static const unsigned long known[] = { 1, 3, 6, 9, 10 };
	unsigned long extension = chance(60) ? known[draw(5)] : draw(16);
	long rc = check_extension(type1.container, extension);

	tell("extension %lu: %s", extension, rc_text(rc));
	return rc > 0;
}

static bool do_group(void)
{
	long rc = joined ? leave(second) : join(second, type1.container);

	tell("%s: %s", joined ? "leave" : "join", rc_text(rc));
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
	tell("mdev %s: %s", mdev_joined ? "leaves" : "joins", rc_text(rc));
	if (!rc)
		mdev_joined = !mdev_joined;
	return !rc;
}

/*
 * A mapping whose memory is what it was: of other memory a kernel may pin the
 * page of now, or the one that the domain maps. mdev_pin shows which.
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
	mdev_letters_anew();
	rc = mdev_pin(&mdev, iova, (int)nr, prot);
	tell("pin iova %llx pages %u prot %u: %s %s", iova, nr, prot,
	     rc_text(rc), mdev_pages_text(&mdev, nr));
	return rc > 0;
}

/*
 * Of what a pin just now got: to unpin where nothing is mapped is a warning of
 * the kernel, which mdev_warn shows.
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
	tell("pin slot %u pages %u: %s, unpin %u: held %u", slot, nr,
	     rc_text(rc), less, state.pins);
	return rc == (long)nr;
}

/* The device's registers are left alone: to write there starts things. */
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
	tell("%s slot %u offset %llx length %llx: %s",
	     write ? "write" : "read", slot, offset, length, rc_text(rc));
	if (!rc)
		trace(data, length);
	return !rc;
}

static bool do_limit(void)
{
	long pages = chance(50) ? (long)draw(400) : -1l;

	limit_locked(pages < 0, pages);
	tell("limit %ld", pages);
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
		die("memory in place of other memory");
	touch(kind, page, PAGE);
	tell("page %s", how < 2 ? "gone" : how < 4 ? "written" : "replaced");
	return true;
}

/* From one mapped page to another, or to where nothing is. */
static bool do_dma(void)
{
	unsigned int from = draw_slot(true), to = draw_slot(chance(70));
	const char *page = slots[to].vaddr;
	__u64 seen = 0;

	if (edu_load(&type1.edu, iova_of(from), 0, 64) ||
	    edu_store(&type1.edu, iova_of(to), 0, 64))
		die("edu does not end a transfer");
	if (slots[to].size && page >= memory[PRESENT] &&
	    page < memory[PRESENT] + MEMORY_PAGES * PAGE)
		memcpy(&seen, page, sizeof(seen));
	tell("dma %u to %u: %llx", from, to, seen);
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
	{ "lose", "T1-95", do_lose, 20, 0, 0 },
	{ "give", "T1-75", do_give, 30, 0, 0 },
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

static bool any_slot(bool lost)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slots[slot].size && slots[slot].lost == lost)
			return true;
	return false;
}

/* Mostly what can work is tried: first there must be what it works on. */
static bool (*aim(bool (*run)(void)))(void)
{
	if ((run == do_pin || run == do_unpin || run == do_rw) && !mdev_joined)
		return do_mdev;
	if (chance(10))
		return run;
	if ((run == do_lose || run == do_give) && mdev_joined)
		return do_mdev;
	if ((run == do_query || run == do_unmap_dirty) && !tracking)
		return version_1 ? do_unmap : do_track;
	if (run == do_track && version_1)
		return do_info;
	if (run == do_give && !any_slot(true))
		return do_lose;
	if (run != do_map && run != do_give && !any_slot(false))
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
	run = aim(operations[i].run);
	for (i = 0; operations[i].run != run; i++)
		;
	operations[i].tried++;
	operations[i].done += run();
	charged = pages_charged();
	trace(&charged, sizeof(charged));
	/* How often a page is pinned that a device has pinned is no rule. */
	if (number % 10 == 0 && !mdev_joined)
		tell("charged %ld pinned %ld", charged, pages_pinned());
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
 * A child shares the private pages of its parent, but for those that may be
 * pinned: it is given copies of them at once.
 */
static void tell_pinned(const char *name, const char *pages)
{
	__u64 mine[MEMORY_PAGES], theirs[MEMORY_PAGES];
	char text[MEMORY_PAGES + 1] = "";
	unsigned int i;
	int ends[2];
	pid_t child;

	read_pagemap(pages, mine);
	if (pipe(ends))
		die("a pipe");
	child = fork();
	if (child < 0)
		die("a child");
	if (!child) {
		read_pagemap(pages, theirs);
		_exit(write(ends[1], theirs, sizeof(theirs)) < 0);
	}
	close(ends[1]);
	if (read(ends[0], theirs, sizeof(theirs)) != sizeof(theirs))
		die("what the child sees");
	close(ends[0]);
	waitpid(child, NULL, 0);
	for (i = 0; i < MEMORY_PAGES; i++)
		text[i] = (mine[i] & PAGEMAP_PFN) &&
			  ((mine[i] ^ theirs[i]) & PAGEMAP_PFN) ? 'p' : '-';
	tell("%s pages %s", name, text);
}

/* Each sequence has memory of its own, as no earlier one left it. */
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

	/* The last pages are beyond the end of the file. */
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file) ||
	    mmap(memory[OF_FILE], MEMORY_PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		die("memory of a file");
	close(fd);
	if (file.st_size > (off_t)(MEMORY_PAGES * PAGE))
		file.st_size = MEMORY_PAGES * PAGE;
	touch(OF_FILE, memory[OF_FILE],
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

/* One container in eight has nesting, if the IOMMU can do it. */
static void open_container(unsigned int seed)
{
	long rc;

	version_1 = seed % 4 == 0;
	if (seed % 8 != 5) {
		type1_open(&type1, version_1 ? VFIO_TYPE1_IOMMU :
					       VFIO_TYPE1v2_IOMMU);
		return;
	}
	rc = type1_try(&type1, VFIO_TYPE1_NESTING_IOMMU);
	tell("nesting: %s", rc_text(rc));
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
		tell_pinned("present", memory[PRESENT]);
		tell_pinned("fresh", memory[FRESH]);
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
	tell("closed: charged %ld pinned %ld", pages_charged(),
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

	if (devices()->nr_lone < 2)
		die("needs two edu devices with groups of their own");
	second = new_group(&devices()->lone[1]);
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
