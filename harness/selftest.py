# SPDX-License-Identifier: GPL-2.0-only
"""make selftest: run the kselftests of iommufd and vfio in guests with VT-d and edu devices.

GROUPS assigns the programs to guests by their requirements; most run in the debug kernel. WIDEN=1 delays threads of
concurrent programs after they release a lock.

ONLY= selects programs by patterns separated by commas, such as iommufd/ioas_*. By default, all programs run, and each
documented errno must be seen by one of them.
"""
import fnmatch
import functools
import os
import re
from dataclasses import dataclass, field

from . import beside, errnos, guest, iommus, kernel, ktap, machine, only, packages, planted, series, widen
from .paths import BUILD, HARNESS, LINUX, ROOT
from .results import Results, report
from .shell import Failure, must, output

SELFTESTS = "tools/testing/selftests"
COLLECTIONS = ("iommufd", "vfio")
PROGRAM = re.compile(r"^TEST_GEN_PROGS \+= (\w+)$", re.M)
# A program that provokes DMA faults on purpose prints this line.
DECLARED = "# expects: dma-fault"


@dataclass
class Group:
    """Programs that run in one guest, selected by patterns of their names or by a string in their source."""
    name: str
    patterns: tuple = ()
    text: str = ""
    machine: dict = field(default_factory=dict)     # arguments for guest.Guest
    kernel: str = "debug"
    variables: str = ""         # environment of the programs: NAME=VALUE
    beside: bool = False        # the guest uses about one processor, so another guest can run at the same time

    def has(self, program):
        if any(fnmatch.fnmatch(program, pattern) for pattern in self.patterns):
            return True
        source = ROOT / SELFTESTS / f"{program}.c"
        return bool(self.text) and source.exists() and self.text in source.read_text()


# Concurrent programs, which run with full kernel preemption.
RACES = Group("races", ("*race*", "*stress*"), "pthread_create")
# A program runs in the first group that selects it.
GROUPS = [
    # With two emulated processors QEMU can hang when KVM patches kernel code.
    Group("kvm", text="<linux/kvm.h>", machine={"cpus": 1}, beside=True),
    # IOVAs beyond 39 bits, in the release kernel: the debug kernel validates the whole space after each map and unmap,
    # which would take hours.
    Group("wide", ("*/wide_*",), machine={"iommu": guest.WIDE, "memory": "3G"}, kernel="release", beside=True),
    # Half a million mappings or more, for which the debug kernel is too slow and needs too much memory.
    Group("many", ("*/many_*",), machine={"memory": "3G"}, kernel="release", variables="TEST_SECONDS=900",
          beside=True),
    # Pages that are migrated when they are pinned: most memory is movable. The programs measure the time to pin, which
    # the checks of the debug kernel would distort.
    Group("movable", ("*/movable_*",), machine={"args": "movablecore=1200M"}, kernel="release"),
    RACES,
    # All others, without kernel preemption, so that unbounded work is reported as a soft lockup.
    Group("others", ("*",), machine={"args": "preempt=none"}),
]


def folder(board):
    """Return the folder of the programs for a Machine. It contains COLLECTION-installed."""
    return BUILD / f"{board.prefix}selftest"


def make(collection, out, *arguments):
    """Return the arguments that run make in the folder of a collection in the tree, where it finds lib.mk."""
    return ["make", "-C", LINUX / SELFTESTS / collection, f"OUTPUT={out / collection}", *arguments]


def collections():
    """Return those of COLLECTIONS that are in the tree: with TOPIC=, the tree may end before one is added."""
    return [name for name in COLLECTIONS if (LINUX / SELFTESTS / name / "Makefile").exists()]


def programs(board=machine.PC):
    """Return the names of all programs for a Machine, as collection/program."""
    packages.need(packages.KERNEL)
    series.apply()
    return [f"{collection}/{line.split(':')[1]}" for collection in collections()
            for line in output(*make(collection, folder(board), f"CC={board.compiler}", "-s", "--no-print-directory",
                                      "emit_tests"),
                               env=kernel.environment()).splitlines()]


