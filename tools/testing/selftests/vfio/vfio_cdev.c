// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the interface of /dev/vfio/devices/vfioN, from open to close.
 *
 * A file is inert until VFIO_DEVICE_BIND_IOMMUFD succeeds. Only one file of a
 * device can be bound at a time. A call that fails does not change the state of
 * the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <linux/pci_regs.h>

#include "../kselftest_harness.h"
#include "testbed.h"

#define NO_SUCH_ID	0x7ffffff0u
#define UNKNOWN_FLAG	0x80000000u

/* Size of struct vfio_device_bind_iommufd before it had a token */
#define BIND_WITHOUT_TOKEN	\
	offsetof(struct vfio_device_bind_iommufd, token_uuid_ptr)

NEEDS_EDU(1)

FIXTURE(cdev)
{
	struct machine machine;
	const char *address;
	long pinned_before;
	int iommufd;
	int fd;
	__u32 ioas;
};

FIXTURE_SETUP(cdev)
{
	self->pinned_before = counters_pinned();
	ASSERT_LE(0, self->pinned_before);
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->address = self->machine.singleton[0].text;
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &self->ioas));
	self->fd = vfio_open(self->address);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(cdev)
{
	close(self->fd);
	close(self->iommufd);
	EXPECT_EQ(self->pinned_before, counters_pinned());
}

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static int bind_to(int fd, int iommufd)
{
	__u32 id;

	return vfio_bind(fd, iommufd, &id);
}

/* Access the device. Return 0 if the file is bound, -EINVAL if it is inert. */
static int try_access(int fd)
{
	struct vfio_region_info info;

	return vfio_region(fd, VFIO_PCI_CONFIG_REGION_INDEX, &info);
}

TEST_F(cdev, node_type_and_owner)
{
	struct stat stat;

	ASSERT_EQ(0, fstat(self->fd, &stat));
	EXPECT_TRUE(S_ISCHR(stat.st_mode));
	EXPECT_EQ(0u, stat.st_mode & 0007);
	EXPECT_EQ(0u, stat.st_uid);
	EXPECT_NE(0u, major(stat.st_rdev));
}

TEST_F(cdev, inert_ioctls_EINVAL)
{
	const unsigned long request[] = {
		VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO,
		VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_SET_IRQS,
		VFIO_DEVICE_RESET, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
		VFIO_DEVICE_PCI_HOT_RESET, VFIO_DEVICE_IOEVENTFD,
		VFIO_DEVICE_FEATURE, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
		VFIO_DEVICE_DETACH_IOMMUFD_PT, _IO(VFIO_TYPE, VFIO_BASE + 99),
	};
	char argument[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(request); i++) {
		memset(argument, 0, sizeof(argument));
		*(__u32 *)argument = sizeof(argument);
		EXPECT_EQ(-EINVAL, call(self->fd, request[i], argument))
			TH_LOG("ioctl %#lx", request[i]);
		EXPECT_EQ(-EINVAL, call(self->fd, request[i], NULL))
			TH_LOG("ioctl %#lx", request[i]);
	}
}

