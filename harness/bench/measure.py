# SPDX-License-Identifier: GPL-2.0-only
"""Run the programs of harness/bench/programs under a kernel and collect the figures that they print.

A program prints lines of the form `bench: NAME NUMBER`, one for each name and repetition.
"""
import functools
import re
from dataclasses import dataclass

from .. import guest, kernel, machine
from ..paths import BUILD, HARNESS, LINUX
from ..shell import Failure, must

SOURCE = HARNESS / "bench/programs"
SAMPLE = LINUX / "samples/iommufd"
LEGACY = LINUX / "tools/testing/selftests/vfio/lib"
PROGRAMS = ("table", "parallel", "footprint", "waits", "flat")
COMMON = [SOURCE / "space.c", SOURCE / "memory.c", SAMPLE / "pci.c", SAMPLE / "vfio.c", SAMPLE / "ioas.c",
          SAMPLE / "counters.c", LEGACY / "legacy.c"]
BEGIN = re.compile(r"^bench: begin (\S+)$")
VALUE = re.compile(r"^bench: (\S+) (-?\d+)$")
FAILED = re.compile(r"^bench: failed: (.*)$")

# COUNTING: one vCPU with a clock that counts instructions. PARALLEL: two vCPUs that run at the same time.
COUNTING = {"cpus": 1, "accel": "tcg,thread=single", "options": ["-icount", "shift=0,sleep=off"]}
PARALLEL = {"cpus": 2}


@dataclass
class Limit:
    """A measured figure and the upper or lower bound that it must meet."""
    name: str
    value: float
    bound: float
    at_most: bool = True

    @property
    def holds(self):
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self):
        return f"{self.name}: {self.value:.3g}, {'at most' if self.at_most else 'at least'} {self.bound:g}"


@functools.cache
def programs(prefix):
    """Build the programs for the Machine with this prefix; return their folder.

    They are static, so that they load no library over 9p while they run.
    """
    include = kernel.headers(kernel.build(f"{prefix}release"))
    out = BUILD / f"{prefix}bench"
    out.mkdir(parents=True, exist_ok=True)
    compiler = machine.of(prefix).compiler
    for name in PROGRAMS:
        must(f"build {name}", [compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-static",
                               "-isystem", include, f"-I{SOURCE}", f"-I{SAMPLE}", f"-I{LEGACY}", "-pthread",
                               "-o", out / name, SOURCE / f"{name}.c", *COMMON], f"{out.name}-{name}.build")
    return out


def run(measured, program, arguments="", board=None, front_ends=None, **fields):
    """Boot a kernel and run the program with each front end; return {front end: {name: [numbers]}}."""
    folder, values = programs(machine.of(measured.out.name).prefix), {}
    script = "".join(f"echo bench: begin {front}\n{folder}/{program} {front} {arguments}\n"
                     for front in front_ends or measured.front_ends)
    outcome = guest.boot(guest.Guest(f"bench-{program}-{measured.name}", measured.bzimage, devices=guest.EDU,
                                     timeout=1800, silence=300, **(board or COUNTING), **fields), script)
    for line in outcome.lines:
        begin, value, failed = BEGIN.match(line), VALUE.match(line), FAILED.match(line)
        if begin:
            values[begin.group(1)] = current = {}
        elif value:
            current.setdefault(value.group(1), []).append(int(value.group(2)))
        elif failed:
            raise Failure(f"{program} on {measured.name}: {failed.group(1)}")
    if outcome.status != 0:
        raise Failure(f"{program} on {measured.name}: exit status {outcome.status} {outcome.reason}")
    return values


def show(rows):
    """Format rows as lines of aligned columns, the first one left-aligned."""
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    return ["  ".join(text.rjust(width) if i else text.ljust(width)
                      for i, (text, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
