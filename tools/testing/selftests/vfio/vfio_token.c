// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the VF token of vfio-pci: a UUID that the user of a physical function
 * (PF) sets, and that the users of its virtual functions (VFs) have to present.
 *
 * A VF is opened either through its group, with the token in the argument of
 * VFIO_GROUP_GET_DEVICE_FD, or by binding it to an iommufd, with the token in
 * the argument of VFIO_DEVICE_BIND_IOMMUFD. Both require the token if vfio-pci
 * drives the PF. While a VF is in use, opening the PF requires the token as
 * well. A failed bind neither replaces the token nor counts as a use of the VF.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "call.h"
#include "legacy.h"
#include "testbed.h"

#define RIGHT_TEXT "bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3"

static const __u8 right[16] = {
	0xbd, 0x8d, 0x9d, 0x2b, 0x5a, 0x5f, 0x4f, 0x5a,
	0xa2, 0x11, 0xf5, 0x91, 0x51, 0x4b, 0xa1, 0xf3,
};

static const __u8 wrong[16] = {
	0xbd, 0x8d, 0x9d, 0x2b, 0x5a, 0x5f, 0x4f, 0x5a,
	0xa2, 0x11, 0xf5, 0x91, 0x51, 0x4b, 0xa1, 0xf2,
};

static void __attribute__((constructor)) needs_sriov(void)
{
	struct pci_address pf;

	if (!pci_find_sriov(&pf))
		return;
	ksft_exit_skip("needs a PCI function with SR-IOV and no driver\n");
}

FIXTURE(token)
{
	struct pci_address pf_address, vf_address;
	int iommufd, pf, vf;
};

FIXTURE_SETUP(token)
{
	ASSERT_EQ(0, pci_find_sriov(&self->pf_address));
	ASSERT_EQ(0, pci_bind_vfio(self->pf_address.text));
	ASSERT_EQ(0, pci_sriov_enable(self->pf_address.text, 1));
	ASSERT_EQ(0, pci_sriov_vf(self->pf_address.text, 0, &self->vf_address));
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	self->pf = vfio_open(self->pf_address.text);
	ASSERT_LE(0, self->pf);
	self->vf = vfio_open(self->vf_address.text);
	ASSERT_LE(0, self->vf);
}

FIXTURE_TEARDOWN(token)
{
	close(self->vf);
	close(self->pf);
	close(self->iommufd);
	EXPECT_EQ(0, pci_sriov_enable(self->pf_address.text, 0));
}

static int bind_with(int fd, int iommufd, const __u8 *token)
{
	__u32 id;

	return vfio_bind_with_token(fd, iommufd, token, &id);
}

static int call_bind(int fd, struct vfio_device_bind_iommufd *bind)
{
	return ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, bind) ? -errno : 0;
}

/* Close the file, which is the only way to unbind the device, and reopen it. */
static int reopen(int fd, const struct pci_address *address)
{
	close(fd);
	return vfio_open(address->text);
}

static int set_token(int pf, const __u8 *token)
{
	char space[sizeof(struct vfio_device_feature) + 16] = { 0 };
	struct vfio_device_feature *feature = (void *)space;

	feature->argsz = sizeof(space);
	feature->flags = VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_PCI_VF_TOKEN;
	memcpy(feature->data, token, 16);
	return ioctl(pf, VFIO_DEVICE_FEATURE, feature) ? -errno : 0;
}

TEST_F(token, vf_without_token_EACCES)
{
	struct vfio_region_info info;

	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, NULL));
	EXPECT_EQ(-EINVAL, vfio_region(self->vf, 0, &info));
}

TEST_F(token, vf_before_token_is_set_EACCES)
{
	/* The initial token is random. */
	const __u8 zero[16] = { 0 };

	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, right));
	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, zero));
}

TEST_F(token, vf_with_token_of_pf_user)
{
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, NULL));
	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, wrong));
	EXPECT_EQ(0, bind_with(self->vf, self->iommufd, right));
}

TEST_F(token, pf_and_vf_in_different_iommufds)
{
	int other = iommu_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	EXPECT_EQ(-EACCES, bind_with(self->vf, other, wrong));
	EXPECT_EQ(0, bind_with(self->vf, other, right));
	close(other);
}

