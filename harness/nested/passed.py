# SPDX-License-Identifier: GPL-2.0-only
"""The devices that are passed through, as devices of QEMU, and their slots in the nested machine."""
from . import devices

NVME_SLOT, EDU_SLOT = 5, 6


def disk(door):
    """Return the device from whose disk the machine boots."""
    return door.device(devices.NVME, id="disk", addr=str(NVME_SLOT), bootindex=1)


def nic(door):
    """Return the device from which the machine boots a program of the network."""
    return door.device(devices.NIC, bootindex=1)


def edu(door):
    return door.device(devices.EDU, addr=str(EDU_SLOT))
