// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the results of commands that work without a device. ioas_allow.c,
 * ioas_copy.c and options.c test IOMMU_IOAS_ALLOW_IOVAS, IOMMU_IOAS_COPY and
 * IOMMU_OPTION.
 *
 * A command that fails must leave the address space unchanged.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/iommufd.h>

#include "../kselftest_harness.h"
#include "calls.h"

#define PAGE		((unsigned long long)getpagesize())
#define IOVA		(16 * PAGE)
#define FIXED		IOMMU_IOAS_MAP_FIXED_IOVA
#define UNKNOWN_FLAG	0x80000000u

FIXTURE(space)
{
	int iommufd;
	__u32 ioas;
	char *memory;
	/* A valid command, which tests may modify. */
	struct iommu_ioas_map map;
};

FIXTURE_SETUP(space)
{
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &self->ioas));
	self->memory = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	self->map = (struct iommu_ioas_map){
		.size = sizeof(self->map),
		.flags = FIXED | IOAS_READ_WRITE,
		.ioas_id = self->ioas,
		.user_va = (uintptr_t)self->memory,
		.length = 4 * PAGE,
		.iova = IOVA,
	};
}

FIXTURE_TEARDOWN(space)
{
	close(self->iommufd);
}

static int do_map(int iommufd, struct iommu_ioas_map *map)
{
	return iommu_call(iommufd, IOMMU_IOAS_MAP, map);
}

static int unmap(int iommufd, __u32 ioas, __u64 iova, __u64 length)
{
	return ioas_unmap(iommufd, ioas, iova, &length);
}

TEST_F(space, unknown_numbers_ENOTTY)
{
	const unsigned int unknown[] = {
		0, 0x63, 0x68, 0x73, 0x7f, 0x8b, 0x9f, 0xa4, 0xff
	};
	char argument[256] = { 0 };
	size_t i;

	*(__u32 *)argument = sizeof(argument);
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-ENOTTY, iommu_call(self->iommufd,
					      _IO(IOMMUFD_TYPE, unknown[i]),
					      argument))
			TH_LOG("number %#x", unknown[i]);
	}
}

TEST_F(space, read_write_mmap_fail)
{
	char byte;

	EXPECT_EQ(-1, read(self->iommufd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->iommufd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				   self->iommufd, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(space, ids_differ_and_start_at_1)
{
	__u32 second, third;

	EXPECT_EQ(1u, self->ioas);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &second));
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &third));
	EXPECT_NE(self->ioas, second);
	EXPECT_NE(self->ioas, third);
	EXPECT_NE(second, third);
}

TEST_F(space, alloc_with_flags_EOPNOTSUPP)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		alloc.flags = 1u << bit;
		EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->iommufd,
						  IOMMU_IOAS_ALLOC, &alloc));
	}
	EXPECT_EQ(0u, alloc.out_ioas_id);
}

TEST_F(space, alloc_failed_copy_to_user_EFAULT)
{
	struct iommu_ioas_alloc *alloc;
	__u32 next;

	alloc = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)alloc);
	alloc->size = sizeof(*alloc);
	ASSERT_EQ(0, mprotect(alloc, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, iommu_call(self->iommufd, IOMMU_IOAS_ALLOC, alloc));

	/* The failed call must not have published an object. */
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, self->ioas + 1));
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &next));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, next));
}

TEST_F(space, destroy_invalid_ids_ENOENT)
{
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, 0));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, NO_SUCH_ID));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, UINT_MAX));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, self->ioas));
	EXPECT_EQ(-ENOENT, do_map(self->iommufd, &self->map));
}

TEST_F(space, destroy_with_mappings)
{
	__u32 next;

	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &next));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, next));
}

TEST_F(space, invalid_ids_ENOENT)
{
	struct iommu_iova_range range;
	struct iommu_device_get_info info;
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = self->ioas,
	};
	__u64 alignment;
	__u32 nr = 1;

	self->map.ioas_id = NO_SUCH_ID;
	EXPECT_EQ(-ENOENT, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, NO_SUCH_ID, 0, ~0ull));
	EXPECT_EQ(-ENOENT, ioas_ranges(self->iommufd, NO_SUCH_ID, &range, &nr,
				       &alignment));
	/* The ID is valid, but identifies an IOAS instead of a device. */
	EXPECT_EQ(-ENOENT, iommu_device_info(self->iommufd, self->ioas, &info));
	EXPECT_EQ(-ENOENT, iommu_call(self->iommufd, IOMMU_DEVICE_SET_COOKIE,
				      &cookie));
}

