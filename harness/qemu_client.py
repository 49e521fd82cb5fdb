# SPDX-License-Identifier: GPL-2.0-only
"""Run QEMU 10, unmodified, as a client of vfio in guests: through the container and through /dev/iommu.

A guest has an NVMe controller, a NIC and edu devices, which QEMU passes through to a machine that it emulates in the
guest (see nested/). Each scenario checks what that machine transferred by DMA, and that memory was pinned and charged.
Each one must leave as many pages pinned as before. At the end, the kernel log must be clean.
"""
import sys

from . import guest, inherit, kernel, machine as machines, packages, qemu10, selftest
from .nested import cases, devices, firmware
from .nested.doors import DOORS
from .paths import BUILD, HARNESS, ROOT

FOLDER = BUILD / "nested"
DISK, NETWORK = FOLDER / "disk", FOLDER / "tftp"
HUGE_PAGES = 160


def build():
    """Build a disk image and a network boot program for the nested machines, and the kselftests that they run."""
    NETWORK.mkdir(parents=True, exist_ok=True)
    source = HARNESS / "nested/boot.S"
    firmware.write_disk(DISK, firmware.assemble(source, FOLDER, disk=True))
    firmware.write_network(NETWORK / "boot", firmware.assemble(source, FOLDER, disk=False))
    selftest.build_programs(machines.PC, kernel.headers(kernel.build("release")))


def machine(name, bzimage, **fields):
    """Return the guest, with the devices of nested/devices.py. `fields` are arguments for guest.Guest."""
    slot = {address: f"addr={address[8:]}" for address in devices.ALL}
    return guest.Guest(
        name, bzimage, qemu=qemu10.installed(), memory="3G", timeout=3600, silence=600, **fields,
        options=["-drive", f"file={DISK},if=none,id=disk,format=raw",
                 "-netdev", f"user,id=net,tftp={NETWORK},bootfile=boot"],
        devices=[*guest.EDU[:2], f"nvme,serial=1,drive=disk,{slot[devices.NVME]}",
                 f"e1000e,netdev=net,{slot[devices.NIC]}"])


def script(pairs):
    """Return the script of the guest, which runs each (scenario, door)."""
    return (f". {HARNESS}/guest/tests.sh\nexport PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1 TEST_SECONDS=1800\n"
            f"huge_pages {HUGE_PAGES}\nbind_vfio {' '.join(devices.ALL)}\n"
            + "".join(f"run_test {scenario}-{door} / {sys.executable[1:]} -m harness.nested {scenario} {door}\n"
                      for scenario, door in pairs))


def run(name, bzimage, pairs, allowed=(), **fields):
    """Run each (scenario, door) in a guest; return the results.

    `allowed` lists the findings in the kernel log that are not failures. Other arguments are for guest.Guest.
    """
    outcome = guest.boot(machine(f"qemu-{name}", bzimage, **fields), script(pairs))
    results = selftest.judge(outcome.lines, complete=False)
    results.add(outcome.failures(allowed))
    return results


def through(doors, name, bzimage, more=()):
    """Run the scenarios of machines without an operating system through doors, and `more` of them; return the results.

    `more` lists (scenario, door).
    """
    build()
    results = run(name, bzimage, [(scenario, door) for door in doors for scenario in cases.FIRMWARE] + [*more])
    results.check("the disk has what the nested machines wrote", firmware.written(DISK))
    return results


def qemu():
    """Run all scenarios under our release kernel; return the results."""
    packages.need([*packages.KERNEL, *packages.DEBOOTSTRAP, *packages.BLOCK])
    bzimage = kernel.bzimage(kernel.build("release"))
    results = through(DOORS, "firmware", bzimage, [(scenario, "container") for scenario in cases.TYPE1_ONLY])
    # The kselftests in the nested machine show that DMA is blocked. With two emulated processors, QEMU can hang, which
    # is more likely in a long run.
    for door in DOORS:
        pairs = [(scenario, door) for scenario in cases.LINUX]
        results.add(run(f"linux-{door}", bzimage, pairs, ["dma-fault"], cpus=1))
    return results


def container():
    """Run scenarios under our kernel with an iommufd as /dev/vfio/vfio; return the results."""
    packages.need([*packages.KERNEL, *packages.DEBOOTSTRAP, *packages.BLOCK])
    return through(["container"], "container", kernel.bzimage(inherit.container()))
