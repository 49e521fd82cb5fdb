# SPDX-License-Identifier: GPL-2.0-only
"""Measure the instructions needed to map and unmap 256 MiB with /dev/iommu on machines with different IOMMUs.

Figures for different processors cannot be compared with each other.
"""
from dataclasses import replace
from statistics import median

from . import kernels as kernel
from . import measure, table
from .. import iommus, machine
from ..shell import say

# {IOMMU as in IOMMU=: column}. A virtio-iommu is left out: a map is a request to QEMU, which -icount does not count.
COLUMNS = {"intel": "VT-d", "amd": "AMD-Vi", "smmuv3": "SMMUv3 (arm64)"}
ROWS = ("map_fragmented", "unmap_fragmented", "map_thp", "unmap_thp")


def column(kind):
    """Return {row: median} of our kernel on the machine with the IOMMU `kind`."""
    fields = {**measure.COUNTING, **iommus.arguments(kind)}
    ours = kernel.ours(f"{fields.get('machine', machine.PC).prefix}release")
    values = measure.run(replace(ours, name=f"ours-{kind}"), "table", str(table.REPEATS), fields, ("iommufd",))
    return {row: median(values["iommufd"][row]) for row in ROWS}


def run(_):
    columns = [column(kind) for kind in COLUMNS]
    rows = [["instructions", *COLUMNS.values()]]
    for row in ROWS:
        title, divisor, _ = table.ROWS[row]
        rows.append([title, *(table.number(values[row], divisor) for values in columns)])
    say("\n256 MiB, one vCPU, medians, iommufd")
    for line in measure.show(rows):
        say(line)
    return []
