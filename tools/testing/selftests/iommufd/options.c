// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test IOMMU_OPTION, which sets the charging mode of pinned memory and the
 * maximum size of I/O page table entries.
 *
 * The charging mode can be set only while the iommufd has no object. Large
 * entries can be disabled only while no memory is mapped for a device. The
 * tests check both the value that IOMMU_OPTION_OP_GET returns and the effect of
 * the option.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"
#include "user.h"

/* A UID that no other process uses, and its RLIMIT_MEMLOCK in pages. */
#define USER	54321
#define LIMIT	8

#define RLIMIT_MODE	IOMMU_OPTION_RLIMIT_MODE
#define HUGE_PAGES	IOMMU_OPTION_HUGE_PAGES

NEEDS_EDU(1)

FIXTURE(option)
{
	struct testbed bed;
	/* A second iommufd, without any objects. */
	int empty;
};

FIXTURE_SETUP(option)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
	self->empty = iommu_open();
	ASSERT_LE(0, self->empty);
}

FIXTURE_TEARDOWN(option)
{
	close(self->empty);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/* Returns the value of the option, or -errno. */
static long long get_value(int iommufd, __u32 option, __u32 object)
{
	__u64 value = 99;
	int err = option_get(iommufd, option, object, &value);

	return err ? err : (long long)value;
}

static int attach(struct testbed *bed)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(bed->device.fd, &pt_id);
}

TEST_F(option, unknown_options_EOPNOTSUPP)
{
	EXPECT_EQ(-EOPNOTSUPP, option_set(self->empty, 2, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, option_set(self->empty, ~0u, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, get_value(self->empty, 2, 0));
}

TEST_F(option, unknown_operations_EOPNOTSUPP)
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = RLIMIT_MODE,
		.op = 2,
	};

	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->empty, IOMMU_OPTION, &option));
	option.option_id = HUGE_PAGES;
	option.object_id = self->bed.ioas;
	EXPECT_EQ(-EOPNOTSUPP,
		  iommu_call(self->bed.iommufd, IOMMU_OPTION, &option));
}

TEST_F(option, reserved_field_EOPNOTSUPP)
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = RLIMIT_MODE,
		.op = IOMMU_OPTION_OP_GET,
		.__reserved = 1,
	};

	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->empty, IOMMU_OPTION, &option));
}

TEST_F(option, unwritable_struct_EFAULT)
{
	struct iommu_option *option = new_memory(PAGE);

	ASSERT_NE(NULL, option);
	*option = (struct iommu_option){
		.size = sizeof(*option),
		.option_id = RLIMIT_MODE,
		.op = IOMMU_OPTION_OP_GET,
	};
	ASSERT_EQ(0, mprotect(option, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, iommu_call(self->empty, IOMMU_OPTION, option));
}

TEST_F(option, rlimit_mode)
{
	EXPECT_EQ(0, get_value(self->empty, RLIMIT_MODE, 0));
	EXPECT_EQ(0, option_set(self->empty, RLIMIT_MODE, 0, 1));
	EXPECT_EQ(1, get_value(self->empty, RLIMIT_MODE, 0));
	EXPECT_EQ(0, option_set(self->empty, RLIMIT_MODE, 0, 0));
	EXPECT_EQ(0, get_value(self->empty, RLIMIT_MODE, 0));
}

TEST_F(option, rlimit_mode_values_EINVAL)
{
	EXPECT_EQ(-EINVAL, option_set(self->empty, RLIMIT_MODE, 0, 2));
	EXPECT_EQ(-EINVAL, option_set(self->empty, RLIMIT_MODE, 0,
				      1ull << 32));
	EXPECT_EQ(0, get_value(self->empty, RLIMIT_MODE, 0));
}

TEST_F(option, rlimit_mode_with_object_id_EOPNOTSUPP)
{
	EXPECT_EQ(-EOPNOTSUPP, option_set(self->empty, RLIMIT_MODE, 1, 1));
	EXPECT_EQ(-EOPNOTSUPP,
		  get_value(self->bed.iommufd, RLIMIT_MODE, self->bed.ioas));
}

TEST_F(option, rlimit_mode_after_first_object_EBUSY)
{
	__u32 ioas;

	EXPECT_EQ(-EBUSY, option_set(self->bed.iommufd, RLIMIT_MODE, 0, 1));
	EXPECT_EQ(0, get_value(self->bed.iommufd, RLIMIT_MODE, 0));
	ASSERT_EQ(0, ioas_alloc(self->empty, &ioas));
	EXPECT_EQ(-EBUSY, option_set(self->empty, RLIMIT_MODE, 0, 0));
	ASSERT_EQ(0, iommu_destroy(self->empty, ioas));
	EXPECT_EQ(0, option_set(self->empty, RLIMIT_MODE, 0, 1));
}

TEST_F(option, huge_pages)
{
	const int iommufd = self->bed.iommufd;
	const __u32 ioas = self->bed.ioas;

	EXPECT_EQ(1, get_value(iommufd, HUGE_PAGES, ioas));
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 0));
	EXPECT_EQ(0, get_value(iommufd, HUGE_PAGES, ioas));
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 1));
	EXPECT_EQ(1, get_value(iommufd, HUGE_PAGES, ioas));
}

