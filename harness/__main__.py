# SPDX-License-Identifier: GPL-2.0-only
"""Entry point of the harness: `make COMMAND` runs `python3 -m harness COMMAND`."""
import signal

# Until main() can handle KeyboardInterrupt, let Ctrl-C end the program without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import difflib
import errno
import fcntl
import importlib
import os
import re
import shutil
import sys
import textwrap

from . import base, packages, series, widen
from .paths import BUILD, LOCK, LOG, ROOT
from .shell import Failure, say

# {command: (module, help text)}. The module's main() returns the exit status.
COMMANDS = {
    "run": ("run", "build the kernel, boot it in an emulated PC and do DMA to memory mapped with /dev/iommu"),
    "check": ("check", "run all tests that a change has to pass (an hour)"),
    "kunit": ("kunit", "run the KUnit suites on user-mode Linux with KASAN and in the x86-64 debug kernel"),
    "selftest": ("selftest", "run the kselftests in guests"),
    "differential": ("differential", "compare type1 in stock 6.1, in both implementations of topic type1, and in ours"),
    "mutants": ("mutants", "plant faults in our code, one at a time, and check that the tests catch each (hours)"),
    "soak": ("soak", "run campaigns that are too long for check, such as mutants, races, KCSAN and QEMU 10 (a day)"),
    "kcsan": ("kcsan", "search for data races with KCSAN in concurrent suites and selftests"),
    "bench": ("bench", "compare the performance with stock 6.1 and 6.12, in tables and build/bench.svg"),
    "clients": ("clients", "run programs of others: DPDK's testpmd, QEMU 10, and kselftests of newer kernels"),
    "inversion": ("inversion", "show with lockdep that stock type1 takes two locks in both orders, unlike ours"),
    "kernel": ("kernel", "build the kernel and print the path of its bzImage, the bootable file"),
    "deb": ("deb", "build Debian packages of the kernel, to install it on a machine"),
    "series": ("series_mail", "write the patches as mail to build/series"),
    "lint": ("lint", "run checkpatch, sparse, W=1, kernel-doc, Coccinelle and checks of the structure"),
    "bisect": ("bisect", "compile each commit, and run the KUnit suites or contract programs that it has (hours)"),
    "configs": ("configs", "build for i386 and arm64, with Debian's configurations, and in 50 random ones (hours)"),
    "bases": ("bases", "apply the series to each version of linux-source-6.1 that apt offers"),
    "coverage": ("coverage", "measure which lines and branches of the engine KUnit reaches"),
    "clean": ("clean", "remove build/, which takes several GB; the next command starts from scratch"),
}
# {variable: (commands that take it, help text)}; the Makefile passes them on.
VARIABLES = {
    "KERNEL": (set(COMMANDS) - {"bases", "clean"},
               "tree or tarball of Linux 6.1, from 6.1.170 on; by default Debian's linux-source-6.1"),
    "TOPIC": (set(COMMANDS) - {"bases", "clean"},
              "last topic of series/ in the tree: fixes, core, engine, type1, iommufd, vfio or retire, the default; "
              "most commands that run tests need vfio or retire"),
    "ONLY": ({"selftest", "differential", "mutants", "bench", "configs", "bisect"},
             "comma-separated names of programs, mutants, parts, configurations or patches; * matches any text"),
    "CONFIG": ({"deb"}, "debian, the default, is Debian's configuration; local has only the drivers that this machine "
                        "has loaded; small boots in QEMU"),
    "TYPE1": ({"deb"}, "engine, the default, or present, which is the implementation of type1 in Linux 6.1"),
    "LSMOD": ({"deb"}, "file with the output of lsmod on another machine, for CONFIG=local"),
    "WIDEN": ({"check", "selftest"}, "1 delays threads after they release a lock, so that races show more often"),
    "IOMMU": ({"run", "selftest", "differential"},
              "intel, the default, amd, smmuv3 (on an emulated Arm machine) or virtio"),
    "PLANT": ({"check", "selftest"},
              "use-after-free, lock-inversion or leak: plant this bug, to see that the tests find it"),
}

