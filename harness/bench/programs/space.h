/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An I/O address space through either front end, so that one program measures
 * both: type1 (container, group) or iommufd (/dev/iommu, vfio's devices).
 *
 * Rule: what has to work for a figure to make sense ends the program when it
 * does not.
 */
#ifndef BENCH_SPACE_H
#define BENCH_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "legacy.h"
#include "pci.h"

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define IOVA		0x100000000ull
#define MAX_ATTACHED	2

/**
 * struct space - one I/O address space
 * @type1: it is a container, else an IOAS
 * @legacy: the container and its first device
 * @group: of the second device, if type1
 * @iommufd: an open /dev/iommu, else
 * @ioas: the IOAS in it
 * @device: the devices' files
 * @device_id: their IDs in @iommufd
 * @nr: how many are attached
 */
struct space {
	bool type1;
	struct legacy legacy;
	int group;
	int iommufd;
	__u32 ioas;
	int device[MAX_ATTACHED];
	__u32 device_id[MAX_ATTACHED];
	unsigned int nr;
};

/* Ends the program with a reason unless @err is 0 or positive. */
void must(const char *what, long err);

/* The machine's edu devices with groups of their own, given to vfio-pci. */
void find_devices(struct pci_address *found, unsigned int nr);

/* @front_end is "type1" or "iommufd". No device: for iommufd alone. */
void space_open(struct space *space, const char *front_end,
		const char *address);
void space_close(struct space *space);

/* A device whose file is open, bound and not yet attached, for iommufd. */
unsigned int space_bind(struct space *space, const char *address);

/* One more device. Type1 takes the whole way from its group's file. */
void space_attach(struct space *space, unsigned int device,
		  const char *address);
void space_detach(struct space *space, unsigned int device);

/*
 * One more I/O page table of the IOAS, filled: 0; -ENOTTY if the kernel cannot
 * make one. @id is its ID.
 */
long space_new_table(struct space *space, unsigned int device, __u32 *id);
void space_drop_table(struct space *space, __u32 id);

/* The timed calls; they must not fail. */
void space_map(struct space *space, const void *memory, size_t length,
	       __u64 iova);
void space_unmap(struct space *space, __u64 iova, size_t length);

/* As space_map() at an IOVA of the kernel's choice, for iommufd. */
__u64 space_map_anywhere(struct space *space, const void *memory,
			 size_t length);

/* IOVA_RANGES, or GET_INFO of type1. */
void space_query(struct space *space);

#endif
