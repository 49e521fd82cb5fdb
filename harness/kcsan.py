# SPDX-License-Identifier: GPL-2.0-only
"""make kcsan: data races that KCSAN finds while threads work against each other, in KUnit and in the selftests.

A report counts if one of its two accesses is made by code of ours; those of the rest of the kernel are counted only.
"""
import re
from dataclasses import dataclass

from . import cleanlog, guest, kernel, ktap, selftest
from .paths import LINUX
from .shell import output, say

OURS = ("drivers/iommu/iopt/", "drivers/iommu/iommufd/", "drivers/iommu/intel/", "drivers/iommu/iommu.c",
        "drivers/vfio/", "include/linux/iopt.h", "samples/vfio-mdev/pin/")
# An access made in these is its caller's.
LIBRARY = ("include/", "lib/", "arch/x86/include/", "arch/x86/lib/", "kernel/kcsan/", "kernel/locking/")
ACCESS = re.compile(r" to 0x\w+ of \d+ bytes by ")
FRAME = re.compile(r"^ ([\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+)$")
PLACE = re.compile(r"(?:\(inlined by\) )?\S+ at (\S+:\d+)")


@dataclass
class Report:
    title: str
    stacks: list        # of the two accesses: [frame, ...], the innermost one first


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
            report.stacks[-1].append(frame.group(1))
        elif line.startswith("Reported by Kernel Concurrency Sanitizer"):
            report = None
    return found


def places(out, frames):
    """{frame: [file:line, ...]}, what is inlined first."""
    found, frame = {}, None
    if not frames:
        return found
    text = output(LINUX / "scripts/faddr2line", out / "vmlinux", *sorted(frames), cwd=out, env=kernel.environment())
    for line in text.splitlines():
        line = line.replace(f"{LINUX}/", "").strip()
        place = PLACE.match(line)
        if line.endswith(":") and not place:
            frame = found.setdefault(line[:-1], [])
        elif place and frame is not None:
            frame.append(place.group(1))
    return found


def accessed(stack, known):
    """Where the access was made: the innermost place that is not in a library."""
    every = [place for frame in stack for place in known.get(frame, [])]
    return next((place for place in every if not place.startswith(LIBRARY)), every[0] if every else "?")


def judge(out, texts):
    """[(title, places, whether it is ours)] of the reports in logs, each pair of places once."""
    every = [report for text in texts for report in reports(text)]
    known = places(out, {frame for report in every for stack in report.stacks for frame in stack})
    found = {}
    for report in every:
        where = sorted(accessed(stack, known) for stack in report.stacks)
        found[tuple(where)] = (report.title, where, any(place.startswith(OURS) for place in where))
    return list(found.values())


def kcsan(seconds=60, cpus=2):
    """Run the suites and the concurrent selftests, and judge what KCSAN reports.

    seconds is for how long threads work against each other, in KUnit and in each program.
    """
    out = kernel.build("kcsan")
    machine = guest.Guest("kcsan-kunit", kernel.bzimage(out), cpus=cpus, silence=300, timeout=1800 + 2 * seconds,
                          args=f"kunit.enable=1 iopt_test.seconds={seconds}")
    outcome = guest.boot(machine, "true\n")
    texts = [outcome.console.read_text(errors="replace")]
    results = ktap.parse(texts[0].splitlines())
    if outcome.status is None:
        results.failed.append(f"guest: {outcome.reason}")
    dirty = cleanlog.of(outcome, ["data-race"])
    programs, more, logs = selftest.races(seconds, "kcsan", cpus=cpus)
    results.add(programs)
    dirty += more
    texts += logs
    elsewhere = 0
    for title, where, ours in judge(out, texts):
        elsewhere += not ours
        if ours:
            results.failed.append(f"{title}\n    {' and '.join(where)}")
    say(f"data races in the rest of the kernel: {elsewhere}")
    return results, dirty


def main():
    results, dirty = kcsan()
    for case in results.failed:
        say(f"failed: {case}")
    for finding in dirty:
        say(f"kernel log: {finding.name}: {finding.line}")
    say(f"{len(results.passed)} passed, {len(results.failed)} failed, {len(results.skipped)} skipped")
    return bool(results.failed or dirty or not results.passed)
