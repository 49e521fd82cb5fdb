// SPDX-License-Identifier: GPL-2.0-only
/*
 * Change of owners: mappings of memory that moves to another address or to
 * another process.
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/mman.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/uaccess.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "../pages.h"
#include "access.h"
#include "account_cases.h"
#include "failing.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

static void set_limit(unsigned long npages)
{
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = PAGES(npages);
}

static int orphan(struct kunit *test, unsigned long iova, unsigned long npages)
{
	struct test_space *space = test->priv;
	unsigned long bytes = 1;
	int rc;

	rc = iopt_orphan(space->iopt, iova, iova + PAGES(npages) - 1, &bytes);
	if (rc)
		KUNIT_EXPECT_EQ(test, 0, bytes);
	test_validate(test);
	return rc ?: bytes >> PAGE_SHIFT;
}

static int adopt_as(struct kunit *test, unsigned long iova,
		    unsigned long npages, unsigned long uaddr,
		    enum iopt_account account)
{
	struct test_space *space = test->priv;
	int rc;

	rc = iopt_adopt(space->iopt, iova, iova + PAGES(npages) - 1,
			(void __user *)uaddr, account);
	test_validate(test);
	return rc;
}

static int adopt(struct kunit *test, unsigned long iova, unsigned long npages,
		 unsigned long uaddr)
{
	return adopt_as(test, iova, npages, uaddr, IOPT_ACCOUNT_USER);
}

/* Either all mappings of the interval become orphans, or none. */
static void orphan_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 12), bytes = 1, i;

	/*
	 * An interval without mappings fails unless it is the whole address
	 * space.
	 */
	KUNIT_EXPECT_EQ(test, -ENOENT, orphan(test, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(space->iopt, 0, ULONG_MAX,
					     &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);

	test_attach(test, space->mock[0]);
	for (i = 0; i != 3; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, IOVA + PAGES(4 * i),
					 uaddr + PAGES(4 * i), 4));
	KUNIT_EXPECT_EQ(test, -ENOENT, orphan(test, IOVA, 3));
	KUNIT_EXPECT_EQ(test, -ENOENT, orphan(test, IOVA + PAGES(1), 7));
	KUNIT_EXPECT_EQ(test, -ENOENT, orphan(test, IOVA, 11));
	KUNIT_EXPECT_EQ(test, -ENOENT, orphan(test, IOVA + PAGES(12), 4));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));

	KUNIT_EXPECT_EQ(test, 4, orphan(test, IOVA + PAGES(4), 4));
	KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL, orphan(test, IOVA + PAGES(4), 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, orphan(test, IOVA, 12));
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, adopt(test, IOVA + PAGES(4), 4, uaddr));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 12, orphan(test, IOVA - PAGES(1), 20));
	KUNIT_EXPECT_EQ(test, 3, space->iopt->nr_orphans);

	/* An orphan can be unmapped, and then no longer counts as one. */
	mock_expect_maps(space->mock[0], IOVA, uaddr, 12);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, space->iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
}

/* Pages that are shared with a copy stay with their process. */
static void shared_pages_EBUSY(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), copy = COPY;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(space->iopt, &copy, space->iopt,
					   IOVA + PAGES(6), PAGES(1), TEST_RW,
					   IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, -EBUSY, orphan(test, IOVA, 8));
	KUNIT_EXPECT_EQ(test, -EBUSY, orphan(test, COPY, 1));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	KUNIT_EXPECT_EQ(test, 8, orphan(test, IOVA, 8));
}

/*
 * An orphan cannot be pinned, read, copied or put into a new domain. It stays
 * translated, and can be unpinned and taken out of a domain.
 */
