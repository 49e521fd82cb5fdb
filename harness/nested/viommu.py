# SPDX-License-Identifier: GPL-2.0-only
"""Scenario: a machine with an emulated IOMMU, in which our kernel does DMA with passed-through edu devices.

QEMU maps for the devices in the outer kernel what the inner kernel maps in the emulated IOMMU. The IOMMU is in caching
mode, in which the inner kernel notifies it of each mapping.
"""
import contextlib
import io
import json
import re
import sys

from .. import guest, kernel, machine as machines, qemu10, selftest
from ..paths import BUILD, HARNESS, LOG
from .devices import EDU, SECOND_EDU

PROGRAMS = ["iommufd/ioas_dma", "iommufd/replace", "iommufd/ioas_race"]
NOTIFIED = re.compile(r"^vfio_iommu_map_notify iommu (MAP|UNMAP) ", re.M)
LEAST = 500         # number of notifications of each kind


def machine(door):
    return guest.Guest(
        f"nested-{door.name}", kernel.bzimage(BUILD / "release"), qemu=qemu10.installed(), cpus=1, memory="768M",
        iommu=f"{machines.PC.iommu},caching-mode=on", silence=900, timeout=1500,
        options=[*door.options, "-trace", "vfio_iommu_map_notify"],
        devices=[json.dumps(door.device(address)) for address in (EDU, SECOND_EDU)])


def errors(text):
    """Return what QEMU reported, apart from the notifications."""
    return [line for line in text.splitlines() if not NOTIFIED.match(line)]


def boot(door):
    """Run PROGRAMS in the machine; return its Outcome. Their output is printed as comments, as a sign of progress."""
    script = f". {HARNESS}/guest/tests.sh\nexport TEST_SECONDS=900\n"
    script += "".join(selftest.run("run_test", program) for program in PROGRAMS)
    LOG.mkdir(parents=True, exist_ok=True)
    # On a terminal, such as the guest's serial port, boot_once() would update a line of its own.
    with contextlib.redirect_stdout(io.StringIO()):
        return guest.boot_once(machine(door), script,
                               lambda line: print(f"# {line}", file=sys.__stdout__, flush=True))


def viommu(door):
    """Run kselftests in the machine: DMA reaches what is mapped and nothing else, also if mappings change rapidly."""
    outcome = boot(door)
    results = selftest.judge(outcome.lines, complete=False)
    results.add(outcome.failures())
    text = outcome.console.with_suffix(".qemu").read_text()
    for kind in "MAP", "UNMAP":
        seen = NOTIFIED.findall(text).count(kind)
        results.check(f"QEMU is notified of {seen} changes of kind {kind}", seen >= LEAST, errors(text)[-10:])
    return results
