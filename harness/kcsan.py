# SPDX-License-Identifier: GPL-2.0-only
"""make kcsan: data races that KCSAN finds while threads work against each other, in KUnit and in the selftests.

A report fails if one of its two accesses is made by code of ours, or if it is not known where one was made; those of
the rest of the kernel are counted only. A race that is planted in a guest of its own has to be found.
"""
import re
from bisect import bisect_right
from dataclasses import dataclass

from . import cleanlog, guest, kernel, ktap, planted, selftest
from .paths import BUILD
from .shell import output, say

OURS = ("drivers/iommu/iopt/", "drivers/iommu/iommufd/", "drivers/iommu/intel/", "drivers/iommu/iommu.c",
        "drivers/vfio/", "include/linux/iopt.h", "samples/vfio-mdev/pin/")
# An access made in these is its caller's; one that a lock makes to itself is not.
LIBRARY = ("include/", "lib/", "arch/x86/include/", "arch/x86/lib/", "kernel/kcsan/")
ACCESS = re.compile(r" to 0x\w+ of \d+ bytes by ")
FRAME = re.compile(r"^ ([\w.]+)\+0x([0-9a-f]+)/0x([0-9a-f]+)(?: \[(\w+)\])?$")
SYMBOL = re.compile(r"^([0-9a-f]+) .{7} (\S+)\t([0-9a-f]+) +(?:0x\w+ |\.hidden )?(\S+)$", re.M)
PLACE = re.compile(r"^(?:\S*?/build/(?:[\w-]+/\.\./)?linux/|\.\./linux/)?(\S+:(?:\d+|\?))")
UNKNOWN = "?"
# How much the sanitizer looked at, in the guest's debugfs; without it nothing can have been found.
COUNTED = re.compile(r"^setup_watchpoints: (\d+)$")
COUNTS = "cat /sys/kernel/debug/kcsan\n"
# Not those of records, bitmaps and random operations: they have one thread, and compute for long.
SUITES = "iopt-[!br]*"


@dataclass(frozen=True)
class Frame:
    function: str
    offset: int
    size: int           # of the function
    module: str         # "" for the kernel itself


@dataclass
class Report:
    title: str
    stacks: list        # of the two accesses: [Frame, ...], the innermost one first


def reports(text):
    """The reports in a kernel's log."""
    found, report = [], None
    for line in text.splitlines():
        line = ktap.STAMP.sub("", line.rstrip("\r"))
        if "BUG: KCSAN: " in line:
            report = Report(line.partition("BUG: KCSAN: ")[2], [])
            found.append(report)
        elif report and ACCESS.search(line):
            report.stacks.append([])
        elif report and report.stacks and (frame := FRAME.match(line)):
            name, offset, size, module = frame.groups()
            report.stacks[-1].append(Frame(name, int(offset, 16), int(size, 16), module or ""))
        elif line.startswith("Reported by Kernel Concurrency Sanitizer"):
            report = None
    return found


def addresses(file, frames):
    """{frame: address} in an object file. A function's size, as the kernel has it, ends where the next one starts."""
    section = [] if file.suffix != ".ko" else ["-j", ".text"]
    symbols = [(int(start, 16), name) for start, _, _, name in
               SYMBOL.findall(output("objdump", "-t", *section, file))]
    starts = sorted({start for start, _ in symbols})
    by_name, found = {}, {}
    for start, name in symbols:
        by_name.setdefault(name, set()).add(start)

    def size(start):
        after = bisect_right(starts, start)
        return starts[after] - start if after < len(starts) else None

    for frame in frames:
        all_of_name = by_name.get(frame.function, set())
        same = [start for start in all_of_name if size(start) == frame.size] or list(all_of_name)
        # An address in a stack is where a call returns to.
        if len(same) == 1:
            found[frame] = same[0] + frame.offset - 1
    return found


