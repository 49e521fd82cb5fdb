# SPDX-License-Identifier: GPL-2.0-only
"""Run QEMU 10, unmodified, as a client of vfio in a guest: through the container and through /dev/iommu.

The guest has an NVMe controller, a NIC and edu devices, which QEMU passes through to a machine that it emulates in the
guest (see nested/). Each scenario checks what that machine transferred by DMA, and that memory was pinned and charged.
After each one, the number of pinned pages must be what it was before, and in the end the kernel log must be clean.
"""
import sys

from . import guest, kernel, qemu10, selftest
from .nested import devices, firmware
from .nested.doors import DOORS
from .nested.scenarios import SCENARIOS
from .paths import BUILD, HARNESS, ROOT

FOLDER = BUILD / "nested"
DISK, NETWORK = FOLDER / "disk", FOLDER / "tftp"
HUGE_PAGES = 160


def build():
    """Build the disk image and the folder from which a network boot program is loaded."""
    NETWORK.mkdir(parents=True, exist_ok=True)
    source = HARNESS / "nested/boot.S"
    firmware.write_disk(DISK, firmware.assemble(source, FOLDER, disk=True))
    firmware.write_network(NETWORK / "boot", firmware.assemble(source, FOLDER, disk=False))


def machine(name, bzimage):
    """Return the guest, with the devices of nested/devices.py."""
    slot = {address: f"addr={address[8:]}" for address in devices.ALL}
    return guest.Guest(
        name, bzimage, qemu=qemu10.installed(), memory="3G", timeout=3600, silence=300,
        options=["-drive", f"file={DISK},if=none,id=disk,format=raw",
                 "-netdev", f"user,id=net,tftp={NETWORK},bootfile=boot"],
        devices=[f"{guest.EDU[0]}", guest.EDU[1], f"nvme,serial=1,drive=disk,{slot[devices.NVME]}",
                 f"e1000e,netdev=net,{slot[devices.NIC]}"])


def script(pairs):
    """Return the script of the guest, which runs each (scenario, door)."""
    return (f". {HARNESS}/guest/tests.sh\nexport PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1 TEST_SECONDS=900\n"
            f"huge_pages {HUGE_PAGES}\nbind_vfio {' '.join(devices.ALL)}\n"
            + "".join(f"run_test {scenario}-{door} / {sys.executable[1:]} -m harness.nested {scenario} {door}\n"
                      for scenario, door in pairs))


def qemu(pairs=None):
    """Run the scenarios through both doors under our release kernel; return the results."""
    build()
    pairs = pairs or [(scenario, door) for door in DOORS for scenario in SCENARIOS]
    outcome = guest.boot(machine("qemu-client", kernel.bzimage(kernel.build("release"))), script(pairs))
    results = selftest.judge(outcome.lines, complete=False)
    results.check("the disk has what the nested machine wrote", firmware.written(DISK))
    results.add(outcome.failures())
    return results
