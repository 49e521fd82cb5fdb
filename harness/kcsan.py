# SPDX-License-Identifier: GPL-2.0-only
"""make kcsan: search for data races with KCSAN, in KUnit suites of the engine and in the concurrent selftests.

A report is a failure if our code makes either of the two accesses, or if the location of either is unknown. Reports
about the rest of the kernel are only counted. As a control, KCSAN must find a race that the module `planted` provokes.
"""
import re
from bisect import bisect_right
from dataclasses import dataclass

from . import guest, kernel, ktap, planted, selftest
from .paths import BUILD
from .results import Results, report
from .shell import output, say

OURS = ("drivers/iommu/iopt/", "drivers/iommu/iommufd/", "drivers/iommu/intel/", "drivers/iommu/iommu.c",
        "drivers/vfio/", "include/linux/iopt.h", "samples/vfio-mdev/pin/")
# Accesses in inlined or library code are attributed to the caller. Lock functions are not listed, so that accesses to a
# lock itself are not attributed to the code that takes the lock.
LIBRARY = ("include/", "lib/", "arch/x86/include/", "arch/x86/lib/", "kernel/kcsan/")
ACCESS = re.compile(r" to 0x\w+ of \d+ bytes by ")
FRAME = re.compile(r"^ ([\w.]+)\+0x([0-9a-f]+)/0x([0-9a-f]+)(?: \[(\w+)\])?$")
SYMBOL = re.compile(r"^([0-9a-f]+) .{7} (\S+)\t([0-9a-f]+) +(?:0x\w+ |\.hidden )?(\S+)$", re.M)
PLACE = re.compile(r"^(?:\S*?/build/(?:[\w-]+/\.\./)?linux/|\.\./linux/)?(\S+:(?:\d+|\?))")
UNKNOWN = "?"
# The number of watchpoints that KCSAN has set up, from debugfs of the guest. If it is 0, KCSAN cannot have found
# anything.
COUNTED = re.compile(r"^setup_watchpoints: (\d+)$")
COUNTS = "cat /sys/kernel/debug/kcsan\n"
# All suites of the engine except iopt-r*, which make no concurrent calls. Two of those left out, iopt-random and
# iopt-runs*, are also slow.
SUITES = "iopt-[!r]*"


@dataclass(frozen=True)
class Frame:
    function: str
    offset: int
    size: int           # size of the function
    module: str         # "" for the kernel itself


@dataclass
class Report:
    title: str
    stacks: list        # for each of the two accesses [Frame, ...], innermost first


def reports(text):
    """Return the reports in a kernel log."""
    found, race = [], None
    for line in text.splitlines():
        line = ktap.STAMP.sub("", line.rstrip("\r"))
        if "BUG: KCSAN: " in line:
            race = Report(line.partition("BUG: KCSAN: ")[2], [])
            found.append(race)
        elif race and ACCESS.search(line):
            race.stacks.append([])
        elif race and race.stacks and (frame := FRAME.match(line)):
            name, offset, size, module = frame.groups()
            race.stacks[-1].append(Frame(name, int(offset, 16), int(size, 16), module or ""))
        elif line.startswith("Reported by Kernel Concurrency Sanitizer"):
            race = None
    return found


def addresses(file, frames):
    """Return {frame: address} for an object file.

    Functions of the same name are distinguished by their size. As in kallsyms, the size includes the padding up to the
    next function.
    """
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
        # Stack entries are return addresses. Subtract 1 to get an address within the call instruction.
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
    """Return {frame: [file:line, ...]}, innermost inlined function first."""
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
    """Return the file:line that an access is attributed to: the innermost one outside of LIBRARY."""
    every = [place for frame in stack for place in known.get(frame) or [UNKNOWN]]
    return next((place for place in every if not place.startswith(LIBRARY)), every[0] if every else UNKNOWN)


def judge(out, texts):
    """Return [(title, places, whether it is a failure)] for the reports in the logs, one for each pair of places."""
    every = [race for text in texts for race in reports(text)]
    known = places(out, {frame for race in every for stack in race.stacks for frame in stack})
    found = {}
    for race in every:
        where = sorted(accessed(stack, known) for stack in race.stacks) or [UNKNOWN]
        counts = any(place.startswith((*OURS, UNKNOWN)) for place in where)
        found[tuple(where)] = (race.title, where, counts)
    return list(found.values())


def watched(lines):
    """Return whether KCSAN set up watchpoints, according to the output of the guest."""
    return any(int(match.group(1)) for match in map(COUNTED.match, lines) if match)


def control(out):
    """Check that KCSAN reports a planted race and that both accesses are located in planted.c; return the results."""
    script = planted.insmod(planted.build(out), "data-race") + COUNTS
    outcome = guest.boot(guest.Guest("kcsan-planted", kernel.bzimage(out)), script)
    found = judge(out, [outcome.console.read_text(errors="replace")])
    noticed = any(all("planted.c:" in place for place in where) for _, where, _ in found)
    results = Results()
    results.check("a planted data race is found", noticed)
    results.check("KCSAN sets up watchpoints", watched(outcome.lines))
    return results


def kcsan(seconds=60, cpus=2):
    """Run the suites and the concurrent selftests; return the results.

    `seconds` is how long the suite iopt-stress and each selftest run.
    """
    out = kernel.build("kcsan")
    results = control(out)
    machine = guest.Guest("kcsan-kunit", kernel.bzimage(out), cpus=cpus, silence=600, timeout=1800 + 2 * seconds,
                          args=f"kunit.enable=1 kunit.filter_glob={SUITES} iopt_test.seconds={seconds}")
    outcome = guest.boot(machine, COUNTS)
    texts = [outcome.console.read_text(errors="replace")]
    results.add(ktap.parse(texts[0].splitlines()))
    # Data races are judged below, by the location of their accesses.
    results.add(outcome.failures(allowed=["data-race"]))
    if outcome.status is not None and not watched(outcome.lines):
        results.fail("KCSAN set up no watchpoint")
    for outcome, programs in selftest.races(seconds, "kcsan", allowed=["data-race"], cpus=cpus):
        results.add(programs)
        texts.append(outcome.console.read_text(errors="replace"))
    elsewhere = 0
    for title, where, counts in judge(out, texts):
        elsewhere += not counts
        if counts:
            results.fail(title, [" and ".join(where)])
    say(f"data races in the rest of the kernel: {elsewhere}")
    return results


def main():
    return report(kcsan())