TEST_F(cdev, inert_read_write_mmap_EINVAL)
{
	/* Offset of the config space in the file of a bound device */
	const off_t config = (off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40;
	__u32 word = 0;

	EXPECT_EQ(-1, pread(self->fd, &word, sizeof(word), config));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->fd, &word, sizeof(word), config));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
				   0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(cdev, bind_enables_ioctls)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info config;
	__u16 vendor = 0;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(0, call(self->fd, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_NE(0u, info.flags & VFIO_DEVICE_FLAGS_PCI);
	EXPECT_EQ(0, vfio_region(self->fd, VFIO_PCI_CONFIG_REGION_INDEX,
				 &config));
	EXPECT_EQ(2, pread(self->fd, &vendor, 2, (off_t)config.offset));
	EXPECT_EQ(EDU_VENDOR, vendor);
}

TEST_F(cdev, bind_arguments_EINVAL)
{
	const struct vfio_device_bind_iommufd good = {
		.argsz = sizeof(good),
		.iommufd = self->iommufd,
	};
	struct vfio_device_bind_iommufd bind = good;

	bind.argsz = BIND_WITHOUT_TOKEN - 1;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	bind.argsz = 0;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	bind = good;
	bind.flags = UNKNOWN_FLAG;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	bind = good;
	bind.iommufd = -1;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	EXPECT_EQ(-EINVAL, try_access(self->fd));

	bind = good;
	EXPECT_EQ(0, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	EXPECT_NE(0u, bind.out_devid);
	EXPECT_NE(self->ioas, bind.out_devid);
}

TEST_F(cdev, bind_struct_without_token)
{
	char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_device_bind_iommufd *bind;

	/* An access past the end of the shorter struct would fault. */
	ASSERT_NE(MAP_FAILED, (void *)memory);
	ASSERT_EQ(0, munmap(memory + PAGE, PAGE));
	bind = (void *)(memory + PAGE - BIND_WITHOUT_TOKEN);
	bind->argsz = BIND_WITHOUT_TOKEN;
	bind->iommufd = self->iommufd;
	ASSERT_EQ(0, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, bind));
	EXPECT_NE(0u, bind->out_devid);
}

TEST_F(cdev, bind_to_bad_fd)
{
	int closed = dup(self->iommufd), null = open("/dev/null", O_RDWR);

	ASSERT_LE(0, closed);
	ASSERT_LE(0, null);
	close(closed);
	EXPECT_EQ(-EBADF, bind_to(self->fd, closed));
	EXPECT_EQ(-EBADFD, bind_to(self->fd, null));
	EXPECT_EQ(-EBADFD, bind_to(self->fd, self->fd));
	EXPECT_EQ(-EINVAL, try_access(self->fd));
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
	close(null);
}

TEST_F(cdev, bind_to_read_only_argument_EFAULT)
{
	struct vfio_device_bind_iommufd *bind;
	__u32 id;

	bind = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)bind);
	bind->argsz = sizeof(*bind);
	bind->iommufd = self->iommufd;
	ASSERT_EQ(0, mprotect(bind, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, bind));
	EXPECT_EQ(-EFAULT, call(self->fd, VFIO_DEVICE_BIND_IOMMUFD, NULL));
	EXPECT_EQ(-EINVAL, try_access(self->fd));
	/*
	 * The failed bind must not leak an object ID in the iommufd, and a
	 * later bind must succeed.
	 */
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, self->ioas + 1));
	EXPECT_EQ(0, vfio_bind(self->fd, self->iommufd, &id));
}

TEST_F(cdev, bind_twice_EINVAL)
{
	int other = iommu_open();
	struct vfio_region_info config;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(-EINVAL, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(-EINVAL, bind_to(self->fd, other));
	EXPECT_EQ(0, vfio_region(self->fd, VFIO_PCI_CONFIG_REGION_INDEX,
				 &config));
	close(other);
}

TEST_F(cdev, second_file_of_a_bound_device_EINVAL)
{
	int second = vfio_open(self->address);

	ASSERT_LE(0, second);
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(-EINVAL, bind_to(second, self->iommufd));
	EXPECT_EQ(-EINVAL, try_access(second));
	/* Once the first file is closed, the second one can be bound. */
	close(self->fd);
	EXPECT_EQ(0, bind_to(second, self->iommufd));
	EXPECT_EQ(0, try_access(second));
	self->fd = second;
}

TEST_F(cdev, attach_arguments)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = self->ioas,
	};
	struct vfio_device_attach_iommufd_pt *fixed;
	__u32 pt_id = NO_SUCH_ID;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	attach.argsz = sizeof(attach) - 1;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				&attach));
	attach.argsz = sizeof(attach);
	attach.flags = UNKNOWN_FLAG;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				&attach));
	EXPECT_EQ(-EFAULT, call(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, NULL));
	EXPECT_EQ(-ENOENT, vfio_attach(self->fd, &pt_id));
	EXPECT_EQ(self->ioas, attach.pt_id);

	/* Nothing is attached if the result cannot be written. */
	fixed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)fixed);
	fixed->argsz = sizeof(*fixed);
	fixed->pt_id = self->ioas;
	ASSERT_EQ(0, mprotect(fixed, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, call(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				fixed));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));
}