static void orphan_EBUSY(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8), copy = COPY;
	u64 value = 1;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_ASSERT_EQ(test, 4, orphan(test, IOVA, 4));

	KUNIT_EXPECT_EQ(test, -EBUSY, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, test_pin(access, IOVA + PAGES(3), 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_access_rw(access->access, IOVA,
						     &value, 8, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iopt_copy(space->iopt, &copy, space->iopt, IOVA,
				  PAGES(4), TEST_RW, IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iopt_attach_domain(space->iopt,
					   &space->mock[1]->domain));
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	test_validate(test);

	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(4), 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, test_pin(access, IOVA + PAGES(3), 2));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 2, atomic64_read(&current->mm->pinned_vm));
	test_validate(test);

	KUNIT_EXPECT_EQ(test, 0, adopt(test, IOVA, 4, uaddr));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 8));
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/* Only an orphan can be adopted, and only as a whole. */
static void adopt_errnos(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	KUNIT_ASSERT_EQ(test, 4, orphan(test, IOVA, 4));
	KUNIT_EXPECT_EQ(test, -ENOENT, adopt(test, IOVA - PAGES(4), 4, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA + PAGES(4), 4, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA, 3, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA, 5, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA + PAGES(1), 3, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA - PAGES(1), 5, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA, 4, uaddr + 8));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_adopt(space->iopt, IOVA, IOVA - 1,
				   (void __user *)uaddr, IOPT_ACCOUNT_USER));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, adopt(test, IOVA, 4, -PAGES(3)));
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, adopt(test, IOVA, 4, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, adopt(test, IOVA, 4, uaddr));
}

/* A mapping that ends at the last byte of the address space can be adopted. */
static void adopt_last_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1), bytes;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGES(1), uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(space->iopt, -PAGES(1), ULONG_MAX,
					     &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(1), bytes);
	KUNIT_EXPECT_EQ(test, 0,
			iopt_adopt(space->iopt, -PAGES(1), ULONG_MAX,
				   (void __user *)uaddr, IOPT_ACCOUNT_USER));
}

/*
 * An adoption by the same process only changes the address, whatever the limit
 * and the accounting mode. Pinned pages stay; pages that are pinned later come
 * from the new address.
 */
