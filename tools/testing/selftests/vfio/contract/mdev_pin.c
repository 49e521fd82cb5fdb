// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the behaviour of vfio_pin_pages() and vfio_unpin_pages(): errnos and
 * the order of checks, which page a pin returns, how that page is charged, and
 * which unpin releases it.
 */
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev.h"

static char *memory;
static int container;
static struct mdev mdev;

static void must_map(__u64 iova, const void *vaddr, __u64 size, __u32 flags)
{
	long rc = map(container, iova, vaddr, size, flags);

	if (rc)
		die("map: %s", rc_text(rc));
}

static void must_unmap_all(void)
{
	long rc = unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);

	if (rc)
		die("unmap of all: %s", rc_text(rc));
}

/* Start a section with a name prefix and page letters of its own. */
static void section(const char *name)
{
	record_set_prefix(name);
	mdev_reset_letters();
}

static void count_of_pages(void)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.flags = MDEV_PIN_NULL,
		.iova = IOVA,
		.npage = 1,
		.prot = PIN_READ,
	};

	section("npage");
	must_map(IOVA, memory, 8 * PAGE, READ_WRITE);
	record_rc("T1-138", "no_array", mdev_run(&mdev, &request));
	request.npage = 513;
	record_rc("T1-138", "no_array_513", mdev_run(&mdev, &request));
	record_pin("T1-138", "0", &mdev, IOVA, 0, PIN_READ);
	record_pin("T1-138", "-1", &mdev, IOVA, -1, PIN_READ);
	record_pin("T1-138", "lowest", &mdev, IOVA, INT_MIN, PIN_READ);
	record_pin("T1-138", "513", &mdev, IOVA, 513, PIN_READ);
	record_pin("T1-138,T1-141", "512_of_8", &mdev, IOVA, 512, PIN_READ);
	record_pin("T1-138,T1-141", "8", &mdev, IOVA, 8, PIN_READ);
	must_unmap_all();
	record_pages("T1-92", "unmapped");

	mdev_reset_letters();
	must_map(IOVA, fresh_pages(512), 512 * PAGE, READ_WRITE);
	record_pin("T1-138,T1-141", "512", &mdev, IOVA, 512, PIN_READ);
	record_unpin("T1-143", "unpin_512", &mdev, IOVA, 512);
	must_unmap_all();
}

static void order_of_checks(void)
{
	section("order");
	record_pin("T1-139", "nothing_mapped", &mdev, IOVA, 1, 0);
	must_map(IOVA, memory, 2 * PAGE, READ_WRITE);
	must_map(IOVA + 2 * PAGE, memory + 2 * PAGE, PAGE, READ_ONLY);
	must_map(IOVA + 4 * PAGE, memory + 4 * PAGE, PAGE, WRITE_ONLY);
	record_pin("T1-139,T1-141", "prot_before_hole", &mdev, IOVA, 4,
		   PIN_BOTH);
	record_pin("T1-139,T1-141", "hole", &mdev, IOVA, 4, PIN_READ);
	record_pin("T1-139,T1-141", "hole_at_first", &mdev, IOVA + 3 * PAGE, 2,
		   PIN_WRITE);
	record_pin("T1-139", "below", &mdev, IOVA - PAGE, 2, PIN_READ);
	record_pin("T1-139", "highest", &mdev, -PAGE, 1, PIN_READ);

	section("prot");
	record_pin("T1-139", "write_of_read_only", &mdev, IOVA + 2 * PAGE, 1,
		   PIN_WRITE);
	record_pin("T1-139", "read_of_write_only", &mdev, IOVA + 4 * PAGE, 1,
		   PIN_READ);
	record_pin("T1-139", "both_of_write_only", &mdev, IOVA + 4 * PAGE, 1,
		   PIN_BOTH);
	record_pin("T1-139", "cache", &mdev, IOVA, 1, 4);
	mdev_unpin(&mdev, IOVA, 1);
	record_pin("T1-139", "all", &mdev, IOVA, 1, -1u);
	mdev_unpin(&mdev, IOVA, 1);
	record_pin("T1-139", "none", &mdev, IOVA, 1, 0);
	record_unpin("T1-139", "none.unpin", &mdev, IOVA, 1);
	record_pin("T1-139", "write_of_write_only", &mdev, IOVA + 4 * PAGE, 1,
		   PIN_WRITE);
	record_unpin("T1-139", "write_of_write_only.unpin", &mdev,
		     IOVA + 4 * PAGE, 1);
	record_pin("T1-142", "read_over_two", &mdev, IOVA, 3, PIN_READ);
	record_unpin("T1-142", "read_over_two.unpin", &mdev, IOVA, 3);

	section("undo");
	record_pin("T1-141", "before", &mdev, IOVA + PAGE, 1, PIN_READ);
	record_pin("T1-141,T1-143", "fails", &mdev, IOVA, 4, PIN_READ);
	record_pin("T1-141,T1-143", "still_there", &mdev, IOVA + PAGE, 1,
		   PIN_READ);
	record_unpin("T1-143", "unpin", &mdev, IOVA + PAGE, 1);
	record_unpin("T1-143", "unpin_again", &mdev, IOVA + PAGE, 1);
	must_unmap_all();
}

