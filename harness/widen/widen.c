// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delay threads after they release a lock or wake a waiter, to widen races: if
 * another thread may free an object from then on, a use of the object by the
 * delayed thread is likely to be a use after free.
 *
 * A kprobe on each function in functions[] redirects each call that is made
 * from an address range in ranges= to a replacement. The replacement calls the
 * function and then waits for a random time. It sleeps if the caller may sleep,
 * so that RCU grace periods can end meanwhile. About one sleep in SELDOM lasts
 * for long_ms, during which another thread can complete a whole system call and
 * a grace period can end.
 */
#define pr_fmt(fmt) "widen: " fmt

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jhash.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/wait.h>

#define MAX_RANGES	64
#define SELDOM		64

static unsigned long ranges[2 * MAX_RANGES];
static int nr_ranges;
module_param_array(ranges, ulong, &nr_ranges, 0);
MODULE_PARM_DESC(ranges, "Start and end of each range of callers to delay");

static uint min_us = 20;
module_param(min_us, uint, 0);
MODULE_PARM_DESC(min_us, "Shortest delay in microseconds");

static uint max_us = 200;
module_param(max_us, uint, 0);
MODULE_PARM_DESC(max_us, "Longest usual delay in microseconds");

static uint long_ms = 300;
module_param(long_ms, uint, 0);
MODULE_PARM_DESC(long_ms, "Length of rare long delays in ms, 0 for none");

static atomic_long_t delays, sleeps, long_sleeps;

/*
 * A caller that has set its task state in order to wait for an event must not
 * sleep here, since sleeping would reset the state.
 */
static bool caller_may_sleep(void)
{
	return preemptible() && !rcu_preempt_depth() &&
	       task_is_running(current);
}

static void delay(void)
{
	/* Hash a counter: the kernel's random number generator takes locks. */
	u32 number = jhash_1word(atomic_long_inc_return(&delays), 0);
	unsigned int us = min_us + number / SELDOM % (max_us - min_us + 1);

	if (!caller_may_sleep()) {
		udelay(us);
		return;
	}
	atomic_long_inc(&sleeps);
	if (long_ms && !(number % SELDOM)) {
		atomic_long_inc(&long_sleeps);
		msleep(long_ms);
	} else {
		usleep_range(us, us + 1);
	}
}

static void widened_mutex_unlock(struct mutex *lock)
{
	mutex_unlock(lock);
	delay();
}

static void widened_up_read(struct rw_semaphore *sem)
{
	up_read(sem);
	delay();
}

static void widened_up_write(struct rw_semaphore *sem)
{
	up_write(sem);
	delay();
}

static void widened_spin_unlock(raw_spinlock_t *lock)
{
	_raw_spin_unlock(lock);
	delay();
}

static void widened_spin_unlock_irq(raw_spinlock_t *lock)
{
	_raw_spin_unlock_irq(lock);
	delay();
}

static void widened_spin_unlock_irqrestore(raw_spinlock_t *lock,
					   unsigned long flags)
{
	_raw_spin_unlock_irqrestore(lock, flags);
	delay();
}

static void widened_srcu_read_unlock(struct srcu_struct *ssp, int idx)
{
	__srcu_read_unlock(ssp, idx);
	delay();
}

static void widened_complete(struct completion *done)
{
	complete(done);
	delay();
}

static void widened_wake_up(struct wait_queue_head *head, unsigned int mode,
			    int nr, void *key)
{
	__wake_up(head, mode, nr, key);
	delay();
}

/**
 * struct widened - a function that releases a lock or wakes a waiter
 * @probe: probe on the first instruction of the function
 * @replacement: function with the same parameters, which calls the original and
 *               waits. This module is in none of the ranges, so its call is
 *               not redirected again
 */
struct widened {
	struct kprobe probe;
	void *replacement;
};

static bool caller_is_ours(unsigned long address)
{
	int i;

	for (i = 0; i + 1 < nr_ranges; i += 2)
		if (address >= ranges[i] && address < ranges[i + 1])
			return true;
	return false;
}

/* Return: 1 if the call was redirected, else 0. */
static int called(struct kprobe *probe, struct pt_regs *regs)
{
	struct widened *this = container_of(probe, struct widened, probe);

	/* On entry, the return address is on top of the stack. */
	if (!caller_is_ours(*(unsigned long *)regs->sp))
		return 0;
	regs->ip = (unsigned long)this->replacement;
	return 1;
}

/*
 * A probe with a post handler is not optimized into a jump, which would ignore
 * the ip that called() sets.
 */
static void passed(struct kprobe *probe, struct pt_regs *regs,
		   unsigned long flags)
{
}

#define WIDENED(function, instead)				\
{								\
	.probe = {						\
		.symbol_name = #function,			\
		.pre_handler = called,				\
		.post_handler = passed,				\
	},							\
	.replacement = instead,					\
}

static struct widened functions[] = {
	WIDENED(mutex_unlock, widened_mutex_unlock),
	WIDENED(up_read, widened_up_read),
	WIDENED(up_write, widened_up_write),
	WIDENED(_raw_spin_unlock, widened_spin_unlock),
	WIDENED(_raw_spin_unlock_irq, widened_spin_unlock_irq),
	WIDENED(_raw_spin_unlock_irqrestore, widened_spin_unlock_irqrestore),
	WIDENED(__srcu_read_unlock, widened_srcu_read_unlock),
	WIDENED(complete, widened_complete),
	WIDENED(__wake_up, widened_wake_up),
};

static void remove_probes(int nr)
{
	while (nr--)
		unregister_kprobe(&functions[nr].probe);
}

static int __init widen_init(void)
{
	int i, rc;

	if (nr_ranges < 2 || nr_ranges % 2 || min_us > max_us ||
	    max_us > 10000)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		rc = register_kprobe(&functions[i].probe);
		if (rc) {
			pr_err("no probe on %s: %d\n",
			       functions[i].probe.symbol_name, rc);
			remove_probes(i);
			return rc;
		}
	}
	/* Never unload: threads may still run the replacements. */
	__module_get(THIS_MODULE);
	return 0;
}

static int report(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%ld delays, %ld asleep, %ld of them long\n",
			  atomic_long_read(&delays), atomic_long_read(&sleeps),
			  atomic_long_read(&long_sleeps));
}

static const struct kernel_param_ops report_ops = {
	.get = report,
};

module_param_cb(report, &report_ops, NULL, 0444);
MODULE_PARM_DESC(report, "Numbers of delays, sleeps and long sleeps");

module_init(widen_init);
MODULE_DESCRIPTION("Delay threads after they release a lock, to widen races");
MODULE_LICENSE("GPL");
