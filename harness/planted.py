# SPDX-License-Identifier: GPL-2.0-only
"""Bugs planted on purpose: the check of the kernel's log has to notice each by its name."""
from . import cleanlog, guest, kernel, ktap, modules
from .shell import Failure

# The names of cleanlog's findings. KASAN's report turns lock debugging off, so it comes last.
KINDS = ("lock-inversion", "leak", "use-after-free")


def build(out):
    return modules.build("planted", out)


def check_kind(kind):
    if kind not in KINDS:
        raise Failure(f"PLANT={kind}: it is one of {', '.join(KINDS)}")


def insmod(module, kind):
    return f"insmod {module} kind={kind} && rmmod planted || exit\n"


# A test that never ends, on a kernel that goes on writing to its log.
HANG = """
echo '# harness: begin planted/hang'
echo '#  RUN           global.ends ...'
while sleep 1; do
	echo noise >/dev/kmsg
done
"""


def hang():
    """A guest without progress is stopped and named, and started again once; it is then taken off the report."""
    before = len(guest.restarted)
    outcome = guest.boot(guest.Guest("planted-hang", kernel.bzimage(kernel.build("release")), silence=20), HANG)
    reported = guest.restarted[before:]
    del guest.restarted[before:]
    results = ktap.Results()
    for case, holds in [("is stopped", outcome.hung and outcome.status is None),
                        ("is named", outcome.reason.startswith("it hung in planted/hang, global.ends")),
                        ("is started again once, which is reported", len(reported) == 1)]:
        (results.passed if holds else results.failed).append(f"a planted hang {case}")
    return results


def planted():
    """Make all the bugs in one guest; a bug that is not found fails, and so does anything else that is."""
    out = kernel.build("debug")
    module = build(out)
    outcome = guest.boot(guest.Guest("planted", kernel.bzimage(out)),
                         "".join(insmod(module, kind) for kind in KINDS))
    found = {finding.name for finding in cleanlog.of(outcome)}
    results = ktap.Results()
    for kind in KINDS:
        (results.passed if kind in found else results.failed).append(f"a planted {kind} is noticed")
    for name in sorted(found.difference(KINDS)):
        results.failed.append(f"no bug was planted, yet the log shows: {name}")
    if outcome.status != 0:
        results.failed.append(f"guest: {outcome.reason or 'a module did not load'}")
    results.add(hang())
    return results