TEST_F(option, huge_pages_values_EINVAL)
{
	EXPECT_EQ(-EINVAL,
		  option_set(self->bed.iommufd, HUGE_PAGES, self->bed.ioas, 2));
	EXPECT_EQ(-EINVAL, option_set(self->bed.iommufd, HUGE_PAGES,
				      self->bed.ioas, ~0ull));
	EXPECT_EQ(1, get_value(self->bed.iommufd, HUGE_PAGES, self->bed.ioas));
}

TEST_F(option, huge_pages_invalid_ids_ENOENT)
{
	const __u32 invalid[] = { 0, NO_SUCH_ID, self->bed.device.id };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		EXPECT_EQ(-ENOENT, option_set(self->bed.iommufd, HUGE_PAGES,
					      invalid[i], 0));
		EXPECT_EQ(-ENOENT,
			  get_value(self->bed.iommufd, HUGE_PAGES, invalid[i]));
	}
}

/* Without huge pages, mappings must be aligned to the page size. */
TEST_F(option, huge_pages_with_misaligned_mapping_EADDRINUSE)
{
	const __u64 iova = TESTBED_IOVA + 8;
	const int iommufd = self->bed.iommufd;
	const __u32 ioas = self->bed.ioas;

	ASSERT_EQ(0, ioas_map(iommufd, ioas, self->bed.memory + 16, PAGE, iova,
			      IOAS_READ_WRITE));
	EXPECT_EQ(-EADDRINUSE, option_set(iommufd, HUGE_PAGES, ioas, 0));
	EXPECT_EQ(1, get_value(iommufd, HUGE_PAGES, ioas));
	ASSERT_EQ(0, testbed_unmap(&self->bed, iova, PAGE));
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 0));
}

/* Large entries cannot be disabled while existing mappings may use them. */
TEST_F(option, huge_pages_in_use_EINVAL)
{
	const int iommufd = self->bed.iommufd;
	const __u32 ioas = self->bed.ioas;

	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-EINVAL, option_set(iommufd, HUGE_PAGES, ioas, 0));
	EXPECT_EQ(1, get_value(iommufd, HUGE_PAGES, ioas));
	/* Without a mapping or without a device, no page table entry exists. */
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 0));
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 1));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 0));
	ASSERT_EQ(0, attach(&self->bed));
	/* Large entries can be enabled at any time. */
	EXPECT_EQ(0, option_set(iommufd, HUGE_PAGES, ioas, 1));
	EXPECT_EQ(1, get_value(iommufd, HUGE_PAGES, ioas));
}

/*
 * Read the size in bytes of the largest I/O page of the newest address space
 * (max_iopte in Documentation/ABI/testing/debugfs-iopt). Returns 0 if it is not
 * available.
 */
static unsigned long largest_iopte(void)
{
	char path[64], line[256];
	unsigned long newest = 0, size = 0;
	struct dirent *entry;
	const char *field;
	FILE *file;
	DIR *dir;

	dir = opendir("/sys/kernel/debug/iopt");
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (strtoul(entry->d_name, NULL, 10) > newest)
			newest = strtoul(entry->d_name, NULL, 10);
	closedir(dir);
	snprintf(path, sizeof(path), "/sys/kernel/debug/iopt/%lu", newest);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		field = strstr(line, "max_iopte=");
		if (field)
			size = strtoul(field + 10, NULL, 0);
	}
	fclose(file);
	return size;
}

TEST_F(option, huge_pages_limit_iopte_size)
{
	char *huge = new_huge_page();

	if (!largest_iopte())
		SKIP(return, "needs debugfs");
	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	EXPECT_LE(HUGE, largest_iopte());
	ASSERT_EQ(0,
		  option_set(self->bed.iommufd, HUGE_PAGES, self->bed.ioas, 0));
	EXPECT_EQ(PAGE, largest_iopte());
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->bed.ioas, huge, HUGE,
			      16 * HUGE, IOAS_READ_WRITE));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device,
				    17 * HUGE - PAGE, huge + HUGE - PAGE));
	EXPECT_EQ(512 + 1, testbed_pinned(&self->bed));
}

/*
 * Reopen /dev/iommu, set RLIMIT_MODE to @mode, and attach the device of the
 * testbed.
 */
static int reopen(struct testbed *bed, __u64 mode)
{
	int err;

	device_close(&bed->device);
	close(bed->iommufd);
	bed->iommufd = iommu_open();
	if (bed->iommufd < 0)
		return bed->iommufd;
	err = option_set(bed->iommufd, RLIMIT_MODE, 0, mode);
	if (!err)
		err = ioas_alloc(bed->iommufd, &bed->ioas);
	if (!err)
		err = device_open(&bed->device, bed->machine.singleton[0].text,
				  bed->iommufd);
	return err ? err : attach(bed);
}

