/* Begin to walk the units of a domain after entries have changed. */
static void domain_begin_flush(void)
{
	/*
	 * A unit is added to the array before a context entry makes it use the
	 * page table. Order the change before the walk, so that a unit which
	 * the walk does not find only reads the new entries.
	 */
	smp_mb();
	rcu_read_lock();
}

static void domain_end_flush(void)
{
	rcu_read_unlock();
}
