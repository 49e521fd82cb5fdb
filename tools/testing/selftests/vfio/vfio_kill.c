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
#include "rig.h"

NEEDS_EDU
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
FIXTURE_VARIANT_ADD(killed, mapped) { .step = MAPPED, .pinned = RIG_PAGES };
FIXTURE_VARIANT_ADD(killed, detached) { .step = DETACHED };
FIXTURE_VARIANT_ADD(killed, running) { .step = RUNNING, .pinned = RIG_PAGES };

FIXTURE_SETUP(killed)
{
	self->pinned_before = counters_pinned();
	ASSERT_LE(0, self->pinned_before);
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_lone);
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
 * Do all steps up to and including @until. RUNNING leaves the device with a
 * transfer in progress. Return -errno if a step fails.
 */
static int run_steps(struct rig *rig, const char *address, enum step until)
{
	__u32 pt_id;
	int err;

	rig->memory = new_memory(RIG_LENGTH);
	rig->iommufd = iommu_open();
	if (rig->iommufd < 0)
		return rig->iommufd;
	err = ioas_alloc(rig->iommufd, &rig->ioas);
	if (err)
		return err;
	rig->device.fd = vfio_open(address);
	if (rig->device.fd < 0 || until == OPENED)
		return rig->device.fd;
	err = vfio_bind(rig->device.fd, rig->iommufd, &rig->device.id);
	if (err || until == BOUND)
		return err;
	pt_id = rig->ioas;
	err = vfio_attach(rig->device.fd, &pt_id);
	if (err || until == ATTACHED)
		return err;
	err = rig_map(rig);
	if (err || until == MAPPED)
		return err;
	if (until == DETACHED)
		return vfio_detach(rig->device.fd);
	err = edu_start(&rig->device.edu, rig->device.fd);
	if (err)
		return err;
	return edu_begin_store(&rig->device.edu, RIG_IOVA, 0, TRANSFER);
}

TEST_F(killed, releases_everything)
{
	const char *address = self->machine.lone[0].text;
	struct rig rig;
	unsigned int i;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		memset(&rig, 0, sizeof(rig));
		__atomic_store_n(self->reached,
				 run_steps(&rig, address, variant->step) >= 0,
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

	memset(&rig, 0, sizeof(rig));
	EXPECT_EQ(0, run_steps(&rig, address, RUNNING));
	EXPECT_EQ(self->pinned_before + RIG_PAGES, counters_pinned());
	EXPECT_EQ(0, edu_wait(&rig.device.edu));
	rig_close(&rig);
}

TEST_HARNESS_MAIN
