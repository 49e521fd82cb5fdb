/**
 * vfio_file_is_valid() - check whether a file can be added to KVM
 * @file: any file
 *
 * Groups and files of /dev/vfio/devices, bound or not, can be added. A device
 * fd of a group cannot, since the group is added instead.
 *
 * Return: true if @file can be added.
 */
bool vfio_file_is_valid(struct file *file)
{
	return vfio_file_is_group(file) || vfio_cdev_is_file(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_valid);