static void adopt_at_another_address(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long old = test_touched(test, 4), new = test_touched(test, 4);
	unsigned long charged = test_charged();
	struct page *page;
	u64 value = 0;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, old, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(2), 1));
	KUNIT_ASSERT_EQ(test, 4, orphan(test, IOVA, 4));
	set_limit(0);
	/* An adoption does not access the new address. */
	KUNIT_EXPECT_EQ(test, 0, adopt_as(test, IOVA, 4, PAGES(1),
					  IOPT_ACCOUNT_MM));
	KUNIT_ASSERT_EQ(test, 4, orphan(test, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, adopt_as(test, IOVA, 4, new,
					  IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	KUNIT_EXPECT_EQ(test, 4, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	mock_expect_maps(space->mock[0], IOVA, old, 4);

	/*
	 * Pinned pages are the old ones, but the CPU accesses the new memory.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA, 1, &page, 0));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, old), page_to_pfn(page));
	value = 77;
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA, &value, 8,
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0, copy_from_user(&value, (void __user *)new,
						8));
	KUNIT_EXPECT_EQ(test, 77, value);

	set_limit(charged + 4);
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA + PAGES(1), 1,
						&page, 0));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, new + PAGES(1)),
			page_to_pfn(page));
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, new + PAGES(3)),
			mock_domain_pfn(space->mock[1], IOVA + PAGES(3)));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, old + PAGES(2)),
			mock_domain_pfn(space->mock[1], IOVA + PAGES(2)));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
}

/**
 * struct old_process - process that created the mapping
 * @account: accounting mode of the mapping
 * @uaddr: user address of its memory, 6 pages
 * @access: access that pins the last two of them
 * @user: user that the process runs as, or NULL for the user of the test
 */
struct old_process {
	enum iopt_account account;
	unsigned long uaddr;
	struct test_access *access;
	struct user_struct *user;
};

/* Map 6 pages at IOVA, and pin the last 2 of them. */
static long old_process_maps(struct test_thread *thread)
{
	struct old_process *old = thread->data;
	const struct cred *saved = NULL;
	struct cred *cred = NULL;
	unsigned long iova = IOVA, i;
	long rc;

	if (old->user) {
		cred = prepare_creds();
		if (!cred)
			return -ENOMEM;
		free_uid(cred->user);
		cred->user = get_uid(old->user);
		saved = override_creds(cred);
	}
	old->uaddr = vm_mmap(NULL, 0, PAGES(6), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	for (i = 0; i != 6; i++)
		put_user(i, (u64 __user *)(old->uaddr + PAGES(i)));
	rc = iopt_map_user(thread->space->iopt, &iova,
			   (void __user *)old->uaddr, PAGES(6), TEST_RW,
			   old->account, IOPT_MAP_FIXED);
	if (!rc)
		rc = test_pin(old->access, IOVA + PAGES(4), 2);
	if (saved) {
		revert_creds(saved);
		put_cred(cred);
	}
	return rc;
}

static void expect_charges(struct kunit *test, struct mm_struct *mm,
			   unsigned long n)
{
	const struct account_case *account = test->param_value;

	KUNIT_EXPECT_EQ(test, account->locked * n, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, account->pinned * n,
			atomic64_read(&mm->pinned_vm));
}

/*
 * After an adoption by another process, that process is charged, up to its own
 * limit, and the old process is not, whether it has exited or not.
 */
static void adopt_by_another_process(struct kunit *test, bool alive,
				     bool attached)
{
	const struct account_case *account = test->param_value;
	struct test_space *space = test->priv;
	struct mm_struct *mm = test_other_mm(test);
	struct old_process old = {
		.account = account->account,
		.access = test_access_create(test),
	};
	unsigned long uaddr = test_touched(test, 6), user = test_charged();
	unsigned long n = attached ? 6 : 2, pfn;
	bool limited;

	limited = account->account == IOPT_ACCOUNT_MM ||
		  account->account == IOPT_ACCOUNT_MM_PINNED;
	if (attached)
		test_attach(test, space->mock[0]);
	mmgrab(mm);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, old_process_maps, &old,
						 mm));
	expect_charges(test, mm, n);
	KUNIT_EXPECT_EQ(test, user + account->user * n, test_charged());
	KUNIT_ASSERT_EQ(test, 6, orphan(test, IOVA, 6));
	if (!alive)
		mmput(mm);
	pfn = mock_domain_pfn(space->mock[0], IOVA + PAGES(1));

	set_limit(n - 1);
	if (limited) {
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				adopt_as(test, IOVA, 6, uaddr,
					 account->account));
		KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
		expect_charges(test, mm, n);
		expect_charges(test, current->mm, 0);
		set_limit(n);
	}
	/*
	 * Both processes belong to the same user, so the limit must have room
	 * for the pages only once.
	 */
	if (account->account == IOPT_ACCOUNT_USER)
		set_limit(user + n);
	KUNIT_EXPECT_EQ(test, 0, adopt_as(test, IOVA, 6, uaddr,
					  account->account));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	expect_charges(test, mm, 0);
	expect_charges(test, current->mm, n);
	KUNIT_EXPECT_EQ(test, user + account->user * n, test_charged());
	KUNIT_EXPECT_EQ(test, pfn, mock_domain_pfn(space->mock[0],
						   IOVA + PAGES(1)));
	if (pfn)
		KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));

	/* Pages that are pinned later belong to the new process too. */
	set_limit(user + 6);
	if (attached)
		test_detach(test, space->mock[0]);
	expect_charges(test, current->mm, 2);
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 4);
	expect_charges(test, current->mm, 6);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	expect_charges(test, current->mm, 0);
	expect_charges(test, mm, 0);
	KUNIT_EXPECT_EQ(test, user, test_charged());
	if (alive)
		mmput(mm);
	mmdrop(mm);
}

