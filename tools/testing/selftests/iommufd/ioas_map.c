// SPDX-License-Identifier: GPL-2.0-only
/*
 * Number of pages that IOMMU_IOAS_MAP pins.
 *
 * Pages are pinned while they are mapped in an IOAS that a device is attached
 * to. Each page of a mapping is pinned once, and a call that fails leaves no
 * page pinned.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "rig.h"

NEEDS_EDU

FIXTURE(pins)
{
	struct rig rig;
};

FIXTURE_SETUP(pins)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(pins)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

/* Unlike rig_attach(), do not map the bounce buffer, which is counted too. */
static int attach(struct rig *rig)
{
	__u32 pt_id = rig->ioas;

	return vfio_attach(rig->device.fd, &pt_id);
}

static int map(struct rig *rig, const void *memory, size_t length, __u64 iova,
	       __u32 access)
{
	return ioas_map(rig->iommufd, rig->ioas, memory, length, iova, access);
}

TEST_F(pins, none_before_attach)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, attach_pins_existing_mappings)
{
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, 5 * PAGE, RIG_IOVA,
			 IOAS_READ));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory + 8 * PAGE, 3 * PAGE,
			 2 * RIG_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(8, rig_pinned(&self->rig));
}

TEST_F(pins, map_after_attach)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(pins, unmap_unpins_only_its_range)
{
	unsigned int i;

	ASSERT_EQ(0, attach(&self->rig));
	for (i = 0; i < RIG_PAGES; i++) {
		ASSERT_EQ(0, map(&self->rig, self->rig.memory + i * PAGE, PAGE,
				 RIG_IOVA + i * PAGE, IOAS_READ_WRITE));
	}
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA + PAGE, PAGE));
	EXPECT_EQ(RIG_PAGES - 1, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, 8 * PAGE));
	EXPECT_EQ(RIG_PAGES - 8, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, 0, ~0ull));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, partial_unmap_ENOENT_unpins_none)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-ENOENT, rig_unmap(&self->rig, RIG_IOVA, PAGE));
	EXPECT_EQ(-ENOENT, rig_unmap(&self->rig, RIG_IOVA + PAGE,
				     RIG_LENGTH - PAGE));
	EXPECT_EQ(-ENOENT, rig_unmap(&self->rig, RIG_IOVA - PAGE, RIG_LENGTH));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(pins, overlap_EEXIST_pins_none)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EEXIST, map(&self->rig, self->rig.memory, PAGE,
			       RIG_IOVA + 3 * PAGE, IOAS_READ));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(pins, detach_unpins_and_attach_repins)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	/* Detach unpins the pages but keeps the mapping. */
	EXPECT_EQ(-EEXIST, rig_map(&self->rig));
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(pins, destroy_after_detach)
{
	__u32 ioas = self->rig.ioas;

	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EBUSY, iommu_end(self->rig.iommufd, ioas));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, ioas));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, close_of_the_device_unpins_all)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	device_close(&self->rig.device);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, close_of_iommufd_unpins_none)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	close(self->rig.iommufd);
	self->rig.iommufd = -1;
	/* The bound device holds a reference to the file. */
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	device_close(&self->rig.device);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, two_devices_pin_a_page_once)
{
	struct device other;
	__u32 pt_id = self->rig.ioas;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(0, vfio_attach(other.fd, &pt_id));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, vfio_detach(other.fd));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	device_close(&other);
}

