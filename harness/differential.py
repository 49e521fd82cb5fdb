# SPDX-License-Identifier: GPL-2.0-only
"""make differential: compare the behaviour of type1 under the stock kernel and under ours, line by line.

The contract programs are in tools/testing/selftests/vfio/contract. Each line that they print starts with the numbers of
the rules that it shows, has a name that is unique in the program, and the observed text. harness/contract/ contains
  rules     one rule a line: number, kind (ABI, QUIRK, BUG, DEAD, NOTE) and the rule as a sentence
  unseen    rules that no program shows: number and reason
  allowed   intended differences: program | line | stock | ours

ONLY= selects programs by patterns separated by commas. Rules without a line then are no failure.
"""
import itertools
import re
import shutil
from dataclasses import dataclass, field

from . import base, cleanlog, guest, kernel, only, packages, series
from .base import git
from .paths import BUILD, HARNESS, LINUX, ROOT
from .results import Results, report
from .shell import Failure, must, output, say

STOCK = BUILD / "stock"
SOURCE = "tools/testing/selftests/vfio/contract"
PROGRAMS = BUILD / "contract"
DATA = HARNESS / "contract"
LINE = re.compile(r"^(T1-\d+(?:,T1-\d+)*) (\S+): (.*)$")
BEGIN = re.compile(r"^# harness: begin (\S+)$")
END = re.compile(r"^# harness: end (\S+) (\d+) (\S+) (\S+)$")
NOTHING = "(no line)"

# The emulated machines and their arguments for guest.Guest. ONLY lists the programs that run on one machine only, and
# ALSO those that run there in addition; all others run on the usual one. Results are named program@machine, except on
# the usual machine.
MACHINES = {
    "usual": {},
    "unsafe": {"iommu": "intel-iommu,intremap=off"},
    "snoop": {"iommu": "intel-iommu,intremap=on,snoop-control=on"},
    "amd": {"iommu": "amd-iommu,intremap=on"},
    "warn": {},
}
ONLY = {"unsafe": ["interrupts"], "snoop": ["coherency"], "amd": [], "warn": ["mdev_inversion", "mdev_warn"]}
ALSO = {"amd": ["bug_end", "get_info"]}
# On this machine warnings of the kernel are expected. Each is compared as a line of this rule.
WARNINGS = {"warn": "T1-148"}
# The mediated device that the programs mdev_* use.
MODULE = "samples/vfio-mdev/pin"
SETUP = "echo 16 >/proc/sys/vm/nr_hugepages\n"


@dataclass
class Side:
    """Results of one kernel: lines is {(program, name of the line): (rules, text)}, wrong lists other failures."""
    name: str
    lines: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)


def stock_kernel():
    """Build the unmodified base, configured like the release kernel without what the series adds; return its folder."""
    base.fetch()
    packages.need(packages.KERNEL)
    if f"worktree {STOCK}\n" not in git("worktree", "list", "--porcelain") or not (STOCK / "Makefile").exists():
        shutil.rmtree(STOCK, ignore_errors=True)
        git("worktree", "prune")
        git("worktree", "add", "-q", "--detach", str(STOCK), "base")
    commit = git("rev-parse", "base").strip()
    if git("rev-parse", "HEAD", tree=STOCK).strip() != commit:
        git("checkout", "-q", "--detach", commit, tree=STOCK)
    if git("diff", "--name-only", "HEAD", tree=STOCK).strip():
        raise Failure(f"{STOCK} must be the unmodified base, but was edited: run git -C {STOCK} checkout .")
    out = BUILD / "stock-release"
    kernel.ensure_config(out, kernel.fragments(*(name for name in kernel.FRAGMENTS["release"] if name != "iommufd")), STOCK)
    must("build the stock kernel", kernel.make(out, "bzImage", "modules", tree=STOCK), "stock-release.build",
         env=kernel.environment())
    return out


def programs():
    """Return the names of the contract programs whose output is compared."""
    packages.need(packages.KERNEL)
    series.apply()
    return output("make", "-C", LINUX / SOURCE, f"OUTPUT={PROGRAMS}", "-s", "--no-print-directory", "list",
                  env=kernel.environment()).split()


def build_programs():
    """Build all contract programs with the lib.mk of the tree; return their folder."""
    series.apply()
    include = kernel.headers(BUILD / "contract-headers")
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    must("build the contract programs",
         ["make", "-C", LINUX / SOURCE, f"OUTPUT={PROGRAMS}", f"KHDR_INCLUDES=-isystem {include}"], "contract.build",
         env=kernel.environment())
    return PROGRAMS


