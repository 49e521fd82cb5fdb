/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What most device tests stand on: a machine's edu devices, and one open
 * /dev/iommu with an address space, a bound device and memory.
 *
 * Vocabulary: a lone device has an IOMMU group of its own; a pair are two
 * devices of one group. A bounce is a mapped page through which a test sees
 * what a device has in its buffer.
 *
 * Rule: functions return 0 or -errno, so that a test compares the errno
 * itself. The drivers of /dev/iommu, vfio and edu are those of samples/iommufd.
 */
#ifndef SELFTESTS_VFIO_RIG_H
#define SELFTESTS_VFIO_RIG_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#include "counters.h"
#include "edu.h"
#include "ioas.h"
#include "pattern.h"
#include "pci.h"
#include "vfio.h"

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define RIG_PAGES	16
#define RIG_LENGTH	(RIG_PAGES * PAGE)
#define RIG_IOVA	0x10000000ull
#define BOUNCE_IOVA	0x70000000ull
#define TRANSFER	3000u

/*
 * Of kselftest_harness.h, for tests from here on: an emulated machine whose
 * kernel checks everything may need minutes.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	240	/* seconds */

/* x86 devices interrupt by writing here, so no memory is ever mapped here. */
#define MSI_START	0xfee00000ull
#define MSI_LAST	0xfeefffffull

/**
 * struct machine - the edu devices there are, all with vfio-pci
 * @lone: devices with groups of their own
 * @nr_lone: how many, at most 2
 * @pair: two devices of one group
 * @has_pair: whether there are any
 */
struct machine {
	struct pci_address lone[2];
	unsigned int nr_lone;
	struct pci_address pair[2];
	bool has_pair;
};

/**
 * struct device - one device, open and bound
 * @fd: its vfio file, -1 if not open
 * @id: its ID in the /dev/iommu it is bound to
 * @edu: its registers
 */
struct device {
	int fd;
	__u32 id;
	struct edu edu;
};

/**
 * struct rig - the usual things a test needs
 * @machine: the devices there are
 * @pinned_before: pages pinned in the system before the test
 * @iommufd: an open /dev/iommu
 * @ioas: an empty address space of it
 * @device: the first lone device, bound, not attached
 * @memory: RIG_LENGTH bytes, present and writable, not mapped
 * @bounce: a page, mapped into no address space until rig_attach()
 */
struct rig {
	struct machine machine;
	long pinned_before;
	int iommufd;
	__u32 ioas;
	struct device device;
	char *memory;
	char *bounce;
};

/*
 * Ends the program as skipped if no edu device is there. Called before any
 * test runs, because the harness runs a test whose setup was skipped.
 */
void machine_must_have_edu(void);

#define NEEDS_EDU						\
	static void __attribute__((constructor)) needs_edu(void)	\
	{							\
		machine_must_have_edu();			\
	}

/*
 * For a program that lets devices try what they may not: tells whoever reads
 * the kernel log that the IOMMU's lines about it are expected.
 */
#define EXPECTS_DMA_FAULTS					\
	static void __attribute__((constructor)) expects_faults(void)	\
	{							\
		puts("# expects: dma-fault");			\
	}

/* Finds the devices and gives them to vfio-pci. */
int machine_find(struct machine *machine);

/* Opens, binds and finds the registers. After an error nothing is open. */
int device_open(struct device *device, const char *address, int iommufd);
void device_close(struct device *device);

/* Present, writable, private memory; NULL if there is none. */
void *new_memory(size_t length);

/* As new_memory(), HUGE bytes in one huge page; NULL if there is none. */
void *new_huge_page(void);

int rig_open(struct rig *rig);

/* Maps the bounce and attaches @device to the rig's address space. */
int rig_attach(struct rig *rig, struct device *device);

/* Closes everything; the mappings go with it. */
void rig_close(struct rig *rig);

/* Pages pinned since the rig was opened. */
long rig_pinned(const struct rig *rig);

/* Maps the rig's whole memory for both directions at RIG_IOVA. */
int rig_map(struct rig *rig);

/* Ends the mappings in an interval; the bytes unmapped are not looked at. */
int rig_unmap(struct rig *rig, __u64 iova, __u64 length);

/*
 * Does the device see @memory at @iova, both ways? Two transfers and a change
 * of @memory, which is TRANSFER bytes. 1 yes, 0 no, -errno.
 */
int device_reaches(struct rig *rig, struct device *device, __u64 iova,
		   char *memory);

/*
 * Is the device kept from both reading and writing @memory at @iova? 1 yes, 0
 * if either got through, -errno. The bounce has to be mapped.
 */
int device_is_blocked(struct rig *rig, struct device *device, __u64 iova,
		      char *memory);

#endif
