// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the information returned about a bound device, and which address spaces
 * the device can be attached to.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"

NEEDS_EDU(1)

FIXTURE(bound)
{
	struct testbed bed;
};

FIXTURE_SETUP(bound)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(bound)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int alloc(int iommufd, __u32 flags, __u32 width, __u32 *id)
{
	struct iommu_ioasid_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.addr_width = width,
	};
	int err = iommu_call(iommufd, IOMMU_IOASID_ALLOC, &alloc);

	*id = alloc.out_ioasid;
	return err;
}

TEST_F(bound, info)
{
	const __u32 known = IOMMU_DEVICE_INFO_COHERENT |
			    IOMMU_DEVICE_INFO_ENFORCE_SNOOP |
			    IOMMU_DEVICE_INFO_PGSIZES |
			    IOMMU_DEVICE_INFO_ADDR_WIDTH;
	struct iommu_device_get_info info;

	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	EXPECT_EQ(self->bed.device.id, info.dev_id);
	EXPECT_EQ(0u, info.flags & ~known);
	/* DMA is coherent on x86 unless a request sets the no-snoop bit. */
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_COHERENT);
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_PGSIZES);
	EXPECT_EQ(PAGE, info.pgsize_bitmap & PAGE);
	EXPECT_EQ(0ull, info.pgsize_bitmap & (PAGE - 1));
	EXPECT_NE(0u, info.flags & IOMMU_DEVICE_INFO_ADDR_WIDTH);
	EXPECT_LE(32u, info.addr_width);
	EXPECT_GE(64u, info.addr_width);
}

TEST_F(bound, info_ignores_output_fields)
{
	struct iommu_device_get_info zeroed, garbage = {
		.size = sizeof(garbage),
		.dev_id = self->bed.device.id,
		.flags = ~0u,
		.addr_width = ~0u,
		.pgsize_bitmap = ~0ull,
		.dev_cookie = ~0ull,
	};

	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &zeroed));
	ASSERT_EQ(0, iommu_call(self->bed.iommufd, IOMMU_DEVICE_GET_INFO,
				&garbage));
	EXPECT_EQ(0, memcmp(&zeroed, &garbage, sizeof(zeroed)));
}

TEST_F(bound, info_width_matches_iova_ranges)
{
	struct iommu_iova_range ranges[16];
	struct iommu_device_get_info info;
	__u64 alignment, last;
	__u32 nr = 16;

	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, ioas_ranges(self->bed.iommufd, self->bed.ioas, ranges, &nr,
				 &alignment));
	last = ranges[nr - 1].last;
	EXPECT_EQ(info.addr_width, (__u32)(64 - __builtin_clzll(last)));
}

TEST_F(bound, cookie_is_returned_by_info)
{
	struct iommu_device_set_cookie cookie = {
		.size = sizeof(cookie),
		.dev_id = self->bed.device.id,
		.cookie = 0xfeedfacecafebeefull,
	};
	struct iommu_device_get_info info;

	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	EXPECT_EQ(0ull, info.dev_cookie);
	ASSERT_EQ(0, iommu_call(self->bed.iommufd, IOMMU_DEVICE_SET_COOKIE,
				&cookie));
	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	EXPECT_EQ(cookie.cookie, info.dev_cookie);
	/* A cookie cannot be used as a device ID. */
	EXPECT_EQ(-ENOENT,
		  iommu_device_info(self->bed.iommufd, 0xcafebeef, &info));
}

