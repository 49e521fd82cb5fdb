# SPDX-License-Identifier: GPL-2.0-only
"""Test that bugs and hangs are detected.

A module triggers bugs, and the checks of the kernel log must report each of them by name. A guest that makes no
progress must be stopped.
"""
import os

from . import cleanlog, guest, kernel, modules
from .results import Results
from .shell import Failure

# Bugs that the debug kernel detects, named like the findings in cleanlog.py. kcsan.py plants another one, data-race. A
# KASAN report disables lockdep, so use-after-free must come last.
KINDS = ("lock-inversion", "leak", "use-after-free")


def build(out):
    return modules.build("planted", out)


def given():
    """Return the kind of bug that PLANT= names, or an empty string."""
    kind = os.environ.get("PLANT", "")
    if kind and kind not in KINDS:
        raise Failure(f"PLANT={kind}: no such bug. Give one of {', '.join(KINDS)}.")
    return kind


def insmod(module, kind):
    return f"insmod {module} kind={kind} && rmmod planted || exit\n"


# A test that hangs while the kernel log keeps growing.
HANG = """
echo '# harness: begin planted/hang'
echo '#  RUN           global.ends ...'
while sleep 1; do
	echo noise >/dev/kmsg
done
"""


def hang():
    """Check that a guest without progress is stopped and restarted once; return the results.

    This restart is intended, so it is removed from the list of restarts that make check reports.
    """
    before = len(guest.restarted)
    outcome = guest.boot(guest.Guest("planted-hang", kernel.bzimage(kernel.build("release")), silence=20), HANG)
    reported = guest.restarted[before:]
    del guest.restarted[before:]
    results = Results()
    results.check("a planted hang is stopped", outcome.lost and outcome.status is None)
    results.check("a planted hang is named", outcome.reason.startswith("it hung in planted/hang, global.ends"))
    results.check("a planted hang is restarted once, which is reported", len(reported) == 1)
    return results


def planted():
    """Trigger the bugs of KINDS in one guest, then call hang(); return the results.

    A bug that is not found is a failure, and so is any other finding.
    """
    out = kernel.build("debug")
    module = build(out)
    outcome = guest.boot(guest.Guest("planted", kernel.bzimage(out)),
                         "".join(insmod(module, kind) for kind in KINDS))
    found = {finding.name for finding in cleanlog.of(outcome)}
    results = Results()
    for kind in KINDS:
        results.check(f"a planted {kind} is found", kind in found)
    if outcome.status:
        results.fail("the module with the bugs could not be loaded")
    results.add(outcome.failures(allowed=KINDS))
    results.add(hang())
    return results
