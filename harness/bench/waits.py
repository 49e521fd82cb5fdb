# SPDX-License-Identifier: GPL-2.0-only
"""Measure how long a query, an unmap and a map of other ranges take during a long call on the same space."""
from . import measure
from ..shell import say

FLIGHTS = {
    "alone": "none",
    "map": "map of 1 GiB",
    "attach": "attach of a second device",
    "table": "one more I/O page table (HWPT_ALLOC)",
    "first": "attach of the first device to 1 GiB",
}


def run(kernels):
    rows = [["longest, microseconds", "in flight", "for", "query", "unmap of a page", "map of a page", "calls each"]]
    for kernel in kernels:
        for front, values in measure.run(kernel, "waits", "", measure.PARALLEL, memory="3G").items():
            for flight, title in FLIGHTS.items():
                if f"{flight}_flight" in values:
                    rows.append([f"{front}, {kernel.name}", title,
                                 *(str(values[f"{flight}_{call}"][0])
                                   for call in ("flight", "query", "unmap", "map", "rounds"))])
    say("\n2 vCPUs, wall clock; the row without a call in flight shows the noise of the host")
    for line in measure.show(rows):
        say(line)
    return []
