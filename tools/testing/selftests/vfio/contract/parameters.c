// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the module parameters of vfio_iommu_type1: their permissions, the
 * values that they accept, and when a change takes effect.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "type1.h"

#define FOLDER "/sys/module/vfio_iommu_type1/parameters/"

static void path_of(const char *name, char *path, size_t size)
{
	snprintf(path, size, FOLDER "%s", name);
}

static long set(const char *name, const char *text)
{
	char path[128];
	long rc = 0;
	int fd;

	path_of(name, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static void record_value(const char *rules, const char *line,
			 const char *name)
{
	char path[128], text[64] = "";
	struct stat stat;
	FILE *file;

	path_of(name, path, sizeof(path));
	file = fopen(path, "re");
	if (!file || fstat(fileno(file), &stat) ||
	    !fgets(text, sizeof(text), file))
		die("%s: %s", path, strerror(errno));
	fclose(file);
	text[strcspn(text, "\n")] = 0;
	record(rules, line, "%s mode %#o", text, stat.st_mode & 07777);
}

static void values(void)
{
	static const struct {
		const char *name, *text;
	} tried[] = {
		{ "allow_unsafe_interrupts", "Y" },
		{ "allow_unsafe_interrupts", "2" },
		{ "allow_unsafe_interrupts", "N" },
		{ "disable_hugepages", "1" },
		{ "disable_hugepages", "maybe" },
		{ "disable_hugepages", "0" },
		{ "dma_entry_limit", "0" },
		{ "dma_entry_limit", "4294967295" },
		{ "dma_entry_limit", "4294967296" },
		{ "dma_entry_limit", "-1" },
		{ "dma_entry_limit", "0x10" },
		{ "dma_entry_limit", "65535" },
	};
	char line[64];
	unsigned int i;

	record_rc("T1-01", "module", access(FOLDER "..", F_OK) ? -errno : 0);
	record_value("T1-02", "first.unsafe", "allow_unsafe_interrupts");
	record_value("T1-02", "first.hugepages", "disable_hugepages");
	record_value("T1-02,T1-05", "first.limit", "dma_entry_limit");
	for (i = 0; i < ARRAY_SIZE(tried); i++) {
		snprintf(line, sizeof(line), "%s=%s", tried[i].name,
			 tried[i].text);
		record_rc("T1-02", line, set(tried[i].name, tried[i].text));
		snprintf(line, sizeof(line), "%s=%s.reads", tried[i].name,
			 tried[i].text);
		record_value("T1-02", line, tried[i].name);
	}
}

static void limit(void)
{
	char *memory = new_pages(4);
	struct type1 type1;

	set("dma_entry_limit", "2");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	set("dma_entry_limit", "0");
	record("T1-05", "limit.avail", "%u", avail(type1.container));
	record_rc("T1-05", "limit.first",
		  map(type1.container, IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-05", "limit.second",
		  map(type1.container, 2 * IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-05", "limit.third",
		  map(type1.container, 3 * IOVA, memory, PAGE, READ_WRITE));
	record_unmap("T1-39", "limit.unmap", type1.container, IOVA, PAGE, 0);
	record_rc("T1-39", "limit.third_again",
		  map(type1.container, 3 * IOVA, memory, 4 * PAGE,
		      READ_WRITE));
	record("T1-39", "limit.avail_end", "%u", avail(type1.container));
	type1_close(&type1);

	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record("T1-05", "limit_0.avail", "%u", avail(type1.container));
	record_rc("T1-05", "limit_0.map",
		  map(type1.container, IOVA, memory, PAGE, READ_WRITE));
	set("dma_entry_limit", "4294967295");
	record_rc("T1-05", "limit_0.map_later",
		  map(type1.container, IOVA, memory, PAGE, READ_WRITE));
	type1_close(&type1);
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record("T1-05", "limit_max.avail", "%u", avail(type1.container));
	type1_close(&type1);
	set("dma_entry_limit", "65535");
}

/* disable_hugepages affects only performance, not results. */
static void small_pages(void)
{
	char *memory = new_pages(600);
	struct type1 type1;

	set("disable_hugepages", "Y");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	record_rc_pages("T1-04", "small.map",
			map(type1.container, IOVA, memory, 600 * PAGE,
			    READ_WRITE));
	record_reach("T1-04", "small.reach", &type1, IOVA + 599 * PAGE,
		     memory + 599 * PAGE);
	set("disable_hugepages", "N");
	record_rc_pages("T1-04", "large.map",
			map(type1.container, 2 * IOVA, memory, 600 * PAGE,
			    READ_WRITE));
	record_unmap("T1-04", "small.unmap", type1.container, IOVA,
		     600 * PAGE, 0);
	record_unmap("T1-04", "large.unmap", type1.container, 2 * IOVA,
		     600 * PAGE, 0);
	record_pages("T1-04", "unmapped");
	type1_close(&type1);
}

/* allow_unsafe_interrupts has no effect if interrupts are isolated. */
static void unsafe_interrupts(void)
{
	struct type1 type1;

	set("allow_unsafe_interrupts", "Y");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	set("allow_unsafe_interrupts", "N");
	record_rc("T1-03", "unsafe.leave", leave(type1.group));
	record_rc("T1-03", "unsafe.join", join(type1.group, type1.container));
	record_rc("T1-03,T1-116", "unsafe.set_iommu",
		  set_iommu(type1.container, 3));
	type1_close(&type1);
}

int main(void)
{
	/* An iommufd does not use these parameters. */
	if (for_iommufd())
		return 0;
	values();
	limit();
	small_pages();
	unsafe_interrupts();
	return 0;
}
