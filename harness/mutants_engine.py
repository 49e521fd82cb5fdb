# SPDX-License-Identifier: GPL-2.0-only
"""Test mutants of the engine: the KUnit suites on user-mode Linux must fail with each of them.

One kernel contains all mutants (see mutate.py). Locks, memory and invariants are checked as in make kunit.

The suites run until the first failure: a failed expectation or case, a finding in the log, or a case that takes several
times as long as without a mutant. The suites are split into stages with a boot for each. FIRST selects suites by the
file that a mutant changes; these run first. All stages follow, the fastest one first, so that most mutants are caught
within seconds.
"""
import concurrent.futures
import fnmatch
import os
import re
import time
from dataclasses import dataclass

from . import cleanlog, kernel, ktap, kunit, mutate, packages, series
from .mutate import Verdict
from .paths import BUILD, LINUX, LOG, ROOT
from .shell import lines_of, must, say, spawn, stop

OUT = BUILD / "mutants-engine"
DEFINED_IN = "io_pagetable.c"
# A case counts as hung if it takes more than LEAST seconds and more than PATIENCE times as long as without a mutant.
# The suites themselves detect most hangs within 15 seconds (see space_watch() in tests/space.c). For other hangs, the
# verdict names the last case with a complete result line. KUnit ends such a line only when it prints the next one, so
# one more case may have ended before the case that hangs.
PATIENCE, LEAST = 5, 30
# Mutants tested at a time on each processor. The suites sleep most of the time.
WORKERS = 2
# The suites of each stage. Those of accesses, runs and random operations take longest. FIRST maps the start of a
# mutant's file name to the suites that run before all stages, because they are most likely to catch the mutant.
STAGES = ["iopt-[!ra]*", "iopt-a*", "iopt-r*"]
FIRST = {"runs": "iopt-ru*", "reserve": "iopt-re*", "account": "iopt-acco*", "locked_vm": "iopt-acco*",
         "area": "iopt-[mu]*", "access": "iopt-a*", "notify": "iopt-n*", "rw": "iopt-rw", "wait": "iopt-w*",
         "adopt": "iopt-ad*", "dirty": "iopt-di*", "attach": "iopt-at*", "detach": "iopt-d*", "fill": "iopt-d*",
         "iova": "iopt-i*", "claim": "iopt-cl*", "copy": "iopt-co*", "map": "iopt-m*",
         "page_migration": "iopt-page-*", "unmap": "iopt-u*", "gup": "iopt-g*", "pages": "iopt-p*",
         "program": "iopt-p*", "dump": "iopt-du*"}
SUITE = re.compile(r'\.name = "(iopt-[\w-]+)"')

FAILED = re.compile(r"(EXPECTATION|ASSERTION) FAILED at (\S+)")


def build():
    """Build the user-mode kernel with all mutants."""
    packages.need(packages.KERNEL)
    series.apply()
    OUT.mkdir(exist_ok=True)
    must("configure the kernel with mutants", kunit.tool("config", OUT), "mutants-engine.config", cwd=LINUX,
         env=kernel.environment())
    mutate.write_sources("engine", OUT, DEFINED_IN)
    must("build the kernel with mutants", kernel.make(OUT, "ARCH=um", "KCFLAGS=-w", "linux"), "mutants-engine.build",
         env=kernel.environment())


@dataclass
class Run:
    """A run of suites."""
    wrong: str          # the first failure or None
    passed: list        # the cases that passed
    took: list          # the seconds that each result took and, at the end, those after the last result


def unmatched():
    """Return the stages that match no suite, and the keys of FIRST that match no file with a mutant."""
    tests = (ROOT / "drivers/iommu/iopt/tests").glob("*.c")
    suites = [name for test in tests for name in SUITE.findall(test.read_text())]
    files = [mutant.file for mutant in mutate.listed("engine")]
    return ([stage for stage in [*STAGES, *FIRST.values()] if not fnmatch.filter(suites, stage)] +
            [start for start in FIRST if not any(file.startswith(start) for file in files)])


def stages_for(mutant):
    """Return the stages in the order in which they run for the mutant."""
    first = [stage for start, stage in FIRST.items() if mutant.file.startswith(start)]
    return first + [stage for stage in STAGES if stage not in first]


def log(number, stage):
    """Return the path of a mutant's log, which each stage overwrites. Without a mutant, number is 0, and each stage has
    a log of its own.
    """
    name = number or f"control-{re.sub('[^a-z]', '', stage)}"
    return LOG / f"mutants-engine-{name}.run"


def boot(number, stage, limits):
    """Run a stage with a mutant, given by its number, or with none if that is 0.

    After n results, the next one may take limits[n] seconds.
    """
    last, took = time.monotonic(), []
    child = spawn([OUT / "linux", "mem=1G", "console=tty", "kunit_shutdown=halt", f"kunit.filter_glob={stage}",
                   f"{mutate.PARAMETER}={number}"], cwd=OUT)
    lines, suite, case, wrong = [], "", "", None
    try:
        for line in lines_of(child):
            now = time.monotonic()
            if now - last > limits[min(len(took), len(limits) - 1)]:
                wrong = f"hangs after {case or 'boot'}"
            if line is not None:
                lines.append(line)
                line = ktap.STAMP.sub("", line)
                subtest, result, failed = ktap.SUBTEST.match(line), ktap.RESULT.match(line), FAILED.search(line)
                if subtest:
                    suite = subtest.group(2)
                elif result:
                    took.append(now - last)
                    last = now
                    case = f"{suite}.{result.group(4)}"
                if failed:
                    wrong = f"{suite} {os.path.basename(failed.group(2))}"
                elif result and result.group(2) == "not ok":
                    wrong = case
                elif found := cleanlog.findings(line):
                    wrong = f"{suite or 'boot'} log: {found[0]}"
            if wrong:
                break
    finally:
        stop(child)
    log(number, stage).write_text("\n".join(lines) + "\n")
    return Run(wrong, ktap.parse(lines).passed, [*took, time.monotonic() - last])


def run(todo):
    """Test the mutants; yield each verdict as soon as it is known."""
    build()
    stages = list({stage: None for mutant in todo for stage in stages_for(mutant)})
    # The stages without a mutant run in parallel, as those with mutants do, so that the limits allow for the load.
    with concurrent.futures.ThreadPoolExecutor(WORKERS * kernel.jobs()) as pool:
        controls = dict(zip(stages, pool.map(lambda stage: boot(0, stage, [300]), stages)))
    limits = {}
    for stage, control in controls.items():
        wrong = control.wrong or ("" if control.passed else "no case passed")
        mutate.require_clean("the engine", wrong and f"{wrong}, see {log(0, stage)}")
        limits[stage] = [max(LEAST, PATIENCE * seconds) for seconds in control.took]
    say(f"the engine without a mutant: {sum(len(controls[stage].passed) for stage in STAGES)} cases passed in "
        f"{sum(sum(controls[stage].took) for stage in STAGES):.0f} s")

    def judge(mutant):
        for stage in stages_for(mutant):
            run = boot(mutant.number, stage, limits[stage])
            missing = [case for case in controls[stage].passed if case not in run.passed]
            if run.wrong or missing:
                return Verdict(mutant, True, run.wrong or f"{missing[0]} did not run")
        return Verdict(mutant, False, "nothing")

    yield from mutate.judged(judge, todo, WORKERS * kernel.jobs())
