// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device really reaches, shown by its DMA.
 *
 * Rule: a device reaches what is mapped, in the directions that were allowed,
 * from map or attach until unmap, detach or close, and nothing else. Both
 * directions are looked at, and always the data.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "rig.h"

#define OTHER_IOVA	0x20000000ull

NEEDS_EDU
EXPECTS_DMA_FAULTS

FIXTURE(dma)
{
	struct rig rig;
	struct device second;
};

FIXTURE_SETUP(dma)
{
	self->second.fd = -1;
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(dma)
{
	device_close(&self->second);
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int map(struct rig *rig, const void *memory, size_t length, __u64 iova,
	       __u32 access)
{
	return ioas_map(rig->iommufd, rig->ioas, memory, length, iova, access);
}

static int attach_to(struct device *device, __u32 ioas)
{
	return vfio_attach(device->fd, &ioas);
}

#define REACHES(device, iova, memory) \
	device_reaches(&self->rig, device, iova, memory)
#define IS_BLOCKED(device, iova, memory) \
	device_is_blocked(&self->rig, device, iova, memory)

TEST_F(dma, mapped_before_attach)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA + 13 * PAGE + 700,
			     self->rig.memory + 13 * PAGE + 700));
}

TEST_F(dma, mapped_after_attach)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	/* A transfer across the edge of two pages. */
	EXPECT_EQ(1, REACHES(device, RIG_IOVA + 5 * PAGE - 1500,
			     self->rig.memory + 5 * PAGE - 1500));
}

TEST_F_TIMEOUT(dma, each_page_is_in_its_place, 60)
{
	struct device *device = &self->rig.device;
	unsigned int i;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	for (i = 0; i < RIG_PAGES; i++)
		pattern_fill(self->rig.memory + i * PAGE, 64, 1000 + i);
	for (i = 0; i < RIG_PAGES; i++) {
		ASSERT_EQ(0, edu_load(&device->edu, RIG_IOVA + i * PAGE, 64 * i,
				      64));
	}
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, 64 * RIG_PAGES));
	for (i = 0; i < RIG_PAGES; i++) {
		EXPECT_TRUE(pattern_is(self->rig.bounce + 64 * i, 64, 1000 + i))
			TH_LOG("page %u", i);
	}
}

TEST_F(dma, two_mappings_of_one_memory)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, RIG_LENGTH, OTHER_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA, self->rig.memory));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA, self->rig.memory));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA, self->rig.memory));
}

TEST_F(dma, neighbours_are_not_mixed_up)
{
	struct device *device = &self->rig.device;

	/* Side by side in IOVA, in the reverse order in memory. */
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory + PAGE, PAGE, RIG_IOVA,
			 IOAS_READ_WRITE));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, PAGE, RIG_IOVA + PAGE,
			 IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory + PAGE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA + PAGE, self->rig.memory));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA, self->rig.memory + PAGE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA + PAGE, self->rig.memory));
}

TEST_F(dma, huge_page)
{
	struct device *device = &self->rig.device;
	char *huge = new_huge_page();

	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, huge, HUGE, OTHER_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA, huge));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA + HUGE - PAGE,
			     huge + HUGE - PAGE));
	ASSERT_EQ(0, rig_unmap(&self->rig, OTHER_IOVA, HUGE));
	EXPECT_EQ(1, IS_BLOCKED(device, OTHER_IOVA + HUGE - PAGE,
				huge + HUGE - PAGE));
}

TEST_F(dma, part_of_a_huge_page)
{
	struct device *device = &self->rig.device;
	char *huge = new_huge_page();

	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, huge + 5 * PAGE, 9 * PAGE,
			 OTHER_IOVA + 5 * PAGE, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA + 13 * PAGE, huge + 13 * PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, OTHER_IOVA + 4 * PAGE,
				huge + 4 * PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, OTHER_IOVA + 14 * PAGE,
				huge + 14 * PAGE));
}

TEST_F(dma, unmap_blocks)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA + 15 * PAGE,
				self->rig.memory + 15 * PAGE));
	/* The bounce was not part of it. */
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
}

TEST_F(dma, new_memory_at_an_old_iova)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, PAGE, RIG_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, PAGE));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory + PAGE, PAGE, RIG_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory + PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA + PAGE, self->rig.memory));
}

TEST_F(dma, failed_map_gives_no_access)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, munmap(self->rig.memory + 15 * PAGE, PAGE));
	ASSERT_EQ(-EFAULT, rig_map(&self->rig));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA, self->rig.memory));
}

