// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record how VFIO_DMA_UNMAP_FLAG_VADDR invalidates the virtual addresses of
 * mappings, and how VFIO_DMA_MAP_FLAG_VADDR updates them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "type1.h"

#define ALL	VFIO_DMA_UNMAP_FLAG_ALL
#define INVALIDATE	VFIO_DMA_UNMAP_FLAG_VADDR
#define UPDATE	VFIO_DMA_MAP_FLAG_VADDR
#define BOGUS	((void *)0x7000)

static struct type1 type1;

static void two_mappings(char *memory)
{
	if (map(type1.container, IOVA, memory, 4 * PAGE, READ_WRITE) ||
	    map(type1.container, IOVA + 8 * PAGE, memory + 4 * PAGE, 4 * PAGE,
		READ_WRITE))
		die("two mappings");
}

static void clear(void)
{
	unmap(type1.container, 0, 0, ALL, NULL);
}

static void invalidate(char *memory)
{
	int c = type1.container;

	record_unmap("T1-95", "lose.nothing", c, IOVA, PAGE, INVALIDATE);
	record_unmap("T1-95", "lose.nothing_all", c, 0, 0, INVALIDATE | ALL);
	two_mappings(memory);
	record_unmap("T1-95", "lose.first", c, IOVA, 4 * PAGE, INVALIDATE);
	record_pages("T1-95", "lose.first.pages");
	record_unmap("T1-95", "lose.first_again", c, IOVA, 4 * PAGE,
		     INVALIDATE);
	record_unmap("T1-95", "lose.both", c, IOVA, 16 * PAGE, INVALIDATE);
	record_unmap("T1-95", "lose.second", c, IOVA + 8 * PAGE, 4 * PAGE,
		     INVALIDATE);
	record_unmap("T1-95", "lose.half", c, IOVA, PAGE, INVALIDATE);
	record("T1-95,T1-96", "lose.avail", "%u", avail(c));
	clear();
	two_mappings(memory);
	record_unmap("T1-95", "lose.second_first", c, IOVA + 8 * PAGE,
		     4 * PAGE, INVALIDATE);
	/*
	 * This unmap fails because the address of the second mapping is already
	 * invalid. It must leave the address of the first mapping valid.
	 */
	record_unmap("T1-95", "lose.reverted", c, 0, 0, INVALIDATE | ALL);
	record_rc("T1-75,T1-95", "lose.reverted.give_first",
		  map(c, IOVA, memory, 4 * PAGE, UPDATE));
	record_rc("T1-75,T1-95", "lose.reverted.give_second",
		  map(c, IOVA + 8 * PAGE, memory, 4 * PAGE, UPDATE));
	record_unmap("T1-87,T1-95", "lose.part", c, IOVA, 9 * PAGE, INVALIDATE);
	clear();
}

static void update(char *memory)
{
	int c = type1.container;
	char *other = new_pages(8);

	two_mappings(memory);
	record_rc("T1-75", "give.valid", map(c, IOVA, other, 4 * PAGE, UPDATE));
	record_unmap("T1-75", "give.lose_all", c, 0, 0, INVALIDATE | ALL);
	record_rc("T1-75", "give.nothing_there",
		  map(c, 2 * IOVA, other, 4 * PAGE, UPDATE));
	record_rc("T1-75,T1-77", "give.nothing_in_reserved",
		  map(c, 0xfee00000, other, 4 * PAGE, UPDATE));
	record_rc("T1-75", "give.smaller", map(c, IOVA, other, PAGE, UPDATE));
	record_rc("T1-75", "give.larger",
		  map(c, IOVA, other, 5 * PAGE, UPDATE));
	record_rc("T1-75", "give.shifted",
		  map(c, IOVA + PAGE, other, 4 * PAGE, UPDATE));
	record_rc("T1-75", "give.from_below",
		  map(c, IOVA - PAGE, other, 4 * PAGE, UPDATE));
	record_rc("T1-75", "give.both",
		  map(c, IOVA, other, 12 * PAGE, UPDATE));
	record_rc("T1-75", "give.size_zero", map(c, IOVA, other, 0, UPDATE));
	record_rc("T1-75", "give.misaligned",
		  map(c, IOVA, other + 1, 4 * PAGE, UPDATE));
	record_rc("T1-75", "give.wrap",
		  map(c, IOVA, (void *)-PAGE, 4 * PAGE, UPDATE));
	record_rc("T1-75", "give.with_read",
		  map(c, IOVA, other, 4 * PAGE, UPDATE | READ_ONLY));
	record_pages("T1-76", "give.before");
	record_rc_pages("T1-76", "give.first",
			map(c, IOVA, other, 4 * PAGE, UPDATE));
	record_rc_pages("T1-76", "give.second_bogus",
			map(c, IOVA + 8 * PAGE, BOGUS, 4 * PAGE, UPDATE));
	record("T1-77", "give.avail", "%u", avail(c));
	record_rc("T1-75", "give.first_again",
		  map(c, IOVA, other, 4 * PAGE, UPDATE));
	clear();
	record_pages("T1-76", "give.cleared");
}

