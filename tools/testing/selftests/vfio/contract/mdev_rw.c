// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the behaviour of vfio_dma_rw(), with which a driver copies data from
 * and to mapped memory.
 */
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

/*
 * Record the result of a read and whether it returned all the expected data.
 * The mdev_write() serves only to clear the window of the slot. It fails,
 * because IOVA 0 is not mapped.
 */
static void record_read(const char *rules, const char *name, __u64 iova,
			const void *expected, unsigned int length)
{
	static char data[MDEV_PIN_WINDOW_SIZE];
	long rc;

	memset(data, 0, sizeof(data));
	mdev_write(&mdev, 0, data, length);
	rc = mdev_read(&mdev, iova, data, length);
	record(rules, name, "%s %s", rc_text(rc),
	       expected && !memcmp(data, expected, length) ? "all" : "not all");
}

/* Record the result of a write and how many bytes reached the memory. */
static void record_write(const char *rules, const char *name, __u64 iova,
			 const char *target, unsigned int length)
{
	static char data[MDEV_PIN_WINDOW_SIZE];
	static char next = 'A';
	unsigned int there = 0, i;
	long rc;

	memset(data, ++next, length);
	rc = mdev_write(&mdev, iova, data, length);
	for (i = 0; target && i < length; i++)
		there += target[i] == next;
	record(rules, name, "%s wrote %u", rc_text(rc), there);
}

static void arguments(const char *prefix)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_READ,
		.flags = MDEV_PIN_NULL,
		.iova = IOVA,
		.length = 8,
	};

	record_set_prefix(prefix);
	must_map(IOVA, memory, PAGE, READ_WRITE);
	record_rc("T1-152", "no_data", mdev_run(&mdev, &request));
	request.flags = 0;
	request.length = 0;
	record_rc("T1-152", "no_length", mdev_run(&mdev, &request));
	request.iova = 0;
	record_rc("T1-152", "no_length_unmapped", mdev_run(&mdev, &request));
	record_read("T1-152", "read", IOVA, memory, 8);
	record_write("T1-152", "write", IOVA, memory, 8);
	record_read("T1-153", "unmapped", IOVA - 8, NULL, 8);
	record_pages("T1-154", "pages");
	must_unmap_all();
}

static void permissions(void)
{
	record_set_prefix("prot");
	must_map(IOVA, memory, PAGE, READ_ONLY);
	must_map(IOVA + PAGE, memory + PAGE, PAGE, WRITE_ONLY);
	must_map(IOVA + 2 * PAGE, memory + 2 * PAGE, PAGE, READ_WRITE);
	record_read("T1-153", "read_of_read_only", IOVA, memory, 8);
	record_write("T1-153", "write_of_read_only", IOVA, memory, 8);
	record_read("T1-153", "read_of_write_only", IOVA + PAGE, NULL, 8);
	record_write("T1-153", "write_of_write_only", IOVA + PAGE,
		     memory + PAGE, 8);
	record_read("T1-153", "read_of_both", IOVA + 2 * PAGE,
		    memory + 2 * PAGE, 8);
	record_write("T1-153", "write_of_both", IOVA + 2 * PAGE,
		     memory + 2 * PAGE, 8);
	must_unmap_all();
}

static void spans(void)
{
	record_set_prefix("span");
	must_map(IOVA, memory, 2 * PAGE, READ_WRITE);
	must_map(IOVA + 2 * PAGE, memory + 2 * PAGE, PAGE, READ_WRITE);
	must_map(IOVA + 3 * PAGE, memory + 3 * PAGE, PAGE, READ_ONLY);
	record_read("T1-154", "inside", IOVA + 10, memory + 10, PAGE);
	record_read("T1-154", "three", IOVA + 10, memory + 10, 3 * PAGE);
	record_write("T1-154", "into_next", IOVA + 10, memory + 10, 2 * PAGE);
	record_write("T1-153,T1-154", "into_read_only", IOVA + PAGE,
		     memory + PAGE, 3 * PAGE);
	record_write("T1-153,T1-154", "past_the_end", IOVA + 2 * PAGE + 5,
		     memory + 2 * PAGE + 5, PAGE);
	record_read("T1-153,T1-154", "past_all", IOVA + 3 * PAGE + 5, NULL,
		    PAGE);
	record_read("T1-154", "whole_window", IOVA, memory, 4 * PAGE);
	record_pages("T1-154", "pages");
	must_unmap_all();
}

