# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m harness COMMAND: what `make COMMAND` runs."""
import fcntl
import importlib
import signal
import sys

from .paths import BUILD
from .shell import Failure, say

# command: (module, what it does); each module's main() returns the exit status.
COMMANDS = {
    "run": ("run", "build, boot under QEMU with VT-d, move data by DMA through /dev/iommu"),
    "check": ("check", "all that a submission must pass; PLANT=kind plants a bug that it must find"),
    "kunit": ("kunit", "KUnit suites: user-mode Linux with KASAN, then the x86-64 debug kernel"),
    "selftest": ("selftest", "kselftests in the debug kernel; ONLY=names, WIDEN=1 delays the release of locks"),
    "differential": ("differential", "what type1 does under two kernels, compared line by line"),
    "mutants": ("mutants", "one-line faults of engine, /dev/iommu and type1, each of which a test must notice; ONLY=names"),
    "soak": ("soak", "what takes too long for check: mutants, hours of races, data races, another QEMU, 48 bits of IOVA"),
    "kcsan": ("kcsan", "data races that KCSAN finds in concurrent suites and selftests"),
    "bench": ("bench", "figures beside stock 6.1 and 6.12, as tables and a plot; ONLY=table picks parts"),
    "clients": ("clients", "DPDK's testpmd on type1: frames forwarded and compared"),
    "inversion": ("inversion", "the lock inversion of stock type1, reported by lockdep: the control of its fix"),
    "kernel": ("kernel", "build the release kernel, print the bzImage's path"),
    "series": ("mail", "write the mail-ready patches, print their folder"),
    "lint": ("lint", "checkpatch, sparse, W=1, kernel-doc, coccinelle on our files and patches"),
    "bisect": ("bisect", "compile what each commit touches, as y and as m"),
    "coverage": ("coverage", "lines and branches of the engine that KUnit reaches"),
    "clean": ("clean", "remove build/"),
}


def usage():
    say("usage: make COMMAND [KERNEL=tree or tarball of Linux 6.1.187 or a later 6.1]\n")
    for name, (_, text) in COMMANDS.items():
        say(f"  {name:10} {text}")


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        usage()
        return sys.argv[1:] != ["help"]
    # Asked to end, leave by exception, so that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command in this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        module = importlib.import_module(f"harness.{COMMANDS[sys.argv[1]][0]}")
        return module.main()


try:
    sys.exit(main())
except Failure as failure:
    print(f"error: {failure}", file=sys.stderr)
    sys.exit(1)
except KeyboardInterrupt:
    sys.exit(130)