/* The device uses the same pages before and after an update. */
static void reach(char *memory)
{
	char *other = new_pages(4);
	int c = type1.container;

	map(c, IOVA, memory, 4 * PAGE, READ_WRITE);
	unmap(c, IOVA, 4 * PAGE, INVALIDATE, NULL);
	record_reach("T1-95", "reach.lost", &type1, IOVA, memory);
	map(c, IOVA, other, 4 * PAGE, UPDATE);
	record_reach("T1-76", "reach.old_memory", &type1, IOVA, memory);
	record_reach("T1-76", "reach.new_memory", &type1, IOVA, other);
	record_unmap("T1-76,T1-99", "reach.unmap", c, IOVA, 4 * PAGE, 0);
	record_pages("T1-76,T1-99", "reach.unmapped");
}

static void while_invalid(char *memory)
{
	int c = type1.container, second;
	struct vfio_iommu_type1_info info;
	__u64 done;

	two_mappings(memory);
	unmap(c, IOVA, 4 * PAGE, INVALIDATE, NULL);
	record_rc("T1-96,T1-160", "meanwhile.map",
		  map(c, 2 * IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-96", "meanwhile.overlap",
		  map(c, IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-96", "meanwhile.get_info", get_info(c, &info, 20));
	record_rc("T1-96", "meanwhile.unmap",
		  unmap(c, 2 * IOVA, PAGE, 0, &done));
	if (devices()->nr_singletons > 1) {
		second = new_group(&devices()->singleton[1]);
		record_rc("T1-96,T1-114,T1-160", "meanwhile.join",
			  join(second, c));
		map(c, IOVA, memory, 4 * PAGE, UPDATE);
		record_rc("T1-96,T1-114", "meanwhile.join_after",
			  join(second, c));
		record_rc("T1-96", "meanwhile.leave", leave(second));
		unmap(c, IOVA, 4 * PAGE, INVALIDATE, NULL);
		record_unmap("T1-96", "meanwhile.unmap_lost", c, IOVA,
			     4 * PAGE, 0);
		record_rc("T1-96,T1-114", "meanwhile.join_unmapped",
			  join(second, c));
		close(second);
	}
	clear();
	record_pages("T1-96", "meanwhile.cleared");
}

static void run_in_child(int (*run)(void *memory), void *memory)
{
	int status;
	pid_t child = fork();

	if (!child) {
		status = run(memory);
		fflush(stdout);
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		die("the child failed");
}

static int child_updates(void *memory)
{
	int c = type1.container;

	limit_locked(false, 3);
	record_rc("T1-79", "owner.child_limit",
		  map(c, IOVA, memory, 4 * PAGE, UPDATE));
	record("T1-79", "owner.child_limit.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	limit_locked(false, 4);
	record_rc("T1-79", "owner.child",
		  map(c, IOVA, memory, 4 * PAGE, UPDATE));
	record("T1-79", "owner.child.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	record_rc("T1-79", "owner.child_second",
		  map(c, IOVA + 8 * PAGE, memory, 4 * PAGE, UPDATE));
	limit_locked(true, -1);
	record_rc("T1-79", "owner.child_capable",
		  map(c, IOVA + 8 * PAGE, memory, 4 * PAGE, UPDATE));
	record("T1-79", "owner.child_capable.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	return 0;
}

static int child_invalidates(void *memory)
{
	two_mappings(memory);
	unmap(type1.container, 0, 0, INVALIDATE | ALL, NULL);
	record("T1-80", "update.old.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	return 0;
}

static void owners(char *memory)
{
	int c = type1.container;

	/* A child updates mappings of this process and exits. */
	two_mappings(memory);
	record_unmap("T1-79", "owner.lose", c, 0, 0, INVALIDATE | ALL);
	record_pages("T1-79", "owner.before");
	run_in_child(child_updates, memory);
	record_pages("T1-79", "owner.after");
	record_unmap("T1-79,T1-64", "owner.unmap", c, 0, 0, ALL);
	record_pages("T1-79,T1-64", "owner.unmapped");

	/* This process updates mappings of a child that has exited. */
	run_in_child(child_invalidates, memory);
	record_pages("T1-80", "update.between");
	record_rc_pages("T1-80", "update.first",
			map(c, IOVA, memory, 4 * PAGE, UPDATE));
	record_rc_pages("T1-80", "update.second",
			map(c, IOVA + 8 * PAGE, memory + 4 * PAGE, 4 * PAGE,
			    UPDATE));
	record_unmap("T1-69,T1-80", "update.unmap", c, 0, 0, ALL);
	record_pages("T1-69,T1-80", "update.unmapped");

	/* An update by the same process charges nothing and checks no limit. */
	two_mappings(memory);
	unmap(c, IOVA, 4 * PAGE, INVALIDATE, NULL);
	limit_locked(false, 2);
	record_rc_pages("T1-78", "same.give",
			map(c, IOVA, memory, 4 * PAGE, UPDATE));
	limit_locked(true, -1);
	clear();
	record_pages("T1-78", "same.unmapped");
}

int main(void)
{
	char *memory = new_pages(8);
	unsigned long type;

	for (type = VFIO_TYPE1_IOMMU; type <= VFIO_TYPE1v2_IOMMU; type += 2) {
		record_set_prefix(type == VFIO_TYPE1_IOMMU ? "v1" : "v2");
		type1_open(&type1, type);
		invalidate(memory);
		update(memory);
		type1_close(&type1);
	}
	record_set_prefix("v2");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	reach(memory);
	while_invalid(memory);
	owners(memory);
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15", "end");
	return 0;
}
