# SPDX-License-Identifier: GPL-2.0-only
"""make inversion: the lock-order inversion of stock type1 (T1-169), as a report of lockdep in the stock debug kernel.

It is the control for the conversion of type1: where the stock kernel shows the report, a kernel without one has it
fixed. The contract program mdev_inversion drives it with the mediated device that pins.
"""
import re

from . import differential, guest, kernel, ktap
from .paths import BUILD, HARNESS
from .shell import must, say

# The two locks, as lockdep names them: the container's, and that of the list of devices.
LOCKS = ("&iommu->lock", "&iommu->device_list_lock")
CIRCLE = re.compile(r"possible circular locking dependency detected")


def stock_debug_kernel():
    """The stock kernel as the debug kernel is configured, without what the series adds."""
    differential.stock_kernel()
    out = BUILD / "stock-debug"
    kernel.settle(out, kernel.fragments("common", "debug"), differential.STOCK)
    must("build the stock debug kernel", kernel.make(out, "bzImage", "modules", tree=differential.STOCK),
         "stock-debug.build", env=kernel.environment())
    return out


def inversion():
    out = stock_debug_kernel()
    folder, _ = differential.build_programs()
    mdev = differential.build_module("stock-debug", out, differential.STOCK)
    script = (f". {HARNESS}/guest/tests.sh\n{differential.SETUP}insmod {mdev}\n"
              f"run_test mdev_inversion {folder} mdev_inversion\n")
    outcome = guest.boot(guest.Guest("inversion", kernel.bzimage(out), devices=guest.EDU), script)
    log = outcome.console.read_text(errors="replace")
    results = ktap.Results()
    start = CIRCLE.search(log)
    report = log[start.start():] if start else ""
    for name, holds in [("the program ends", outcome.status is not None),
                        ("lockdep reports a circle", bool(start)),
                        *((f"it names {lock}", lock in report) for lock in LOCKS)]:
        (results.passed if holds else results.failed).append(f"stock type1, T1-169: {name}")
    return results


def main():
    results = inversion()
    for case in results.passed:
        say(f"passed: {case}")
    for case in results.failed:
        say(f"failed: {case}")
    say(f"RESULT: {'fail' if results.failed else 'pass'}")
    return bool(results.failed)
