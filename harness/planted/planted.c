// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs planted on purpose, to verify that the harness finds them in the kernel
 * log. Loading the module with kind= triggers the bug of that name.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *kind;
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "use-after-free, lock-inversion, leak or data-race");

static int use_after_free(void)
{
	char *object = kmalloc(64, GFP_KERNEL);
	char *freed = object;

	if (!object)
		return -ENOMEM;
	/* Hide from the compiler that both pointers are the same. */
	OPTIMIZER_HIDE_VAR(freed);
	kfree(object);
	WRITE_ONCE(*freed, 1);
	return 0;
}

static int lock_inversion(void)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static int leak(void)
{
	int i;

	/* Leak several objects: a stale pointer may hide one from kmemleak. */
	for (i = 0; i < 16; i++) {
		void *object = kmalloc(64, GFP_KERNEL);

		if (!object)
			return -ENOMEM;
		OPTIMIZER_HIDE_VAR(object);
	}
	return 0;
}

/* Two threads increment this without a lock. */
static unsigned long counter;

static int count(void *unused)
{
	while (!kthread_should_stop()) {
		counter++;
		cond_resched();
	}
	return 0;
}

static int count_unlocked(void)
{
	struct task_struct *task[2];
	int i, rc = 0;

	for (i = 0; i < ARRAY_SIZE(task); i++)
		task[i] = kthread_run(count, NULL, "planted");
	schedule_timeout_uninterruptible(10 * HZ);
	for (i = 0; i < ARRAY_SIZE(task); i++) {
		if (IS_ERR(task[i]))
			rc = PTR_ERR(task[i]);
		else
			kthread_stop(task[i]);
	}
	pr_info("planted: counted to %lu\n", counter);
	return rc;
}

static int __init planted_init(void)
{
	if (!kind)
		return -EINVAL;
	if (!strcmp(kind, "use-after-free"))
		return use_after_free();
	if (!strcmp(kind, "lock-inversion"))
		return lock_inversion();
	if (!strcmp(kind, "leak"))
		return leak();
	if (!strcmp(kind, "data-race"))
		return count_unlocked();
	return -EINVAL;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Bugs that the check of the kernel log must find");
MODULE_LICENSE("GPL");