TEST_F(dma, READABLE_alone_is_not_written)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, PAGE, RIG_IOVA,
			 IOAS_READ));
	pattern_fill(self->rig.memory, TRANSFER, 2000);
	ASSERT_EQ(0, edu_load(&device->edu, RIG_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.bounce, TRANSFER, 2000));

	pattern_fill(self->rig.memory, TRANSFER, 2001);
	ASSERT_EQ(0, edu_store(&device->edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2001));
}

/*
 * That it is not read cannot be asked for: the page tables of an Intel IOMMU
 * let read whatever can be written.
 */
TEST_F(dma, WRITEABLE_alone_is_written)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, PAGE, RIG_IOVA,
			 IOAS_WRITE));
	pattern_fill(self->rig.bounce, TRANSFER, 2100);
	pattern_fill(self->rig.memory, TRANSFER, 2101);
	ASSERT_EQ(0, edu_load(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(&device->edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2100));
}

/* DMA goes to a page of the program's own, not to one that it shares. */
TEST_F(dma, copy_on_write_happens_before_the_pin)
{
	struct device *device = &self->rig.device;
	char *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, fresh);
	/* Reading shows zeros; the page behind it is everybody's. */
	EXPECT_EQ(0, fresh[0]);
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, map(&self->rig, fresh, PAGE, RIG_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, fresh));
}

/*
 * Map memory for reading, then write to it as the program: 1 if the device reads
 * what was written, 0 if not, -errno.
 */
static int later_write_is_read(struct rig *rig, struct device *device,
			       char *memory, unsigned int seed)
{
	int rc = map(rig, memory, PAGE, RIG_IOVA, IOAS_READ);

	if (rc)
		return rc;
	if (mprotect(memory, PAGE, PROT_READ | PROT_WRITE))
		return -errno;
	pattern_fill(memory, TRANSFER, seed);
	rc = edu_load(&device->edu, RIG_IOVA, 0, TRANSFER);
	if (!rc)
		rc = edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER);
	if (!rc)
		rc = rig_unmap(rig, RIG_IOVA, PAGE);
	return rc ? rc : pattern_is(rig->bounce, TRANSFER, seed);
}

static char *private_page(int prot, int fd)
{
	return mmap(NULL, PAGE, prot,
		    MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

/* A page that the program gets later, as it writes, is the device's as well. */
TEST_F(dma, READABLE_memory_is_what_the_program_sees)
{
	struct device *device = &self->rig.device;
	int fd = memfd_create("iommufd-test", MFD_CLOEXEC);
	char *memory[6], before;
	unsigned int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	/* never touched, read before, without the right to write to it yet */
	memory[0] = private_page(PROT_READ | PROT_WRITE, -1);
	memory[1] = private_page(PROT_READ | PROT_WRITE, -1);
	memory[2] = private_page(PROT_READ, -1);
	/* the same of a file */
	memory[3] = private_page(PROT_READ | PROT_WRITE, fd);
	memory[4] = private_page(PROT_READ | PROT_WRITE, fd);
	memory[5] = private_page(PROT_READ, fd);
	for (i = 0; i < 6; i++) {
		ASSERT_NE(MAP_FAILED, memory[i]);
		before = i % 3 == 1 ? memory[i][0] : 0;
		EXPECT_EQ(0, before);
		EXPECT_EQ(1, later_write_is_read(&self->rig, device, memory[i],
						 3000 + i));
		munmap(memory[i], PAGE);
	}
	close(fd);
}

TEST_F(dma, detach_blocks_and_attach_opens)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	ASSERT_EQ(0, vfio_detach(device->fd));

	/* Neither a write comes through nor what a read would have brought. */
	pattern_fill(self->rig.memory, TRANSFER, 2200);
	ASSERT_EQ(0, edu_store(&device->edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2200));
	ASSERT_EQ(0, edu_load(&device->edu, RIG_IOVA, 0, TRANSFER));

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is_absent(self->rig.bounce, TRANSFER, 2200));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
}

/* Whether it is one byte over and over, as what a refused read may leave. */
static bool is_uniform(const char *memory, size_t length)
{
	return !memcmp(memory, memory + 1, length - 1);
}

/*
 * Before the first attach a bound device reaches nothing: above all not the
 * physical memory whose address it puts on the bus.
 */
