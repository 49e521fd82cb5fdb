# SPDX-License-Identifier: GPL-2.0-only
"""Measure how many instructions a map, an unmap and an attach take, depending on the number of mappings in a space."""
from . import measure
from ..shell import say
from .table import number

CALLS = {"map": "map of a page", "unmap": "unmap of a page", "choose": "map of a page, IOVA chosen"}
SIZES = (1, 1000, 65000)
ATTACHES = {
    "first": "attach of the first device",
    "second": "attach of a second device",
    "table": "one more I/O page table (HWPT_ALLOC)",
}
SHAPES = {"one": "one mapping", "many": "65535 mappings"}


def run(kernels):
    calls = [["instructions per call", "", *(f"{size} mappings" for size in SIZES), "last / first"]]
    attaches = [["thousands of instructions", "of 256 MiB, fragmented", *SHAPES.values()]]
    for kernel in kernels:
        for front, values in measure.run(kernel, "flat").items():
            column = f"{front}, {kernel.name}"
            for call, title in CALLS.items():
                if f"{call}_{SIZES[0]}" in values:
                    costs = [values[f"{call}_{size}"][0] for size in SIZES]
                    calls.append([column, title, *map(number, costs), f"{costs[-1] / costs[0]:.2f}"])
            for attach, title in ATTACHES.items():
                if f"{attach}_one" in values:
                    attaches.append([column, title,
                                     *(number(values[f"{attach}_{shape}"][0], 1000) for shape in SHAPES)])
    for rows in calls, attaches:
        say("")
        for line in measure.show(rows):
            say(line)
    return []