/* Pages of a domain are charged to the new process while the old one runs. */
static void adopt_from_living_process(struct kunit *test)
{
	adopt_by_another_process(test, true, true);
}

/* Pages of a domain are charged to the new process after the old one exited. */
static void adopt_from_dead_process(struct kunit *test)
{
	adopt_by_another_process(test, false, true);
}

/*
 * Without a domain, the pages that accesses have pinned are charged to the new
 * process.
 */
static void adopt_pins_of_accesses(struct kunit *test)
{
	adopt_by_another_process(test, true, false);
}

/*
 * An adoption moves the charge between users, and is subject to the limit of
 * the adopting process.
 */
static void adopt_from_another_user(struct kunit *test)
{
	struct user_struct *other = alloc_uid(KUIDT_INIT(4711));
	struct test_space *space = test->priv;
	struct mm_struct *mm = test_other_mm(test);
	struct old_process old = {
		.account = IOPT_ACCOUNT_USER,
		.access = test_access_create(test),
		.user = other,
	};
	unsigned long user = test_charged();

	KUNIT_ASSERT_NOT_NULL(test, other);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, old_process_maps, &old,
						 mm));
	KUNIT_EXPECT_EQ(test, 6, atomic_long_read(&other->locked_vm));
	KUNIT_EXPECT_EQ(test, user, test_charged());
	KUNIT_ASSERT_EQ(test, 6, orphan(test, IOVA, 6));

	set_limit(user + 5);
	KUNIT_EXPECT_EQ(test, -ENOMEM, adopt(test, IOVA, 6, PAGES(1)));
	KUNIT_EXPECT_EQ(test, 6, atomic_long_read(&other->locked_vm));
	KUNIT_EXPECT_EQ(test, 6, atomic64_read(&mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, user, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));

	set_limit(user + 6);
	KUNIT_EXPECT_EQ(test, 0, adopt(test, IOVA, 6, PAGES(1)));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&other->locked_vm));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, user + 6, test_charged());
	KUNIT_EXPECT_EQ(test, 6, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	KUNIT_EXPECT_EQ(test, user, test_charged());
	/* The old payer was freed. RCU frees the credentials. */
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&other->__count));
	mmput(mm);
	free_uid(other);
}

static long call_read(struct test_thread *thread)
{
	struct test_access *access = thread->data;
	u64 value = 0;
	int rc = iopt_access_rw(access->access, IOVA, &value, 8, 0);

	return rc ?: value;
}

/* The CPU accesses the memory of the new owner after an adoption. */
static void rw_follows_owner(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mm_struct *mm = test_other_mm(test);
	struct old_process old = {
		.account = IOPT_ACCOUNT_MM,
		.access = test_access_create(test),
	};
	unsigned long uaddr = test_touched(test, 6);

	KUNIT_ASSERT_EQ(test, 0, put_user(55ULL, (u64 __user *)uaddr));
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, old_process_maps, &old,
						 mm));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_thread_run(test, call_read,
						       old.access,
						       current->mm));
	KUNIT_ASSERT_EQ(test, 6, orphan(test, IOVA, 6));
	KUNIT_ASSERT_EQ(test, 0, adopt_as(test, IOVA, 6, uaddr,
					  IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_EQ(test, 55, test_thread_run(test, call_read, old.access,
						  current->mm));
	KUNIT_EXPECT_EQ(test, 55, test_thread_run(test, call_read, old.access,
						  NULL));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_thread_run(test, call_read,
						       old.access, mm));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	mmput(mm);
}

static long call_adopt(struct test_thread *thread)
{
	return iopt_adopt(thread->space->iopt, IOVA, IOVA + PAGES(4) - 1,
			  (void __user *)thread->data, IOPT_ACCOUNT_USER);
}

static long call_orphan(struct test_thread *thread)
{
	unsigned long bytes;
	int rc = iopt_orphan(thread->space->iopt, IOVA, IOVA + PAGES(4) - 1,
			     &bytes);

	return rc ?: bytes;
}

