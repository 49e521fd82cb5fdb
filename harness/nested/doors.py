# SPDX-License-Identifier: GPL-2.0-only
"""The interfaces through which QEMU maps the memory of its machine for devices."""
from dataclasses import dataclass


@dataclass
class Door:
    name: str
    options: list       # arguments of QEMU
    properties: dict    # properties of each vfio-pci device
    counter: str        # line of /proc/PID/status that counts the mapped memory

    def device(self, address, **properties):
        """Return the properties of a device that passes through the PCI device with this address."""
        return {"driver": "vfio-pci", "host": address, **self.properties, **properties}


DOORS = {door.name: door for door in [
    Door("container", [], {}, "VmLck"),
    # /dev/iommu charges the user, and VmLck remains 0.
    Door("iommufd", ["-object", "iommufd,id=f"], {"iommufd": "f"}, "VmPin"),
]}
