// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kill a process after each step of using a device, from open to DMA.
 *
 * The exit of the process unpins all pages, and another process can then use
 * the device.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "testbed.h"

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

enum step { OPENED, BOUND, ATTACHED, MAPPED, DETACHED, RUNNING };

FIXTURE(killed)
{
	struct machine machine;
	long pinned_before;
	int *reached;
};

FIXTURE_VARIANT(killed)
{
	enum step step;
	long pinned;
};

FIXTURE_VARIANT_ADD(killed, opened) { .step = OPENED };
FIXTURE_VARIANT_ADD(killed, bound) { .step = BOUND };
FIXTURE_VARIANT_ADD(killed, attached) { .step = ATTACHED };
FIXTURE_VARIANT_ADD(killed, mapped) { .step = MAPPED, .pinned = TESTBED_PAGES };
FIXTURE_VARIANT_ADD(killed, detached) { .step = DETACHED };
FIXTURE_VARIANT_ADD(killed, running) { .step = RUNNING,
				       .pinned = TESTBED_PAGES };

FIXTURE_SETUP(killed)
{
	self->pinned_before = counters_pinned();
	ASSERT_LE(0, self->pinned_before);
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->reached = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->reached);
	*self->reached = -1;
}

FIXTURE_TEARDOWN(killed)
{
	EXPECT_EQ(self->pinned_before, counters_pinned());
}

/*
 * Do all steps up to and including @until, but detach the device only for
 * DETACHED. RUNNING leaves the device with a transfer in progress. Return
 * -errno if a step fails.
 */
static int run_steps(struct testbed *bed, const char *address, enum step until)
{
	__u32 pt_id;
	int err;

	bed->memory = new_memory(TESTBED_LENGTH);
	bed->iommufd = iommu_open();
	if (bed->iommufd < 0)
		return bed->iommufd;
	err = ioas_alloc(bed->iommufd, &bed->ioas);
	if (err)
		return err;
	bed->device.fd = vfio_open(address);
	if (bed->device.fd < 0 || until == OPENED)
		return bed->device.fd;
	err = vfio_bind(bed->device.fd, bed->iommufd, &bed->device.id);
	if (err || until == BOUND)
		return err;
	pt_id = bed->ioas;
	err = vfio_attach(bed->device.fd, &pt_id);
	if (err || until == ATTACHED)
		return err;
	err = testbed_map(bed);
	if (err || until == MAPPED)
		return err;
	if (until == DETACHED)
		return vfio_detach(bed->device.fd);
	err = edu_start(&bed->device.edu, bed->device.fd);
	if (err)
		return err;
	return edu_begin_store(&bed->device.edu, TESTBED_IOVA, 0, TRANSFER);
}

TEST_F(killed, releases_everything)
{
	const char *address = self->machine.singleton[0].text;
	struct testbed bed;
	unsigned int i;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		memset(&bed, 0, sizeof(bed));
		__atomic_store_n(self->reached,
				 run_steps(&bed, address, variant->step) >= 0,
				 __ATOMIC_RELEASE);
		pause();
		_exit(0);
	}
	for (i = 0; i < 2000; i++) {
		if (__atomic_load_n(self->reached, __ATOMIC_ACQUIRE) >= 0)
			break;
		usleep(10 * 1000);
	}
	EXPECT_EQ(1, *self->reached);
	EXPECT_EQ(self->pinned_before + variant->pinned, counters_pinned());
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(self->pinned_before, counters_pinned());

	memset(&bed, 0, sizeof(bed));
	EXPECT_EQ(0, run_steps(&bed, address, RUNNING));
	EXPECT_EQ(self->pinned_before + TESTBED_PAGES, counters_pinned());
	EXPECT_EQ(0, edu_wait(&bed.device.edu));
	testbed_close(&bed);
}

TEST_HARNESS_MAIN