TEST_F(bound, device_id_as_ioas_id_ENOENT)
{
	const __u32 id = self->bed.device.id;
	struct iommu_iova_range range;
	__u64 length = ~0ull;
	__u64 alignment;
	__u32 nr = 1;

	EXPECT_EQ(-ENOENT, ioas_map(self->bed.iommufd, id, self->bed.memory,
				    PAGE, TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(-ENOENT, ioas_unmap(self->bed.iommufd, id, 0, &length));
	EXPECT_EQ(-ENOENT,
		  ioas_ranges(self->bed.iommufd, id, &range, &nr, &alignment));
}

TEST_F(bound, destroy_bound_device_EBUSY)
{
	struct iommu_device_get_info info;

	EXPECT_EQ(-EBUSY,
		  iommu_destroy(self->bed.iommufd, self->bed.device.id));
	EXPECT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
}

TEST_F(bound, device_id_after_close_ENOENT)
{
	struct iommu_device_get_info info;
	const __u32 id = self->bed.device.id;

	device_close(&self->bed.device);
	EXPECT_EQ(-ENOENT, iommu_device_info(self->bed.iommufd, id, &info));
}

TEST_F(bound, attach_errno)
{
	__u32 id = NO_SUCH_ID;

	EXPECT_EQ(-ENOENT, vfio_attach(self->bed.device.fd, &id));
	id = 0;
	EXPECT_EQ(-ENOENT, vfio_attach(self->bed.device.fd, &id));
	/* A device ID identifies neither an address space nor a page table. */
	id = self->bed.device.id;
	EXPECT_EQ(-EINVAL, vfio_attach(self->bed.device.fd, &id));
	EXPECT_EQ(self->bed.device.id, id);
}

TEST_F(bound, destroy_attached_ioas_or_hwpt_EBUSY)
{
	__u32 pt_id = self->bed.ioas;

	ASSERT_EQ(0, vfio_attach(self->bed.device.fd, &pt_id));
	EXPECT_NE(self->bed.ioas, pt_id);
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, pt_id));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	/* The last detach frees a page table that the kernel allocated. */
	EXPECT_EQ(-ENOENT, iommu_destroy(self->bed.iommufd, pt_id));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

TEST_F(bound, two_devices_share_the_page_table)
{
	__u32 first = self->bed.ioas, second = self->bed.ioas;
	struct device other;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	EXPECT_NE(self->bed.device.id, other.id);
	EXPECT_EQ(0, vfio_attach(self->bed.device.fd, &first));
	EXPECT_EQ(0, vfio_attach(other.fd, &second));
	EXPECT_EQ(first, second);
	/* The page table must persist until the last device is detached. */
	EXPECT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, second));
	EXPECT_EQ(0, vfio_detach(other.fd));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->bed.iommufd, second));
	device_close(&other);
}

TEST_F(bound, ioas_wider_than_the_iommu_EINVAL)
{
	struct iommu_device_get_info info;
	__u32 wide, narrow;

	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	ASSERT_EQ(0, alloc(self->bed.iommufd, 0, info.addr_width, &narrow));
	EXPECT_EQ(0, vfio_attach(self->bed.device.fd, &narrow));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	if (info.addr_width == 64)
		return;
	ASSERT_EQ(0, alloc(self->bed.iommufd, 0, info.addr_width + 1, &wide));
	EXPECT_EQ(-EINVAL, vfio_attach(self->bed.device.fd, &wide));
}

TEST_F(bound, ioas_that_enforces_snooping)
{
	struct iommu_device_get_info info;
	__u32 ioas;
	bool supported;

	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	supported = info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP;
	ASSERT_EQ(0, alloc(self->bed.iommufd, IOMMU_IOASID_ENFORCE_SNOOP, 0,
			   &ioas));
	EXPECT_EQ(supported ? 0 : -EINVAL,
		  vfio_attach(self->bed.device.fd, &ioas));
}

static int hw_info(int iommufd, __u32 dev_id, void *buffer, __u32 *length,
		   __u32 *type)
{
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = dev_id,
		.data_len = *length,
		.data_uptr = (uintptr_t)buffer,
		.out_data_type = 99,
		.out_capabilities = 99,
	};
	int err = iommu_call(iommufd, IOMMU_GET_HW_INFO, &info);

	*length = info.data_len;
	*type = info.out_data_type;
	/* None of the optional capabilities is supported. */
	if (!err && info.out_capabilities)
		return -EPROTO;
	return err;
}

