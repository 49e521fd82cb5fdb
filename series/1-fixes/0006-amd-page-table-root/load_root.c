/*
 * Get the root and the mode of the page table for a walk. Both are read from
 * one word, since another thread may add a level to the page table. A walk from
 * the old root finds all IOVAs that its mode covers, because the old root
 * becomes a table of the new one.
 */
static u64 *v1_load_root(struct amd_io_pgtable *pgtable, int *mode)
{
	u64 pt_root = atomic64_read(&pgtable->pt_root);

	*mode = pt_root & 7;
	return (u64 *)(pt_root & PAGE_MASK);
}
