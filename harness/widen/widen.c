// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delays callers that just released a lock, so that an object which another
 * thread may free from then on is still in use when that happens.
 *
 * A return probe on each function that releases a lock waits for a random time
 * if its caller lies in one of the address ranges given by ranges=. One delay
 * of SELDOM is long, because a whole detach of another thread has to fit in.
 * The probe runs without preemption, so that it takes a second processor to
 * see a race.
 */
#define pr_fmt(fmt) "widen: " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#define MAX_RANGES	64
#define SELDOM		32

static unsigned long ranges[2 * MAX_RANGES];
static int nr_ranges;
module_param_array(ranges, ulong, &nr_ranges, 0);
MODULE_PARM_DESC(ranges, "start and end of each range of callers");

static uint min_us = 20;
module_param(min_us, uint, 0);
MODULE_PARM_DESC(min_us, "shortest delay in microseconds");

static uint max_us = 200;
module_param(max_us, uint, 0);
MODULE_PARM_DESC(max_us, "longest delay in microseconds");

static uint long_us = 10000;
module_param(long_us, uint, 0);
MODULE_PARM_DESC(long_us, "one delay of 32, in microseconds; 0 for none");

static atomic_long_t delays;

static bool caller_is_ours(unsigned long address)
{
	int i;

	for (i = 0; i + 1 < nr_ranges; i += 2)
		if (address >= ranges[i] && address < ranges[i + 1])
			return true;
	return false;
}

/* Return: nonzero if the function's return is not probed. */
static int entered(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	return !caller_is_ours((unsigned long)get_kretprobe_retaddr(ri));
}

static int returned(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	/* A source of random numbers would take locks here. */
	u32 number = hash_32(atomic_long_inc_return(&delays), 32);

	if (long_us && !(number % SELDOM))
		mdelay(DIV_ROUND_UP(long_us, 1000));
	else
		udelay(min_us + number / SELDOM % (max_us - min_us + 1));
	return 0;
}

#define RELEASES(function)					\
{								\
	.kp.symbol_name = #function,				\
	.entry_handler = entered,				\
	.handler = returned,					\
	.maxactive = 64,					\
}

static struct kretprobe probes[] = {
	RELEASES(mutex_unlock),
	RELEASES(up_read),
	RELEASES(up_write),
	RELEASES(_raw_spin_unlock),
	RELEASES(_raw_spin_unlock_irq),
	RELEASES(_raw_spin_unlock_irqrestore),
	RELEASES(__srcu_read_unlock),
	RELEASES(complete),
	RELEASES(__wake_up),
};

static struct kretprobe *registered[ARRAY_SIZE(probes)];
static int nr_registered;

static int __init widen_init(void)
{
	int i, rc;

	if (nr_ranges < 2 || nr_ranges % 2 || !max_us || max_us > 10000 ||
	    min_us > max_us || long_us > 100000)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		rc = register_kretprobe(&probes[i]);
		if (rc)
			pr_info("no probe on %s: %d\n",
				probes[i].kp.symbol_name, rc);
		else
			registered[nr_registered++] = &probes[i];
	}
	return nr_registered ? 0 : -ENOENT;
}

static void __exit widen_exit(void)
{
	unregister_kretprobes(registered, nr_registered);
	pr_info("%d probes, %ld delays\n", nr_registered,
		atomic_long_read(&delays));
}

module_init(widen_init);
module_exit(widen_exit);
MODULE_DESCRIPTION("Delays after the release of a lock, to widen races");
MODULE_LICENSE("GPL");
