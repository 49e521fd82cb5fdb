// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debugfs files of spaces, /sys/kernel/debug/iopt/<number>.
 *
 * dump.c formats the lines one by one as they are read, so that a large space
 * needs no large buffer. A space may lack a file, because debugfs errors are
 * ignored. The file is removed before its space is freed. The removal waits for
 * running reads, and later reads of a file that is still open fail, so no read
 * uses a freed space.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>

#include "debugfs.h"
#include "dump.h"
#include "io_pagetable.h"

/**
 * struct reader - an open debugfs file of a space
 * @view: iterator over the lines; contains the line at @pos
 * @pos: number of the line in @view, used as the seq_file position
 * @more: true if @view contains a line; false after the last line
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

/*
 * A dump can only move forward. Support the positions that seq_file requests
 * during a sequential read, which are the current one and 0, and report the end
 * of the file at any other position.
 */
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

	seq_printf(m, "%s\n", reader->view.line);
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
 * iopt_debugfs_add() - create the file of a space
 * @iopt: the space, which is fully set up except for its file
 *
 * Errors are ignored, because a space works without its file.
 *
 * Context: process context, may sleep.
 */
void iopt_debugfs_add(struct io_pagetable *iopt)
{
	char name[24];

	snprintf(name, sizeof(name), "%lu", iopt->id);
	iopt->debugfs = debugfs_create_file(name, 0400, iopt_debugfs_dir, iopt,
					    &view_fops);
}

/**
 * iopt_debugfs_remove() - remove the file of a space
 * @iopt: the space
 *
 * Context: process context, may sleep; no lock of the space is held. Waits
 * until running reads of the file have returned.
 */
void iopt_debugfs_remove(struct io_pagetable *iopt)
{
	debugfs_remove(iopt->debugfs);
}

/**
 * iopt_debugfs_init() - create the directory of the engine
 *
 * Context: process context, may sleep.
 */
void iopt_debugfs_init(void)
{
	iopt_debugfs_dir = debugfs_create_dir("iopt", NULL);
}

/**
 * iopt_debugfs_exit() - remove the directory of the engine
 *
 * All spaces have been freed by now, and their files removed with them.
 *
 * Context: process context, may sleep.
 */
void iopt_debugfs_exit(void)
{
	debugfs_remove(iopt_debugfs_dir);
}
