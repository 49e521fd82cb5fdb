// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test how the commands of /dev/iommu handle extensible structs. Each test runs
 * once per command.
 *
 * A command accepts a struct of any size from that of the first version up to a
 * page, provided that all bytes beyond the current struct are zero. A shorter
 * struct fails with EINVAL. A nonzero tail or a larger size fails with E2BIG.
 *
 * Commands that operate on a device are passed an ID that does not exist, so
 * that a well-formed call returns -ENOENT and the test needs no device.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/iommufd.h>

#include "../kselftest_harness.h"
#include "calls.h"

#define PAGE		((unsigned long)getpagesize())

FIXTURE(command)
{
	int iommufd;
	__u32 ioas;
	char *memory;
	/* A page followed by an inaccessible one. */
	char *page;
	/* A copy of the struct, placed at the end of the page. */
	char *at_page_end;
	/* The size of the first version of the struct. */
	__u32 min_size;
};

FIXTURE_VARIANT(command)
{
	unsigned long request;
	__u32 size;
	/* 0 if the struct never grew. */
	__u32 min_size;
	int result;
	void (*fill)(void *argument, __u32 ioas, void *memory);
};

static void fill_destroy(void *argument, __u32 ioas, void *memory)
{
	struct iommu_destroy *destroy = argument;

	(void)memory;
	destroy->id = ioas;
}

FIXTURE_VARIANT_ADD(command, destroy)
{
	.request = IOMMU_DESTROY,
	.size = sizeof(struct iommu_destroy),
	.fill = fill_destroy,
};

static void fill_none(void *argument, __u32 ioas, void *memory)
{
	(void)argument;
	(void)ioas;
	(void)memory;
}

FIXTURE_VARIANT_ADD(command, ioas_alloc)
{
	.request = IOMMU_IOAS_ALLOC,
	.size = sizeof(struct iommu_ioas_alloc),
	.fill = fill_none,
};

static void fill_allow(void *argument, __u32 ioas, void *memory)
{
	struct iommu_ioas_allow_iovas *allow = argument;
	struct iommu_iova_range *range = memory;

	range->start = 8 * PAGE;
	range->last = 9 * PAGE - 1;
	allow->ioas_id = ioas;
	allow->num_iovas = 1;
	allow->allowed_iovas = (uintptr_t)range;
}

FIXTURE_VARIANT_ADD(command, ioas_allow_iovas)
{
	.request = IOMMU_IOAS_ALLOW_IOVAS,
	.size = sizeof(struct iommu_ioas_allow_iovas),
	.fill = fill_allow,
};

/* The source range is not mapped, so the command fails with -ENOENT. */
static void fill_copy(void *argument, __u32 ioas, void *memory)
{
	struct iommu_ioas_copy *copy = argument;

	(void)memory;
	copy->flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_READ_WRITE;
	copy->dst_ioas_id = ioas;
	copy->src_ioas_id = ioas;
	copy->length = PAGE;
	copy->dst_iova = 16 * PAGE;
	copy->src_iova = 8 * PAGE;
}

FIXTURE_VARIANT_ADD(command, ioas_copy)
{
	.request = IOMMU_IOAS_COPY,
	.size = sizeof(struct iommu_ioas_copy),
	.result = -ENOENT,
	.fill = fill_copy,
};

static void fill_ranges(void *argument, __u32 ioas, void *memory)
{
	struct iommu_ioas_iova_ranges *query = argument;

	query->ioas_id = ioas;
	query->num_iovas = 4;
	query->allowed_iovas = (uintptr_t)memory;
}

FIXTURE_VARIANT_ADD(command, ioas_iova_ranges)
{
	.request = IOMMU_IOAS_IOVA_RANGES,
	.size = sizeof(struct iommu_ioas_iova_ranges),
	.fill = fill_ranges,
};

static void fill_map(void *argument, __u32 ioas, void *memory)
{
	struct iommu_ioas_map *map = argument;

	map->flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_READ_WRITE;
	map->ioas_id = ioas;
	map->user_va = (uintptr_t)memory;
	map->length = PAGE;
	map->iova = 8 * PAGE;
}

FIXTURE_VARIANT_ADD(command, ioas_map)
{
	.request = IOMMU_IOAS_MAP,
	.size = sizeof(struct iommu_ioas_map),
	.fill = fill_map,
};

static void fill_unmap(void *argument, __u32 ioas, void *memory)
{
	struct iommu_ioas_unmap *unmap = argument;

	(void)memory;
	unmap->ioas_id = ioas;
	unmap->iova = 0;
	unmap->length = ~0ull;
}

