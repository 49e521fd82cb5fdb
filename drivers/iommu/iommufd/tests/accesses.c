// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test commands for accesses.
 *
 * An access is a file, which keeps the context alive. The pins of an access
 * have IDs. When pinned memory is unmapped, the access releases the pins, as
 * the driver of a mediated device would.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "test.h"

/**
 * struct test_access - an access and its pins
 * @access: the access
 * @lock: protects @pins and @last_id; held across pins and unpins
 * @move_lock: serialises moves of @access
 * @pins: list of &struct test_pins
 * @last_id: ID of the newest pins
 */
struct test_access {
	struct iommufd_access *access;
	struct mutex lock;	/* Protects pins */
	struct mutex move_lock;	/* Serialises moves */
	struct list_head pins;
	u32 last_id;
};

/**
 * struct test_pins - pages pinned by one command
 * @item: node in test_access.pins
 * @iova: first IOVA, page aligned
 * @length: length in bytes, a multiple of the page size
 * @id: ID of the pins
 */
struct test_pins {
	struct list_head item;
	unsigned long iova;
	unsigned long length;
	u32 id;
};

static void pins_release(struct test_access *test, struct test_pins *pins)
{
	lockdep_assert_held(&test->lock);
	iommufd_access_unpin_pages(test->access, pins->iova, pins->length);
	list_del(&pins->item);
	kfree(pins);
}

static void access_unmap(void *data, unsigned long iova, unsigned long length)
{
	struct test_access *test = data;
	struct test_pins *pins, *next;

	mutex_lock(&test->lock);
	list_for_each_entry_safe(pins, next, &test->pins, item)
		if (pins->iova <= iova + length - 1 &&
		    pins->iova + pins->length - 1 >= iova)
			pins_release(test, pins);
	mutex_unlock(&test->lock);
}

static const struct iommufd_access_ops access_ops = {
	.unmap = access_unmap,
};

static void access_free(struct test_access *test)
{
	/* Detaching calls access_unmap(), which releases the pins. */
	iommufd_access_destroy(test->access);
	WARN_ON(!list_empty(&test->pins));
	mutex_destroy(&test->lock);
	mutex_destroy(&test->move_lock);
	kfree(test);
}

static int access_file_release(struct inode *inode, struct file *file)
{
	access_free(file->private_data);
	return 0;
}

static const struct file_operations access_fops = {
	.owner = THIS_MODULE,
	.release = access_file_release,
	.llseek = noop_llseek,
};

static struct test_access *access_alloc(struct iommufd_ctx *ictx, u32 ioas_id,
					bool pins)
{
	struct test_access *test = kzalloc(sizeof(*test), GFP_KERNEL);
	int rc;
	u32 id;

	if (!test)
		return ERR_PTR(-ENOMEM);
	mutex_init(&test->lock);
	mutex_init(&test->move_lock);
	INIT_LIST_HEAD(&test->pins);
	test->access = iommufd_access_create(ictx, pins ? &access_ops : NULL,
					     test, &id);
	if (IS_ERR(test->access)) {
		rc = PTR_ERR(test->access);
		kfree(test);
		return ERR_PTR(rc);
	}
	rc = iommufd_access_attach(test->access, ioas_id);
	if (rc) {
		access_free(test);
		return ERR_PTR(rc);
	}
	return test;
}