def object_file(out, module):
    if not module:
        return out / "vmlinux"
    folders = [out, BUILD / f"planted-{out.name}"]
    return next((file for folder in folders for file in folder.rglob("*.ko")
                 if file.stem.replace("-", "_") == module), None)


def places(out, frames):
    """{frame: [file:line, ...]}, what is inlined first."""
    found = {}
    for module in {frame.module for frame in frames}:
        file = object_file(out, module)
        if not file:
            continue
        where = addresses(file, [frame for frame in frames if frame.module == module])
        section = ["-j", ".text"] if module else []
        text = output("addr2line", "-a", "-i", *section, "-e", file, data="".join(f"{a:#x}\n" for a in where.values()))
        lines, at = {}, None
        for line in text.splitlines():
            if line.startswith("0x"):
                at = lines.setdefault(int(line, 16), [])
            elif place := PLACE.match(line):
                at.append(place.group(1))
        for frame, address in where.items():
            found[frame] = lines.get(address, [])
    return found


def accessed(stack, known):
    """Where the access was made: the innermost place that is not in a library."""
    every = [place for frame in stack for place in known.get(frame) or [UNKNOWN]]
    return next((place for place in every if not place.startswith(LIBRARY)), every[0] if every else UNKNOWN)


def judge(out, texts):
    """[(title, places, whether it counts)] of the reports in logs, each pair of places once."""
    every = [report for text in texts for report in reports(text)]
    known = places(out, {frame for report in every for stack in report.stacks for frame in stack})
    found = {}
    for report in every:
        where = sorted(accessed(stack, known) for stack in report.stacks) or [UNKNOWN]
        counts = any(place.startswith((*OURS, UNKNOWN)) for place in where)
        found[tuple(where)] = (report.title, where, counts)
    return list(found.values())


def watched(lines):
    """Whether the sanitizer looked at something, by what the guest printed."""
    return any(int(match.group(1)) for match in map(COUNTED.match, lines) if match)


def control(out):
    """A race that is made on purpose has to be found where it is."""
    script = planted.insmod(planted.build(out), "data-race") + COUNTS
    outcome = guest.boot(guest.Guest("kcsan-planted", kernel.bzimage(out)), script)
    found = judge(out, [outcome.console.read_text(errors="replace")])
    noticed = any(all("planted.c:" in place for place in where) for _, where, _ in found)
    results = ktap.Results()
    for case, holds in [("a planted data race is found", noticed),
                        ("the sanitizer counts what it looks at", watched(outcome.lines))]:
        (results.passed if holds else results.failed).append(case)
    return results


def kcsan(seconds=60, cpus=2):
    """Run the suites and the concurrent selftests, and judge what KCSAN reports.

    seconds is for how long threads work against each other, in KUnit and in each program.
    """
    out = kernel.build("kcsan")
    results = control(out)
    machine = guest.Guest("kcsan-kunit", kernel.bzimage(out), cpus=cpus, silence=600, timeout=1800 + 2 * seconds,
                          args=f"kunit.enable=1 kunit.filter_glob={SUITES} iopt_test.seconds={seconds}")
    outcome = guest.boot(machine, COUNTS)
    texts = [outcome.console.read_text(errors="replace")]
    results.add(ktap.parse(texts[0].splitlines()))
    if outcome.status is None:
        results.failed.append(f"guest: {outcome.reason}")
    elif not watched(outcome.lines):
        results.failed.append("the sanitizer looked at nothing")
    dirty = cleanlog.of(outcome, ["data-race"])
    programs, more, logs = selftest.races(seconds, "kcsan", cpus=cpus)
    results.add(programs)
    dirty += [finding for finding in more if finding.name != "data-race"]
    texts += logs
    elsewhere = 0
    for title, where, counts in judge(out, texts):
        elsewhere += not counts
        if counts:
            results.failed.append(f"{title}\n    {' and '.join(where)}")
    say(f"data races in the rest of the kernel: {elsewhere}")
    return results, dirty


def main():
    return ktap.report(*kcsan())