static void changed_memory(void)
{
	char *pages = new_pages(4);

	record_set_prefix("memory");
	must_map(IOVA, pages, 4 * PAGE, READ_WRITE);
	memset(pages, 'o', PAGE);
	if (mprotect(pages + PAGE, PAGE, PROT_READ) ||
	    mprotect(pages + 2 * PAGE, PAGE, PROT_NONE))
		die("mprotect");
	munmap(pages + 3 * PAGE, PAGE);
	record_read("T1-153", "protected", IOVA + PAGE, pages + PAGE, 8);
	record_write("T1-153", "write_of_protected", IOVA + PAGE, NULL, 8);
	record_read("T1-153", "prot_none", IOVA + 2 * PAGE, NULL, 8);
	record_read("T1-153", "gone", IOVA + 3 * PAGE, NULL, 8);
	record_write("T1-153", "write_of_gone", IOVA + 3 * PAGE, NULL, 8);
	record_write("T1-153", "chunk_counts_as_0", IOVA + PAGE - 8, NULL, 16);

	if (mmap(pages, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != pages)
		die("mmap");
	memset(pages, 'n', PAGE);
	record_read("T1-154", "remapped", IOVA, pages, 8);
	record_write("T1-154", "write_of_remapped", IOVA, pages, 8);
	must_unmap_all();
	munmap(pages, 3 * PAGE);
}

/* A copy uses the memory of the process that created the mapping. */
static void calling_process(void)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_READ,
		.flags = MDEV_PIN_KTHREAD,
		.iova = IOVA,
		.length = 8,
	};
	char data[8] = "kthread", mine[8];
	pid_t child;
	int status;

	record_set_prefix("process");
	must_map(IOVA, memory, PAGE, READ_WRITE);
	record_rc("T1-153", "kthread_read", mdev_run(&mdev, &request));
	mdev_write(&mdev, 0, data, sizeof(data));
	request.op = MDEV_PIN_OP_WRITE;
	record_rc("T1-153", "kthread_write", mdev_run(&mdev, &request));
	record_yes("T1-153", "kthread_wrote", !memcmp(memory, data, 8));
	request.op = MDEV_PIN_OP_PIN;
	request.npage = 1;
	request.prot = PIN_BOTH;
	record_rc_pages("T1-142", "kthread_pin", mdev_run(&mdev, &request));
	record_unpin("T1-142", "kthread_pin.unpin", &mdev, IOVA, 1);

	child = fork();
	if (!child) {
		record_rc("T1-153", "child_read",
			  mdev_read(&mdev, IOVA, mine, 8));
		record_rc("T1-153", "child_write",
			  mdev_write(&mdev, IOVA, data, 8));
		record_rc("T1-142", "child_pin",
			  mdev_pin(&mdev, IOVA, 1, PIN_BOTH));
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	record_pages("T1-66,T1-142", "child_pin.pages");
	mdev_peek(&mdev, IOVA, mine, 8);
	record_yes("T1-142", "child_pin.of_the_mapper",
		   !memcmp(mine, memory, 8));
	record_unpin("T1-142", "child_pin.unpin", &mdev, IOVA, 1);

	child = fork();
	if (!child) {
		must_map(IOVA + PAGE, memory, PAGE, READ_WRITE);
		record_rc("T1-153", "child_maps_and_reads",
			  mdev_read(&mdev, IOVA + PAGE, mine, 8));
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	record_rc("T1-67,T1-153", "mapper_dead.read",
		  mdev_read(&mdev, IOVA + PAGE, mine, 8));
	request.op = MDEV_PIN_OP_READ;
	request.iova = IOVA + PAGE;
	record_rc("T1-67,T1-153", "mapper_dead.kthread_read",
		  mdev_run(&mdev, &request));
	record_rc("T1-67,T1-145", "mapper_dead.pin",
		  mdev_pin(&mdev, IOVA + PAGE, 1, PIN_READ));
	record_unmap("T1-67", "mapper_dead.unmap", container, IOVA + PAGE,
		     PAGE, 0);
	must_unmap_all();
}

static void with_domain(void)
{
	int group = new_group(&devices()->singleton[0]);

	record_set_prefix("domain");
	record_rc("T1-154", "join", join(group, container));
	must_map(IOVA, memory, 2 * PAGE, READ_WRITE);
	record_read("T1-154", "read", IOVA + 4, memory + 4, PAGE);
	record_write("T1-154", "write", IOVA + 4, memory + 4, PAGE);
	record_pages("T1-154", "pages");
	must_unmap_all();
	close(group);
}

static void without_notices(void)
{
	struct mdev other;
	int saved = container;
	struct mdev notified = mdev;

	container = mdev_container(&other, "plain", VFIO_TYPE1_IOMMU);
	mdev = other;
	arguments("v1_plain");
	mdev_destroy(&other);
	close(container);
	container = saved;
	mdev = notified;
}

int main(void)
{
	unsigned int i;

	memory = new_pages(8);
	for (i = 0; i < 8 * PAGE; i++)
		memory[i] = (char)(i * 7 + i / PAGE);
	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	arguments("args");
	permissions();
	spans();
	changed_memory();
	calling_process();
	with_domain();
	without_notices();
	mdev_destroy(&mdev);
	return 0;
}