TEST_F(bound, hw_info_matches_device_info)
{
	struct iommu_hw_info_vtd vtd;
	struct iommu_device_get_info info;
	__u32 length = sizeof(vtd), type;
	unsigned int mgaw;

	if (!has_vtd())
		SKIP(return, "needs an Intel IOMMU");
	memset(&vtd, 0x77, sizeof(vtd));
	ASSERT_EQ(0, hw_info(self->bed.iommufd, self->bed.device.id, &vtd,
			     &length, &type));
	EXPECT_EQ((__u32)IOMMU_HW_INFO_TYPE_INTEL_VTD, type);
	EXPECT_EQ(sizeof(vtd), length);
	EXPECT_EQ(0u, vtd.flags);
	EXPECT_EQ(0u, vtd.__reserved);
	/* CAP_REG.MGAW is in bits 21:16, ECAP_REG.SC is bit 7. */
	mgaw = ((vtd.cap_reg >> 16) & 0x3f) + 1;
	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	EXPECT_LE(info.addr_width, mgaw);
	EXPECT_EQ((__u64)!!(info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP),
		  (vtd.ecap_reg >> 7) & 1);
}

TEST_F(bound, hw_info_buffer_of_any_length)
{
	const __u32 full = sizeof(struct iommu_hw_info_vtd);
	unsigned char complete[64], partial[64];
	__u32 length, size, type, i;

	if (!has_vtd())
		SKIP(return, "needs an Intel IOMMU");
	length = sizeof(complete);
	memset(complete, 0x77, sizeof(complete));
	ASSERT_EQ(0, hw_info(self->bed.iommufd, self->bed.device.id, complete,
			     &length, &type));
	ASSERT_EQ(full, length);
	/* The tail of a larger buffer must be zeroed. */
	for (i = full; i < sizeof(complete); i++)
		EXPECT_EQ(0, complete[i]);
	/* A smaller buffer must be filled up to its end and not beyond. */
	for (size = 0; size < full; size++) {
		memset(partial, 0x77, sizeof(partial));
		length = size;
		EXPECT_EQ(0, hw_info(self->bed.iommufd, self->bed.device.id,
				     partial, &length, &type));
		EXPECT_EQ(full, length);
		EXPECT_EQ(0, memcmp(partial, complete, size));
		EXPECT_EQ(0x77, partial[size]);
	}
}

TEST_F(bound, hw_info_to_unmapped_buffer_EFAULT)
{
	char *page = new_memory(2 * PAGE);
	__u32 length = 24, type;

	EXPECT_EQ(-EFAULT, hw_info(self->bed.iommufd, self->bed.device.id, NULL,
				   &length, &type));
	/* Only the zeroed tail of the buffer is on the unmapped page. */
	ASSERT_NE(NULL, page);
	ASSERT_EQ(0, munmap(page + PAGE, PAGE));
	length = 25;
	EXPECT_EQ(-EFAULT, hw_info(self->bed.iommufd, self->bed.device.id,
				   page + PAGE - 24, &length, &type));
	EXPECT_EQ(25u, length);
	length = 24;
	EXPECT_EQ(0, hw_info(self->bed.iommufd, self->bed.device.id,
			     page + PAGE - 24, &length, &type));
	length = 0;
	EXPECT_EQ(0, hw_info(self->bed.iommufd, self->bed.device.id, NULL,
			     &length, &type));
}

#define TILE	(64ul << 20)
#define TILES	63ul

static bool map_shared(int fd, char *address, size_t length, off_t offset)
{
	return mmap(address, length, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, offset) == address;
}

/*
 * Return a buffer of almost 4 GiB, or NULL. Its first two pages and its last
 * page are backed by separate memory. To save memory, all pages in between are
 * backed by one tile of 64 MiB, which is mapped repeatedly. Smaller tiles would
 * need so many mappings that a debug kernel would take a minute to copy and
 * remove the mappings.
 */