TEST_F(token, survives_close_of_pf)
{
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	self->pf = reopen(self->pf, &self->pf_address);
	ASSERT_LE(0, self->pf);
	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, wrong));
	EXPECT_EQ(0, bind_with(self->vf, self->iommufd, right));
}

TEST_F(token, pf_with_vf_in_use_EACCES)
{
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	ASSERT_EQ(0, bind_with(self->vf, self->iommufd, right));
	self->pf = reopen(self->pf, &self->pf_address);
	ASSERT_LE(0, self->pf);
	EXPECT_EQ(-EACCES, bind_with(self->pf, self->iommufd, NULL));
	EXPECT_EQ(-EACCES, bind_with(self->pf, self->iommufd, wrong));
	EXPECT_EQ(0, bind_with(self->pf, self->iommufd, right));
}

TEST_F(token, pf_without_vf_in_use_sets_token)
{
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	ASSERT_EQ(0, bind_with(self->vf, self->iommufd, right));
	self->pf = reopen(self->pf, &self->pf_address);
	self->vf = reopen(self->vf, &self->vf_address);
	ASSERT_LE(0, self->pf);
	ASSERT_LE(0, self->vf);
	/* Binding the PF without a token keeps the current token. */
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, NULL));
	ASSERT_EQ(0, bind_with(self->vf, self->iommufd, right));
	self->pf = reopen(self->pf, &self->pf_address);
	self->vf = reopen(self->vf, &self->vf_address);
	ASSERT_LE(0, self->pf);
	ASSERT_LE(0, self->vf);
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, wrong));
	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, right));
	EXPECT_EQ(0, bind_with(self->vf, self->iommufd, wrong));
}

TEST_F(token, failed_bind_does_not_use_vf)
{
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	ASSERT_EQ(-EACCES, bind_with(self->vf, self->iommufd, wrong));
	self->pf = reopen(self->pf, &self->pf_address);
	ASSERT_LE(0, self->pf);
	EXPECT_EQ(0, bind_with(self->pf, self->iommufd, NULL));
}

/* Bind the VF with the token, unbind it, and return whether the bind worked. */
static bool vf_accepts(struct _test_data_token *self, const __u8 *token)
{
	bool accepts = !bind_with(self->vf, self->iommufd, token);

	self->vf = reopen(self->vf, &self->vf_address);
	return accepts;
}

TEST_F(token, failed_bind_of_pf_keeps_token)
{
	struct vfio_device_bind_iommufd *bind;
	int fd;

	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	EXPECT_EQ(-EINVAL, bind_with(self->pf, self->iommufd, wrong));
	EXPECT_TRUE(vf_accepts(self, right));
	self->pf = reopen(self->pf, &self->pf_address);
	ASSERT_LE(0, self->pf);

	fd = open("/dev/null", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADFD, bind_with(self->pf, fd, wrong));
	EXPECT_TRUE(vf_accepts(self, right));
	close(fd);
	EXPECT_EQ(-EBADF, bind_with(self->pf, fd, wrong));
	EXPECT_TRUE(vf_accepts(self, right));

	/* The device ID cannot be returned. */
	bind = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)bind);
	*bind = (struct vfio_device_bind_iommufd){
		.argsz = sizeof(*bind),
		.flags = VFIO_DEVICE_BIND_FLAG_TOKEN,
		.iommufd = self->iommufd,
		.token_uuid_ptr = (uintptr_t)wrong,
	};
	ASSERT_EQ(0, mprotect(bind, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, call_bind(self->pf, bind));
	EXPECT_TRUE(vf_accepts(self, right));
	munmap(bind, PAGE);

	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, wrong));
	EXPECT_FALSE(vf_accepts(self, right));
	EXPECT_TRUE(vf_accepts(self, wrong));
}

static long bind_vf(void *data)
{
	struct _test_data_token *self = data;

	return bind_with(self->vf, self->iommufd, right);
}

/*
 * A bind of a VF resets the VF, which takes 100 ms. Meanwhile, a bind of the PF
 * may replace the token. The bind of the VF must then fail, even if its token
 * was right before the reset. Try several delays between the two binds, because
 * the time until the reset starts varies.
 */
