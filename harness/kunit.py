# SPDX-License-Identifier: GPL-2.0-only
"""make kunit: run the KUnit suites on user-mode Linux with KASAN, and in the x86-64 debug kernel."""
import re
import sys

from . import cleanlog, guest, kernel, ktap, machine, packages, series
from .paths import BUILD, LINUX, LOG
from .results import report
from .shell import Failure, logged

KUNITCONFIG = "drivers/iommu/iopt/tests/.kunitconfig"

# The tree's kunit.py enables PCI over virtio, which warns at boot unless a device ID is configured.
# Options that no suite needs are off, so that the kernel builds faster.
UML_CONFIG = ["CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID=1234", "CONFIG_LOCALVERSION_AUTO=n", "CONFIG_EXPERT=y",
              *(f"CONFIG_{symbol}=n" for symbol in ("AIO", "BLOCK", "HWMON", "INPUT", "IO_URING", "SERIO", "SUSPEND",
                                                    "USB_SUPPORT"))]


# Number of random operations in a long run, of which at least 5000 of each kind succeed.
OPERATIONS = 450000


def tool(command, out, config=(), *arguments, kunitconfig=KUNITCONFIG):
    """Return the command line of kunit.py for `command` and the build folder `out`, to be run in the tree."""
    return [sys.executable, "tools/testing/kunit/kunit.py", command, f"--kunitconfig={kunitconfig}",
            *(f"--kconfig_add={line}" for line in [*UML_CONFIG, *config]),
            f"--build_dir={out}", "--make_options=CC=ccache gcc", *arguments]


def uml(**parameters):
    """Run the suites on user-mode Linux; return the results.

    The parameters are those of iopt_test: ops is the number of random operations, seed is the seed of their generator.
    """
    packages.need(packages.KERNEL)
    series.apply()
    status, log = logged("kunit on user-mode Linux",
                         tool("run", BUILD / "uml", [], f"--jobs={kernel.jobs()}",
                              *(f"--kernel_args=iopt_test.{key}={value}" for key, value in parameters.items()),
                              f"--timeout={600 + parameters.get('ops', 0) // 100}", "--raw_output=all"),
                         "kunit-uml.log", cwd=LINUX, env=kernel.environment())
    text = log.read_text(errors="replace")
    if status:
        raise Failure(f"kunit.py failed, see {log}:\n" + "\n".join(text.splitlines()[-15:]))
    results = ktap.parse(text.splitlines())
    results.logs.append(log)
    results.add_findings(cleanlog.findings(text))
    return results


def operations():
    """Return the lines of the table of random operations, from the log of uml()."""
    text = (LOG / "kunit-uml.log").read_text(errors="replace")
    return re.findall(r"# each_kind_succeeds: (.*\S)", text)


def debug(seconds=3, cpus=2, name="debug", **fields):
    """Run the suites while the debug kernel, or the named one, boots; return the results.

    `seconds` is how long the suite iopt-stress runs. Other arguments are for guest.Guest.
    """
    out = kernel.build(name)
    # A case prints its result only when it ends, and some run for minutes on a busy host.
    args = f"kunit.enable=1 iopt_test.seconds={seconds} {fields.pop('args', '')}"
    booted = guest.Guest(f"kunit-{name}", kernel.bzimage(out), cpus=cpus, silence=300, timeout=1800 + 2 * seconds,
                         args=args, machine=machine.of(name), **fields)
    outcome = guest.boot(booted, "true\n")
    results = ktap.parse(outcome.console.read_text(errors="replace").splitlines())
    if results.none():
        results.fail(f"no case ran in the kernel {name}")
    results.add(outcome.failures())
    return results


def main():
    wrong = [report(stage(), f"{name}: ") for name, stage in (("uml", uml), ("debug", debug))]
    return any(wrong)