TEST_F(pins, two_ioas_are_independent)
{
	struct device other;
	__u32 other_ioas, pt_id;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &other_ioas));
	pt_id = other_ioas;
	ASSERT_EQ(0, vfio_attach(other.fd, &pt_id));
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, ioas_map(self->rig.iommufd, other_ioas, self->rig.memory,
			      2 * PAGE, RIG_IOVA, IOAS_READ));
	EXPECT_EQ(RIG_PAGES + 2, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, 0, ~0ull));
	EXPECT_EQ(2, rig_pinned(&self->rig));
	device_close(&other);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, unmapped_memory_EFAULT)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, munmap(self->rig.memory + 9 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, rig_map(&self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	/* The failed map left no mapping. */
	EXPECT_EQ(-ENOENT, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, map(&self->rig, self->rig.memory, 9 * PAGE, RIG_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(9, rig_pinned(&self->rig));
}

TEST_F(pins, attach_with_unmapped_memory_EFAULT)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, map(&self->rig, self->rig.bounce, PAGE, BOUNCE_IOVA,
			 IOAS_READ_WRITE));
	ASSERT_EQ(0, munmap(self->rig.bounce, PAGE));
	EXPECT_EQ(-EFAULT, attach(&self->rig));
	EXPECT_EQ(0, rig_pinned(&self->rig));

	/* The device is not attached, and a later attach succeeds. */
	ASSERT_EQ(0, rig_unmap(&self->rig, BOUNCE_IOVA, PAGE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, attach(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(pins, WRITEABLE_mapping_of_read_only_memory_EFAULT)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, mprotect(self->rig.memory, RIG_LENGTH, PROT_READ));
	EXPECT_EQ(-EFAULT, rig_map(&self->rig));
	EXPECT_EQ(-EFAULT, map(&self->rig, self->rig.memory, PAGE, RIG_IOVA,
			       IOAS_WRITE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, map(&self->rig, self->rig.memory, RIG_LENGTH, RIG_IOVA,
			 IOAS_READ));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
}

TEST_F(pins, PROT_NONE_memory_EFAULT)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, mprotect(self->rig.memory, RIG_LENGTH, PROT_NONE));
	EXPECT_EQ(-EFAULT, map(&self->rig, self->rig.memory, RIG_LENGTH,
			       RIG_IOVA, IOAS_READ));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, device_registers_EFAULT)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(-EFAULT, map(&self->rig, self->rig.device.edu.registers,
			       PAGE, RIG_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, misaligned_EINVAL)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(-EINVAL, map(&self->rig, self->rig.memory, PAGE,
			       RIG_IOVA + 512, IOAS_READ));
	EXPECT_EQ(-EINVAL, map(&self->rig, self->rig.memory + 512, PAGE,
			       RIG_IOVA, IOAS_READ));
	EXPECT_EQ(-EINVAL, map(&self->rig, self->rig.memory, PAGE + 512,
			       RIG_IOVA, IOAS_READ));
	EXPECT_EQ(-EINVAL, map(&self->rig, self->rig.memory, 1, RIG_IOVA,
			       IOAS_READ));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, unpopulated_memory)
{
	char *unpopulated = mmap(NULL, RIG_LENGTH, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, unpopulated);
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, map(&self->rig, unpopulated, RIG_LENGTH, RIG_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

/* Unpopulated memory is pinned for reading, too, to see later writes. */
TEST_F(pins, unpopulated_memory_READABLE)
{
	const char *unpopulated = mmap(NULL, RIG_LENGTH, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	ASSERT_NE(MAP_FAILED, (void *)unpopulated);
	ASSERT_EQ(0, attach(&self->rig));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, map(&self->rig, unpopulated, RIG_LENGTH, RIG_IOVA,
				 IOAS_READ));
		EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
		ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
		EXPECT_EQ(0, rig_pinned(&self->rig));
	}
}

TEST_F(pins, shared_file_mapping)
{
	int fd = memfd_create("iommufd-test", MFD_CLOEXEC);
	char *shared;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, RIG_LENGTH));
	shared = mmap(NULL, RIG_LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, map(&self->rig, shared, RIG_LENGTH, RIG_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	/* The pages stay pinned when the process unmaps the memory. */
	ASSERT_EQ(0, munmap(shared, RIG_LENGTH));
	close(fd);
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(pins, huge_page)
{
	char *huge = new_huge_page();

	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	ASSERT_EQ(0, attach(&self->rig));
	/* Map a part of the huge page first, then all of it. */
	ASSERT_EQ(0, map(&self->rig, huge + 3 * PAGE, 7 * PAGE, RIG_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(7, rig_pinned(&self->rig));
	ASSERT_EQ(0, map(&self->rig, huge, HUGE, 16 * HUGE, IOAS_READ_WRITE));
	EXPECT_EQ(7 + 512, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, 7 * PAGE));
	EXPECT_EQ(512, rig_pinned(&self->rig));
	EXPECT_EQ(0, rig_unmap(&self->rig, 16 * HUGE, HUGE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_HARNESS_MAIN
