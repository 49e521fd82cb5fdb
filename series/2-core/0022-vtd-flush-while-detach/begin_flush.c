/*
 * Begin to walk the units of a domain after entries have changed. A unit is
 * added to the array before a context entry makes it use the page table. The
 * barrier orders the change before the walk, so a unit that the walk does not
 * find only reads the new entries.
 */
static void domain_begin_flush(void)
{
	smp_mb();
	rcu_read_lock();
}

static void domain_end_flush(void)
{
	rcu_read_unlock();
}