def build_module(name, out, tree):
    """Build the mediated device for a kernel as an external module; return the .ko.

    The sources are taken from the repository. Those in build/linux use operations that stock vfio does not have.
    """
    folder = BUILD / "contract-mdev" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / MODULE, folder)
    must(f"build the mediated device for {name}",
         kernel.make(out, f"M={folder}", "CONFIG_SAMPLE_VFIO_MDEV_PIN=m", "modules", tree=tree),
         f"contract-mdev-{name}.build", env=kernel.environment())
    return next(folder.glob("*.ko"))


def parse(side, lines, machine):
    """Add the lines that a guest printed to the side."""
    program, suffix = None, "" if machine == "usual" else f"@{machine}"
    for line in lines:
        begin, end, found = BEGIN.match(line), END.match(line), LINE.match(line)
        if begin:
            program = begin.group(1) + suffix
        elif end:
            if end.group(2) != "0":
                side.wrong.append(f"{program}: exit status {end.group(2)}")
            # The bug_* programs print themselves how many pages a bug leaves pinned.
            if end.group(3) != end.group(4) and not program.startswith("bug_"):
                side.wrong.append(f"{program}: {end.group(3)} pages pinned before, {end.group(4)} after")
            program = None
        elif program and found:
            key = (program, found.group(2))
            if key in side.lines:
                side.wrong.append(f"{program}: line {found.group(2)} is printed twice")
            side.lines[key] = (found.group(1).split(","), found.group(3))
        elif program and line.strip() and not line.startswith("#"):
            side.wrong.append(f"{program}: {line}")
    if program:
        side.wrong.append(f"{program}: did not exit")


def record(name, bzimage, module, folder, programs, seeds=200):
    """Run the programs under a kernel on each machine; return the Side. seeds is the number of random sequences."""
    side = Side(name)
    elsewhere = [program for those in ONLY.values() for program in those]
    for machine, arguments in MACHINES.items():
        todo = [program for program in programs if program not in elsewhere] if machine == "usual" else \
            [program for program in programs if program in ONLY[machine] + ALSO.get(machine, [])]
        script = f". {HARNESS}/guest/tests.sh\n{SETUP}insmod {module}\nexport CONTRACT_SEEDS={seeds}\n"
        script += "".join(f"run_test {program} {folder} {program}\n" for program in todo)
        outcome = guest.boot(guest.Guest(f"differential-{name}-{machine}", bzimage, devices=guest.EDU, **arguments),
                             script)
        parse(side, outcome.lines, machine)
        if outcome.status is None:
            side.wrong.append(f"machine {machine}: {outcome.reason.splitlines()[0]}")
        findings = cleanlog.of(outcome, allowed=["dma-fault"])
        if machine in WARNINGS:
            for number, finding in enumerate(findings):
                where = re.search(r" at \S+ (\w+)\+", finding.line)
                side.lines[f"kernel log@{machine}", str(number)] = (
                    [WARNINGS[machine]], f"{finding.name} {where.group(1) if where else ''}")
        else:
            side.wrong += [f"machine {machine}: kernel log: {finding}" for finding in findings]
    return side


