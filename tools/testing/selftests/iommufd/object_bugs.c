// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that other implementations of the same interface once had: one test each.
 *
 *	told_bytes	answers carried bytes that the kernel had not written
 *	destroy_once	a lookup made a concurrent destroy fail, or two succeed
 *	fenced		an object was used after the destroyer had freed it
 *	attach_again	an attach of what is attached, or was not, went astray
 *	unbind		unbinding did not wait for calls that use the device
 *	order		files were closed with objects that use each other
 *
 * Those about page tables, data types and lengths are in hwpt_alloc.c and
 * ioas_allow.c, those about struct padding in uapi_layout.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "rig.h"

#define THREADS	4
#define ROUNDS	300

NEEDS_EDU
RECORDS_NO_ERRNO

FIXTURE(bug)
{
	struct rig rig;
};

FIXTURE_SETUP(bug)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(bug)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

/* B2: whatever was in the struct, what comes back is what is told. */
TEST_F(bug, told_bytes_do_not_depend_on_what_was_there)
{
	struct iommu_device_get_info info[2];
	struct iommu_hw_info hw[2];
	__u64 data[2][8];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		memset(&info[i], i ? 0xff : 0, sizeof(info[i]));
		info[i].size = sizeof(info[i]);
		info[i].dev_id = self->rig.device.id;
		ASSERT_EQ(0, iommu_call(self->rig.iommufd,
					IOMMU_DEVICE_GET_INFO, &info[i]));

		memset(data[i], i ? 0xff : 0, sizeof(data[i]));
		hw[i] = (struct iommu_hw_info){
			.size = sizeof(hw[i]),
			.dev_id = self->rig.device.id,
			.data_len = sizeof(data[i]),
			.out_data_type = i ? ~0u : 0,
			.out_capabilities = i ? ~0ull : 0,
			.data_uptr = (uintptr_t)data[i],
		};
		ASSERT_EQ(0, iommu_call(self->rig.iommufd, IOMMU_GET_HW_INFO,
					&hw[i]));
		hw[i].data_uptr = 0;
	}
	EXPECT_EQ(0, memcmp(&info[0], &info[1], sizeof(info[0])));
	EXPECT_EQ(0, memcmp(&hw[0], &hw[1], sizeof(hw[0])));
	EXPECT_EQ(0, memcmp(data[0], data[1], sizeof(data[0])));
}

/* B3: an answer as long as the longest struct fits where it is kept. */
TEST_F(bug, told_bytes_end_with_the_struct)
{
	struct {
		struct iommu_hwpt_alloc alloc;
		unsigned char after[64];
	} argument;
	unsigned int i;

	memset(&argument, 0, sizeof(argument));
	argument.alloc.size = sizeof(argument);
	argument.alloc.dev_id = self->rig.device.id;
	argument.alloc.pt_id = self->rig.ioas;
	ASSERT_EQ(0, iommu_call(self->rig.iommufd, IOMMU_HWPT_ALLOC,
				&argument));
	EXPECT_NE(0u, argument.alloc.out_hwpt_id);
	for (i = 0; i < sizeof(argument.after); i++)
		EXPECT_EQ(0, argument.after[i]);
}

/**
 * struct crew - threads that begin a round together
 * @iommufd: where they work
 * @id: the object of this round
 * @begin: the start of a round, and its end
 * @destroyed: how many of them destroyed it
 * @odd: a result that no thread should see, or 0
 * @stop: no more rounds
 */
struct crew {
	int iommufd;
	__u32 id;
	pthread_barrier_t begin;
	int destroyed;
	int odd;
	bool stop;
};

/* Uses the object until it is gone, half of the crew; the others destroy it. */
static void work_round(struct crew *crew, bool destroys)
{
	struct iommu_iova_range range[4];
	__u64 alignment;
	__u32 nr;
	int result;

	do {
		if (destroys) {
			result = iommu_end(crew->iommufd, crew->id);
			if (!result)
				__atomic_add_fetch(&crew->destroyed, 1,
						   __ATOMIC_RELAXED);
		} else {
			nr = 4;
			result = ioas_ranges(crew->iommufd, crew->id, range,
					     &nr, &alignment);
		}
	} while (!result && !destroys);
	if (result && result != -ENOENT)
		__atomic_store_n(&crew->odd, result, __ATOMIC_RELAXED);
}