TEST_F(dma, bound_but_not_attached_is_blocked)
{
	struct device *device = &self->rig.device;
	/* Where x86 kernels begin. */
	const __u64 kernel = 0x1000000;

	/* Leave a pattern in the device, which a new bind does not change. */
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	pattern_fill(self->rig.bounce, TRANSFER, 2250);
	ASSERT_EQ(0, edu_load(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	device_close(device);
	ASSERT_EQ(0, device_open(device, self->rig.machine.lone[0].text,
				 self->rig.iommufd));

	ASSERT_EQ(0, edu_load(&device->edu, kernel, 0, TRANSFER));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	memset(self->rig.bounce, 0x77, PAGE);
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_NE(0x77, self->rig.bounce[0]);
	EXPECT_TRUE(is_uniform(self->rig.bounce, TRANSFER) ||
		    pattern_is(self->rig.bounce, TRANSFER, 2250));
}

TEST_F(dma, close_of_the_device_blocks_what_runs)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	pattern_fill(self->rig.memory, TRANSFER, 2300);
	/* It moves the data a tenth of a second after this. */
	ASSERT_EQ(0, edu_begin_store(&device->edu, RIG_IOVA, 0, TRANSFER));
	device_close(device);
	usleep(400 * 1000);
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2300));
	EXPECT_EQ(0, rig_pinned(&self->rig));

	ASSERT_EQ(0, device_open(device, self->rig.machine.lone[0].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
}

TEST_F(dma, unmap_while_a_transfer_waits)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	pattern_fill(self->rig.memory, TRANSFER, 2400);
	ASSERT_EQ(0, edu_begin_store(&device->edu, RIG_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	ASSERT_EQ(0, edu_wait(&device->edu));
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2400));
}

TEST_F(dma, close_of_iommu_alone_changes_nothing)
{
	struct device *device = &self->rig.device;

	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	close(self->rig.iommufd);
	self->rig.iommufd = -1;
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
}

TEST_F(dma, two_devices_in_one_space)
{
	struct device *device = &self->rig.device;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&self->second, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->second));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA, self->rig.memory));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, IS_BLOCKED(&self->second, RIG_IOVA, self->rig.memory));
}

TEST_F(dma, one_of_two_devices_leaves)
{
	struct device *device = &self->rig.device;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&self->second, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->second));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA, self->rig.memory));
	pattern_fill(self->rig.memory, TRANSFER, 2500);
	ASSERT_EQ(0, edu_store(&device->edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2500));
}

TEST_F(dma, two_spaces_keep_their_devices_apart)
{
	struct device *device = &self->rig.device;
	__u32 space;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&self->second, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &space));
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	ASSERT_EQ(0, attach_to(&self->second, space));
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, space, self->rig.bounce, PAGE,
			      BOUNCE_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, map(&self->rig, self->rig.memory, PAGE, RIG_IOVA,
			 IOAS_READ_WRITE));
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, space,
			      self->rig.memory + PAGE, PAGE, RIG_IOVA,
			      IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA,
			     self->rig.memory + PAGE));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA,
			     self->rig.memory + PAGE));
}

TEST_F_TIMEOUT(dma, two_devices_of_one_group, 60)
{
	const struct pci_address *pair = self->rig.machine.pair;
	struct device first;

	if (!self->rig.machine.has_pair)
		SKIP(return, "needs two edu devices of one group");
	ASSERT_EQ(0, device_open(&first, pair[0].text, self->rig.iommufd));
	EXPECT_EQ(0, device_open(&self->second, pair[1].text,
				 self->rig.iommufd));
	EXPECT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(0, rig_attach(&self->rig, &first));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->second));
	EXPECT_EQ(1, REACHES(&first, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA, self->rig.memory));

	/* The first leaves and comes back; the second never notices. */
	EXPECT_EQ(0, vfio_detach(first.fd));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(0, rig_attach(&self->rig, &first));
	EXPECT_EQ(1, REACHES(&first, RIG_IOVA, self->rig.memory));

	/* The first closes; then the second leaves, and all is blocked. */
	device_close(&first);
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(0, vfio_detach(self->second.fd));
	pattern_fill(self->rig.memory, TRANSFER, 2600);
	EXPECT_EQ(0, edu_store(&self->second.edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->rig.memory, TRANSFER, 2600));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(dma, one_group_in_two_spaces_EINVAL)
{
	const struct pci_address *pair = self->rig.machine.pair;
	struct device first;
	__u32 space;

	if (!self->rig.machine.has_pair)
		SKIP(return, "needs two edu devices of one group");
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &space));
	ASSERT_EQ(0, device_open(&first, pair[0].text, self->rig.iommufd));
	EXPECT_EQ(0, device_open(&self->second, pair[1].text,
				 self->rig.iommufd));
	EXPECT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(0, rig_attach(&self->rig, &first));
	EXPECT_EQ(-EINVAL, attach_to(&self->second, space));
	/* That changed nothing, for either. */
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, space));
	EXPECT_EQ(1, REACHES(&first, RIG_IOVA, self->rig.memory));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->second));
	EXPECT_EQ(1, REACHES(&self->second, RIG_IOVA, self->rig.memory));
	device_close(&first);
}

TEST_HARNESS_MAIN
