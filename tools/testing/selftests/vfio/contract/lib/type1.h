/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for containers, groups and the ioctls of type1, and for DMA by edu
 * devices.
 *
 * A singleton is an edu device with an IOMMU group of its own, and siblings are
 * two edu devices of one group. An edu device copies data between memory and
 * its internal buffer. To fill and read that buffer, the functions for DMA map
 * a bounce page at BOUNCE_IOVA for the duration of a transfer.
 *
 * Functions that call an ioctl return its result, a number or -errno. Functions
 * that set up the test end the program on failure.
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

/* Size of a buffer for struct vfio_iommu_type1_info and its capabilities */
#define INFO_ROOM	4096u

/**
 * struct devices - the edu devices of the machine, all bound to vfio-pci
 * @singleton: addresses of devices that have a group of their own
 * @nr_singletons: number of entries in @singleton, at most 2
 * @siblings: addresses of two devices that share a group
 * @has_siblings: @siblings is valid
 */
struct devices {
	struct pci_address singleton[2];
	unsigned int nr_singletons;
	struct pci_address siblings[2];
	bool has_siblings;
};

/**
 * struct type1 - a container and one of its devices
 * @container: file of the container, or -1
 * @group: file of the group of the device, in @container, or -1
 * @device: file of the device, or -1
 * @edu: registers of the device, valid after type1_device()
 */
struct type1 {
	int container;
	int group;
	int device;
	struct edu edu;
};

/*
 * Return the edu devices. The first call finds them and binds them to vfio-pci.
 * End the program if there is no singleton device.
 */
const struct devices *devices(void);

/*
 * Return true if the program must not use features of a container that an
 * iommufd lacks. This is so if the environment variable CONTRACT_IOMMUFD is
 * set.
 */
bool for_iommufd(void);

/* Open a container or a group. End the program on failure. */
int new_container(void);
int new_group(const struct pci_address *device);

/*
 * Open a group, or get the file of one of its devices. Return a file descriptor
 * or -errno.
 */
long open_group(const struct pci_address *device);
long get_device(int group, const struct pci_address *device);

long join(int group, int container);
long leave(int group);
long set_iommu(int container, unsigned long type);
long check_extension(int container, unsigned long extension);

long map(int container, __u64 iova, const void *vaddr, __u64 size,
	 __u32 flags);

/*
 * Unmap a range. If @done is not NULL, it receives the size that the kernel
 * returned.
 */
long unmap(int container, __u64 iova, __u64 size, __u32 flags, __u64 *done);

/* Argument of an unmap with VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP */
struct unmap_dirty {
	struct vfio_iommu_type1_dma_unmap unmap;
	struct vfio_bitmap bitmap;
};

/*
 * Unmap a range, and have the kernel write a bitmap of its dirty pages to
 * @bits, a buffer of @bytes bytes. @done receives the size that the kernel
 * returned.
 */
long unmap_bitmap(int container, __u64 iova, __u64 size, void *bits,
		  size_t bytes, __u64 *done);

/* Unmap a range and record the result and the size that was returned. */
void record_unmap(const char *rules, const char *name, int container,
		  __u64 iova, __u64 size, __u32 flags);

/*
 * Call VFIO_IOMMU_GET_INFO with @argsz. @info must have room for the result. An
 * iommufd permits UINT_MAX mappings. If for_iommufd() is true, that limit is
 * converted to that of type1, so that the results can be compared.
 */
long get_info(int container, void *info, __u32 argsz);

/*
 * Find the capability @id in the result of get_info(), a buffer of INFO_ROOM
 * bytes. Return NULL if the container does not report it.
 */
const void *capability(const void *info, __u16 id);

/*
 * Return how many more mappings can be created, as reported by the DMA_AVAIL
 * capability. End the program if the capability is missing.
 */
unsigned int avail(int container);

/*
 * Open a container with the group of the first singleton device and the IOMMU
 * driver @type. If for_iommufd() is true, open the device as well, since an
 * iommufd has no domain before that.
 */
void type1_open(struct type1 *type1, unsigned long type);

/*
 * Like type1_open(), but if the group cannot be added, the driver cannot be set
 * or the device cannot be opened, return -errno. The container and the group
 * then stay open until type1_close().
 */
long type1_try(struct type1 *type1, unsigned long type);

/*
 * Open the device, and map the registers with which its DMA is started. Do
 * nothing if the device is already open.
 */
void type1_device(struct type1 *type1);
void type1_close(struct type1 *type1);

/*
 * Allocate private memory: new_pages() fills it, fresh_pages() leaves it
 * untouched. End the program on failure.
 */
void *new_pages(unsigned int nr);
void *fresh_pages(unsigned int nr);

/*
 * Check by DMA whether the device can read or write @memory at @iova. The first
 * TRANSFER bytes of @memory are overwritten.
 */
bool device_reads(struct type1 *type1, __u64 iova, void *memory);
bool device_writes(struct type1 *type1, __u64 iova, const void *memory);

/*
 * Have the device read TRANSFER bytes at @iova, and copy them to @data. If the
 * DMA is blocked, @data contains neither data from @iova nor an older pattern.
 */
void device_load(struct type1 *type1, __u64 iova, void *data);

/* Have the device write TRANSFER bytes of the pattern of @seed to @iova. */
void device_store(struct type1 *type1, __u64 iova, __u32 seed);

/* Record whether the device reaches the memory, as "reads yes writes no". */
void record_reach(const char *rules, const char *name, struct type1 *type1,
		  __u64 iova, void *memory);

/*
 * Return how many more pages are pinned in the system, or charged to this
 * process, than when the program started.
 */
long pages_pinned(void);
long pages_charged(void);

/*
 * Record pages_charged() and pages_pinned() as "charged 16 pinned 16".
 * record_rc_pages() puts @rc, the result of a call, before these numbers.
 */
void record_pages(const char *rules, const char *name);
void record_rc_pages(const char *rules, const char *name, long rc);

/*
 * Set or clear CAP_IPC_LOCK in the effective set, and set the soft
 * RLIMIT_MEMLOCK to @pages pages, or to the hard limit if @pages is negative.
 */
void limit_locked(bool capable, long pages);

#endif
