// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record how type1 charges pinned pages: which pages count, which process they
 * are charged to, and how RLIMIT_MEMLOCK and CAP_IPC_LOCK apply.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "type1.h"

static struct type1 type1;

static void clear(void)
{
	unmap(type1.container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
}

static void counters(void)
{
	char *memory = new_pages(16);
	struct type1 other;
	int second;

	record_set_prefix("counter");
	map(type1.container, IOVA, memory, 16 * PAGE, READ_WRITE);
	record("T1-58", "map", "VmLck %ld VmPin %ld",
	       counters_of_self("VmLck") / 4, counters_of_self("VmPin") / 4);
	record_rc_pages("T1-59", "second_iova",
			map(type1.container, 2 * IOVA, memory, 16 * PAGE,
			    READ_ONLY));
	if (devices()->nr_singletons > 1) {
		other.container = new_container();
		second = new_group(&devices()->singleton[1]);
		if (join(second, other.container) ||
		    set_iommu(other.container, VFIO_TYPE1v2_IOMMU))
			die("a second container");
		record_rc_pages("T1-59", "second_container",
				map(other.container, IOVA, memory, 16 * PAGE,
				    READ_WRITE));
		close(second);
		close(other.container);
		record_pages("T1-59", "second_container_closed");
	}
	record_unmap("T1-59,T1-69", "unmap_one", type1.container, IOVA,
		     16 * PAGE, 0);
	record_pages("T1-59,T1-69", "unmap_one.pages");
	clear();
	record_pages("T1-69", "unmap_both.pages");
}

/* Count the messages about RLIMIT_MEMLOCK in the kernel log. */
static unsigned int count_limit_messages(void)
{
	static char log[1 << 20];
	int length = klogctl(3, log, sizeof(log) - 1);
	unsigned int nr = 0;
	const char *at;

	if (length < 0)
		die("the kernel's log: %s", strerror(errno));
	log[length] = 0;
	for (at = log; (at = strstr(at, "RLIMIT_MEMLOCK")); at++)
		nr++;
	return nr;
}

static void limits(void)
{
	char *memory = new_pages(2000);
	unsigned int before = count_limit_messages();

	record_set_prefix("limit");
	limit_locked(false, 8);
	record_rc_pages("T1-62", "map_9",
			map(type1.container, IOVA, memory, 9 * PAGE,
			    READ_WRITE));
	record("T1-07", "map_9.log", "lines %u",
	       count_limit_messages() - before);
	record("T1-62,T1-71", "map_9.avail", "%u", avail(type1.container));
	record_rc_pages("T1-62", "map_8",
			map(type1.container, IOVA, memory, 8 * PAGE,
			    READ_WRITE));
	record_rc_pages("T1-62", "map_1_more",
			map(type1.container, 2 * IOVA, memory, PAGE,
			    READ_WRITE));
	record_rc_pages("T1-36,T1-62", "overlap_first",
			map(type1.container, IOVA, memory, PAGE, READ_WRITE));
	clear();
	record_rc_pages("T1-62", "map_2_times_4",
			map(type1.container, IOVA, memory, 4 * PAGE,
			    READ_WRITE));
	record_rc_pages("T1-62", "map_2_times_4_again",
			map(type1.container, 2 * IOVA, memory, 4 * PAGE,
			    READ_WRITE));
	clear();

	/*
	 * Pages locked by mlock() count towards the same limit as pinned pages.
	 */
	record_rc("T1-58", "mlock_5", mlock(memory, 5 * PAGE) ? -errno : 0);
	record_rc_pages("T1-58", "map_4_beside",
			map(type1.container, IOVA, memory, 4 * PAGE,
			    READ_WRITE));
	record_rc_pages("T1-58", "map_3_beside",
			map(type1.container, IOVA, memory, 3 * PAGE,
			    READ_WRITE));
	record_rc("T1-58", "mlock_1_more",
		  mlock(memory + 8 * PAGE, PAGE) ? -errno : 0);
	clear();
	munlock(memory, 5 * PAGE);
	record_pages("T1-58", "unlocked");

	/* With a limit of 0, only pages that are not charged can be mapped. */
	limit_locked(false, 0);
	record_rc_pages("T1-60,T1-62", "zero_map_1",
			map(type1.container, IOVA, memory, PAGE, READ_WRITE));
	record_rc_pages("T1-60", "zero_map_of_zeros",
			map(type1.container, IOVA, fresh_pages(4), 4 * PAGE,
			    READ_ONLY));
	clear();

	/*
	 * The pages are pinned in batches, and the second batch exceeds the
	 * limit.
	 */
	limit_locked(false, 1000);
	record_rc_pages("T1-62,T1-71", "map_1001",
			map(type1.container, IOVA, memory, 1001 * PAGE,
			    READ_WRITE));
	record_rc_pages("T1-62", "map_1000",
			map(type1.container, IOVA, memory, 1000 * PAGE,
			    READ_WRITE));
	clear();
	limit_locked(true, -1);
}

static void capability_to_lock(void)
{
	char *memory = new_pages(16);

	record_set_prefix("capable");
	limit_locked(true, 4);
	record_rc_pages("T1-61", "beyond_limit",
			map(type1.container, IOVA, memory, 16 * PAGE,
			    READ_WRITE));
	limit_locked(false, 4);
	record_pages("T1-61", "dropped");
	record_rc_pages("T1-61", "one_more",
			map(type1.container, 2 * IOVA, memory, PAGE,
			    READ_WRITE));
	record_unmap("T1-61", "unmap", type1.container, IOVA, 16 * PAGE, 0);
	record_pages("T1-61", "unmap.pages");
	record_rc_pages("T1-61", "four",
			map(type1.container, 2 * IOVA, memory, 4 * PAGE,
			    READ_WRITE));
	limit_locked(true, -1);
	clear();
}

/* Run a function in a child, which inherits the file of the container. */
static void run_in_child(int (*run)(void *), void *arg)
{
	int status;
	pid_t child = fork();

	if (!child) {
		status = run(arg);
		fflush(stdout);
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		die("the child failed");
}

static int child_of_mapper(void *arg)
{
	record("T1-66", "child.VmLck", "%ld", counters_of_self("VmLck") / 4);
	record_unmap("T1-66", "child.unmap", type1.container, IOVA, 8 * PAGE,
		     0);
	record("T1-66", "child.VmLck_after", "%ld",
	       counters_of_self("VmLck") / 4);
	return 0;
}

static int child_maps(void *arg)
{
	record_rc("T1-66", "child_maps.rc",
		  map(type1.container, IOVA, arg, 8 * PAGE, READ_WRITE));
	record("T1-66", "child_maps.VmLck", "%ld",
	       counters_of_self("VmLck") / 4);
	return 0;
}

static int child_execs(void *arg)
{
	record_rc("T1-67", "exec.rc",
		  map(type1.container, IOVA, arg, 8 * PAGE, READ_WRITE));
	fflush(stdout);
	execl("/bin/true", "true", NULL);
	return 1;
}

static void processes(void)
{
	char *memory = new_pages(16);

	record_set_prefix("process");
	map(type1.container, IOVA, memory, 8 * PAGE, READ_WRITE);
	map(type1.container, 2 * IOVA, memory + 8 * PAGE, 8 * PAGE,
	    READ_WRITE);
	record_pages("T1-66", "parent");
	run_in_child(child_of_mapper, NULL);
	record_pages("T1-66", "parent_after_child");
	record_reach("T1-66", "parent_page", &type1, 2 * IOVA,
		     memory + 8 * PAGE);
	clear();

	run_in_child(child_maps, memory);
	record_pages("T1-64,T1-67", "child_ended");
	record("T1-67", "child_ended.avail", "%u", avail(type1.container));
	record_unmap("T1-64,T1-67", "child_ended.unmap", type1.container, IOVA,
		     8 * PAGE, 0);
	record_pages("T1-64,T1-67", "child_ended.pages");

	run_in_child(child_execs, memory);
	record_pages("T1-67", "child_executed");
	record_unmap("T1-67", "child_executed.unmap", type1.container, IOVA,
		     8 * PAGE, 0);
	record_pages("T1-67", "child_executed.pages");
}

/* After a fork, the device and the parent still share the pinned pages. */
static void copy_on_write(void)
{
	char *memory = new_pages(2);
	int status;
	pid_t child;

	record_set_prefix("fork");
	map(type1.container, IOVA, memory, 2 * PAGE, READ_WRITE);
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		pause();
		_exit(0);
	}
	record_reach("T1-66", "parent_writes_first", &type1, IOVA, memory);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	record_reach("T1-66", "child_gone", &type1, IOVA + PAGE,
		     memory + PAGE);
	clear();
	record_pages("T1-66", "unmapped");
}

int main(void)
{
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	counters();
	limits();
	capability_to_lock();
	processes();
	copy_on_write();
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15", "end");
	return 0;
}