static void *work_as_user(void *argument)
{
	struct crew *crew = argument;

	for (;;) {
		pthread_barrier_wait(&crew->begin);
		if (crew->stop)
			return NULL;
		work_round(crew, false);
		pthread_barrier_wait(&crew->begin);
	}
}

static void *work_as_destroyer(void *argument)
{
	struct crew *crew = argument;

	for (;;) {
		pthread_barrier_wait(&crew->begin);
		if (crew->stop)
			return NULL;
		work_round(crew, true);
		pthread_barrier_wait(&crew->begin);
	}
}

/* B4, B5: calls that use an object neither fail its end nor survive it. */
TEST_F(bug, destroy_once_and_fenced)
{
	struct crew crew = { .iommufd = self->rig.iommufd };
	pthread_t thread[THREADS];
	unsigned int i;

	ASSERT_EQ(0, pthread_barrier_init(&crew.begin, NULL, THREADS + 1));
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL,
					    i % 2 ? work_as_user :
						    work_as_destroyer, &crew));
	}
	for (i = 0; i < ROUNDS; i++) {
		crew.destroyed = 0;
		ASSERT_EQ(0, ioas_alloc(crew.iommufd, &crew.id));
		pthread_barrier_wait(&crew.begin);
		pthread_barrier_wait(&crew.begin);
		EXPECT_EQ(1, crew.destroyed)
			TH_LOG("round %u", i);
		EXPECT_EQ(0, crew.odd)
			TH_LOG("round %u", i);
	}
	crew.stop = true;
	pthread_barrier_wait(&crew.begin);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* B6, B7: no attach replaces one, so nothing is half replaced. */
TEST_F(bug, attach_again_EBUSY_changes_nothing)
{
	__u32 first = self->rig.ioas, other, hwpt;

	EXPECT_EQ(0, vfio_detach(self->rig.device.fd));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &other));
	ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id, other,
				&hwpt));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(-EBUSY, vfio_attach(self->rig.device.fd, &first));
	EXPECT_EQ(-EBUSY, vfio_attach(self->rig.device.fd, &other));
	EXPECT_EQ(-EBUSY, vfio_attach(self->rig.device.fd, &hwpt));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, hwpt));
	EXPECT_EQ(0, iommu_end(self->rig.iommufd, other));
}

struct looker {
	int iommufd;
	__u32 id;
	bool stop;
	int odd;
	unsigned long found;
};

static void *look_at_device(void *argument)
{
	struct looker *looker = argument;
	struct iommu_device_get_info info;
	int result;

	while (!__atomic_load_n(&looker->stop, __ATOMIC_RELAXED)) {
		result = iommu_device_info(looker->iommufd,
					   __atomic_load_n(&looker->id,
							   __ATOMIC_RELAXED),
					   &info);
		if (!result)
			looker->found++;
		else if (result != -ENOENT)
			looker->odd = result;
	}
	return NULL;
}

/* B8: a device leaves while calls look at it. */
TEST_F(bug, unbind_under_load)
{
	struct looker looker[2] = { { .iommufd = self->rig.iommufd },
				    { .iommufd = self->rig.iommufd } };
	struct device *device = &self->rig.device;
	pthread_t thread[2];
	unsigned int i, turn;

	for (i = 0; i < 2; i++) {
		looker[i].id = device->id;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, look_at_device,
					    &looker[i]));
	}
	for (turn = 0; turn < 20; turn++) {
		device_close(device);
		ASSERT_EQ(0, device_open(device,
					 self->rig.machine.lone[0].text,
					 self->rig.iommufd));
		for (i = 0; i < 2; i++)
			__atomic_store_n(&looker[i].id, device->id,
					 __ATOMIC_RELAXED);
		usleep(1000);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&looker[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, looker[i].odd);
		EXPECT_NE(0ul, looker[i].found);
	}
}

/* An IOAS has a lower ID than its page tables, and must go after them. */
TEST_F(bug, order_of_the_end_of_a_file)
{
	__u32 hwpt[8];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, hwpt_alloc(self->rig.iommufd, self->rig.device.id,
					self->rig.ioas, &hwpt[i]));
	}
	ASSERT_EQ(0, rig_map(&self->rig));
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_HARNESS_MAIN
