// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommu: the device file and the dispatch of its ioctls.
 *
 * A table lists the commands. Before the handler of a listed command is called,
 * the size of the argument is checked, and the argument is converted to the
 * struct of this kernel.
 *
 * An invalid request is reported by an errno and never logged, so that user
 * space cannot flood the log.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

static int iommufd_destroy(struct iommufd_call *call)
{
	struct iommu_destroy *cmd = call->cmd;

	return iommufd_object_destroy(call->ictx, cmd->id);
}

static int iommufd_check_extension(struct iommufd_call *call)
{
	struct iommu_check_extension *cmd = call->cmd;

	switch (cmd->extension) {
	case IOMMU_EXT_MAP_TYPE1V2:
	case IOMMU_EXT_DMA_NO_SNOOP:
	case IOMMU_EXT_ENFORCE_SNOOP:
	case IOMMU_EXT_ADDR_WIDTH:
	case IOMMU_EXT_MAP_BEFORE_ATTACH:
	case IOMMU_EXT_MAP_ANY_IOVA:
		cmd->out_value = 1;
		break;
	default:
		cmd->out_value = 0;
	}
	return iommufd_respond(call, sizeof(*cmd));
}

union any_command {
	struct iommu_destroy destroy;
	struct iommu_ioas_alloc ioas_alloc;
	struct iommu_ioas_allow_iovas allow_iovas;
	struct iommu_ioas_copy copy;
	struct iommu_ioas_iova_ranges iova_ranges;
	struct iommu_ioas_map map;
	struct iommu_ioas_unmap unmap;
	struct iommu_option option;
	struct iommu_vfio_ioas vfio_ioas;
	struct iommu_hwpt_alloc hwpt_alloc;
	struct iommu_hw_info hw_info;
	struct iommu_device_get_info get_info;
	struct iommu_check_extension check_extension;
	struct iommu_ioasid_alloc ioasid_alloc;
	struct iommu_device_set_cookie set_cookie;
};

/*
 * @size is the size of the argument in this kernel. @min_size is the offset of
 * the end of the last field in the first version of the command.
 */
struct command {
	int (*handler)(struct iommufd_call *call);
	u32 size;
	u32 min_size;
};

#define CMD_INDEX(nr) ((nr) - IOMMUFD_CMD_BASE)