TEST_F(space, ids_of_another_file_ENOENT)
{
	int other = iommu_open();

	ASSERT_LE(0, other);
	EXPECT_EQ(-ENOENT, do_map(other, &self->map));
	EXPECT_EQ(-ENOENT, iommu_destroy(other, self->ioas));
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	close(other);
}

TEST_F(space, map_unknown_flags_EOPNOTSUPP)
{
	unsigned int bit;

	for (bit = 3; bit < 32; bit++) {
		self->map.flags = FIXED | IOAS_READ_WRITE | 1u << bit;
		EXPECT_EQ(-EOPNOTSUPP, do_map(self->iommufd, &self->map));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_reserved_EOPNOTSUPP)
{
	self->map.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_neither_READABLE_nor_WRITEABLE_EINVAL)
{
	self->map.flags = FIXED;
	EXPECT_EQ(-EINVAL, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_each_direction)
{
	self->map.flags = FIXED | IOAS_READ;
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	self->map.iova += self->map.length;
	self->map.flags = FIXED | IOAS_WRITE;
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(8 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

/* Without FIXED_IOVA, the iova field is output only. */
TEST_F(space, map_without_FIXED_chooses_the_iova)
{
	/* The lowest IOVA above page 0 that equals user_va modulo four pages */
	__u64 first = PAGE + ((self->map.user_va - PAGE) & (4 * PAGE - 1));

	self->map.flags = IOAS_READ_WRITE;
	self->map.iova = 1;
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(first, self->map.iova);
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(first + 4 * PAGE, self->map.iova);
	EXPECT_EQ(0, unmap(self->iommufd, self->ioas, first, 8 * PAGE));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

/* If the IOVA cannot be copied to user space, the mapping must be undone. */
TEST_F(space, map_failed_copy_to_user_EFAULT)
{
	struct iommu_ioas_map *map = (void *)self->memory;

	self->map.flags = IOAS_READ_WRITE;
	self->map.user_va += PAGE;
	*map = self->map;
	ASSERT_EQ(0, mprotect(map, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, do_map(self->iommufd, map));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_length_0_EINVAL)
{
	self->map.length = 0;
	EXPECT_EQ(-EINVAL, do_map(self->iommufd, &self->map));
}

TEST_F(space, map_iova_EOVERFLOW)
{
	self->map.iova = 0 - 2 * PAGE;
	EXPECT_EQ(-EOVERFLOW, do_map(self->iommufd, &self->map));
	self->map.iova = ~0ull;
	EXPECT_EQ(-EOVERFLOW, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_up_to_the_last_iova)
{
	self->map.iova = 0 - self->map.length;
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-EEXIST, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, unmap(self->iommufd, self->ioas, self->map.iova,
			   self->map.length));
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_user_va_EOVERFLOW)
{
	self->map.user_va = 0 - PAGE;
	EXPECT_EQ(-EOVERFLOW, do_map(self->iommufd, &self->map));
	self->map.user_va = (uintptr_t)self->memory;
	self->map.length = ~0ull;
	EXPECT_EQ(-EOVERFLOW, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, map_overlap_EEXIST)
{
	const struct {
		__u64 iova, length;
	} overlap[] = {
		{ IOVA, 4 * PAGE },			/* Identical */
		{ IOVA, PAGE },				/* First page */
		{ IOVA + 3 * PAGE, PAGE },		/* Last page */
		{ IOVA + PAGE, PAGE },			/* Page inside */
		{ IOVA - PAGE, 2 * PAGE },		/* Across the start */
		{ IOVA + 3 * PAGE, 2 * PAGE },		/* Across the end */
		{ IOVA - PAGE, 6 * PAGE },		/* Superset */
	};
	size_t i;

	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	for (i = 0; i < ARRAY_SIZE(overlap); i++) {
		self->map.iova = overlap[i].iova;
		self->map.length = overlap[i].length;
		EXPECT_EQ(-EEXIST, do_map(self->iommufd, &self->map))
			TH_LOG("overlap %zu", i);
	}
	/* Adjacent mappings do not overlap. */
	self->map.length = PAGE;
	self->map.iova = IOVA - PAGE;
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	self->map.iova = IOVA + 4 * PAGE;
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(6 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

/*
 * A map at a fixed IOVA has nothing to return, so it may succeed. If it fails,
 * the mapping must be undone.
 */
TEST_F(space, map_fixed_failed_copy_to_user)
{
	struct iommu_ioas_map *map;
	int result;

	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)map);
	*map = self->map;
	ASSERT_EQ(0, mprotect(map, PAGE, PROT_READ));
	result = do_map(self->iommufd, map);
	EXPECT_TRUE(!result || result == -EFAULT);
	EXPECT_EQ(result ? 0 : 4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

/*
 * An unmap cannot be rolled back. If the length cannot be returned, the call
 * must therefore fail before anything is unmapped.
 */
TEST_F(space, unmap_failed_copy_to_user_EFAULT)
{
	struct iommu_ioas_unmap *unmap = (void *)self->memory;

	self->map.user_va += PAGE;
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	*unmap = (struct iommu_ioas_unmap){
		.size = sizeof(*unmap),
		.ioas_id = self->ioas,
		.iova = IOVA,
		.length = 4 * PAGE,
	};
	ASSERT_EQ(0, mprotect(unmap, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, iommu_call(self->iommufd, IOMMU_IOAS_UNMAP, unmap));
	EXPECT_EQ(4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_unmapped_ENOENT)
{
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA, PAGE));
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, 0, IOVA));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA + 4 * PAGE,
				 PAGE));
	EXPECT_EQ(0, unmap(self->iommufd, self->ioas, IOVA, 4 * PAGE));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA, 4 * PAGE));
}

TEST_F(space, unmap_partial_ENOENT)
{
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA, PAGE));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA + PAGE, PAGE));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA + PAGE,
				 3 * PAGE));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA - PAGE,
				 4 * PAGE));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA + 1,
				 4 * PAGE));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA,
				 4 * PAGE - 1));
	/* The failed unmaps must leave the mapping intact. */
	EXPECT_EQ(-EEXIST, do_map(self->iommufd, &self->map));
	EXPECT_EQ(4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_second_mapping_partial_ENOENT)
{
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	self->map.iova += 4 * PAGE;
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-ENOENT, unmap(self->iommufd, self->ioas, IOVA, 7 * PAGE));
	EXPECT_EQ(8 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_superset_returns_bytes)
{
	__u64 length = 100 * PAGE;

	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	self->map.iova += 20 * PAGE;
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, ioas_unmap(self->iommufd, self->ioas, 0, &length));
	EXPECT_EQ(8 * PAGE, length);
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_all_of_empty_ioas)
{
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_length_0_EINVAL)
{
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-EINVAL, unmap(self->iommufd, self->ioas, IOVA, 0));
	EXPECT_EQ(4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_EOVERFLOW)
{
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(-EOVERFLOW, unmap(self->iommufd, self->ioas, PAGE, ~0ull));
	EXPECT_EQ(-EOVERFLOW, unmap(self->iommufd, self->ioas, PAGE,
				    0 - PAGE + 1));
	EXPECT_EQ(-EOVERFLOW, unmap(self->iommufd, self->ioas, ~0ull, PAGE));
	EXPECT_EQ(4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, unmap_up_to_the_last_iova)
{
	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, unmap(self->iommufd, self->ioas, PAGE, 0 - PAGE));
	EXPECT_EQ(0, ioas_unmap_all(self->iommufd, self->ioas));
}

