/**
 * vfio_pci_core_match_token_uuid() - check a VF token
 * @core_vdev: the device to open
 * @uuid: the token, or NULL if the user passed none
 * @set: make @uuid the token if @core_vdev is a PF with no VF in use
 *
 * The rules are those of vfio_pci_core_match(), which reads the token from the
 * device name and acts as if @set were true.
 *
 * Context: May sleep. Takes the lock of the token.
 * Return: 0, or
 * * %-EACCES - The token is missing or wrong.
 * * %-EINVAL - A token is passed for a device that has none.
 *
 * On failure the token of the PF is unchanged.
 */
int vfio_pci_core_match_token_uuid(struct vfio_device *core_vdev,
				   const uuid_t *uuid, bool set)
{
	struct vfio_pci_core_device *vdev =
		container_of(core_vdev, struct vfio_pci_core_device, vdev);

	return vfio_pci_validate_vf_token(vdev, !!uuid, uuid, set);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_match_token_uuid);
