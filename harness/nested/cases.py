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
CONTAINER_ONLY = {"nvme-driver": block_driver}
ALL = {**FIRMWARE, **LINUX, **CONTAINER_ONLY}