def sources():
    """Return the names that programs() returns, from the Makefiles in the repository and the series, without a tree."""
    listed = {path for patch in series.patches(series.given()) for path in patch.files}
    return [f"{collection}/{name}" for collection in COLLECTIONS for name in PROGRAM.findall(
        (ROOT / SELFTESTS / collection / "Makefile").read_text()) if f"{SELFTESTS}/{collection}/{name}.c" in listed]


def select(every, wanted, plant, widened):
    """Return those of the programs that ONLY= selects; raise Failure if PLANT= or WIDEN= has no effect on them."""
    chosen = only.select(wanted, every, "program")
    groups = [group for group, _ in grouped(chosen)]
    if plant and not any(group.kernel == "debug" for group in groups):
        raise Failure(f"PLANT={plant}: none of the programs runs in the debug kernel, which has the checks that find "
                      "the bug")
    if widened and RACES not in groups:
        raise Failure("WIDEN=1 has no effect, since none of the programs is concurrent")
    return chosen


def build_programs(board, *includes):
    """Build the programs for a Machine with the uAPI headers in these folders, and install them in its folder()."""
    out, headers = folder(board), " ".join(f"-isystem {include}" for include in includes)
    for collection in collections():
        (out / collection).mkdir(parents=True, exist_ok=True)
        must(f"build the {collection} selftests",
             make(collection, out, f"KHDR_INCLUDES={headers}", f"CC={board.compiler}",
                  f"INSTALL_PATH={out / collection}-installed", "install"),
             f"{out.name}-{collection}.build", env=kernel.environment())


def run(function, name, board=machine.PC):
    """Return the line of a guest's script that runs a program with run_test or `run_for SECONDS`."""
    collection, program = name.split("/")
    return f"{function} {name} {folder(board) / collection}-installed {program}\n"


def judge(lines, complete):
    """Return the results of all programs, with cases for their exit status and for pages that stay pinned.

    If the run was complete, the errnos that the programs saw are compared with the documented ones.
    """
    results, inside, name, seen = Results(), [], None, {}

    def unended():
        if name:
            results.add(ktap.parse(inside), f"{name}: ")
            results.fail(f"{name}: did not exit")

    for line in lines:
        begin, end = guest.BEGIN.match(line), guest.END.match(line)
        if begin:
            unended()
            name, inside = begin.group(1), []
        elif end:
            status, before, after = int(end.group(2)), end.group(3), end.group(4)
            found = ktap.parse(inside)
            results.add(found, f"{name}: ")
            for pair, tests in errnos.hit(inside, name).items():
                seen.setdefault(pair, []).extend(tests)
            # KSFT_SKIP is 4: all cases were skipped.
            if status and not found.failed and not (status == 4 and found.skipped):
                results.fail(f"{name}: exit status {status}")
            if found.none() and not found.skipped and not status:
                results.fail(f"{name}: printed no result")
            results.check(f"{name}: {before} pages pinned before, {after} after", before == after != "unknown")
            name = None
        elif name:
            inside.append(line)
    unended()
    if complete:
        results.add(errnos.judge(seen))
    return results


def grouped(programs):
    """Return [(group, programs)] of the groups that have programs."""
    found = [(group, []) for group in GROUPS]
    for program in programs:
        next(members for group, members in found if group.has(program)).append(program)
    return [(group, members) for group, members in found if members]


def header(out, variables="", plant=None, widened=False):
    """Return the start of a guest's script, which loads modules and exports the variables NAME=VALUE.

    If `plant` is set, the script triggers the bug of that name. If `widened` is true, it loads the module that delays
    threads after unlocks.
    """
    script = f". {HARNESS}/guest/tests.sh\n" + kernel.insmod_mdevs(out)
    if variables:
        script += f"export {variables}\n"
    if plant:
        script += planted.insmod(planted.build(out), plant)
    if widened:
        script += widen.begin(out)
    return script


