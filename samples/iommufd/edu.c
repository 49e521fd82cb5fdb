// SPDX-License-Identifier: GPL-2.0-only
/* User space driver for QEMU's edu device. See edu.h. */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"
#include "vfio.h"

#define EDU_ID			0x00
#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_TARGET		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98

#define EDU_ID_VALUE		0x010000ed
/* Address of the buffer in the address space of the device */
#define EDU_BUFFER		0x40000

#define EDU_COMMAND_START	0x1
#define EDU_COMMAND_STORE	0x2

/* A transfer takes 100 ms of guest time; allow for a slow host. */
#define EDU_TIMEOUT_S		20

/*
 * The release and acquire semantics order accesses to DMA memory against
 * accesses to the registers.
 */
static void set_register(struct edu *edu, unsigned int offset, __u64 value)
{
	__atomic_store_n(edu->registers + offset / sizeof(value), value,
			 __ATOMIC_RELEASE);
}

static __u64 get_register(struct edu *edu, unsigned int offset)
{
	return __atomic_load_n(edu->registers + offset / sizeof(__u64),
			       __ATOMIC_ACQUIRE);
}

int edu_start(struct edu *edu, int fd)
{
	struct vfio_region_info bar;
	void *registers;
	__u32 id;
	int err;

	*edu = (struct edu){ .fd = -1 };

	err = vfio_region(fd, VFIO_PCI_BAR0_REGION_INDEX, &bar);
	if (err)
		return err;
	if (!(bar.flags & VFIO_REGION_INFO_FLAG_MMAP) ||
	    bar.size < EDU_DMA_COMMAND + sizeof(__u64))
		return -ENXIO;

	/* BAR accesses need PCI_COMMAND_MEMORY. */
	err = vfio_enable_dma(fd, true);
	if (err)
		return err;
	if (pread(fd, &id, sizeof(id), (off_t)bar.offset + EDU_ID) !=
	    sizeof(id))
		return -EIO;
	if (id != EDU_ID_VALUE)
		return -ENXIO;

	registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 (off_t)bar.offset);
	if (registers == MAP_FAILED)
		return -errno;
	if (__atomic_load_n((__u32 *)registers, __ATOMIC_ACQUIRE) !=
	    EDU_ID_VALUE) {
		munmap(registers, bar.size);
		return -ENXIO;
	}
	edu->fd = fd;
	edu->size = bar.size;
	edu->registers = registers;
	return 0;
}

void edu_stop(struct edu *edu)
{
	if (edu->registers)
		munmap(edu->registers, edu->size);
	*edu = (struct edu){ .fd = -1 };
}

int edu_wait(struct edu *edu)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (get_register(edu, EDU_DMA_COMMAND) & EDU_COMMAND_START) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > EDU_TIMEOUT_S)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/*
 * A load transfers from @iova to the buffer, a store from the buffer to @iova.
 */
static int start_transfer(struct edu *edu, bool store, __u64 iova,
			  unsigned int offset, unsigned int length)
{
	__u64 buffer = EDU_BUFFER + offset;

	if (!length || length > EDU_BUFFER_SIZE ||
	    offset > EDU_BUFFER_SIZE - length)
		return -EINVAL;

	set_register(edu, EDU_DMA_SOURCE, store ? buffer : iova);
	set_register(edu, EDU_DMA_TARGET, store ? iova : buffer);
	set_register(edu, EDU_DMA_COUNT, length);
	set_register(edu, EDU_DMA_COMMAND,
		     EDU_COMMAND_START | (store ? EDU_COMMAND_STORE : 0));
	return 0;
}

int edu_load(struct edu *edu, __u64 iova, unsigned int offset,
	     unsigned int length)
{
	int err = start_transfer(edu, false, iova, offset, length);

	return err ? err : edu_wait(edu);
}

int edu_begin_store(struct edu *edu, __u64 iova, unsigned int offset,
		    unsigned int length)
{
	return start_transfer(edu, true, iova, offset, length);
}

int edu_store(struct edu *edu, __u64 iova, unsigned int offset,
	      unsigned int length)
{
	int err = start_transfer(edu, true, iova, offset, length);

	return err ? err : edu_wait(edu);
}
