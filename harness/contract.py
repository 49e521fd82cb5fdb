# SPDX-License-Identifier: GPL-2.0-only
"""Record how type1 behaves: run the contract programs under a kernel and parse the lines that they print.

The programs are in tools/testing/selftests/vfio/contract. Each line that they print consists of the numbers of the
rules that it shows, a name that is unique within the program, and the observed text. The file `rules` beside the
programs has one rule per line: number, kind (ABI, QUIRK, BUG, DEAD, NOTE) and the rule as a sentence. harness/contract/
contains
  unseen    rules that no program shows: number and reason
  allowed   intended differences: program | line | stock | ours
  iommufd   intended differences of a container that is an iommufd: program | line | type1 | iommufd
  warnings  machines on which kernel warnings are expected: machine, and the rule that the warnings show
"""
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from . import cleanlog, guest, iommus, kernel, machine, packages, series
from .paths import BUILD, HARNESS, LINUX, LOG, ROOT
from .shell import Failure, must, output

SOURCE = "tools/testing/selftests/vfio/contract"
RULES = ROOT / SOURCE / "rules"
DATA = HARNESS / "contract"
MODULE = "samples/vfio-mdev/pin"    # the mediated device for programs that include mdev.h
NOTHING = "(no line)"      # stands for a line that a program did not print
LINE = re.compile(r"^(T1-\d+(?:,T1-\d+)*) (\S+): (.*)$")

# The emulated machines, with their arguments for guest.Guest. A program runs on the usual machine. ONLY lists programs
# that run on another machine instead, ALSO those that run on another one in addition. Results are named
# program@machine, or program for the usual machine.
MACHINES = {
    "usual": {},
    "unsafe": {"iommu": "intel-iommu,intremap=off"},
    "snoop": {"iommu": "intel-iommu,intremap=on,snoop-control=on"},
    "amd": {"iommu": "amd-iommu,intremap=on"},
    "warn": {},
}
ONLY = {"unsafe": ["interrupts"], "snoop": ["coherency"], "amd": [], "warn": ["mdev_inversion", "mdev_warn"]}
ALSO = {"amd": ["bug_end", "get_info"]}


@dataclass
class Kernel:
    """A kernel to run the programs under, with the mediated device that was built for it."""
    name: str
    bzimage: Path
    mdev: Path
    iommufd: bool = False   # the programs do only what an iommufd supports
    board: machine.Machine = machine.PC


@dataclass
class Side:
    """Results of one kernel: `lines` is {(program, name of the line): (rules, text)}, `wrong` a list of failures."""
    name: str
    lines: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)
    logs: list = field(default_factory=list)

    def parse(self, lines, suffix=""):
        """Add the lines that a guest printed. The suffix is appended to the names of the programs."""
        program = None
        for line in lines:
            begin, end, found = guest.BEGIN.match(line), guest.END.match(line), LINE.match(line)
            if begin:
                program = begin.group(1) + suffix
            elif end:
                if end.group(2) != "0":
                    self.wrong.append(f"{program}: exit status {end.group(2)}")
                # The bug_* programs themselves print the number of pages that a bug leaves pinned.
                if end.group(3) != end.group(4) and not program.startswith("bug_"):
                    self.wrong.append(f"{program}: {end.group(3)} pages pinned before, {end.group(4)} after")
                program = None
            elif program and found:
                key = (program, found.group(2))
                if key in self.lines:
                    self.wrong.append(f"{program}: line {found.group(2)} is printed twice")
                self.lines[key] = (found.group(1).split(","), found.group(3).rstrip())
            elif program and line.strip() and not line.startswith("#"):
                self.wrong.append(f"{program}: {line}")
        if program:
            self.wrong.append(f"{program}: did not exit")


def table(name, columns, separator=None):
    """Return the entries of RULES or of harness/contract/NAME as tuples, without comments."""
    path, entries = RULES if name == "rules" else DATA / name, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(separator, columns - 1)]
        if len(parts) != columns:
            raise Failure(f"{path.relative_to(ROOT)}:{number}: the line must have {columns} columns")
        entries.append(tuple(parts))
    return entries


def sources():
    """Return what programs() returns, from the sources. This needs no kernel tree."""
    return [path.stem for path in sorted((ROOT / SOURCE).glob("*.c")) if not path.stem.startswith("race_")]


def folder(board=machine.PC):
    """Return the folder of the programs that are built for a Machine."""
    return BUILD / f"{board.prefix}contract"