/* An adoption waits for a read in flight, which still uses the old address. */
static void adopt_waits_for_rw(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long old = test_mmap(test, 4, PROT_READ | PROT_WRITE);
	unsigned long new = test_touched(test, 5) + PAGES(1);
	struct test_thread read, adopter;
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, old, 4));
	area = test_area_at(space, IOVA);
	/*
	 * The old memory is not populated, and holding the mmap_lock blocks its
	 * page fault.
	 */
	mmap_write_lock(current->mm);
	test_thread_start(test, &read, call_read, access, current->mm);
	while (!READ_ONCE(area->nr_users))
		msleep(20);
	KUNIT_EXPECT_EQ(test, PAGES(4),
			test_thread_run(test, call_orphan, NULL, NULL));
	test_thread_start(test, &adopter, call_adopt, (void *)new,
			  current->mm);
	test_thread_expect_waiting(&adopter);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&read));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&adopter));
	KUNIT_EXPECT_EQ(test, 1, test_thread_run(test, call_read, access,
						 current->mm));
	test_validate(test);
}

static long call_unmap(struct test_thread *thread)
{
	return test_unmap(thread->space->iopt, IOVA, 4);
}

/* An unmap waits for an adoption of its mapping. */
static void unmap_waits_for_adopt(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread adopter, unmap;
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 4, orphan(test, IOVA, 4));
	area = test_area_at(space, IOVA);
	mutex_lock(&area->pages->mutex);
	test_thread_start(test, &adopter, call_adopt, (void *)uaddr,
			  current->mm);
	while (!test_area_at(space, IOVA)->busy)
		msleep(20);
	test_thread_start(test, &unmap, call_unmap, NULL, NULL);
	test_thread_expect_waiting(&unmap);
	mutex_unlock(&area->pages->mutex);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&adopter));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	test_validate(test);
}

static long call_map(struct test_thread *thread)
{
	return test_map(thread->space->iopt, IOVA, thread->space->uaddr, 4);
}

/*
 * A call that creates orphans waits killably for mappings that are being built.
 */
static void orphan_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread map, first, second;
	struct mock_domain *mock = space->mock[0];

	space->uaddr = test_touched(test, 4);
	test_attach(test, mock);
	mock->block_iova = IOVA;
	test_thread_start(test, &map, call_map, NULL, current->mm);
	wait_for_completion(&mock->blocked);
	test_thread_start(test, &first, call_orphan, NULL, NULL);
	test_thread_expect_waiting(&first);
	test_thread_kill(&first);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&first));
	test_thread_start(test, &second, call_orphan, NULL, NULL);
	test_thread_expect_waiting(&second);
	complete(&mock->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, PAGES(4), test_thread_join(&second));
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_orphans);
}

#define NR_MANY	(IOPT_MAX_STEPS + 1UL)

static long call_orphan_many(struct test_thread *thread)
{
	unsigned long bytes = 1;
	int rc;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	rc = iopt_orphan(thread->space->iopt, IOVA, IOVA + PAGES(NR_MANY) - 1,
			 &bytes);
	return rc ?: bytes;
}

/*
 * Share the pages of the area in the thread's argument, while the check in
 * call_orphan_many() drops the lock for the first time. This thread waits for
 * the lock and has a real-time priority on the same CPU, so it runs as soon as
 * the lock is dropped.
 */
static long call_share(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	struct iopt_area *area = thread->data;
	unsigned int nr_orphans;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	sched_set_fifo(current);
	mutex_lock(&iopt->lock);
	kref_get(&area->pages->kref);
	nr_orphans = iopt->nr_orphans;
	mutex_unlock(&iopt->lock);
	return nr_orphans;
}

static void wait_until_blocked(struct test_thread *thread)
{
	while (READ_ONCE(thread->task->__state) != TASK_UNINTERRUPTIBLE)
		msleep(20);
}