def boot(name, out, script, widened=False, allowed=(), **fields):
    """Boot a guest and run the script; return its Outcome and the failures that no program reports.

    `allowed` lists the findings in the kernel log that are not failures.
    """
    fields = {"devices": guest.EDU + guest.RESET_AND_SRIOV, "timeout": 1800, **fields}
    outcome = guest.boot(guest.Guest(f"selftest-{name}", kernel.bzimage(out), **fields),
                         script + (widen.end() if widened else ""))
    results = outcome.failures([*allowed, "dma-fault"] if DECLARED in outcome.lines else allowed)
    if widened and outcome.status is not None and not all(widen.delays(outcome.lines)):
        results.fail(f"guest {name}: no release of a lock was delayed")
    return outcome, results


def selftests(plant=None, wanted="", widened=False, variables="", kernels=None, **fields):
    """Run the programs of each group in a guest; return the results.

    `plant` is the name of a bug to trigger first in the guests of the debug kernel. `wanted` is the text of ONLY=. If
    `widened` is true, threads in the guest of the group RACES are delayed after they release a lock. `variables` is the
    environment of the programs, NAME=VALUE. `kernels` is {group: kernel} for groups that do not run in their usual
    kernel. Other arguments are for guest.Guest.
    """
    board = fields.get("machine", machine.PC)
    every = programs(board)
    chosen = select(every, wanted, plant, widened)
    build_programs(board, kernel.headers(kernel.build(f"{board.prefix}debug")))

    def run_group(group, members, built_for):
        """Run the programs of a group; return the lines that they print and failures that none of them reports."""
        delayed = widened and group is RACES
        # Only the debug kernel has the checks that find the bug.
        script = header(built_for, f"{group.variables} {variables}".strip(),
                        plant if group.kernel == "debug" else None, delayed)
        script += "".join(run("run_test", program, board) for program in members)
        args = f"{group.machine.get('args', '')} {fields.get('args', '')}"
        outcome, wrong = boot(group.name, built_for, script, delayed, **{**group.machine, **fields, "args": args})
        return outcome.lines, wrong

    jobs = [(group, functools.partial(run_group, group, members,
                                      kernel.build((kernels or {}).get(group.name, board.prefix + group.kernel))))
            for group, members in grouped(chosen)]
    aside = [job for group, job in jobs if group.beside]
    with beside.started("selftests", aside) as others:
        # The last of these groups is movable, which measures times: the guests in `aside` have probably ended by then.
        outcomes = [job() for group, job in reversed(jobs) if not group.beside]
        outcomes += [others.result() for _ in aside]
    lines, failures = [], Results()
    for printed, wrong in outcomes:
        lines += printed
        failures.add(wrong)
    results = judge(lines, chosen == every and not os.environ.get("TOPIC"))
    results.add(failures)
    return results


def races(seconds, kernel_name="debug", widened=False, allowed=(), **fields):
    """Run each concurrent program repeatedly, in a guest of its own; yield (Outcome, results).

    `seconds` is how long each program is repeated. `allowed` lists the findings in the kernel log that are not
    failures.
    """
    out = kernel.build(kernel_name)
    build_programs(machine.PC, kernel.headers(out))
    members = next(members for group, members in grouped(programs()) if group is RACES)
    for program in members:
        script = header(out, "STRESS_SECONDS=60", widened=widened) + run(f"run_for {seconds}", program)
        outcome, failures = boot(f"{kernel_name}-{program.split('/')[1]}", out, script, widened, allowed,
                                 timeout=900 + 2 * seconds, **fields)
        results = judge(outcome.lines, False)
        results.add(failures)
        yield outcome, results


def check_variables():
    iommus.given()
    select(sources(), only.given(), planted.given(), widen.given())


def main():
    return report(selftests(planted.given(), only.given(), widen.given(), **iommus.arguments(iommus.given())))
