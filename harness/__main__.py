# SPDX-License-Identifier: GPL-2.0-only
"""Entry point: `make COMMAND` runs `python3 -m harness COMMAND`."""
import fcntl
import importlib
import signal
import sys

from .paths import BUILD
from .shell import Failure, say

# {command: (module, help text)}. The module's main() returns the exit status.
COMMANDS = {
    "run": ("run", "build the release kernel, boot it in QEMU with VT-d and do DMA through /dev/iommu"),
    "check": ("check", "run everything that a submission must pass; PLANT=kind adds a bug that must be found"),
    "kunit": ("kunit", "run the KUnit suites on user-mode Linux with KASAN and in the x86-64 debug kernel"),
    "selftest": ("selftest", "run the kselftests in a guest; ONLY=names selects programs, WIDEN=1 widens races"),
    "differential": ("differential", "compare the behaviour of type1 under the stock kernel and under ours"),
    "mutants": ("mutants", "plant faults in the engine, /dev/iommu and type1 that the tests must catch; ONLY=names"),
    "soak": ("soak", "run campaigns that are too long for check: mutants, races for hours, KCSAN, QEMU 10"),
    "kcsan": ("kcsan", "search for data races with KCSAN in concurrent suites and selftests"),
    "bench": ("bench", "measure against stock 6.1 and 6.12, as tables and a plot; ONLY=table selects parts"),
    "clients": ("clients", "forward frames with DPDK's testpmd on type1 and compare them"),
    "inversion": ("inversion", "show with lockdep that stock type1 has a lock inversion and ours has none"),
    "kernel": ("kernel", "build the release kernel and print the path of its bzImage"),
    "series": ("mail", "write the patches as mail and print their folder"),
    "lint": ("lint", "run checkpatch, sparse, W=1, kernel-doc and Coccinelle on our files and patches"),
    "bisect": ("bisect", "compile what each commit touches, built in and as modules"),
    "coverage": ("coverage", "measure which lines and branches of the engine KUnit reaches"),
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
    # Turn SIGTERM into an exception, so that cleanup handlers stop the programs that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command that runs in this checkout")
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
