# SPDX-License-Identifier: GPL-2.0-only
"""make differential: what type1 does, under the stock kernel and under ours, compared line by line.

The programs are tools/testing/selftests/vfio/contract; each of their lines names the rules that it shows.
harness/contract/ holds
  rules     one rule a line: its number, its kind (ABI, QUIRK, BUG, DEAD, NOTE) and what it is about
  unseen    rules of which no program has a line, each with the reason
  allowed   differences that are wanted: program | line | stock | ours

ONLY= names programs, with wildcards, separated by commas: then rules that have no line do not count.
"""
import fnmatch
import itertools
import os
import re
import shutil
from dataclasses import dataclass, field

from . import base, cleanlog, guest, kernel, packages, series
from .base import git
from .paths import BUILD, HARNESS, LINUX, ROOT
from .shell import Failure, must, output, say

STOCK = BUILD / "stock"
SOURCE = "tools/testing/selftests/vfio/contract"
DATA = HARNESS / "contract"
LINE = re.compile(r"^(T1-\d+(?:,T1-\d+)*) (\S+): (.*)$")
BEGIN = re.compile(r"^# harness: begin (\S+)$")
END = re.compile(r"^# harness: end (\S+) (\d+) (\S+) (\S+)$")
NOTHING = "(no line)"

# Machines: how QEMU shows them, and which programs run there; on the usual one all that name no other. What runs
# in several places is named program@machine in all but the usual one.
MACHINES = {
    "usual": {},
    "unsafe": {"iommu": "intel-iommu,intremap=off"},
    "snoop": {"iommu": "intel-iommu,intremap=on,snoop-control=on"},
    "amd": {"iommu": "amd-iommu,intremap=on"},
    "warn": {},
}
ONLY = {"unsafe": ["interrupts"], "snoop": ["coherency"], "amd": [], "warn": ["mdev_inversion", "mdev_warn"]}
ALSO = {"amd": ["bug_end", "get_info"]}
# There the kernel's warnings are what is looked at: each is a line, of this rule.
WARNINGS = {"warn": "T1-148"}
# The mediated device that the programs mdev_* drive.
MODULE = "samples/vfio-mdev/pin"
SETUP = "echo 16 >/proc/sys/vm/nr_hugepages\n"


@dataclass
class Side:
    """What one kernel gave: {(program, line's name): (rules, text)}, and what went wrong besides."""
    name: str
    lines: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)


def stock_kernel():
    """Build the base as it is, with the release kernel's configuration but for what the series adds."""
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
        raise Failure(f"{STOCK} is the stock kernel, but was edited: git -C {STOCK} checkout .")
    out = BUILD / "stock-release"
    kernel.settle(out, kernel.fragments(*(name for name in kernel.FRAGMENTS["release"] if name != "iommufd")), STOCK)
    must("build the stock kernel", kernel.make(out, "bzImage", "modules", tree=STOCK), "stock-release.build",
         env=kernel.environment())
    return out


def build_programs():
    """Build the programs as the tree's lib.mk does; return their folder and names."""
    series.apply()
    source, out = LINUX / SOURCE, BUILD / "contract"
    if not source.is_dir():
        raise Failure(f"the tree has no {SOURCE}")
    include = kernel.headers(BUILD / "contract-headers")
    out.mkdir(parents=True, exist_ok=True)
    argv = ["make", "-C", source, f"OUTPUT={out}", f"KHDR_INCLUDES=-isystem {include}"]
    must("build the contract programs", argv, "contract.build", env=kernel.environment())
    listed = output(*argv, "-s", "--no-print-directory", "list", env=kernel.environment())
    return out, listed.split()


def build_module(name, out, tree):
    """Build the mediated device for a kernel, outside of its tree, as the sources need not be in it.

    They are the repository's: in the series' tree the driver has operations that stock vfio does not know.
    """
    folder = BUILD / "contract-mdev" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / MODULE, folder)
    must(f"build the mediated device for {name}",
         kernel.make(out, f"M={folder}", "CONFIG_SAMPLE_VFIO_MDEV_PIN=m", "modules", tree=tree),
         f"contract-mdev-{name}.build", env=kernel.environment())
    return next(folder.glob("*.ko"))


def parse(side, lines, machine):
    """Sort a guest's output into the side's lines."""
    program, suffix = None, "" if machine == "usual" else f"@{machine}"
    for line in lines:
        begin, end, found = BEGIN.match(line), END.match(line), LINE.match(line)
        if begin:
            program = begin.group(1) + suffix
        elif end:
            if end.group(2) != "0":
                side.wrong.append(f"{program}: exit status {end.group(2)}")
            # What a program of a bug leaves behind, its own lines tell.
            if end.group(3) != end.group(4) and not program.startswith("bug_"):
                side.wrong.append(f"{program}: pages pinned before {end.group(3)}, after {end.group(4)}")
            program = None
        elif program and found:
            key = (program, found.group(2))
            if key in side.lines:
                side.wrong.append(f"{program}: {found.group(2)} is printed twice")
            side.lines[key] = (found.group(1).split(","), found.group(3))
        elif program and line.strip() and not line.startswith("#"):
            side.wrong.append(f"{program}: {line}")
    if program:
        side.wrong.append(f"{program}: it did not end")


