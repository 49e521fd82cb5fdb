# SPDX-License-Identifier: GPL-2.0-only
"""IOMMU=: choose the emulated machine by its IOMMU."""
import os

from . import machine
from .shell import Failure

# A PC with a virtio-iommu has no interrupt remapping, without which devices are refused unless the administrator
# permits unsafe interrupts.
UNSAFE = "iommufd.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=1"
# {IOMMU: arguments for guest.Guest}
KINDS = {
    "intel": {},
    "amd": {"iommu": "amd-iommu,intremap=on"},
    "smmuv3": {"iommu": "", "machine": machine.ARM},
    "virtio": {"iommu": "virtio-iommu-pci", "args": UNSAFE},
}


def given():
    """Return the IOMMU that IOMMU= names, by default intel."""
    kind = os.environ.get("IOMMU") or "intel"
    if kind not in KINDS:
        raise Failure(f"IOMMU={kind}: there is no such IOMMU. The IOMMUs are {', '.join(KINDS)}.")
    return kind


def arguments(kind):
    """Return the arguments for guest.Guest of a machine with this IOMMU."""
    return dict(KINDS[kind])


def board(kind):
    """Return the Machine with this IOMMU."""
    return KINDS[kind].get("machine", machine.PC)