static const struct command commands[] = {
	[CMD_INDEX(IOMMUFD_CMD_DESTROY)] = {
		.handler = iommufd_destroy,
		.size = sizeof(struct iommu_destroy),
		.min_size = offsetofend(struct iommu_destroy, id),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOAS_ALLOC)] = {
		.handler = iommufd_ioas_alloc,
		.size = sizeof(struct iommu_ioas_alloc),
		.min_size = offsetofend(struct iommu_ioas_alloc, out_ioas_id),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOAS_ALLOW_IOVAS)] = {
		.handler = iommufd_ioas_allow_iovas,
		.size = sizeof(struct iommu_ioas_allow_iovas),
		.min_size = offsetofend(struct iommu_ioas_allow_iovas,
					allowed_iovas),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOAS_COPY)] = {
		.handler = iommufd_ioas_copy,
		.size = sizeof(struct iommu_ioas_copy),
		.min_size = offsetofend(struct iommu_ioas_copy, src_iova),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOAS_IOVA_RANGES)] = {
		.handler = iommufd_ioas_iova_ranges,
		.size = sizeof(struct iommu_ioas_iova_ranges),
		.min_size = offsetofend(struct iommu_ioas_iova_ranges,
					out_iova_alignment),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOAS_MAP)] = {
		.handler = iommufd_ioas_map,
		.size = sizeof(struct iommu_ioas_map),
		.min_size = offsetofend(struct iommu_ioas_map, iova),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOAS_UNMAP)] = {
		.handler = iommufd_ioas_unmap,
		.size = sizeof(struct iommu_ioas_unmap),
		.min_size = offsetofend(struct iommu_ioas_unmap, length),
	},
	[CMD_INDEX(IOMMUFD_CMD_OPTION)] = {
		.handler = iommufd_option,
		.size = sizeof(struct iommu_option),
		.min_size = offsetofend(struct iommu_option, val64),
	},
	[CMD_INDEX(IOMMUFD_CMD_VFIO_IOAS)] = {
		.handler = iommufd_vfio_ioas,
		.size = sizeof(struct iommu_vfio_ioas),
		.min_size = offsetofend(struct iommu_vfio_ioas, __reserved),
	},
	[CMD_INDEX(IOMMUFD_CMD_HWPT_ALLOC)] = {
		.handler = iommufd_hwpt_alloc,
		.size = sizeof(struct iommu_hwpt_alloc),
		.min_size = offsetofend(struct iommu_hwpt_alloc, __reserved),
	},
	[CMD_INDEX(IOMMUFD_CMD_GET_HW_INFO)] = {
		.handler = iommufd_device_get_hw_info,
		.size = sizeof(struct iommu_hw_info),
		.min_size = offsetofend(struct iommu_hw_info, __reserved),
	},
	[CMD_INDEX(IOMMUFD_CMD_DEVICE_GET_INFO)] = {
		.handler = iommufd_device_get_info,
		.size = sizeof(struct iommu_device_get_info),
		.min_size = offsetofend(struct iommu_device_get_info,
					pgsize_bitmap),
	},
	[CMD_INDEX(IOMMUFD_CMD_CHECK_EXTENSION)] = {
		.handler = iommufd_check_extension,
		.size = sizeof(struct iommu_check_extension),
		.min_size = offsetofend(struct iommu_check_extension,
					out_value),
	},
	[CMD_INDEX(IOMMUFD_CMD_IOASID_ALLOC)] = {
		.handler = iommufd_ioasid_alloc,
		.size = sizeof(struct iommu_ioasid_alloc),
		.min_size = offsetofend(struct iommu_ioasid_alloc, out_ioasid),
	},
	[CMD_INDEX(IOMMUFD_CMD_DEVICE_SET_COOKIE)] = {
		.handler = iommufd_device_set_cookie,
		.size = sizeof(struct iommu_device_set_cookie),
		.min_size = offsetofend(struct iommu_device_set_cookie, cookie),
	},
};

static long iommufd_ioctl(struct file *file, unsigned int number,
			  unsigned long arg)
{
	unsigned int nr = _IOC_NR(number);
	struct iommufd_call call = {
		.ictx = file->private_data,
		.arg = (void __user *)arg,
	};
	const struct command *command;
	union any_command cmd;
	int rc;

	if (number != _IO(IOMMUFD_TYPE, nr))
		return -ENOTTY;
	/* The ioctls of vfio have the same type and lower numbers. */
	if (nr < IOMMUFD_CMD_BASE)
		return iommufd_container_ioctl(call.ictx, number, arg);
	if (CMD_INDEX(nr) >= ARRAY_SIZE(commands))
		return -ENOTTY;
	command = &commands[array_index_nospec(CMD_INDEX(nr),
					       ARRAY_SIZE(commands))];
	if (!command->handler)
		return -ENOTTY;

	if (get_user(call.size, (u32 __user *)call.arg))
		return -EFAULT;
	if (iommufd_is_test(nr, call.size))
		return iommufd_test(&call);
	if (call.size < command->min_size)
		return -EINVAL;
	/* Bound the number of trailing bytes that are checked for zeros. */
	if (call.size > PAGE_SIZE)
		return -E2BIG;
	rc = copy_struct_from_user(&cmd, command->size, call.arg, call.size);
	if (rc)
		return rc;

	call.cmd = &cmd;
	return command->handler(&call);
}