def table(name, columns, separator=None):
    """Return the entries of harness/contract/NAME as tuples, without comments."""
    entries = []
    for number, line in enumerate((DATA / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(separator, columns - 1)]
        if len(parts) != columns:
            raise Failure(f"harness/contract/{name}:{number}: the line must have {columns} columns")
        entries.append(tuple(parts))
    return entries


def compare(stock, other, allowed):
    """Yield (program, line, text of stock, text of other, whether it is allowed) for each difference."""
    for key in list(stock.lines) + [key for key in other.lines if key not in stock.lines]:
        one, two = (side.lines[key][1] if key in side.lines else NOTHING for side in (stock, other))
        if one != two:
            yield (*key, one, two, (*key, one, two) in allowed)


def judge(stock, other, allowed, whole):
    """Print the table of rules and return a list of failures.

    If not all programs ran (whole is false), rules and allowed differences without a line are no failure.
    """
    differences = list(compare(stock, other, allowed))
    wrong = [f"{side.name}: {text}" for side in (stock, other) for text in side.wrong]
    wrong += [f"{program}: {line}: stock {one}, {other.name} {two}" for program, line, one, two, wanted in differences
              if not wanted]
    used = {difference[:4] for difference in differences}
    wrong += [f"allowed difference that did not occur: {' | '.join(entry)}" for entry in allowed
              if entry not in used and (whole or entry[:2] in stock.lines)]

    kinds = {number: (kind, about) for number, kind, about in table("rules", 3)}
    unseen = dict(table("unseen", 2))
    seen = {}
    for side in (stock, other):
        for (program, line), (rules, _) in side.lines.items():
            for rule in rules:
                seen.setdefault(rule, {}).setdefault(program, set()).add(line)
    say(f"{'rule':8}{'kind':7}{'lines':>6}  {'verdict':12}programs")
    for rule, (kind, about) in kinds.items():
        of_rule = [d for d in differences if d[1] in seen.get(rule, {}).get(d[0], ())]
        verdict = "no line" if rule not in seen else "same" if not of_rule else \
            "as allowed" if all(d[4] for d in of_rule) else "DIFFERENT"
        lines = sum(len(names) for names in seen.get(rule, {}).values())
        where = " ".join(sorted(seen[rule])) if rule in seen else unseen.get(rule, "")
        say(f"{rule:8}{kind:7}{lines:6}  {verdict:12}{where}")
        if whole and rule not in seen and rule not in unseen and kind in ("ABI", "QUIRK"):
            wrong.append(f"{rule} has no line, and no reason in harness/contract/unseen: {about}")
        if rule in seen and rule in unseen:
            wrong.append(f"{rule} has lines, but is listed in harness/contract/unseen")
    wrong += [f"{rule}: not in harness/contract/rules" for rule in sorted(set(seen) | set(unseen)) if rule not in kinds]
    counted = {kind: [sum(1 for rule, (k, _) in kinds.items() if k == kind and rule in seen),
                      sum(1 for k, _ in kinds.values() if k == kind)] for kind in ("ABI", "QUIRK", "BUG")}
    say("rules with a line: " + ", ".join(f"{have} of {all_} {kind}" for kind, (have, all_) in counted.items())
        + f"; {sum(have for have, _ in counted.values())} in all, {len(stock.lines)} lines, "
          f"{len(differences)} differences, {sum(1 for d in differences if d[4])} of them allowed")
    return wrong


def success(side):
    """Print how many random operations of each kind succeeded; return a failure for each kind below one half."""
    counts = [(line, *map(int, found.groups())) for (program, line), (_, text) in side.lines.items()
              if program == "random" and (found := re.match(r"tried (\d+) succeeded (\d+)$", text))]
    say(f"{'operation':12}{'tried':>8}{'succeeded':>11}")
    for line, tried, succeeded in counts:
        say(f"{line:12}{tried:8}{succeeded:11}{100 * succeeded // max(tried, 1):5} %")
    if not counts:
        return ["random: no operation was counted"]
    return [f"random: {line}: {succeeded} of {tried} succeeded, less than half"
            for line, tried, succeeded in counts if 2 * succeeded < tried or not tried]


def explain(wrong, kernels, folder):
    """If a random sequence differs, trace its seed under both kernels; return the first operation that differs."""
    seeds = [found.group(1) for found in (re.match(r"random: seed_(\d+)\.", text) for text in wrong) if found]
    if not seeds:
        return []
    runs = []
    for name, image, module in kernels:
        script = f"{SETUP}insmod {module}\nCONTRACT_SEED={seeds[0]} {folder}/random\n"
        outcome = guest.boot(guest.Guest(f"differential-{name}-seed", image, devices=guest.EDU), script)
        runs.append([line[2:] for line in outcome.lines if line.startswith("# ")])
    for number, (one, two) in enumerate(itertools.zip_longest(*runs, fillvalue=NOTHING), 1):
        if one != two:
            return [f"random: seed {seeds[0]}, line {number} of the trace: stock {one}, other {two}"]
    return [f"random: seed {seeds[0]} does not differ when run alone"]


def differential(seeds=200, itself=False, wanted=""):
    """Compare the stock kernel with ours or, if itself is set, with a second run of it; return the results.

    seeds is the number of random sequences. wanted is the text of ONLY=.
    """
    every = programs()
    chosen = only.select(wanted, every, "program")
    folder = build_programs()
    out = stock_kernel()
    stock = "stock", kernel.bzimage(out), build_module("stock", out, STOCK)
    if itself:
        other = "again", *stock[1:]
    else:
        out = kernel.build("release")
        other = "ours", kernel.bzimage(out), build_module("ours", out, LINUX)
    sides = [record(*side, folder, chosen, seeds) for side in (stock, other)]
    wrong = judge(*sides, [] if itself else table("allowed", 4, "|"), chosen == every)
    if "random" in chosen:
        wrong += success(sides[0])
    wrong += explain(wrong, [stock, other], folder)
    results = Results(failed=wrong)
    if not wrong:
        results.passed.append("type1: all lines are the same, except for intended differences")
    return results


def main():
    return report(differential(wanted=only.given()))
