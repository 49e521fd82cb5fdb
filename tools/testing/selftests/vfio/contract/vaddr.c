// SPDX-License-Identifier: GPL-2.0-only
/* Taking the address away from mappings and giving them another. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "type1.h"

#define ALL	VFIO_DMA_UNMAP_FLAG_ALL
#define LOSE	VFIO_DMA_UNMAP_FLAG_VADDR
#define GIVE	VFIO_DMA_MAP_FLAG_VADDR
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

static void lose(char *memory)
{
	int c = type1.container;

	record_unmap("T1-95", "lose.nothing", c, IOVA, PAGE, LOSE);
	record_unmap("T1-95", "lose.nothing_all", c, 0, 0, LOSE | ALL);
	two_mappings(memory);
	record_unmap("T1-95", "lose.first", c, IOVA, 4 * PAGE, LOSE);
	record_pages("T1-95", "lose.first.pages");
	record_unmap("T1-95", "lose.first_again", c, IOVA, 4 * PAGE, LOSE);
	record_unmap("T1-95", "lose.both", c, IOVA, 16 * PAGE, LOSE);
	record_unmap("T1-95", "lose.second", c, IOVA + 8 * PAGE, 4 * PAGE,
		     LOSE);
	record_unmap("T1-95", "lose.half", c, IOVA, PAGE, LOSE);
	record("T1-95,T1-96", "lose.avail", "%u", avail(c));
	clear();
	two_mappings(memory);
	record_unmap("T1-95", "lose.second_first", c, IOVA + 8 * PAGE,
		     4 * PAGE, LOSE);
	/* The first is marked and then, at the second, unmarked again. */
	record_unmap("T1-95", "lose.reverted", c, 0, 0, LOSE | ALL);
	record_rc("T1-75,T1-95", "lose.reverted.give_first",
		  map(c, IOVA, memory, 4 * PAGE, GIVE));
	record_rc("T1-75,T1-95", "lose.reverted.give_second",
		  map(c, IOVA + 8 * PAGE, memory, 4 * PAGE, GIVE));
	clear();
}

static void give(char *memory)
{
	int c = type1.container;
	char *other = new_pages(8);

	two_mappings(memory);
	record_rc("T1-75", "give.valid", map(c, IOVA, other, 4 * PAGE, GIVE));
	record_unmap("T1-75", "give.lose_all", c, 0, 0, LOSE | ALL);
	record_rc("T1-75", "give.nothing_there",
		  map(c, 2 * IOVA, other, 4 * PAGE, GIVE));
	record_rc("T1-75,T1-77", "give.nothing_in_reserved",
		  map(c, 0xfee00000, other, 4 * PAGE, GIVE));
	record_rc("T1-75", "give.smaller", map(c, IOVA, other, PAGE, GIVE));
	record_rc("T1-75", "give.larger",
		  map(c, IOVA, other, 5 * PAGE, GIVE));
	record_rc("T1-75", "give.shifted",
		  map(c, IOVA + PAGE, other, 4 * PAGE, GIVE));
	record_rc("T1-75", "give.from_below",
		  map(c, IOVA - PAGE, other, 4 * PAGE, GIVE));
	record_rc("T1-75", "give.both",
		  map(c, IOVA, other, 12 * PAGE, GIVE));
	record_rc("T1-75", "give.size_zero", map(c, IOVA, other, 0, GIVE));
	record_rc("T1-75", "give.misaligned",
		  map(c, IOVA, other + 1, 4 * PAGE, GIVE));
	record_rc("T1-75", "give.wrap",
		  map(c, IOVA, (void *)-PAGE, 4 * PAGE, GIVE));
	record_rc("T1-75", "give.with_read",
		  map(c, IOVA, other, 4 * PAGE, GIVE | READ_ONLY));
	record_pages("T1-76", "give.before");
	record_rc_pages("T1-76", "give.first",
			map(c, IOVA, other, 4 * PAGE, GIVE));
	record_rc_pages("T1-76", "give.second_bogus",
			map(c, IOVA + 8 * PAGE, BOGUS, 4 * PAGE, GIVE));
	record("T1-77", "give.avail", "%u", avail(c));
	record_rc("T1-75", "give.first_again",
		  map(c, IOVA, other, 4 * PAGE, GIVE));
	clear();
	record_pages("T1-76", "give.cleared");
}

/* The pages stay those of before, for the device. */
static void reach(char *memory)
{
	char *other = new_pages(4);
	int c = type1.container;

	map(c, IOVA, memory, 4 * PAGE, READ_WRITE);
	unmap(c, IOVA, 4 * PAGE, LOSE, NULL);
	record_reach("T1-95", "reach.lost", &type1, IOVA, memory);
	map(c, IOVA, other, 4 * PAGE, GIVE);
	record_reach("T1-76", "reach.old_memory", &type1, IOVA, memory);
	record_reach("T1-76", "reach.new_memory", &type1, IOVA, other);
	record_unmap("T1-76,T1-99", "reach.unmap", c, IOVA, 4 * PAGE, 0);
	record_pages("T1-76,T1-99", "reach.unmapped");
}