FIXTURE_VARIANT_ADD(command, ioas_unmap)
{
	.request = IOMMU_IOAS_UNMAP,
	.size = sizeof(struct iommu_ioas_unmap),
	.fill = fill_unmap,
};

static void fill_option(void *argument, __u32 ioas, void *memory)
{
	struct iommu_option *option = argument;

	(void)ioas;
	(void)memory;
	option->option_id = IOMMU_OPTION_RLIMIT_MODE;
	option->op = IOMMU_OPTION_OP_GET;
}

FIXTURE_VARIANT_ADD(command, option)
{
	.request = IOMMU_OPTION,
	.size = sizeof(struct iommu_option),
	.fill = fill_option,
};

static void fill_vfio_ioas(void *argument, __u32 ioas, void *memory)
{
	struct iommu_vfio_ioas *vfio = argument;

	(void)memory;
	vfio->op = IOMMU_VFIO_IOAS_SET;
	vfio->ioas_id = ioas;
}

FIXTURE_VARIANT_ADD(command, vfio_ioas)
{
	.request = IOMMU_VFIO_IOAS,
	.size = sizeof(struct iommu_vfio_ioas),
	.fill = fill_vfio_ioas,
};

static void fill_hwpt(void *argument, __u32 ioas, void *memory)
{
	struct iommu_hwpt_alloc *alloc = argument;

	(void)memory;
	alloc->dev_id = NO_SUCH_ID;
	alloc->pt_id = ioas;
}

FIXTURE_VARIANT_ADD(command, hwpt_alloc)
{
	.request = IOMMU_HWPT_ALLOC,
	.size = sizeof(struct iommu_hwpt_alloc),
	.min_size = 24,
	.result = -ENOENT,
	.fill = fill_hwpt,
};

static void fill_hw_info(void *argument, __u32 ioas, void *memory)
{
	struct iommu_hw_info *info = argument;

	(void)ioas;
	info->dev_id = NO_SUCH_ID;
	info->data_len = 24;
	info->data_uptr = (uintptr_t)memory;
}

FIXTURE_VARIANT_ADD(command, get_hw_info)
{
	.request = IOMMU_GET_HW_INFO,
	.size = sizeof(struct iommu_hw_info),
	.min_size = 32,
	.result = -ENOENT,
	.fill = fill_hw_info,
};

static void fill_info(void *argument, __u32 ioas, void *memory)
{
	struct iommu_device_get_info *info = argument;

	(void)ioas;
	(void)memory;
	info->dev_id = NO_SUCH_ID;
}

FIXTURE_VARIANT_ADD(command, device_get_info)
{
	.request = IOMMU_DEVICE_GET_INFO,
	.size = sizeof(struct iommu_device_get_info),
	.result = -ENOENT,
	.fill = fill_info,
};

FIXTURE_VARIANT_ADD(command, check_extension)
{
	.request = IOMMU_CHECK_EXTENSION,
	.size = sizeof(struct iommu_check_extension),
	.fill = fill_none,
};

FIXTURE_VARIANT_ADD(command, ioasid_alloc)
{
	.request = IOMMU_IOASID_ALLOC,
	.size = sizeof(struct iommu_ioasid_alloc),
	.fill = fill_none,
};

static void fill_cookie(void *argument, __u32 ioas, void *memory)
{
	struct iommu_device_set_cookie *cookie = argument;

	(void)ioas;
	(void)memory;
	cookie->dev_id = NO_SUCH_ID;
	cookie->cookie = 77;
}

FIXTURE_VARIANT_ADD(command, device_set_cookie)
{
	.request = IOMMU_DEVICE_SET_COOKIE,
	.size = sizeof(struct iommu_device_set_cookie),
	.result = -ENOENT,
	.fill = fill_cookie,
};

FIXTURE_SETUP(command)
{
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &self->ioas));
	self->memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	self->page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + PAGE, PAGE, PROT_NONE));
	self->at_page_end = self->page + PAGE - variant->size;
	self->min_size = variant->min_size ? variant->min_size : variant->size;

	variant->fill(self->page, self->ioas, self->memory);
	*(__u32 *)self->page = variant->size;
	memcpy(self->at_page_end, self->page, variant->size);
}

FIXTURE_TEARDOWN(command)
{
	close(self->iommufd);
}

TEST_F(command, well_formed)
{
	EXPECT_EQ(variant->result, iommu_call(self->iommufd, variant->request,
					      self->page));
}

