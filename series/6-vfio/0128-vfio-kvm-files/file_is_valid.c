/**
 * vfio_file_is_valid() - check whether a file can be added to KVM
 * @file: any file
 *
 * Files of groups, and files in /dev/vfio/devices whether bound or not, can be
 * added. Device files obtained from a group cannot: the group is added instead.
 *
 * Return: true if @file can be added.
 */
bool vfio_file_is_valid(struct file *file)
{
	return vfio_file_is_group(file) || vfio_cdev_is_file(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_valid);