static int set_without_capability(struct testbed *bed)
{
	int empty = iommu_open();

	/*
	 * Without permission to open /dev/iommu, use the parent's iommufd. It
	 * has objects, but the kernel checks the capability first.
	 */
	if (empty < 0)
		empty = dup(bed->iommufd);
	return option_set(empty, RLIMIT_MODE, 0, 1) == -EPERM ? 0 : 1;
}

TEST_F(option, rlimit_mode_without_CAP_SYS_RESOURCE_EPERM)
{
	EXPECT_EQ(0, user_run(USER, LIMIT, set_without_capability, &self->bed));
	EXPECT_EQ(0, get_value(self->bed.iommufd, RLIMIT_MODE, 0));
}

static int map_up_to_limit(struct testbed *bed)
{
	if (testbed_map_pages(bed, 0, LIMIT + 1) != -ENOMEM)
		return 1;
	if (testbed_map_pages(bed, 0, LIMIT) != 0)
		return 2;
	if (counters_of_self("VmLck") != LIMIT * 4 ||
	    counters_of_self("VmPin") != LIMIT * 4)
		return 3;
	if (testbed_map_pages(bed, LIMIT, 1) != -ENOMEM)
		return 4;
	if (testbed_unmap(bed, TESTBED_IOVA, LIMIT * PAGE) != 0)
		return 5;
	if (counters_of_self("VmLck") != 0)
		return 6;
	return testbed_map_pages(bed, 0, LIMIT) ? 7 : 0;
}

TEST_F(option, process_mode_limit)
{
	ASSERT_EQ(0, reopen(&self->bed, 1));
	EXPECT_EQ(0, user_run(USER, LIMIT, map_up_to_limit, &self->bed));
	EXPECT_EQ(LIMIT, testbed_pinned(&self->bed));
	/*
	 * The limit is per process, so a new process starts without a charge.
	 */
	EXPECT_EQ(0, testbed_unmap(&self->bed, 0, ~0ull));
	EXPECT_EQ(0, user_run(USER, LIMIT, map_up_to_limit, &self->bed));
}

static int map_limit(struct testbed *bed)
{
	return testbed_map_pages(bed, LIMIT / 2, LIMIT) ? 1 : 0;
}

TEST_F(option, process_mode_limit_is_per_process)
{
	ASSERT_EQ(0, reopen(&self->bed, 1));
	EXPECT_EQ(0, testbed_map_pages(&self->bed, 0, LIMIT / 2));
	EXPECT_EQ(0, user_run(USER, LIMIT, map_limit, &self->bed));
	EXPECT_EQ(LIMIT + LIMIT / 2, testbed_pinned(&self->bed));
}

static int mlock_process_mode(struct testbed *bed)
{
	char *own = new_memory(LIMIT * PAGE);

	if (!own || mlock(own, 3 * PAGE))
		return 1;
	if (testbed_map_pages(bed, 0, LIMIT - 2) != -ENOMEM)
		return 2;
	if (testbed_map_pages(bed, 0, LIMIT - 3) != 0)
		return 3;
	if (mlock(own + 3 * PAGE, PAGE) != -1 || errno != ENOMEM)
		return 4;
	if (munlock(own, PAGE) || testbed_map_pages(bed, LIMIT, 1))
		return 5;
	if (counters_of_self("VmLck") != LIMIT * 4)
		return 6;
	return 0;
}

TEST_F(option, process_mode_includes_mlock)
{
	ASSERT_EQ(0, reopen(&self->bed, 1));
	EXPECT_EQ(0, user_run(USER, LIMIT, mlock_process_mode, &self->bed));
}

static int mlock_user_mode(struct testbed *bed)
{
	char *own = new_memory(LIMIT * PAGE);

	if (!own || mlock(own, LIMIT * PAGE))
		return 1;
	if (testbed_map_pages(bed, 0, LIMIT) != 0)
		return 2;
	if (testbed_map_pages(bed, LIMIT, 1) != -ENOMEM)
		return 3;
	if (counters_of_self("VmLck") != LIMIT * 4 ||
	    counters_of_self("VmPin") != LIMIT * 4)
		return 4;
	return 0;
}

TEST_F(option, user_mode_excludes_mlock)
{
	ASSERT_EQ(0, reopen(&self->bed, 0));
	EXPECT_EQ(0, user_run(USER, LIMIT, mlock_user_mode, &self->bed));
}

TEST_F(option, CAP_IPC_LOCK_is_not_charged_in_process_mode)
{
	const struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, reopen(&self->bed, 1));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	EXPECT_EQ(0, testbed_map_pages(&self->bed, 0, TESTBED_PAGES));
	EXPECT_EQ(0, counters_of_self("VmLck"));
	EXPECT_EQ((long)(TESTBED_PAGES * 4), counters_of_self("VmPin"));
}

TEST_HARNESS_MAIN