TEST_F(space, check_extension_unknown_is_0)
{
	const __u32 unknown[] = { 0, 100, 0x7fffffff, UINT_MAX };
	struct iommu_check_extension check = { .size = sizeof(check) };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		check.extension = unknown[i];
		check.out_value = 99;
		EXPECT_EQ(0, iommu_call(self->iommufd, IOMMU_CHECK_EXTENSION,
					&check));
		EXPECT_EQ(0u, check.out_value);
	}
}

static __u32 extension(int iommufd, __u32 number)
{
	struct iommu_check_extension check = {
		.size = sizeof(check),
		.extension = number,
		.out_value = 99,
	};

	if (iommu_call(iommufd, IOMMU_CHECK_EXTENSION, &check))
		return 99;
	return check.out_value;
}

TEST_F(space, check_extension_matches_behavior)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.addr_width = 39,
	};

	EXPECT_EQ(1u, extension(self->iommufd, IOMMU_EXT_MAP_TYPE1V2));
	EXPECT_EQ(1u, extension(self->iommufd, IOMMU_EXT_MAP_BEFORE_ATTACH));
	EXPECT_EQ(0, do_map(self->iommufd, &self->map));

	EXPECT_EQ(1u, extension(self->iommufd, IOMMU_EXT_ADDR_WIDTH));
	EXPECT_EQ(0, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC, &alloc));
	EXPECT_NE(0u, alloc.out_ioasid);

	EXPECT_EQ(1u, extension(self->iommufd, IOMMU_EXT_ENFORCE_SNOOP));
	alloc.flags = IOMMU_IOASID_ENFORCE_SNOOP;
	EXPECT_EQ(0, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC, &alloc));

	self->map.flags = IOAS_READ_WRITE;
	EXPECT_EQ(extension(self->iommufd, IOMMU_EXT_MAP_ANY_IOVA) ?
			  0 : -EOPNOTSUPP,
		  do_map(self->iommufd, &self->map));
}