/* Record whether the pinned page is the one that the process has mapped. */
static void record_same(const char *rules, const char *name, __u64 iova,
			const char *vaddr)
{
	char data[16], text[16] = "from the device";
	bool seen, shown;

	mdev_peek(&mdev, iova, data, sizeof(data));
	seen = !memcmp(data, vaddr, sizeof(data));
	mdev_poke(&mdev, iova, text, sizeof(text));
	shown = !memcmp(vaddr, text, sizeof(text));
	if (shown)
		mdev_poke(&mdev, iova, data, sizeof(data));
	record(rules, name, "peek %s poke %s", seen ? "same" : "other",
	       shown ? "same" : "other");
}

static void which_page(void)
{
	char *page = new_pages(1), data[16];

	section("page");
	must_map(IOVA, memory, 4 * PAGE, READ_WRITE);
	must_map(IOVA + 8 * PAGE, memory, PAGE, READ_WRITE);
	record_pin("T1-143", "first", &mdev, IOVA, 2, PIN_BOTH);
	record_same("T1-143", "first.is", IOVA, memory);
	record_same("T1-143", "second.is", IOVA + PAGE, memory + PAGE);
	record_pin("T1-143", "again", &mdev, IOVA, 2, PIN_BOTH);
	record_pin("T1-59,T1-143", "at_another_iova", &mdev, IOVA + 8 * PAGE, 1,
		   PIN_BOTH);
	record_unpin("T1-143", "unpin", &mdev, IOVA, 2);
	record_same("T1-143", "unpin.is", IOVA, memory);
	record_unpin("T1-143", "unpin_last", &mdev, IOVA, 2);
	record_unpin("T1-143", "unpin_other", &mdev, IOVA + 8 * PAGE, 1);
	must_unmap_all();

	section("remapped");
	must_map(IOVA, page, PAGE, READ_WRITE);
	memset(page, 'o', PAGE);
	record_pin("T1-144", "pin", &mdev, IOVA, 1, PIN_BOTH);
	if (mmap(page, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		die("mmap");
	memset(page, 'n', PAGE);
	record_pin("T1-144", "pin_again", &mdev, IOVA, 1, PIN_BOTH);
	mdev_peek(&mdev, IOVA, data, sizeof(data));
	record("T1-144", "pin_again.data", "%c", data[0]);
	mdev_read(&mdev, IOVA, data, sizeof(data));
	record("T1-144,T1-154", "rw.data", "%c", data[0]);
	mdev_unpin(&mdev, IOVA, 1);
	record_unpin("T1-144", "unpin", &mdev, IOVA, 1);
	record_pin("T1-144", "pin_anew", &mdev, IOVA, 1, PIN_BOTH);
	mdev_peek(&mdev, IOVA, data, sizeof(data));
	record("T1-144", "pin_anew.data", "%c", data[0]);
	record_unpin("T1-144", "unpin_anew", &mdev, IOVA, 1);
	must_unmap_all();
	munmap(page, PAGE);
}

static void record_flags(const char *rules, const char *name, __u64 iova)
{
	struct mdev_pin_page page = { };
	long rc = mdev_pin(&mdev, iova, 1, 0);

	mdev_pages(&mdev, &page, 1);
	record(rules, name, "%s charged %ld pinned %ld flags %#x", rc_text(rc),
	       pages_charged(), pages_pinned(), rc == 1 ? page.flags : 0);
	if (rc == 1)
		mdev_unpin(&mdev, iova, 1);
}

/*
 * Record pins of different kinds of memory. A map without a domain does not
 * access the memory, so only a pin can fail.
 */
static void kinds_of_memory(void)
{
	char *fresh = fresh_pages(4), *guarded = new_pages(3);
	struct type1 other;

	section("memory");
	must_map(IOVA, fresh, PAGE, READ_ONLY);
	must_map(IOVA + PAGE, fresh + PAGE, PAGE, READ_WRITE);
	must_map(IOVA + 2 * PAGE, fresh + 2 * PAGE, PAGE, WRITE_ONLY);
	record_flags("T1-142,T1-145", "untouched_read_only", IOVA);
	record_flags("T1-142", "untouched", IOVA + PAGE);
	record_flags("T1-142", "untouched_write_only", IOVA + 2 * PAGE);
	must_unmap_all();

	if (mprotect(guarded, PAGE, PROT_NONE) ||
	    mprotect(guarded + PAGE, PAGE, PROT_READ))
		die("mprotect");
	must_map(IOVA, guarded, PAGE, READ_ONLY);
	must_map(IOVA + PAGE, guarded + PAGE, PAGE, READ_WRITE);
	must_map(IOVA + 2 * PAGE, guarded + PAGE, PAGE, READ_ONLY);
	must_map(IOVA + 3 * PAGE, (void *)PAGE, PAGE, READ_WRITE);
	must_map(IOVA + 4 * PAGE, (void *)-PAGE, PAGE, READ_WRITE);
	record_flags("T1-42,T1-145", "prot_none", IOVA);
	record_flags("T1-142,T1-145", "read_of_protected", IOVA + PAGE);
	record_flags("T1-142", "protected_read_only", IOVA + 2 * PAGE);
	record_flags("T1-42,T1-145", "nothing_there", IOVA + 3 * PAGE);
	record_flags("T1-42,T1-145", "kernel", IOVA + 4 * PAGE);
	must_unmap_all();
	munmap(guarded, 3 * PAGE);
	munmap(fresh, 4 * PAGE);

	type1_open(&other, VFIO_TYPE1v2_IOMMU);
	type1_device(&other);
	must_map(IOVA, (void *)other.edu.registers, PAGE, READ_WRITE);
	record_flags("T1-145", "registers", IOVA);
	must_unmap_all();
	type1_close(&other);
}

static void unaligned_iova(void)
{
	section("unaligned");
	must_map(IOVA, memory + PAGE, 2 * PAGE, READ_WRITE);
	record_pin("T1-146", "aligned", &mdev, IOVA, 1, PIN_BOTH);
	record_pin("T1-146", "plus_8", &mdev, IOVA + 8, 1, PIN_BOTH);
	record_same("T1-146", "plus_8.is", IOVA + 8, memory + PAGE + 8);
	record_pin("T1-146", "plus_4095", &mdev, IOVA + 4095, 1, PIN_BOTH);
	record_unpin("T1-146", "unpin_8", &mdev, IOVA + 8, 1);
	record_unpin("T1-146", "unpin_aligned", &mdev, IOVA, 1);
	record_unpin("T1-146", "unpin_4095", &mdev, IOVA + 4095, 1);
	record_pin("T1-146", "to_the_end", &mdev, IOVA + 8, 2, PIN_BOTH);
	record_unpin("T1-146", "to_the_end.unpin", &mdev, IOVA + 8, 2);
	must_unmap_all();
}

static void unpin_unpinned(void)
{
	struct mdev other;

	section("unpin");
	must_map(IOVA, memory, 4 * PAGE, READ_WRITE);
	record_unpin("T1-148", "not_pinned", &mdev, IOVA, 4);
	record_pin("T1-148", "pin_second", &mdev, IOVA + PAGE, 1, PIN_BOTH);
	record_unpin("T1-148", "one_of_four", &mdev, IOVA, 4);
	record_unpin("T1-148", "over_again", &mdev, IOVA, 4);

	mdev_join(&other, "notified", container);
	section("two_devices");
	record_pin("T1-143,T1-149", "first", &mdev, IOVA, 1, PIN_BOTH);
	record_pin("T1-143,T1-149", "second", &other, IOVA, 1, PIN_BOTH);
	record_unpin("T1-149", "first_drops", &mdev, IOVA, 1);
	record_unpin("T1-149", "first_drops_again", &mdev, IOVA, 1);
	record_rc("T1-149", "second_forgets", mdev_forget(&other, IOVA, 1));
	record_unpin("T1-148,T1-149", "second_drops", &other, IOVA, 1);

	record_pin("T1-143", "other_pins", &other, IOVA, 2, PIN_BOTH);
	mdev_close(&other);
	record_pages("T1-143", "other_closes");
	mdev_destroy(&other);
	must_unmap_all();
}

/* A pin requires an open device of type "notified" in the container. */
static void pin_of_plain_device(void)
{
	struct mdev plain;
	int alone = mdev_container(&plain, "plain", VFIO_TYPE1v2_IOMMU), first;

	section("plain");
	if (map(alone, IOVA, memory, 2 * PAGE, READ_WRITE))
		die("map");
	record_pin("T1-139,T1-140", "alone", &plain, IOVA, 1, PIN_READ);
	record_pin("T1-139", "alone_prot", &plain, IOVA, 1, -1u);
	first = container;
	container = alone;
	mdev_destroy(&mdev);
	mdev_create(&mdev, "notified");
	record_rc("T1-140", "join", join(mdev.group, alone));
	record_pin("T1-140", "sibling_not_open", &plain, IOVA, 1, PIN_READ);
	mdev_open(&mdev);
	record_pin("T1-140", "sibling_open", &plain, IOVA, 1, PIN_READ);
	record_unpin("T1-140", "unpin", &plain, IOVA, 1);
	mdev_close(&mdev);
	record_pin("T1-140", "sibling_closed", &plain, IOVA, 1, PIN_READ);
	mdev_destroy(&plain);
	mdev_destroy(&mdev);
	close(alone);
	close(first);
}

static void at_open_and_close(void)
{
	struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN | MDEV_PIN_AT_OPEN |
			 MDEV_PIN_AT_CLOSE,
		.prot = PIN_READ,
		.iova = IOVA,
	};
	struct mdev_pin_state state;
	struct mdev other;

	section("open_close");
	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	must_map(IOVA, memory, PAGE, READ_WRITE);
	mdev_control(&mdev, &control);
	mdev_close(&mdev);
	record_pages("T1-140", "closed");
	mdev_open(&mdev);
	mdev_state(&mdev, &state);
	record("T1-140", "alone", "open %s close %s", rc_text(state.open_rc),
	       rc_text(state.close_rc));

	mdev_join(&other, "notified", container);
	mdev_close(&mdev);
	mdev_open(&mdev);
	mdev_state(&mdev, &state);
	record("T1-140", "sibling_open", "open %s close %s pins %u",
	       rc_text(state.open_rc), rc_text(state.close_rc), state.pins);
	record_pages("T1-140,T1-143", "opened");
	mdev_destroy(&other);
	mdev_destroy(&mdev);
	record_pages("T1-140", "gone");
	close(container);
}

static void version_1(void)
{
	section("v1");
	container = mdev_container(&mdev, "notified", VFIO_TYPE1_IOMMU);
	record_pin("T1-139", "nothing_mapped", &mdev, IOVA, 1, PIN_READ);
	must_map(IOVA, memory, PAGE, READ_WRITE);
	record_pin("T1-139", "mapped", &mdev, IOVA, 1, PIN_READ);
	record_pin("T1-138,T1-139", "513", &mdev, IOVA, 513, PIN_READ);
	record_pin("T1-138,T1-139", "0", &mdev, IOVA, 0, PIN_READ);
	record_unmap("T1-92", "unmap", container, IOVA, PAGE, 0);
	mdev_destroy(&mdev);
	close(container);
}

int main(void)
{
	memory = new_pages(8);
	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	count_of_pages();
	order_of_checks();
	which_page();
	kinds_of_memory();
	unaligned_iova();
	unpin_unpinned();
	pin_of_plain_device();
	at_open_and_close();
	version_1();
	return 0;
}