TEST_F(token, replaced_while_vf_is_opened)
{
	bool vf_bound, pf_bound;
	struct call vf;
	int delay;

	for (delay = 0; delay <= 100; delay += 50) {
		self->pf = reopen(self->pf, &self->pf_address);
		ASSERT_LE(0, self->pf);
		ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
		self->pf = reopen(self->pf, &self->pf_address);
		ASSERT_LE(0, self->pf);

		ASSERT_EQ(0, call_start(&vf, bind_vf, self));
		usleep(delay * 1000);
		pf_bound = !bind_with(self->pf, self->iommufd, wrong);
		vf_bound = !call_end(&vf, 10 * CALL_TIMEOUT);
		EXPECT_FALSE(pf_bound && vf_bound)
			TH_LOG("delay of %d ms", delay);
		self->vf = reopen(self->vf, &self->vf_address);
		ASSERT_LE(0, self->vf);
	}
}

TEST_F(token, set_by_device_feature)
{
	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, NULL));
	ASSERT_EQ(0, set_token(self->pf, right));
	EXPECT_EQ(-EACCES, bind_with(self->vf, self->iommufd, wrong));
	EXPECT_EQ(0, bind_with(self->vf, self->iommufd, right));
}

TEST_F(token, shared_with_group_interface)
{
	char name[64];
	struct legacy legacy;

	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	EXPECT_EQ(-EACCES, legacy_open(&legacy, self->vf_address.text));
	snprintf(name, sizeof(name), "%s vf_token=%s", self->vf_address.text,
		 RIGHT_TEXT);
	ASSERT_EQ(0, legacy_open_as(&legacy, self->vf_address.text, name));
	/* A VF opened through its group counts as in use as well. */
	self->pf = reopen(self->pf, &self->pf_address);
	EXPECT_EQ(-EACCES, bind_with(self->pf, self->iommufd, NULL));
	EXPECT_EQ(0, bind_with(self->pf, self->iommufd, right));
	legacy_close(&legacy);
}

TEST_F(token, arguments)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = offsetof(struct vfio_device_bind_iommufd,
				  token_uuid_ptr),
		.flags = VFIO_DEVICE_BIND_FLAG_TOKEN,
		.iommufd = self->iommufd,
		.token_uuid_ptr = (uintptr_t)right,
	};
	char *memory;

	ASSERT_EQ(0, bind_with(self->pf, self->iommufd, right));
	EXPECT_EQ(-EINVAL, call_bind(self->vf, &bind));
	bind.argsz = sizeof(bind) - 1;
	EXPECT_EQ(-EINVAL, call_bind(self->vf, &bind));
	bind.argsz = sizeof(bind);
	bind.flags |= VFIO_DEVICE_BIND_FLAG_TOKEN << 1;
	EXPECT_EQ(-EINVAL, call_bind(self->vf, &bind));
	bind.flags = VFIO_DEVICE_BIND_FLAG_TOKEN;
	bind.token_uuid_ptr = 0;
	EXPECT_EQ(-EFAULT, call_bind(self->vf, &bind));

	/* The last byte of the token is not mapped. */
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	ASSERT_EQ(0, munmap(memory + PAGE, PAGE));
	memcpy(memory + PAGE - 15, right, 15);
	bind.token_uuid_ptr = (uintptr_t)memory + PAGE - 15;
	EXPECT_EQ(-EFAULT, call_bind(self->vf, &bind));

	bind.token_uuid_ptr = (uintptr_t)right;
	EXPECT_EQ(0, call_bind(self->vf, &bind));
}

TEST_F(token, pointer_without_flag_is_ignored)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = self->iommufd,
		.token_uuid_ptr = 1,
	};

	EXPECT_EQ(0, call_bind(self->pf, &bind));
}

TEST_F(token, device_without_token_EINVAL)
{
	struct machine machine;
	int fd;

	ASSERT_EQ(0, machine_find(&machine));
	if (!machine.nr_singletons)
		SKIP(return, "needs a QEMU edu device");
	fd = vfio_open(machine.singleton[0].text);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, bind_with(fd, self->iommufd, right));
	EXPECT_EQ(0, bind_with(fd, self->iommufd, NULL));
	close(fd);
}

TEST_HARNESS_MAIN
