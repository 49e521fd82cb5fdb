# SPDX-License-Identifier: GPL-2.0-only
"""Widen races with the module in widen/, which delays threads after our code releases a lock.

If another thread may free an object after the release, a use of the object by the delayed thread is likely to be a use
after free.
"""
import os
import re

from . import modules
from .shell import Failure, output

FOLDERS = ("drivers/iommu/iopt", "drivers/iommu/iommufd", "drivers/vfio")
SYMBOL = re.compile(r"^([0-9a-f]+) +(g|l) +F +\.text\t([0-9a-f]+) +(\w+)$", re.M)
SECTION = re.compile(r"^ +\d+ +\.text +([0-9a-f]+) ", re.M)
REPORT = re.compile(r"^# widen: (\d+) delays, \d+ asleep, (\d+) of them long$")
# Shell lines that make RCU free objects early. The kernel delays kfree_rcu() by seconds unless memory is short, so make
# the guest shrink its caches continuously. The write of 4 to drop_caches silences the messages about later writes.
# Grace periods are expedited here rather than by a boot parameter, which may stall the boot.
RECLAIM = """
echo 1 >/sys/kernel/rcu_expedited
echo 4 >/proc/sys/vm/drop_caches
while sleep 0.1; do
	echo 2 >/proc/sys/vm/drop_caches
done &
reclaim=$!
"""


def given():
    """Return whether WIDEN= is 1; raise Failure if it is set to anything else."""
    value = os.environ.get("WIDEN")
    if value not in (None, "", "1"):
        raise Failure(f"WIDEN={value}: give 1, or leave WIDEN= out")
    return value == "1"


def ranges(out):
    """Return the merged address ranges of the built-in objects of FOLDERS.

    System.map does not list objects. The address of an object is derived from that of a global function in it; objects
    without one are left out.
    """
    addresses = {}
    for line in (out / "System.map").read_text().splitlines():
        address, kind, name = line.split()
        if kind == "T":
            addresses[name] = int(address, 16)
    found = []
    for folder in FOLDERS:
        for file in sorted((out / folder).rglob("*.o")):
            if file.name == "built-in.o" or "/tests/" in str(file) or file.name.endswith(".mod.o"):
                continue
            text = output("objdump", "-t", "-h", "-j", ".text", file)
            size = SECTION.search(text)
            place = next((addresses[name] - int(start, 16) for start, scope, _, name in SYMBOL.findall(text)
                          if scope == "g" and name in addresses), None)
            if size and place:
                found.append((place, place + int(size.group(1), 16)))
    merged = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1] + 64:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([start, end])
    if not merged:
        raise Failure(f"{out.name}: System.map has no function of {', '.join(FOLDERS)}")
    return merged


def begin(out):
    """Return the lines of a guest's script that load the module and start RECLAIM, which runs until end()."""
    numbers = ",".join(f"{number:#x}" for place in ranges(out) for number in place)
    return f"insmod {modules.build('widen', out)} ranges={numbers} || exit\n{RECLAIM}"


def end():
    """Return the lines of a guest's script that stop RECLAIM and print the module's report."""
    return 'kill $reclaim\necho "# widen: $(cat /sys/module/widen/parameters/report)"\n'


def delays(lines):
    """Return the (delays, long delays) that the module reported, or (0, 0) without a report."""
    found = [tuple(map(int, match.groups())) for match in map(REPORT.match, lines) if match]
    return found[-1] if found else (0, 0)
