# SPDX-License-Identifier: GPL-2.0-only
"""The passed-through devices as devices of the nested machine."""
from . import devices

NVME_SLOT, EDU_SLOT = 5, 6


def disk(door):
    """Return the NVMe controller, from which the machine boots."""
    return door.device(devices.NVME, id="disk", addr=str(NVME_SLOT), bootindex=1)


def nic(door):
    """Return the NIC, through which the machine boots from the network."""
    return door.device(devices.NIC, bootindex=1)


def edu(door):
    return door.device(devices.EDU, addr=str(EDU_SLOT))