static void meanwhile(char *memory)
{
	int c = type1.container, second;
	struct vfio_iommu_type1_info info;
	__u64 done;

	two_mappings(memory);
	unmap(c, IOVA, 4 * PAGE, LOSE, NULL);
	record_rc("T1-96,T1-160", "meanwhile.map",
		  map(c, 2 * IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-96", "meanwhile.overlap",
		  map(c, IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-96", "meanwhile.get_info", get_info(c, &info, 20));
	record_rc("T1-96", "meanwhile.unmap",
		  unmap(c, 2 * IOVA, PAGE, 0, &done));
	if (devices()->nr_lone > 1) {
		second = new_group(&devices()->lone[1]);
		record_rc("T1-96,T1-114,T1-160", "meanwhile.join",
			  join(second, c));
		map(c, IOVA, memory, 4 * PAGE, GIVE);
		record_rc("T1-96,T1-114", "meanwhile.join_after",
			  join(second, c));
		record_rc("T1-96", "meanwhile.leave", leave(second));
		unmap(c, IOVA, 4 * PAGE, LOSE, NULL);
		record_unmap("T1-96", "meanwhile.unmap_lost", c, IOVA,
			     4 * PAGE, 0);
		record_rc("T1-96,T1-114", "meanwhile.join_unmapped",
			  join(second, c));
		close(second);
	}
	clear();
	record_pages("T1-96", "meanwhile.cleared");
}

static void forked(int (*run)(void *memory), void *memory)
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

static int takes_over(void *memory)
{
	int c = type1.container;

	limit_locked(false, 3);
	record_rc("T1-79", "owner.child_limit",
		  map(c, IOVA, memory, 4 * PAGE, GIVE));
	record("T1-79", "owner.child_limit.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	limit_locked(false, 4);
	record_rc("T1-79", "owner.child",
		  map(c, IOVA, memory, 4 * PAGE, GIVE));
	record("T1-79", "owner.child.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	record_rc("T1-79", "owner.child_second",
		  map(c, IOVA + 8 * PAGE, memory, 4 * PAGE, GIVE));
	limit_locked(true, -1);
	record_rc("T1-79", "owner.child_capable",
		  map(c, IOVA + 8 * PAGE, memory, 4 * PAGE, GIVE));
	record("T1-79", "owner.child_capable.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	return 0;
}

static int gives_up(void *memory)
{
	two_mappings(memory);
	unmap(type1.container, 0, 0, LOSE | ALL, NULL);
	record("T1-80", "update.old.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	return 0;
}

static void owners(char *memory)
{
	int c = type1.container;

	/* From this process to a child, which ends. */
	two_mappings(memory);
	record_unmap("T1-79", "owner.lose", c, 0, 0, LOSE | ALL);
	record_pages("T1-79", "owner.before");
	forked(takes_over, memory);
	record_pages("T1-79", "owner.after");
	record_unmap("T1-79,T1-64", "owner.unmap", c, 0, 0, ALL);
	record_pages("T1-79,T1-64", "owner.unmapped");

	/* From a child that is gone to this process. */
	forked(gives_up, memory);
	record_pages("T1-80", "update.between");
	record_rc_pages("T1-80", "update.first",
			map(c, IOVA, memory, 4 * PAGE, GIVE));
	record_rc_pages("T1-80", "update.second",
			map(c, IOVA + 8 * PAGE, memory + 4 * PAGE, 4 * PAGE,
			    GIVE));
	record_unmap("T1-69,T1-80", "update.unmap", c, 0, 0, ALL);
	record_pages("T1-69,T1-80", "update.unmapped");

	/* The same process: nothing is asked or charged again. */
	two_mappings(memory);
	unmap(c, IOVA, 4 * PAGE, LOSE, NULL);
	limit_locked(false, 2);
	record_rc_pages("T1-78", "same.give",
			map(c, IOVA, memory, 4 * PAGE, GIVE));
	limit_locked(true, -1);
	clear();
	record_pages("T1-78", "same.unmapped");
}

int main(void)
{
	char *memory = new_pages(8);
	unsigned long type;

	for (type = VFIO_TYPE1_IOMMU; type <= VFIO_TYPE1v2_IOMMU; type += 2) {
		record_within(type == VFIO_TYPE1_IOMMU ? "v1" : "v2");
		type1_open(&type1, type);
		lose(memory);
		give(memory);
		type1_close(&type1);
	}
	record_within("v2");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	reach(memory);
	meanwhile(memory);
	owners(memory);
	type1_close(&type1);
	record_within("");
	record_pages("T1-15", "end");
	return 0;
}