TEST_F(cdev, second_attach_moves)
{
	__u32 first = self->ioas, again = self->ioas, other, hwpt;

	if (!has_vtd())
		SKIP(return, "needs an Intel IOMMU");
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &other));
	ASSERT_EQ(0, vfio_attach(self->fd, &first));
	EXPECT_EQ(0, vfio_attach(self->fd, &again));
	EXPECT_EQ(first, again);
	EXPECT_EQ(-EBUSY, iommu_destroy(self->iommufd, self->ioas));
	hwpt = other;
	EXPECT_EQ(0, vfio_attach(self->fd, &hwpt));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->iommufd, other));
	EXPECT_EQ(0, vfio_detach(self->fd));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, other));
}

TEST_F(cdev, attach_to_ioas_of_other_iommufd_ENOENT)
{
	int other = iommu_open();
	__u32 other_ioas = 0;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	/* Allocate until the ID does not exist in self->iommufd. */
	while (other_ioas < 8)
		ASSERT_EQ(0, ioas_alloc(other, &other_ioas));
	EXPECT_EQ(-ENOENT, vfio_attach(self->fd, &other_ioas));
	close(other);
}

TEST_F(cdev, detach_arguments)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
		.flags = UNKNOWN_FLAG,
	};
	__u32 pt_id = self->ioas;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	/* Detaching a device that is not attached succeeds. */
	EXPECT_EQ(0, vfio_detach(self->fd));
	ASSERT_EQ(0, vfio_attach(self->fd, &pt_id));
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT,
				&detach));
	detach.flags = 0;
	detach.argsz = sizeof(detach) - 1;
	EXPECT_EQ(-EINVAL, call(self->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT,
				&detach));
	EXPECT_EQ(-EFAULT, call(self->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, NULL));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->iommufd, self->ioas));
	EXPECT_EQ(0, vfio_detach(self->fd));
	EXPECT_EQ(0, vfio_detach(self->fd));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));
}

TEST_F(cdev, close_unbinds_device)
{
	struct iommu_device_get_info info;
	__u32 id, pt_id = self->ioas;

	ASSERT_EQ(0, vfio_bind(self->fd, self->iommufd, &id));
	ASSERT_EQ(0, vfio_attach(self->fd, &pt_id));
	close(self->fd);
	EXPECT_EQ(-ENOENT, iommu_device_info(self->iommufd, id, &info));
	EXPECT_EQ(-ENOENT, iommu_destroy(self->iommufd, pt_id));
	EXPECT_EQ(0, iommu_destroy(self->iommufd, self->ioas));

	self->fd = vfio_open(self->address);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-EINVAL, try_access(self->fd));
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(cdev, close_clears_bus_mastering)
{
	struct vfio_region_info config;
	__u16 command;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, vfio_enable_dma(self->fd, true));
	close(self->fd);
	self->fd = vfio_open(self->address);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, vfio_region(self->fd, VFIO_PCI_CONFIG_REGION_INDEX,
				 &config));
	ASSERT_EQ(2, pread(self->fd, &command, 2,
			   (off_t)config.offset + PCI_COMMAND));
	EXPECT_EQ(0, command & PCI_COMMAND_MASTER);
}

TEST_F(cdev, file_works_until_last_close)
{
	int copy;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	copy = dup(self->fd);
	ASSERT_LE(0, copy);
	close(self->fd);
	EXPECT_EQ(0, try_access(copy));
	self->fd = copy;
}

TEST_HARNESS_MAIN