TEST_F(space, ioasid_alloc_unknown_flags_EOPNOTSUPP)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.flags = UNKNOWN_FLAG,
	};

	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC,
					  &alloc));
	alloc.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC,
					  &alloc));
	EXPECT_EQ(0u, alloc.out_ioasid);
}

TEST_F(space, ioasid_alloc_width_EINVAL)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.addr_width = 65,
	};

	EXPECT_EQ(-EINVAL, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC,
				      &alloc));
	alloc.addr_width = UINT_MAX;
	EXPECT_EQ(-EINVAL, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC,
				      &alloc));
	alloc.addr_width = 64;
	EXPECT_EQ(0, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC, &alloc));
}

TEST_F(space, ioasid_is_an_ioas)
{
	struct iommu_ioasid_alloc alloc = { .size = sizeof(alloc) };

	ASSERT_EQ(0, iommu_call(self->iommufd, IOMMU_IOASID_ALLOC, &alloc));
	EXPECT_NE(self->ioas, alloc.out_ioasid);
	self->map.ioas_id = alloc.out_ioasid;
	EXPECT_EQ(0, iommu_call(self->iommufd, IOMMU_MAP_DMA, &self->map));
	EXPECT_EQ(4 * (long long)PAGE,
		  ioas_unmap_all(self->iommufd, alloc.out_ioasid));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, alloc.out_ioasid));
}

TEST_F(space, ranges_reserved_EOPNOTSUPP)
{
	struct iommu_iova_range range = { 0 };
	struct iommu_ioas_iova_ranges query = {
		.size = sizeof(query),
		.ioas_id = self->ioas,
		.num_iovas = 1,
		.__reserved = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->iommufd,
					  IOMMU_IOAS_IOVA_RANGES, &query));
	EXPECT_EQ(0ull, range.last);
}

TEST_F(space, ranges_of_new_ioas)
{
	struct iommu_iova_range range[2] = { { 7, 7 }, { 8, 8 } };
	__u64 alignment;
	__u32 nr = 2;

	EXPECT_EQ(0, ioas_ranges(self->iommufd, self->ioas, range, &nr,
				 &alignment));
	EXPECT_EQ(1u, nr);
	EXPECT_EQ(0ull, range[0].start);
	EXPECT_EQ(~0ull, range[0].last);
	/* Unused array entries must not be written. */
	EXPECT_EQ(8ull, range[1].start);
	EXPECT_EQ(1ull, alignment);
}

TEST_F(space, ranges_without_array_EMSGSIZE)
{
	__u64 alignment = 0;
	__u32 nr = 0;

	EXPECT_EQ(-EMSGSIZE, ioas_ranges(self->iommufd, self->ioas, NULL, &nr,
					 &alignment));
	EXPECT_EQ(1u, nr);
	EXPECT_NE(0ull, alignment);
}

TEST_F(space, ranges_unwritable_array_EFAULT)
{
	__u64 alignment;
	__u32 nr = 1;

	EXPECT_EQ(-EFAULT, ioas_ranges(self->iommufd, self->ioas, NULL, &nr,
				       &alignment));
}

TEST_F(space, ranges_do_not_depend_on_mappings)
{
	struct iommu_iova_range range;
	__u64 alignment;
	__u32 nr = 1;

	ASSERT_EQ(0, do_map(self->iommufd, &self->map));
	EXPECT_EQ(0, ioas_ranges(self->iommufd, self->ioas, &range, &nr,
				 &alignment));
	EXPECT_EQ(1u, nr);
	EXPECT_EQ(0ull, range.start);
	EXPECT_EQ(~0ull, range.last);
}

TEST_HARNESS_MAIN
