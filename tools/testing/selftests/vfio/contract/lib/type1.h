/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Containers, groups and the ioctls of type1, and what edu sees through them.
 *
 * Vocabulary: a lone device is an edu with a group of its own; a pair are two
 * of one group. A bounce is a page that a probe maps for its own duration, to
 * see what the device has in its buffer.
 *
 * Rule: ioctls give what the kernel gave, as a number or -errno, and are not
 * judged here. What has to work for a program to make sense ends it when it
 * does not.
 */
#ifndef SELFTESTS_VFIO_CONTRACT_TYPE1_H
#define SELFTESTS_VFIO_CONTRACT_TYPE1_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "counters.h"
#include "edu.h"
#include "pattern.h"
#include "pci.h"
#include "record.h"

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define IOVA		0x10000000ull
#define BOUNCE_IOVA	0x70000000ull
#define TRANSFER	512u

#define READ_ONLY	VFIO_DMA_MAP_FLAG_READ
#define WRITE_ONLY	VFIO_DMA_MAP_FLAG_WRITE
#define READ_WRITE	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* Offsets of struct vfio_iommu_type1_info, which has no name for its size. */
#define INFO_SIZE	24u
#define INFO_ROOM	4096u

/**
 * struct devices - the machine's edu devices, all with vfio-pci
 * @lone: those with groups of their own
 * @nr_lone: how many, at most 2
 * @pair: two of one group
 * @has_pair: whether there are any
 */
struct devices {
	struct pci_address lone[2];
	unsigned int nr_lone;
	struct pci_address pair[2];
	bool has_pair;
};

/**
 * struct type1 - one container that a program works with
 * @container: with type1, or -1
 * @group: of the first lone device, in it, or -1
 * @device: that device, or -1
 * @edu: its registers, once type1_device() was called
 */
struct type1 {
	int container;
	int group;
	int device;
	struct edu edu;
};

/* Finds them on the first call; at least one lone device, or the end. */
const struct devices *devices(void);

/* Files; the end if they cannot be opened. */
int new_container(void);
int new_group(const struct pci_address *device);

/* -errno, as a group may be in use. */
long open_group(const struct pci_address *device);
long get_device(int group, const struct pci_address *device);

long join(int group, int container);
long leave(int group);
long set_iommu(int container, unsigned long type);
long check_extension(int container, unsigned long extension);

long map(int container, __u64 iova, const void *vaddr, __u64 size,
	 __u32 flags);

/* @done, if any, is set to what the kernel left in size. */
long unmap(int container, __u64 iova, __u64 size, __u32 flags, __u64 *done);

/* Records "rc" and, if that is 0, the size that came back. */
void record_unmap(const char *rules, const char *name, int container,
		  __u64 iova, __u64 size, __u32 flags);

/* @argsz as the user says it; the buffer has INFO_ROOM bytes. */
long get_info(int container, void *info, __u32 argsz);

/* A capability of what get_info() gave, or NULL. */
const void *capability(const void *info, __u16 id);

/* The DMA_AVAIL capability; the end if there is none. */
unsigned int avail(int container);

/* A container with the group of the first lone device and this type. */
void type1_open(struct type1 *type1, unsigned long type);

/* The same; on -errno the container is there, without a driver. */
long type1_try(struct type1 *type1, unsigned long type);

/* Opens the device as well, for DMA. */
void type1_device(struct type1 *type1);
void type1_close(struct type1 *type1);

/* Private memory, present, filled; or never touched. The end if none. */
void *new_pages(unsigned int nr);
void *fresh_pages(unsigned int nr);

/*
 * Does the device read, or write, @memory at @iova? The memory is changed by
 * the process, or by the device, in its first TRANSFER bytes.
 */
bool device_reads(struct type1 *type1, __u64 iova, void *memory);
bool device_writes(struct type1 *type1, __u64 iova, const void *memory);

/* What the device finds at @iova, into @data, TRANSFER bytes. */
void device_fetch(struct type1 *type1, __u64 iova, void *data);

/* Lets the device write a pattern that names @seed. */
void device_puts(struct type1 *type1, __u64 iova, __u32 seed);

/* Records "reads yes writes no". */
void record_reach(const char *rules, const char *name, struct type1 *type1,
		  __u64 iova, void *memory);

/* Pages since the program began. */
long pages_pinned(void);
long pages_charged(void);

/* Records "charged 16 pinned 16", and the same of another call's result. */
void record_pages(const char *rules, const char *name);
void record_rc_pages(const char *rules, const char *name, long rc);

/* Without CAP_IPC_LOCK (or with it again) and with a limit, in pages. */
void limit_locked(bool capable, long pages);

#endif