int iommufd_test_create_access(struct iommufd_call *call)
{
	struct test_command *cmd = call->cmd;
	struct test_access *test;
	struct file *file;
	int rc, fd;

	if (cmd->access.flags & ~TEST_ACCESS_PINS)
		return -EOPNOTSUPP;
	test = access_alloc(call->ictx, cmd->id,
			    cmd->access.flags & TEST_ACCESS_PINS);
	if (IS_ERR(test))
		return PTR_ERR(test);
	file = anon_inode_getfile("[iommufd_test_access]", &access_fops, test,
				  O_RDWR);
	if (IS_ERR(file)) {
		access_free(test);
		return PTR_ERR(file);
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	cmd->access.out_fd = fd;
	rc = iommufd_respond(call, sizeof(*cmd));
	if (rc)
		goto err_fd;
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_file:
	fput(file);
	return rc;
}

static int access_move(struct test_access *test, u32 ioas_id)
{
	int rc;

	mutex_lock(&test->move_lock);
	rc = iommufd_access_attach(test->access, ioas_id);
	mutex_unlock(&test->move_lock);
	return rc;
}

/* Check that the pinned pages are those at a user address. */
static int check_pages(struct page **pages, unsigned long nr,
		       unsigned long uaddr)
{
	unsigned long i;

	for (i = 0; i != nr; i++) {
		struct page *page = iommufd_test_user_page(uaddr + i * PAGE_SIZE);

		if (IS_ERR(page))
			return PTR_ERR(page);
		put_page(page);
		if (page != pages[i])
			return -EFAULT;
	}
	return 0;
}

/* Pin the pages of @pins, and add @pins to the list on success. */
static int pins_add(struct test_access *test, struct test_pins *pins,
		    const struct test_command *cmd)
{
	unsigned int flags = cmd->pin.flags & TEST_PIN_WRITE ?
			     IOMMUFD_ACCESS_RW_WRITE : IOMMUFD_ACCESS_RW_READ;
	unsigned long nr = pins->length / PAGE_SIZE;
	struct page **pages;
	int rc;

	lockdep_assert_held(&test->lock);
	pages = kvcalloc(nr, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	rc = iommufd_access_pin_pages(test->access, pins->iova, pins->length,
				      pages, flags);
	if (!rc) {
		rc = check_pages(pages, nr, cmd->pin.uaddr & PAGE_MASK);
		if (rc)
			iommufd_access_unpin_pages(test->access, pins->iova,
						   pins->length);
	}
	kvfree(pages);
	if (rc)
		return rc;
	list_add(&pins->item, &test->pins);
	pins->id = ++test->last_id;
	return 0;
}

/* Pin the pages of a range. The range need not be aligned. */
static int access_pin(struct test_access *test, struct iommufd_call *call)
{
	unsigned long offset, length;
	struct test_command *cmd = call->cmd;
	struct test_pins *pins;
	int rc;

	if (cmd->pin.flags & ~TEST_PIN_WRITE)
		return -EOPNOTSUPP;
	if (!cmd->pin.length || cmd->pin.length > TEST_LENGTH_MAX)
		return -EINVAL;
	offset = offset_in_page(cmd->pin.iova);
	length = PAGE_ALIGN(offset + cmd->pin.length);
	pins = kzalloc(sizeof(*pins), GFP_KERNEL);
	if (!pins)
		return -ENOMEM;
	pins->iova = cmd->pin.iova - offset;
	pins->length = length;

	/* Make access_unmap() wait until @pins is in the list. */
	mutex_lock(&test->lock);
	rc = pins_add(test, pins, cmd);
	if (rc) {
		kfree(pins);
	} else {
		cmd->pin.out_id = pins->id;
		rc = iommufd_respond(call, sizeof(*cmd));
		if (rc)
			pins_release(test, pins);
	}
	mutex_unlock(&test->lock);
	return rc;
}

static int access_unpin(struct test_access *test, u32 id)
{
	struct test_pins *pins;
	int rc = -ENOENT;

	mutex_lock(&test->lock);
	list_for_each_entry(pins, &test->pins, item) {
		if (pins->id == id) {
			pins_release(test, pins);
			rc = 0;
			break;
		}
	}
	mutex_unlock(&test->lock);
	return rc;
}

static int access_rw(struct test_access *test, const struct test_command *cmd)
{
	void __user *user = u64_to_user_ptr(cmd->rw.uaddr);
	bool write = cmd->rw.flags & TEST_RW_WRITE;
	unsigned int flags = write ? IOMMUFD_ACCESS_RW_WRITE :
				     IOMMUFD_ACCESS_RW_READ;
	size_t length = cmd->rw.length;
	void *data;
	int rc = 0;

	if (cmd->rw.flags & ~(TEST_RW_WRITE | TEST_RW_SLOW))
		return -EOPNOTSUPP;
	if (length > TEST_LENGTH_MAX)
		return -EINVAL;
	if (cmd->rw.flags & TEST_RW_SLOW)
		flags |= IOMMUFD_ACCESS_RW_PINNED;
	data = kvzalloc(length, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (write && copy_from_user(data, user, length))
		rc = -EFAULT;
	if (!rc)
		rc = iommufd_access_rw(test->access, cmd->rw.iova, data, length,
				       flags);
	if (!rc && !write && copy_to_user(user, data, length))
		rc = -EFAULT;
	kvfree(data);
	return rc;
}

/* Run a command on an access. The ID is the file descriptor of the access. */
int iommufd_test_access(struct iommufd_call *call)
{
	const struct test_command *cmd = call->cmd;
	struct test_access *test;
	int rc = -EOPNOTSUPP;
	struct file *file;

	file = fget(cmd->id);
	if (!file)
		return -EBADF;
	if (file->f_op != &access_fops) {
		fput(file);
		return -EBADF;
	}
	test = file->private_data;
	switch (cmd->op) {
	case TEST_OP_MOVE_ACCESS:
		rc = access_move(test, cmd->ioas_id);
		break;
	case TEST_OP_PIN:
		rc = access_pin(test, call);
		break;
	case TEST_OP_UNPIN:
		rc = access_unpin(test, cmd->pin_id);
		break;
	case TEST_OP_RW:
		rc = access_rw(test, cmd);
		break;
	}
	fput(file);
	return rc;
}
