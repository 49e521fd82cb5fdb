// SPDX-License-Identifier: GPL-2.0-only
/* The debugfs file of a space (debugfs.c), which shows a dump of the space. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/uaccess.h>

#include "../io_pagetable.h"
#include "dump_text.h"

#define IOVA		0x100000000UL
#define OTHER		0x200000000UL

/**
 * struct debugfs_reader - open debugfs file of a space
 * @mount: mount of debugfs
 * @count: number of users of @mount
 * @file: the file
 * @uaddr: buffer for reads, one page of user memory
 */
struct debugfs_reader {
	struct vfsmount *mount;
	int count;
	struct file *file;
	char __user *uaddr;
};

static void debugfs_open(struct kunit *test, struct debugfs_reader *reader)
{
	struct file_system_type *type = get_fs_type("debugfs");
	struct test_space *space = test->priv;
	char name[32];

	KUNIT_ASSERT_NOT_NULL(test, type);
	*reader = (struct debugfs_reader){};
	KUNIT_ASSERT_EQ(test, 0,
			simple_pin_fs(type, &reader->mount, &reader->count));
	put_filesystem(type);
	snprintf(name, sizeof(name), "iopt/%lu", space->iopt->id);
	reader->file = file_open_root_mnt(reader->mount, name, O_RDONLY, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader->file));
	reader->uaddr = (char __user *)test_touched(test, 1);
}

static void debugfs_close(struct debugfs_reader *reader)
{
	fput(reader->file);
	flush_delayed_fput();
	simple_release_fs(&reader->mount, &reader->count);
}

/* Read the file from @pos to its end, @bytes at a time. */
static const char *debugfs_text(struct kunit *test,
				struct debugfs_reader *reader, loff_t pos,
				size_t bytes)
{
	struct seq_buf *text = test_text_alloc(test);
	ssize_t nr;

	while ((nr = vfs_read(reader->file, reader->uaddr, bytes, &pos)) > 0) {
		KUNIT_ASSERT_LE(test, text->len + nr, text->size);
		KUNIT_ASSERT_EQ(test, 0,
				copy_from_user(text->buffer + text->len,
					       reader->uaddr, nr));
		text->len += nr;
	}
	KUNIT_EXPECT_EQ(test, 0, nr);
	return test_text_of(text);
}

/* Reads of any size, from any offset, return the matching part of the dump. */
static void debugfs_reads_of_any_size(struct kunit *test)
{
	struct seq_buf *text = test_text_alloc(test);
	struct debugfs_reader reader;
	unsigned int i;

	test_view_areas(test, text);
	debugfs_open(test, &reader);
	KUNIT_EXPECT_EQ(test, 0400, file_inode(reader.file)->i_mode & 07777);
	KUNIT_EXPECT_STREQ(test, test_text_of(text),
			   debugfs_text(test, &reader, 0, PAGE_SIZE));
	KUNIT_EXPECT_STREQ(test, test_text_of(text),
			   debugfs_text(test, &reader, 0, 7));
	for (i = 1; i < text->len; i += 97)
		KUNIT_EXPECT_STREQ(test, test_text_of(text) + i,
				   debugfs_text(test, &reader, i, 64));
	debugfs_close(&reader);
}

/*
 * A dump is complete even if it exceeds the buffer of a read, whether one area
 * has many runs or the space has many areas.
 */
static void debugfs_dump_exceeds_buffer(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long n = 150, uaddr = test_touched(test, n), i;
	struct debugfs_reader reader;
	const char *whole;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, n));
	for (i = 0; i != n; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, OTHER + PAGES(2 * i),
					 uaddr + PAGES(i), 1));
	whole = test_view_text(test);
	KUNIT_EXPECT_GT(test, strlen(whole), 4 * PAGE_SIZE);
	debugfs_open(test, &reader);
	KUNIT_EXPECT_STREQ(test, whole,
			   debugfs_text(test, &reader, 0, PAGE_SIZE));
	debugfs_close(&reader);
}

/* Reading an open file fails once its space has been freed. */
static void debugfs_read_after_free_EIO(struct kunit *test)
{
	const struct iopt_policy policy = { .gfp = GFP_KERNEL };
	struct debugfs_reader reader;
	loff_t pos = 0;

	debugfs_open(test, &reader);
	KUNIT_EXPECT_EQ(test, 10, vfs_read(reader.file, reader.uaddr, 10,
					   &pos));
	test_space_replace(test, &policy);
	KUNIT_EXPECT_EQ(test, -EIO, vfs_read(reader.file, reader.uaddr, 10,
					     &pos));
	debugfs_close(&reader);
}

static struct kunit_case debugfs_cases[] = {
	KUNIT_CASE(debugfs_reads_of_any_size),
	KUNIT_CASE(debugfs_dump_exceeds_buffer),
	KUNIT_CASE(debugfs_read_after_free_EIO),
	{}
};

static struct kunit_suite debugfs_suite = {
	.name = "iopt-debugfs",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = debugfs_cases,
};

kunit_test_suite(debugfs_suite);