def record(name, bzimage, module, folder, programs, seeds=200):
    """Boot the kernel on each machine, and run there what is to run there; seeds is how many random sequences."""
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
            side.wrong += [f"machine {machine}: kernel log: {finding.name}: {finding.line}" for finding in findings]
    return side


def table(name, columns, separator=None):
    """The entries of harness/contract/NAME, comments left out."""
    entries = []
    for number, line in enumerate((DATA / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(separator, columns - 1)]
        if len(parts) != columns:
            raise Failure(f"harness/contract/{name}:{number}: not {columns} columns")
        entries.append(tuple(parts))
    return entries


def compare(stock, other, allowed):
    """Yield (program, line, stock's text, other's text, whether it is wanted) for each difference."""
    for key in list(stock.lines) + [key for key in other.lines if key not in stock.lines]:
        one, two = (side.lines[key][1] if key in side.lines else NOTHING for side in (stock, other))
        if one != two:
            yield (*key, one, two, (*key, one, two) in allowed)


def judge(stock, other, allowed, whole):
    """All that is wrong, and the table of rules; prints both. If not all programs ran, some have no line."""
    differences = list(compare(stock, other, allowed))
    wrong = [f"{side.name}: {text}" for side in (stock, other) for text in side.wrong]
    wrong += [f"{program}: {line}: stock {one}, {other.name} {two}" for program, line, one, two, wanted in differences
              if not wanted]
    used = {difference[:4] for difference in differences}
    wrong += [f"allowed, but it did not happen: {' | '.join(entry)}" for entry in allowed
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
            wrong.append(f"{rule} ({about}): no line, and no reason in harness/contract/unseen")
        if rule in seen and rule in unseen:
            wrong.append(f"{rule}: it has lines, and a reason for none in harness/contract/unseen")
    wrong += [f"{rule}: not in harness/contract/rules" for rule in sorted(set(seen) | set(unseen)) if rule not in kinds]
    counted = {kind: [sum(1 for rule, (k, _) in kinds.items() if k == kind and rule in seen),
                      sum(1 for k, _ in kinds.values() if k == kind)] for kind in ("ABI", "QUIRK", "BUG")}
    say("rules with a line: " + ", ".join(f"{have} of {all_} {kind}" for kind, (have, all_) in counted.items())
        + f"; {sum(have for have, _ in counted.values())} in all, {len(stock.lines)} lines, "
          f"{len(differences)} differences, {sum(1 for d in differences if d[4])} of them allowed")
    return wrong


def success(side):
    """Print how many of each kind of random operation succeeded; half of them have to."""
    counts = [(line, *map(int, found.groups())) for (program, line), (_, text) in side.lines.items()
              if program == "random" and (found := re.match(r"tried (\d+) succeeded (\d+)$", text))]
    say(f"{'operation':12}{'tried':>8}{'succeeded':>11}")
    for line, tried, succeeded in counts:
        say(f"{line:12}{tried:8}{succeeded:11}{100 * succeeded // max(tried, 1):5} %")
    if not counts:
        return ["random: it counted no operation"]
    return [f"random: {line}: {succeeded} of {tried} succeeded, less than half"
            for line, tried, succeeded in counts if 2 * succeeded < tried or not tried]


def explain(wrong, kernels, folder):
    """Where a random sequence differs, run its seed once more under both kernels: which operation was the first?"""
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
    return [f"random: seed {seeds[0]} alone does not differ"]


def chosen(programs):
    """Those of the programs that ONLY= names, and whether that is all."""
    patterns = [pattern for pattern in re.split(r"[,\s]+", os.environ.get("ONLY", "")) if pattern]
    found = [name for name in programs if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)]
    if not found:
        raise Failure(f"ONLY={os.environ['ONLY']}: no such program")
    return found, not patterns


def differential(seeds=200, itself=False):
    """Record the stock kernel and ours, or the stock kernel itself again, and compare; return what is wrong."""
    folder, programs = build_programs()
    programs, whole = chosen(programs)
    out = stock_kernel()
    stock = "stock", kernel.bzimage(out), build_module("stock", out, STOCK)
    if itself:
        other = "again", *stock[1:]
    else:
        out = kernel.build("release")
        other = "ours", kernel.bzimage(out), build_module("ours", out, LINUX)
    sides = [record(*side, folder, programs, seeds) for side in (stock, other)]
    wrong = judge(*sides, [] if itself else table("allowed", 4, "|"), whole)
    if "random" in programs:
        wrong += success(sides[0])
    return wrong + explain(wrong, [stock, other], folder)


def main():
    wrong = differential()
    for text in wrong:
        say(f"failed: {text}")
    say(f"RESULT: {'fail' if wrong else 'pass'}")
    return bool(wrong)