static int iommufd_open(struct inode *inode, struct file *file)
{
	struct iommufd_ctx *ictx;

	ictx = kzalloc(sizeof(*ictx), GFP_KERNEL_ACCOUNT);
	if (!ictx)
		return -ENOMEM;
	ictx->file = file;
	xa_init_flags(&ictx->objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&ictx->put_wq);
	/* Users of /dev/vfio/vfio expect type1, which charges VmLck. */
	ictx->account = iminor(inode) == VFIO_MINOR ? IOPT_ACCOUNT_MM :
						      IOPT_ACCOUNT_USER;
	file->private_data = ictx;
	return 0;
}

static int iommufd_release(struct inode *inode, struct file *file)
{
	struct iommufd_ctx *ictx = file->private_data;

	iommufd_objects_release(ictx);
	kfree(ictx);
	return 0;
}

static const struct file_operations iommufd_fops = {
	.owner = THIS_MODULE,
	.open = iommufd_open,
	.release = iommufd_release,
	.unlocked_ioctl = iommufd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/**
 * iommufd_ctx_from_file() - get the context of a file
 * @file: any file
 *
 * Return: the context with a reference held, which the caller drops with
 * iommufd_ctx_put(), or an ERR_PTR():
 * * %-EBADFD - @file is not an iommufd.
 */
struct iommufd_ctx *iommufd_ctx_from_file(struct file *file)
{
	if (file->f_op != &iommufd_fops)
		return ERR_PTR(-EBADFD);
	get_file(file);
	return file->private_data;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_file, IOMMUFD);

/**
 * iommufd_ctx_from_fd() - get the context of a file descriptor
 * @fd: file descriptor of the calling process
 *
 * Context: Process context. May sleep.
 * Return: as for iommufd_ctx_from_file(), or
 * * %-EBADF - @fd is not open.
 */
struct iommufd_ctx *iommufd_ctx_from_fd(int fd)
{
	struct iommufd_ctx *ictx;
	struct fd f = fdget(fd);

	if (!f.file)
		return ERR_PTR(-EBADF);
	ictx = iommufd_ctx_from_file(f.file);
	fdput(f);
	return ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_fd, IOMMUFD);

/**
 * iommufd_ctx_get() - take another reference to a context
 * @ictx: the context; the caller holds a reference
 */
void iommufd_ctx_get(struct iommufd_ctx *ictx)
{
	get_file(ictx->file);
}

/**
 * iommufd_ctx_put() - drop a reference to a context
 * @ictx: the context, which may be freed
 */
void iommufd_ctx_put(struct iommufd_ctx *ictx)
{
	fput(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_put, IOMMUFD);

static struct miscdevice iommufd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommu",
	.nodename = "iommu",
	.mode = 0660,
	.fops = &iommufd_fops,
};

/* /dev/vfio/vfio, if the vfio module does not provide it */
static struct miscdevice iommufd_vfio_misc = {
	.minor = VFIO_MINOR,
	.name = "vfio",
	.nodename = "vfio/vfio",
	.mode = 0666,
	.fops = &iommufd_fops,
};

static int __init iommufd_init(void)
{
	int rc = iommufd_test_init();

	if (rc)
		return rc;
	rc = misc_register(&iommufd_misc);
	if (rc)
		goto err_test;
	if (!IS_ENABLED(CONFIG_IOMMUFD_VFIO_CONTAINER))
		return 0;
	rc = misc_register(&iommufd_vfio_misc);
	if (!rc)
		return 0;

	misc_deregister(&iommufd_misc);
err_test:
	iommufd_test_exit();
	return rc;
}

static void __exit iommufd_exit(void)
{
	if (IS_ENABLED(CONFIG_IOMMUFD_VFIO_CONTAINER))
		misc_deregister(&iommufd_vfio_misc);
	misc_deregister(&iommufd_misc);
	iommufd_test_exit();
}

module_init(iommufd_init);
module_exit(iommufd_exit);
#ifdef CONFIG_IOMMUFD_VFIO_CONTAINER
MODULE_ALIAS_MISCDEV(VFIO_MINOR);
MODULE_ALIAS("devname:vfio/vfio");
#endif
