# SPDX-License-Identifier: GPL-2.0-only
"""Entry point of the harness: `make COMMAND` runs `python3 -m harness COMMAND`."""
import difflib
import fcntl
import importlib
import os
import signal
import sys
import textwrap

from . import base
from .paths import BUILD
from .shell import Failure, say

# {command: (module, help text)}. The module's main() returns the exit status.
COMMANDS = {
    "run": ("run", "build the release kernel, boot it in QEMU with VT-d and do DMA through /dev/iommu"),
    "check": ("check", "run everything that a submission must pass"),
    "kunit": ("kunit", "run the KUnit suites on user-mode Linux with KASAN and in the x86-64 debug kernel"),
    "selftest": ("selftest", "run the kselftests in a guest"),
    "differential": ("differential", "compare the behaviour of type1 under the stock kernel and under ours"),
    "mutants": ("mutants", "plant faults in the engine, /dev/iommu and type1, which the tests must catch"),
    "soak": ("soak", "run campaigns that are too long for check: mutants, races for hours, KCSAN, QEMU 10"),
    "kcsan": ("kcsan", "search for data races with KCSAN in concurrent suites and selftests"),
    "bench": ("bench", "compare the performance with stock 6.1 and 6.12, in tables and a plot"),
    "clients": ("clients", "forward frames with DPDK's testpmd on type1 and check that all arrive unchanged"),
    "inversion": ("inversion", "show with lockdep that stock type1 has a lock inversion and ours does not"),
    "kernel": ("kernel", "build the release kernel and print the path of its bzImage"),
    "series": ("series_mail", "write the patches as mail and print their folder"),
    "lint": ("lint", "run checkpatch, sparse, W=1, kernel-doc, Coccinelle and checks of the structure"),
    "bisect": ("bisect", "compile what each commit touches, built in and as modules"),
    "coverage": ("coverage", "measure which lines and branches of the engine KUnit reaches"),
    "clean": ("clean", "remove build/"),
}
# {variable: (commands that take it, help text)}; the Makefile passes them on.
VARIABLES = {
    "KERNEL": (set(COMMANDS), "tree or tarball of Linux 6.1, from 6.1.187 on; by default Debian's linux-source-6.1"),
    "ONLY": ({"selftest", "differential", "mutants", "bench"},
             "comma-separated names of the programs, mutants or parts to run; * matches any text"),
    "WIDEN": ({"check", "selftest"}, "1 delays threads after they release a lock, so that races show more often"),
    "PLANT": ({"check", "selftest"}, "use-after-free, lock-inversion or leak: a bug that the command must report"),
}


def usage():
    say("usage: make COMMAND [VARIABLE=value ...]\n\ncommands; start with run:")
    for name, (_, text) in COMMANDS.items():
        say(f"  {name:14}{text}")
    say("\nvariables:")
    for name, (commands, text) in VARIABLES.items():
        taken = "" if commands == set(COMMANDS) else f" ({', '.join(c for c in COMMANDS if c in commands)})"
        for number, line in enumerate(textwrap.wrap(text + taken, 100)):
            say(f"  {'' if number else f'{name}=':14}{line}")
    say("\nThe first command unpacks and builds a kernel, which takes minutes; later ones rebuild only what changed.\n"
        "All files are created in build/. The output of compilers and guests is in build/log/.")


def check_arguments(command):
    """Fail with an explanation unless the command exists and takes the variables that are set."""
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, 1)
        raise Failure(f"there is no command {command}{f'; did you mean {near[0]}?' if near else '.'} "
                      "Run `make help` for a list.")
    for name, (commands, _) in VARIABLES.items():
        if os.environ.get(name) and command not in commands:
            raise Failure(f"make {command} does not take {name}=, only {', '.join(sorted(commands))} do.")
    if command != "clean":
        base.named()


def main():
    if sys.argv[1:] in ([], ["help"]):
        usage()
        return 0
    command = sys.argv[1]
    check_arguments(command)
    # Turn SIGTERM into an exception, so that `finally` blocks stop the programs that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command that runs in this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        return importlib.import_module(f"harness.{COMMANDS[command][0]}").main()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
