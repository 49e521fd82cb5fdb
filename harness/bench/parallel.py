# SPDX-License-Identifier: GPL-2.0-only
"""Compare the throughput of two threads on disjoint ranges of a space with that of two processes with a space each."""
from statistics import median

from . import measure
from ..shell import say

ROUNDS = 9
MILLISECONDS = 700
PAGES = (1, 64, 512)        # pages that each turn maps and unmaps
AT_LEAST = 0.9


def run(kernels):
    rows, limits = [["turns a second", "pages", "two threads", "two processes", "threads / processes"]], []
    for kernel in kernels:
        if "iommufd" not in kernel.front_ends:
            continue
        values = measure.run(kernel, "parallel", f"{ROUNDS} {MILLISECONDS} {' '.join(map(str, PAGES))}",
                             measure.PARALLEL, ["iommufd"])["iommufd"]
        for pages in PAGES:
            threads, processes = values[f"threads_{pages}"], values[f"processes_{pages}"]
            # Rounds of threads and processes alternate, so that other load on the host affects both alike.
            ratio = median(one / two for one, two in zip(threads, processes))
            rows.append([f"iommufd, {kernel.name}", str(pages),
                         *(f"{1000 * median(turns) / MILLISECONDS:.0f}" for turns in (threads, processes)),
                         f"{ratio:.2f}"])
            if kernel.name == "ours":
                limits.append(measure.Limit(f"two threads to two processes, {pages} pages a call", ratio, AT_LEAST,
                                            at_most=False))
    say(f"\n2 vCPUs, wall clock, medians of {ROUNDS} alternating rounds")
    for line in measure.show(rows):
        say(line)
    return limits
