// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/iopt/: a file for each space, named by its number.
 *
 * The lines are those of dump.c, made one by one as they are read, however
 * large the space is. Rule: a space exists without its file, if debugfs fails;
 * a file never exists without its space, because removing the file waits for
 * whoever is just reading it.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>

#include "io_pagetable.h"

/**
 * struct reader - an open file
 * @view: the line that was made last, to be shown at @pos
 * @pos: its number, as seq_file counts
 * @more: it is one; otherwise the end was reached
 */
struct reader {
	struct iopt_view view;
	loff_t pos;
	bool more;
};

static void *reader_step(struct reader *reader, loff_t pos)
{
	reader->more = iopt_view_next(&reader->view);
	reader->pos = pos;
	return reader->more ? reader : NULL;
}

/* Lines are asked for one after the other, or all from the beginning. */
static void *view_seq_start(struct seq_file *m, loff_t *pos)
{
	struct reader *reader = m->private;

	if (!*pos) {
		iopt_view_start(&reader->view, file_inode(m->file)->i_private);
		return reader_step(reader, 0);
	}
	return reader->more && *pos == reader->pos ? reader : NULL;
}

static void *view_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	return reader_step(v, ++*pos);
}

static void view_seq_stop(struct seq_file *m, void *v)
{
}

static int view_seq_show(struct seq_file *m, void *v)
{
	struct reader *reader = v;

	seq_puts(m, reader->view.line);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations view_seq_ops = {
	.start = view_seq_start,
	.next = view_seq_next,
	.stop = view_seq_stop,
	.show = view_seq_show,
};

static int view_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &view_seq_ops, sizeof(struct reader));
}

static const struct file_operations view_fops = {
	.owner = THIS_MODULE,
	.open = view_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static struct dentry *iopt_debugfs_dir;

/**
 * iopt_debugfs_add - show a space
 * @iopt: the space, whole but for its file
 *
 * Context: process context, may sleep. Whether it fails does not matter.
 */
void iopt_debugfs_add(struct io_pagetable *iopt)
{
	char name[24];

	snprintf(name, sizeof(name), "%lu", iopt->id);
	iopt->debugfs = debugfs_create_file(name, 0400, iopt_debugfs_dir, iopt,
					    &view_fops);
}

/**
 * iopt_debugfs_remove - no longer show a space
 * @iopt: the space
 *
 * Context: process context, may sleep; no lock of the space is held. Waits for
 * who is reading the file.
 */
void iopt_debugfs_remove(struct io_pagetable *iopt)
{
	debugfs_remove(iopt->debugfs);
}

/**
 * iopt_debugfs_init - make the directory
 *
 * Context: process context, may sleep.
 */
void iopt_debugfs_init(void)
{
	iopt_debugfs_dir = debugfs_create_dir("iopt", NULL);
}

/**
 * iopt_debugfs_exit - remove the directory, with nothing in it
 *
 * Context: process context, may sleep.
 */
void iopt_debugfs_exit(void)
{
	debugfs_remove(iopt_debugfs_dir);
}