def programs():
    """Return the names of the programs to compare. Programs that race are not compared."""
    packages.need(packages.KERNEL)
    series.apply()
    return output("make", "-C", LINUX / SOURCE, f"OUTPUT={folder()}", "-s", "--no-print-directory", "list",
                  env=kernel.environment()).split()


def build_programs(board=machine.PC):
    """Build all programs with the kernel tree's lib.mk, including those that race and are not compared."""
    series.apply()
    out = folder(board)
    include = kernel.headers(BUILD / f"{board.prefix}contract-headers")
    out.mkdir(parents=True, exist_ok=True)
    must("build the contract programs",
         ["make", "-C", LINUX / SOURCE, f"OUTPUT={out}", f"KHDR_INCLUDES=-isystem {include}", f"CC={board.compiler}"],
         f"{out.name}.build", env=kernel.environment())


def prepare(name, out, tree=LINUX, iommufd=False):
    """Build the mediated device for the kernel in the folder `out`, as an external module; return the Kernel.

    If `iommufd` is true, the sources are those in build/linux, which use operations that an iommufd needs and stock
    vfio does not have. Otherwise, they are those in the repository, which do not use these operations.
    """
    place = BUILD / "contract-mdev" / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree((LINUX if iommufd else ROOT) / MODULE, place)
    must(f"build the mediated device for {name}",
         kernel.make(out, f"M={place}", "CONFIG_SAMPLE_VFIO_MDEV_PIN=m", "modules", tree=tree),
         f"contract-mdev-{name}.build", env=kernel.environment())
    return Kernel(name, kernel.bzimage(out), next(place.glob("*.ko")), iommufd, machine.of(out.name))


def header(tested):
    """Return the start of a guest's script that runs programs under the Kernel."""
    lines = [f". {HARNESS}/guest/tests.sh", "echo 16 >/proc/sys/vm/nr_hugepages", f"insmod {tested.mdev}"]
    if tested.iommufd:
        lines.append("export CONTRACT_IOMMUFD=1")
    return "\n".join([*lines, ""])


def run(program, board=machine.PC):
    """Return the line of a guest's script that runs a program."""
    return f"run_test {program} {folder(board)} {program}\n"


def usual(names):
    """Return those of the named programs that run on the usual machine."""
    elsewhere = {program for those in ONLY.values() for program in those}
    return [program for program in names if program not in elsewhere]


def record(tested, names, seeds=200, kind="intel"):
    """Run the named programs under a Kernel on each machine; return the Side.

    `seeds` is the number of random sequences. With an IOMMU other than Intel's, `kind`, only the programs for the usual
    machine run.
    """
    side = Side(tested.name)
    warnings = dict(table("warnings", 2))
    machines = MACHINES if kind == "intel" else {"usual": iommus.arguments(kind)}
    for where, arguments in machines.items():
        todo = usual(names) if where == "usual" else \
            [program for program in names if program in ONLY[where] + ALSO.get(where, [])]
        if not todo:
            continue
        # The program `random` takes minutes on a busy host.
        script = header(tested) + f"export CONTRACT_SEEDS={seeds} TEST_SECONDS=600\n"
        script += "".join(run(program, tested.board) for program in todo)
        outcome = guest.boot(guest.Guest(f"differential-{tested.name}-{where}", tested.bzimage, devices=guest.EDU,
                                         **arguments), script)
        side.parse(outcome.lines, "" if where == "usual" else f"@{where}")
        side.logs.append(LOG / f"differential-{tested.name}-{where}.output")
        if outcome.status is None:
            side.wrong.append(f"machine {where}: {outcome.reason.splitlines()[0]}")
        elif outcome.status:
            side.wrong.append(f"machine {where}: exit status {outcome.status} of the script")
        findings = cleanlog.of(outcome, allowed=["dma-fault"])
        if where in warnings:
            for number, finding in enumerate(findings):
                caller = re.search(r" at \S+ (\w+)\+", finding.line)
                side.lines[f"kernel log@{where}", str(number)] = (
                    [warnings[where]], f"{finding.name} {caller.group(1) if caller else ''}")
        else:
            side.wrong += [f"machine {where}: kernel log: {finding}" for finding in findings]
    return side


def compare(first, other, allowed):
    """Yield (program, line, text of the first side, text of the other, whether it is allowed) for each difference."""
    for key in list(first.lines) + [key for key in other.lines if key not in first.lines]:
        one, two = (side.lines[key][1] if key in side.lines else NOTHING for side in (first, other))
        if one != two:
            yield (*key, one, two, (*key, one, two) in allowed)