static char *huge_buffer(void)
{
	const size_t length = (TILES + 2) * TILE;
	int fd = memfd_create("iommufd-test", MFD_CLOEXEC);
	char *start, *last;
	size_t i;

	if (fd < 0 || ftruncate(fd, TILE + 3 * PAGE))
		return NULL;
	start = mmap(NULL, length, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	last = start + 2 * PAGE + TILES * TILE;
	for (i = 0; i < TILES; i++)
		if (!map_shared(fd, start + 2 * PAGE + i * TILE, TILE, 0))
			return NULL;
	if (!map_shared(fd, start, 2 * PAGE, TILE) ||
	    !map_shared(fd, last, PAGE, TILE + 2 * PAGE))
		return NULL;
	close(fd);
	memset(start, 0x77, 2 * PAGE);
	memset(last, 0x77, PAGE);
	return start;
}

/*
 * A fatal signal must interrupt the kernel while it zeroes the tail of a huge
 * buffer.
 */
TEST_F(bound, hw_info_of_huge_buffer_is_killable)
{
	const __u32 full = 2 * PAGE + TILES * TILE + PAGE;
	char *buffer = huge_buffer();
	__u32 length = full, type;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, buffer);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		hw_info(self->bed.iommufd, self->bed.device.id, buffer, &length,
			&type);
		_exit(0);
	}
	while (buffer[2 * PAGE - 1] && !waitpid(pid, &status, WNOHANG))
		;
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, buffer[2 * PAGE - 1]);
	EXPECT_EQ(0x77, buffer[full - 1]);
	munmap(buffer, (TILES + 2) * TILE);
}

TEST_F(bound, hw_info_bad_ids_ENOENT)
{
	const __u32 bad[] = { 0, NO_SUCH_ID, self->bed.ioas };
	__u32 length = 0, type;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-ENOENT, hw_info(self->bed.iommufd, bad[i], NULL,
					   &length, &type));
	}
}

/* The type of the information can be selected, but there is only one. */
TEST_F(bound, hw_info_of_selected_type)
{
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
		.dev_id = self->bed.device.id,
	};
	static const struct {
		__u32 type;
		int err;
	} selected[] = {
		{ IOMMU_HW_INFO_TYPE_DEFAULT, 0 },
		{ IOMMU_HW_INFO_TYPE_INTEL_VTD, 0 },
		{ IOMMU_HW_INFO_TYPE_INTEL_VTD + 1, -EOPNOTSUPP },
		{ 0xfeedbeef, -EOPNOTSUPP },
	};
	unsigned int i;

	if (!has_vtd())
		SKIP(return, "needs an Intel IOMMU");
	for (i = 0; i < ARRAY_SIZE(selected); i++) {
		info.in_data_type = selected[i].type;
		info.data_len = 0;
		EXPECT_EQ(selected[i].err,
			  iommu_call(self->bed.iommufd, IOMMU_GET_HW_INFO,
				     &info));
		EXPECT_EQ(selected[i].err ? selected[i].type :
			  (__u32)IOMMU_HW_INFO_TYPE_INTEL_VTD,
			  info.out_data_type);
	}
	/* Without the flag, the type is ignored. */
	info.flags = 0;
	info.in_data_type = 99;
	EXPECT_EQ(0, iommu_call(self->bed.iommufd, IOMMU_GET_HW_INFO, &info));
}

TEST_F(bound, hw_info_flags_and_reserved_EOPNOTSUPP)
{
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = self->bed.device.id,
	};
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		info.flags = 1u << bit;
		EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->bed.iommufd,
						  IOMMU_GET_HW_INFO, &info));
	}
	info.flags = 0;
	info.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP,
		  iommu_call(self->bed.iommufd, IOMMU_GET_HW_INFO, &info));
}

TEST_HARNESS_MAIN
