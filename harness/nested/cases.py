# SPDX-License-Identifier: GPL-2.0-only
"""The scenarios by name. Each takes a door and returns results."""
from .block_driver import block_driver
from .booting import boot, hugetlbfs, memfd, network
from .hotplug import device, memory
from .killed import killed
from .viommu import viommu

FIRMWARE = {
    "nvme": boot, "memfd": memfd, "hugetlbfs": hugetlbfs, "nic": network, "hotplug-device": device,
    "hotplug-memory": memory, "kill": killed,
}
LINUX = {"viommu": viommu}
# QEMU's NVMe driver has no other door than the container. It reads the usable IOVAs before it opens the device, and an
# iommufd as the container then returns all of them, among which the driver finds none.
TYPE1_ONLY = {"nvme-driver": block_driver}
ALL = {**FIRMWARE, **LINUX, **TYPE1_ONLY}