# {command: first topic at which TOPIC= may end the series}; the commands that are not listed work with any topic.
FIRST_TOPIC = {"kunit": "engine", "coverage": "engine", "inversion": "type1", "selftest": "iommufd",
               **dict.fromkeys(["deb", "run", "differential", "mutants", "soak", "kcsan", "bench", "clients"], "vfio")}

# {command of other projects: commands to suggest for it}
OTHER_NAMES = {"test": ["check"], "tests": ["check"], "all": ["run"], "build": ["kernel"],
               **dict.fromkeys(["defconfig", "menuconfig", "oldconfig"], ["kernel"])}

EPILOGUE = """
examples:
  make run                                  start here
  make selftest ONLY=iommufd/ioas_map       one test program; a wrong name lists all of them
  make selftest 'ONLY=vfio/*'               all test programs of one folder

The first command installs packages, unpacks a kernel and builds it on all processors. With two processors, this takes
10 to 20 minutes. It takes 3 GB in build/; make check takes 7 GB, and all commands without make deb take about 20 GB. No
command installs a kernel: it runs in an emulator, and make deb builds packages of it. After Ctrl-C, run the same
command again: it keeps what is built, and starts its tests anew. Error messages name the log in build/log/ that has the
details. Compiled objects also stay in the cache of ccache, by default ~/.cache/ccache. To run one KUnit suite by hand,
see Documentation/driver-api/iopt-kunit.rst; the commands there run in build/linux.
"""


def usage():
    say("usage: make COMMAND [VARIABLE=value ...]\n\ncommands; start with run:")
    for name, (_, text) in COMMANDS.items():
        say(f"  {name:14}{text}")
    say("\nvariables:")
    for name, (commands, text) in VARIABLES.items():
        others = [name for name in COMMANDS if name not in commands]
        taken = f" ({', '.join(name for name in COMMANDS if name in commands)})" if len(others) > 3 else \
            f" (not for {', '.join(others)})" if others else ""
        for number, line in enumerate(textwrap.wrap(text + taken, 100)):
            say(f"  {'' if number else f'{name}=':14}{line}")
    say(EPILOGUE)


def variables_given():
    """Return the names of the variables on the command line of make."""
    _, _, given = os.environ.get("MAKEFLAGS", "").partition("-- ")
    # In MAKEFLAGS, make escapes blanks with backslashes, and does not quote.
    return [word.partition("=")[0].rstrip(":+?") for word in re.split(r"(?<!\\)\s+", given) if "=" in word]


def goals():
    """Return the commands on the command line of make."""
    return os.environ.get("IOPT_GOALS", "").split()


def check_arguments(command):
    """Fail with an explanation unless all commands of make exist and `command` takes the variables that are set."""
    given = variables_given()
    for goal in dict.fromkeys([command, *goals()]):
        if goal not in COMMANDS and goal != "help":
            near = OTHER_NAMES.get(goal) or difflib.get_close_matches(goal, [*COMMANDS, "help"], 1, 0.76)
            commas = " Separate the names in ONLY= with commas." if "ONLY" in given else ""
            raise Failure(f"there is no command {goal}{f'; did you mean {near[0]}?' if near else '.'} "
                          f"Run `make help` for a list.{commas}")
    for name in given:
        if name not in VARIABLES:
            near = difflib.get_close_matches(name.upper(), VARIABLES, 1)
            logs = f" The output of all programs is in {LOG}." if name == "V" else ""
            raise Failure(f"there is no variable {name}={f'; did you mean {near[0]}=?' if near else '.'} "
                          f"Run `make help` for a list.{logs}")
    if command == "help":
        if given and not goals():
            example = next(name for name in COMMANDS if name in VARIABLES[given[0]][0])
            raise Failure(f"{given[0]}= needs a command, such as `make {example} {given[0]}=...`. `make help` lists "
                          "all of them.")
        return
    for name, (commands, _) in VARIABLES.items():
        if os.environ.get(name) and command not in commands:
            where = "" if name in given else f" It is set in your environment: run `unset {name}`."
            raise Failure(f"make {command} does not take {name}=.{where} `make help` lists the commands that do.")
    if "ONLY" in given and not os.environ.get("ONLY"):
        raise Failure("ONLY= is empty: give a name, or leave ONLY= out to run everything")
    widen.given()
    if command != "clean":
        base.named()
        topics = [topic.name for topic in series.given()]
        needed = FIRST_TOPIC.get(command)
        if needed and needed not in topics:
            raise Failure(f"TOPIC={topics[-1]}: make {command} needs the topic {needed}, which comes later. Give that "
                          "topic or a later one, or leave TOPIC= out.")


