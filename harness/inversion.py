# SPDX-License-Identifier: GPL-2.0-only
"""make inversion: show the lock-order inversion of type1 with lockdep in debug kernels.

Stock type1 notifies drivers of an unmap under the lock of the device list. A driver that unpins during the notification
takes the lock of the container. Other operations take the two locks in the opposite order.

As a control, lockdep must report the inversion in the stock kernel, where the contract program mdev_inversion provokes
it with a mediated device that pins pages. In our kernel lockdep must report none, neither for mdev_inversion nor for
race_notices. The latter races unmaps against each other and against the open and close of devices, and also checks that
a device is never notified of two unmaps at the same time.
"""
import re

from . import contract, guest, kernel, stock
from .results import Results, report

# The names that lockdep prints for the two locks: that of the container and that of its list of devices.
LOCKS = ("&iommu->lock", "&iommu->device_list_lock")
CIRCLE = re.compile(r"possible circular locking dependency detected")
PROGRAM = "mdev_inversion"
ROUNDS = 100
RACE = re.compile(r"# rounds (\d+) notices (\d+) overlapped (\d+) openings (\d+) pins (\d+)$")


def inversion():
    tested = contract.prepare("stock-debug", stock.build("debug"), stock.TREE)
    contract.build_programs()
    outcome = guest.boot(guest.Guest("inversion", tested.bzimage, devices=guest.EDU),
                         contract.header(tested) + contract.run(PROGRAM))
    log = outcome.console.read_text(errors="replace")
    results = Results()
    start = CIRCLE.search(log)
    circle = log[start.start():] if start else ""
    results.check("stock type1: the program exits", outcome.status is not None)
    results.check("stock type1: lockdep reports a circular dependency", bool(start))
    for lock in LOCKS:
        results.check(f"stock type1: the report names {lock}", lock in circle)
    results.logs.append(outcome.console)
    return results


def ours(rounds=ROUNDS):
    """Run both programs in our debug kernel; return the results."""
    tested = contract.prepare("ours-debug", kernel.build("debug"))
    contract.build_programs()
    script = contract.header(tested) + contract.run(PROGRAM) + f"{contract.folder()}/race_notices {rounds}\n"
    # race_notices prints nothing before it ends, so the timeout for progress must cover its whole run.
    machine = guest.Guest("race", tested.bzimage, devices=guest.EDU, silence=120 + rounds,
                          timeout=600 + 2 * rounds)
    outcome = guest.boot(machine, script)
    counted = next((list(map(int, found.groups())) for line in outcome.lines if (found := RACE.match(line))), None)
    results = Results()
    results.check(f"our type1: the programs succeed (status {outcome.status})", outcome.status == 0)
    results.check(f"our type1: the device is notified of both unmaps in {rounds} rounds ({counted})",
                  counted and counted[:2] == [rounds, 2 * rounds])
    results.check("our type1: no two notifications overlap", counted and counted[2] == 0)
    results.check("our type1: devices are opened meanwhile", counted and counted[3] > 0)
    results.check("our type1: no page stays pinned", counted and counted[4] == 0)
    results.add(outcome.failures())
    return results


def main():
    results = inversion()
    results.add(ours())
    return report(results, every=True)
