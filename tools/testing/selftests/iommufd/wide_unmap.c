// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmap 16 TiB and more in one call.
 *
 * The process fills 4 GiB of its address space with repeated mappings of one
 * huge page. This range is mapped in the I/O address space once, and the
 * mapping is copied to adjacent IOVAs until the whole span that is to be
 * unmapped is filled. This takes 2 MiB of memory and 64 MiB of I/O page tables.
 *
 * After the unmap, the device must not reach any IOVA of the span. The tests
 * check IOVAs that the device accessed before and that the IOTLB may therefore
 * have cached. An unmap splits its IOTLB invalidations so that none spans more
 * than 1 TiB, because some IOMMU drivers compute the length in a type that is
 * narrower than an IOVA. On VT-d, the tests count the invalidations.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"
#include "text.h"

#define GIB		(1024ull * 1024 * 1024)
#define TIB		(1024 * GIB)
#define AREA		(4 * GIB)
/* Above the IOVAs that x86 reserves, and a multiple of 16 TiB. */
#define WIDE_IOVA	(16 * TIB)
#define BITS_NEEDED	48
#define NR_HUGE_PAGES	"/proc/sys/vm/nr_hugepages"

NEEDS_EDU(1)
NEEDS_VTD
EXPECTS_DMA_FAULTS

FIXTURE(wide)
{
	struct testbed bed;
	char *memory;
	char reserved[24];
	int file;
};

/* Reserve one more huge page, and store the previous number in @before. */
static int reserve_huge_page(char *before, size_t size)
{
	char text[24];
	int err = text_read(NR_HUGE_PAGES, before, size);

	if (err)
		return err;
	snprintf(text, sizeof(text), "%lu", strtoul(before, NULL, 0) + 1);
	return text_write(NR_HUGE_PAGES, text);
}

/* Map the only huge page of @file repeatedly, to fill AREA bytes. */
static char *show_repeatedly(int file)
{
	char *memory = mmap(NULL, AREA + HUGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t at;

	if (memory == MAP_FAILED)
		return NULL;
	memory += HUGE - (unsigned long)memory % HUGE;
	for (at = 0; at < AREA; at += HUGE)
		if (mmap(memory + at, HUGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
			return NULL;
	return memory;
}

FIXTURE_SETUP(wide)
{
	struct iommu_device_get_info info;

	self->memory = NULL;
	self->file = -1;
	ASSERT_EQ(0, testbed_open(&self->bed));
	ASSERT_EQ(0, iommu_device_info(self->bed.iommufd, self->bed.device.id,
				       &info));
	if (reserve_huge_page(self->reserved, sizeof(self->reserved)))
		SKIP(return, "needs huge pages");
	self->file = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (info.addr_width < BITS_NEEDED)
		SKIP(return, "needs 48 address bits, has %u", info.addr_width);
	if (self->file < 0 || ftruncate(self->file, HUGE))
		SKIP(return, "no huge page");
	self->memory = show_repeatedly(self->file);
	if (!self->memory)
		SKIP(return, "no memory for %llu mappings", AREA / HUGE);
}

FIXTURE_TEARDOWN(wide)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	if (self->file >= 0)
		close(self->file);
	text_write(NR_HUGE_PAGES, self->reserved);
}

/* Map the huge page repeatedly, to fill @span bytes of IOVAs. */
static int map_span(struct testbed *bed, const char *memory,
		    unsigned long long span)
{
	unsigned long long at, length;
	int rc = ioas_map(bed->iommufd, bed->ioas, memory, AREA, WIDE_IOVA,
			  IOAS_READ_WRITE);

	for (at = AREA; !rc && at < span; at += length) {
		length = span - at < AREA ? span - at : AREA;
		rc = ioas_copy(bed->iommufd, bed->ioas, WIDE_IOVA, bed->ioas,
			       WIDE_IOVA + at, length, IOAS_READ_WRITE);
	}
	return rc;
}

#define TRACING	"/sys/kernel/debug/tracing/"
#define QI_EVENT	TRACING "events/intel_iommu/qi_submit/enable"

/* Opening the trace with O_TRUNC clears the buffer. */
static int trace_clear(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Trace the invalidations of VT-d. Other IOMMU drivers have no such event. */
static bool trace_start(void)
{
	return !trace_clear() && !text_write(QI_EVENT, "1");
}

/* Return the number of IOTLB invalidations since trace_start(). */
static unsigned int trace_stop(void)
{
	unsigned int nr = 0;
	char line[256];
	FILE *file;

	text_write(QI_EVENT, "0");
	file = fopen(TRACING "trace", "r");
	while (file && fgets(line, sizeof(line), file))
		nr += !!strstr(line, "qi_submit: iotlb_inv");
	if (file)
		fclose(file);
	return nr;
}

static void unmap_at_once(struct __test_metadata *_metadata,
			  struct testbed *bed, char *memory,
			  unsigned long long span)
{
	const unsigned long long samples[] = {
		0, GIB, GIB + 3 * PAGE, span / 2 - PAGE, span / 2,
		span - GIB - PAGE, span - PAGE,
	};
	struct device *device = &bed->device;
	__u64 length = span;
	bool traced;
	size_t i;

	ASSERT_EQ(0, testbed_attach(bed, device));
	ASSERT_EQ(0, map_span(bed, memory, span));
	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		EXPECT_EQ(1, device_reaches(bed, device, WIDE_IOVA + samples[i],
					    memory + samples[i] % HUGE))
		{
			TH_LOG("%llx", samples[i]);
		}
	}

	traced = trace_start();
	EXPECT_EQ(0, ioas_unmap(bed->iommufd, bed->ioas, WIDE_IOVA, &length));
	EXPECT_EQ(span, length);
	if (traced) {
		unsigned int nr = trace_stop();

		TH_LOG("%u invalidations for %llu GiB", nr, span / GIB);
		EXPECT_LE((span + TIB - 1) / TIB, nr);
	} else {
		TH_LOG("invalidations cannot be counted here");
	}
	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		EXPECT_EQ(1,
			  device_is_blocked(bed, device, WIDE_IOVA + samples[i],
					    memory + samples[i] % HUGE))
		{
			TH_LOG("%llx", samples[i]);
		}
	}
}

/* The number of pages is 2^32, which is 0 when truncated to 32 bits. */
TEST_F_TIMEOUT(wide, unmap_of_16_tib_blocks_all_of_it, 900)
{
	if (!self->memory)
		SKIP(return, "the setup was skipped");
	unmap_at_once(_metadata, &self->bed, self->memory, 16 * TIB);
}

/* Truncated to 32 bits, the number of pages is 2^18, as for 1 GiB. */
TEST_F_TIMEOUT(wide, unmap_of_16_tib_and_1_gib_blocks_all_of_it, 900)
{
	if (!self->memory)
		SKIP(return, "the setup was skipped");
	unmap_at_once(_metadata, &self->bed, self->memory, 16 * TIB + GIB);
}

TEST_HARNESS_MAIN
