# SPDX-License-Identifier: GPL-2.0-only
"""Delays after the release of a lock in our code, by a module of probes: races between a release and a use get wide."""
import re

from . import modules
from .shell import Failure, output

FOLDERS = ("drivers/iommu/iopt", "drivers/iommu/iommufd", "drivers/vfio")
SYMBOL = re.compile(r"^([0-9a-f]+) +(g|l) +F +\.text\t([0-9a-f]+) +(\w+)$", re.M)
SECTION = re.compile(r"^ +\d+ +\.text +([0-9a-f]+) ", re.M)
REPORT = re.compile(r"^# widen: (\d+) delays, \d+ asleep, (\d+) of them long$")
# Objects that are freed after a grace period are freed soon: the kernel keeps them for seconds unless memory is short.
# The first write only makes the others silent.
# Expedited grace periods are short; they are not asked for at boot, which they may hold up.
RECLAIM = """
echo 1 >/sys/kernel/rcu_expedited
echo 4 >/proc/sys/vm/drop_caches
while sleep 0.1; do
	echo 2 >/proc/sys/vm/drop_caches
done &
reclaim=$!
"""


def ranges(out):
    """The merged address ranges of the built-in objects of FOLDERS: a global function says where an object lies."""
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
        raise Failure(f"{out.name}: no object of {', '.join(FOLDERS)} is found in System.map")
    return merged


def begin(out):
    """The lines of a guest's script that load the module."""
    numbers = ",".join(f"{number:#x}" for place in ranges(out) for number in place)
    return f"insmod {modules.build('widen', out)} ranges={numbers} || exit\n{RECLAIM}"


def end():
    """The lines of a guest's script that print the module's report."""
    return 'kill $reclaim\necho "# widen: $(cat /sys/module/widen/parameters/report)"\n'


def delays(lines):
    """How many delays a guest's script reported, the long ones among them: (0, 0) without a report."""
    found = [tuple(map(int, match.groups())) for match in map(REPORT.match, lines) if match]
    return found[-1] if found else (0, 0)
