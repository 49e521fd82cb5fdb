# SPDX-License-Identifier: GPL-2.0-only
"""make kunit: the engine's suites on user-mode Linux with KASAN, and in the x86-64 debug kernel."""
import sys

from . import cleanlog, guest, kernel, ktap, packages, series
from .paths import BUILD, LINUX
from .shell import Failure, logged, say

KUNITCONFIG = "drivers/iommu/iopt/tests/.kunitconfig"

# kunit.py gives every user-mode kernel PCI over virtio, which warns at boot when it has no device ID.
UML_CONFIG = ["CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID=1234", "CONFIG_LOCALVERSION_AUTO=n"]


def uml():
    """Through the tree's own kunit.py; return the results and findings of the log."""
    packages.need(packages.KERNEL)
    series.apply()
    status, log = logged("kunit on user-mode Linux",
                         [sys.executable, "tools/testing/kunit/kunit.py", "run", f"--kunitconfig={KUNITCONFIG}",
                          *(f"--kconfig_add={line}" for line in UML_CONFIG),
                          f"--build_dir={BUILD}/uml", "--make_options=CC=ccache gcc", f"--jobs={kernel.JOBS[2:]}",
                          "--timeout=600", "--raw_output=all"],
                         "kunit-uml.log", cwd=LINUX, env=kernel.environment())
    text = log.read_text(errors="replace")
    if status:
        raise Failure(f"kunit.py failed, see {log}:\n" + "\n".join(text.splitlines()[-15:]))
    return ktap.parse(text.splitlines()), cleanlog.findings(text)


def debug():
    """The same suites, built in, at the boot of the debug kernel with two processors."""
    out = kernel.build("debug")
    machine = guest.Guest("kunit-debug", kernel.bzimage(out), args="kunit.enable=1")
    outcome = guest.boot(machine, "true\n")
    text = outcome.console.read_text(errors="replace")
    results = ktap.parse(text.splitlines())
    if outcome.status is None:
        results.failed.append(f"guest: {outcome.reason.splitlines()[0]}")
    return results, cleanlog.of(outcome)


def main():
    bad = 0
    for name, stage in (("uml", uml), ("debug", debug)):
        results, dirty = stage()
        for case in results.failed:
            say(f"failed: {name}: {case}")
        for finding in dirty:
            say(f"kernel log: {name}: {finding.name}: {finding.line}")
        say(f"{name}: {len(results.passed)} passed, {len(results.failed)} failed, {len(results.skipped)} skipped")
        bad += len(results.failed) + len(dirty) + (not results.passed)
    return bool(bad)