TEST_F(command, shorter_size_EINVAL)
{
	char before[64];
	__u32 size;

	for (size = 0; size < self->min_size; size++) {
		*(__u32 *)self->page = size;
		memcpy(before, self->page, sizeof(before));
		EXPECT_EQ(-EINVAL, iommu_call(self->iommufd, variant->request,
					      self->page))
			TH_LOG("size %u", size);
		EXPECT_EQ(0, memcmp(before, self->page, sizeof(before)));
	}
	*(__u32 *)self->page = variant->size;
	EXPECT_EQ(variant->result, iommu_call(self->iommufd, variant->request,
					      self->page));
}

/* A program may have been compiled with an earlier, shorter struct. */
TEST_F(command, size_of_earlier_version_is_accepted)
{
	__u32 size;

	for (size = self->min_size; size < variant->size; size += 4) {
		*(__u32 *)self->page = size;
		EXPECT_EQ(variant->result, iommu_call(self->iommufd,
						      variant->request,
						      self->page))
			TH_LOG("size %u", size);
	}
}

TEST_F(command, longer_size_with_zero_tail_is_accepted)
{
	*(__u32 *)self->page = variant->size + 200;
	EXPECT_EQ(variant->result, iommu_call(self->iommufd, variant->request,
					      self->page));
}

/* A size beyond a page fails with -E2BIG before the struct is read. */
TEST_F(command, size_beyond_a_page_E2BIG)
{
	/* The kernel accepts only zeros beyond the struct that it knows. */
	memset(self->at_page_end, 0, variant->size);
	*(__u32 *)self->page = PAGE + 1;
	EXPECT_EQ(-E2BIG, iommu_call(self->iommufd, variant->request,
				     self->page));
	*(__u32 *)self->page = ~0u;
	EXPECT_EQ(-E2BIG, iommu_call(self->iommufd, variant->request,
				     self->page));
	*(__u32 *)self->page = PAGE;
	EXPECT_EQ(variant->result, iommu_call(self->iommufd, variant->request,
					      self->page));
}

TEST_F(command, longer_size_with_nonzero_last_byte_E2BIG)
{
	char before[64];

	*(__u32 *)self->page = variant->size + 200;
	self->page[variant->size + 199] = 1;
	memcpy(before, self->page, sizeof(before));
	EXPECT_EQ(-E2BIG, iommu_call(self->iommufd, variant->request,
				     self->page));
	EXPECT_EQ(0, memcmp(before, self->page, sizeof(before)));
}

TEST_F(command, longer_size_with_nonzero_next_byte_E2BIG)
{
	*(__u32 *)self->page = variant->size + 1;
	self->page[variant->size] = 1;
	EXPECT_EQ(-E2BIG, iommu_call(self->iommufd, variant->request,
				     self->page));
}

TEST_F(command, reads_nothing_beyond_size)
{
	EXPECT_EQ(variant->result, iommu_call(self->iommufd, variant->request,
					      self->at_page_end));
}

TEST_F(command, unreadable_tail_EFAULT)
{
	*(__u32 *)self->at_page_end = variant->size + 8;
	EXPECT_EQ(-EFAULT, iommu_call(self->iommufd, variant->request,
				      self->at_page_end));
}

TEST_F(command, unreadable_struct_EFAULT)
{
	EXPECT_EQ(-EFAULT, iommu_call(self->iommufd, variant->request, NULL));
	EXPECT_EQ(-EFAULT, iommu_call(self->iommufd, variant->request,
				      self->page + PAGE));
	/* Only the first word is readable. */
	*(__u32 *)(self->page + PAGE - 4) = variant->size;
	EXPECT_EQ(-EFAULT, iommu_call(self->iommufd, variant->request,
				      self->page + PAGE - 4));
}

TEST_F(command, direction_or_size_in_number_ENOTTY)
{
	unsigned int nr = _IOC_NR(variant->request);

	EXPECT_EQ(-ENOTTY, iommu_call(self->iommufd,
				      _IOWR(IOMMUFD_TYPE, nr, __u32),
				      self->page));
	EXPECT_EQ(-ENOTTY, iommu_call(self->iommufd,
				      _IOC(_IOC_NONE, IOMMUFD_TYPE, nr,
					   variant->size), self->page));
}

TEST_F(command, other_ioctl_type_ENOTTY)
{
	EXPECT_EQ(-ENOTTY, iommu_call(self->iommufd,
				      _IO('<', _IOC_NR(variant->request)),
				      self->page));
}

TEST_HARNESS_MAIN