/*
 * All mappings become orphans or none, even if one of them becomes shared
 * between the check and the change.
 */
static void shared_after_check_EBUSY(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread orphaner, sharer;
	struct iopt_area *area;
	unsigned long i, bytes;

	for (i = 0; i != NR_MANY; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA + PAGES(i), SZ_4G,
						  1));
	area = test_area_at(space, IOVA + PAGES(10));
	mutex_lock(&iopt->lock);
	test_thread_start(test, &orphaner, call_orphan_many, NULL, NULL);
	wait_until_blocked(&orphaner);
	test_thread_start(test, &sharer, call_share, area, NULL);
	wait_until_blocked(&sharer);
	mutex_unlock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, -EBUSY, test_thread_join(&orphaner));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&sharer));
	iopt_pages_put(area->pages);

	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(iopt));
	for (i = 0; i != NR_MANY; i++)
		KUNIT_ASSERT_FALSE(test, test_area_at(space, IOVA +
						      PAGES(i))->orphan);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(NR_MANY), bytes);
}

/* A call that is killed while it waits for an attach changes nothing. */
static void change_EINTR(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread orphaner, adopter;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	mutex_lock(&space->iopt->attach_mutex);
	test_thread_start(test, &orphaner, call_orphan, NULL, NULL);
	msleep(20);
	test_thread_kill(&orphaner);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&orphaner));
	mutex_unlock(&space->iopt->attach_mutex);
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_ASSERT_EQ(test, 4, orphan(test, IOVA, 4));
	mutex_lock(&space->iopt->attach_mutex);
	test_thread_start(test, &adopter, call_adopt, (void *)uaddr,
			  current->mm);
	msleep(20);
	test_thread_kill(&adopter);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&adopter));
	mutex_unlock(&space->iopt->attach_mutex);
	KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
	test_validate(test);
}

/* An adoption that fails to allocate the new payer changes nothing. */
static void adopt_ENOMEM(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mm_struct *mm = test_other_mm(test);
	struct old_process old = {
		.account = IOPT_ACCOUNT_MM,
		.access = test_access_create(test),
	};
	unsigned long uaddr = test_touched(test, 6);

	test_needs_failing_allocations(test);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, old_process_maps, &old,
						 mm));
	KUNIT_ASSERT_EQ(test, 6, orphan(test, IOVA, 6));
	test_fail_allocation(1);
	KUNIT_EXPECT_EQ(test, -ENOMEM, adopt_as(test, IOVA, 6, uaddr,
						IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_FALSE(test, test_fail_end());
	KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 2, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	mmput(mm);
}

static struct kunit_case owner_cases[] = {
	KUNIT_CASE(orphan_is_all_or_nothing),
	KUNIT_CASE(shared_pages_EBUSY),
	KUNIT_CASE(orphan_EBUSY),
	KUNIT_CASE(adopt_errnos),
	KUNIT_CASE(adopt_last_page),
	KUNIT_CASE(adopt_at_another_address),
	KUNIT_CASE_PARAM(adopt_from_living_process, account_gen_params),
	KUNIT_CASE_PARAM(adopt_from_dead_process, account_gen_params),
	KUNIT_CASE_PARAM(adopt_pins_of_accesses, account_gen_params),
	KUNIT_CASE(adopt_from_another_user),
	KUNIT_CASE(rw_follows_owner),
	KUNIT_CASE(adopt_waits_for_rw),
	KUNIT_CASE(unmap_waits_for_adopt),
	KUNIT_CASE(orphan_waits_for_map),
	KUNIT_CASE(shared_after_check_EBUSY),
	KUNIT_CASE(change_EINTR),
	KUNIT_CASE(adopt_ENOMEM),
	{}
};

static struct kunit_suite owner_suite = {
	.name = "iopt-owner",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = owner_cases,
};

kunit_test_suite(owner_suite);