def check_folder(command):
    """Fail unless the clone is in a folder in which a kernel can be built."""
    if command != "clean" and re.search(r"[\s:]", str(ROOT)):
        raise Failure(f"the path {ROOT} contains a space or a colon, which the kernel's makefiles do not support: move "
                      "the clone")
    if BUILD.is_symlink() and not BUILD.exists():
        raise Failure(f"{BUILD} is a symbolic link to {os.readlink(BUILD)}, which does not exist: remove the "
                      "link, or create that folder")
    if BUILD.exists() and not BUILD.is_dir():
        raise Failure(f"{BUILD} exists but is not a folder: remove it")
    if BUILD.exists() and not os.access(BUILD, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(BUILD))


def locked():
    """Wait until no other command runs in this checkout; return the open file that holds the lock."""
    while True:
        BUILD.mkdir(exist_ok=True)
        lock = open(LOCK, "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command that runs in this checkout; press Ctrl-C to give up")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # make clean may have deleted the file meanwhile.
        if LOCK.exists() and os.path.samestat(os.fstat(lock.fileno()), LOCK.stat()):
            return lock
        lock.close()


def explain(error):
    """Return a message for an error that the user can resolve, such as a full disk, or None for other errors."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(BUILD if BUILD.exists() else ROOT).free >> 20
        if free > 1000:
            return f"{error.strerror}: {error.filename or 'the file that the output is written to'}"
        return (f"the disk of {BUILD} is full ({free} MB free). make run needs 3 GB in build/, make check "
                "7 GB. `make clean` removes all builds.")
    if error.errno in (errno.EEXIST, errno.EISDIR, errno.ENOTDIR) and str(error.filename).startswith(f"{BUILD}/"):
        return f"{error.filename} is in the way: remove it"
    if error.errno == errno.EROFS:
        return f"{error.strerror}: {error.filename}. Use a clone on a file system that can be written."
    if error.errno in (errno.EACCES, errno.EPERM) and error.filename:
        text = f"{error.strerror}: {error.filename}."
        if not str(error.filename).startswith(f"{ROOT}/"):
            return f"{text} Run make as a user who has this permission."
        if not BUILD.exists() or not str(error.filename).startswith(str(BUILD)):
            return f"{text} Use a clone that you own, and in which you may read all files."
        return f"{text} If root ran make here before, run `chown -R USER {BUILD}` as root, or continue as root."
    return None


ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def end(received, _):
    """Turn a signal into an exception, so that `finally` blocks stop the programs that were started."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + received)


def main():
    command = " ".join(sys.argv[1:2]) or "help"
    if len(sys.argv) > 2:
        raise Failure(f"'{' '.join(sys.argv[1:])}' is not a command. Run `make help` for a list.")
    check_arguments(command)
    if command == "help":
        usage()
        return 0
    # For `make help COMMAND`, make runs the harness once for each goal. Do not run the command.
    if "help" in goals():
        return 0
    check_folder(command)
    os.environ.setdefault("HOME", os.path.expanduser("~"))      # spatch fails without HOME
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:      # nohup ignores SIGHUP
            signal.signal(number, end)
    module = importlib.import_module(f"harness.{COMMANDS[command][0]}")
    if hasattr(module, "check_variables"):
        module.check_variables()
    with locked():
        packages.need_for(command)
        return module.main()


if __name__ == "__main__":
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(main())
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(sys.argv[1:] not in ([], ["help"]))
    except OSError as error:
        message = explain(error)
        if not message:
            raise
        print(f"error: {message}", file=sys.stderr)
        sys.exit(1)
