/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common setup for device tests: the edu devices of the machine, an iommufd
 * with an address space and a bound device, and memory to map.
 *
 * A singleton device has an IOMMU group of its own; siblings are two devices of
 * one group. An edu device copies data between memory and its internal buffer.
 * A test fills and reads that buffer by DMA from and to the bounce page, which
 * has a mapping of its own.
 *
 * Unless noted otherwise, functions return 0 or -errno.
 */
#ifndef SELFTESTS_VFIO_TESTBED_H
#define SELFTESTS_VFIO_TESTBED_H

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/types.h>

#include "counters.h"
#include "edu.h"
#include "ioas.h"
#include "pattern.h"
#include "pci.h"
#include "vfio.h"

#define PAGE ((unsigned long)getpagesize())
#define HUGE (2ul << 20)
#define TESTBED_PAGES 16
#define TESTBED_LENGTH (TESTBED_PAGES * PAGE)
#define TESTBED_IOVA 0x10000000ull
#define BOUNCE_IOVA 0x70000000ull
#define TRANSFER 3000u

/*
 * Override the default of kselftest_harness.h: a debug kernel in an emulated
 * machine may need minutes for a test.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240 /* seconds */

/*
 * IOVAs that devices write to raise interrupts. They cannot be mapped while a
 * device is attached.
 */
#ifdef __aarch64__
#define MSI_START 0x8000000ull
#define MSI_LAST 0x80fffffull
#else
#define MSI_START 0xfee00000ull
#define MSI_LAST 0xfeefffffull
#endif

/**
 * struct machine - the edu devices of the machine, all bound to vfio-pci
 * @singleton: addresses of devices that have a group of their own
 * @nr_singletons: number of entries in @singleton, at most 2
 * @siblings: addresses of two devices that share a group
 * @has_siblings: @siblings is valid
 */
struct machine {
	struct pci_address singleton[2];
	unsigned int nr_singletons;
	struct pci_address siblings[2];
	bool has_siblings;
};

/**
 * struct device - an edu device that is open and bound
 * @fd: vfio file, -1 if not open
 * @id: ID of the device in the iommufd that it is bound to
 * @edu: mapped registers of the device
 */
struct device {
	int fd;
	__u32 id;
	struct edu edu;
};

/**
 * struct testbed - resources of one test
 * @machine: edu devices of the machine
 * @pinned_before: number of pages pinned in the system before the test
 * @iommufd: the iommufd, or -1 if not open
 * @ioas: ID of an empty address space of @iommufd
 * @device: first singleton device, bound to @iommufd but not attached
 * @memory: TESTBED_LENGTH bytes of present and writable memory, not mapped in
 *          @ioas
 * @bounce: bounce page; testbed_attach() maps it
 */
struct testbed {
	struct machine machine;
	long pinned_before;
	int iommufd;
	__u32 ioas;
	struct device device;
	char *memory;
	char *bounce;
};

/*
 * Skip the whole program unless @nr_needed edu devices have groups of their
 * own. This must happen before any test starts, because the harness runs a test
 * even if its setup was skipped.
 */
void require_edu(int nr_needed);

#define NEEDS_EDU(nr)                                            \
	static void __attribute__((constructor)) needs_edu(void) \
	{                                                        \
		require_edu(nr);                                 \
	}

/*
 * True if the IOMMU is Intel's. Only its driver moves an attached device and
 * describes the hardware.
 */
bool has_vtd(void);

/* Skip the whole program unless the IOMMU is Intel's. */
void require_vtd(void);

#define NEEDS_VTD                                                \
	static void __attribute__((constructor)) needs_vtd(void) \
	{                                                        \
		require_vtd();                                   \
	}

/*
 * Announce that reports of DMA faults in the kernel log are expected. This is
 * for programs that make devices attempt DMA that the IOMMU must block.
 */
#define EXPECTS_DMA_FAULTS                                            \
	static void __attribute__((constructor)) expects_faults(void) \
	{                                                             \
		puts("# expects: dma-fault");                         \
	}

/* Find the edu devices and bind them to vfio-pci. */
int machine_find(struct machine *machine);

/* Open and bind a device and map its registers. On error, close it again. */
int device_open(struct device *device, const char *address, int iommufd);
void device_close(struct device *device);

/* Return present, writable, private memory, or NULL on failure. */
void *new_memory(size_t length);

/* Return HUGE bytes of private memory in one huge page, or NULL on failure. */
void *new_huge_page(void);

int testbed_open(struct testbed *bed);

/*
 * Map the bounce page and attach @device to the address space of the testbed.
 */
int testbed_attach(struct testbed *bed, struct device *device);

/* Close all files, which removes the mappings too. */
void testbed_close(struct testbed *bed);

/* Return how many more pages are pinned than when the testbed was opened. */
long testbed_pinned(const struct testbed *bed);

/* Map all memory of the testbed at TESTBED_IOVA, readable and writable. */
int testbed_map(struct testbed *bed);

/*
 * Map @pages pages of the memory, starting with page @first, at the IOVA that
 * testbed_map() uses for them.
 */
int testbed_map_pages(struct testbed *bed, unsigned int first,
		      unsigned int pages);

/* Unmap a range, without reporting how many bytes were mapped in it. */
int testbed_unmap(struct testbed *bed, __u64 iova, __u64 length);

/*
 * Check by DMA in both directions that the device reaches @memory at @iova.
 * Return 1 if it does, 0 if not, or -errno. The first TRANSFER bytes of
 * @memory are overwritten. The bounce page has to be mapped.
 */
int device_reaches(struct testbed *bed, struct device *device, __u64 iova,
		   char *memory);

/*
 * Check that the device can neither read nor write @memory at @iova. Return 1
 * if both are blocked, 0 if either is not, or -errno. The first TRANSFER bytes
 * of @memory are overwritten. The bounce page has to be mapped.
 */
int device_is_blocked(struct testbed *bed, struct device *device, __u64 iova,
		      char *memory);

#endif
