# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of the engine. The KUnit suites on user-mode Linux must fail with each of them.

One kernel contains all mutants. For each mutant it has a copy of the function with the fault, and the kernel parameter
iopt_mutant selects the copy that is called instead of the original. The sources with the copies are written into the
build folder, where kbuild prefers them to those of the tree. Locks, memory and invariants are checked as in make kunit.

The suites run until the first failure: a failed expectation or case, a finding in the log, or a case that takes several
times as long as without a mutant. They are split into stages, each with its own boot, fastest suites first, because
these catch most mutants within seconds.
"""
import concurrent.futures
import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass

from . import cleanlog, kernel, ktap, kunit, mutants, packages, series
from .mutants import Verdict
from .paths import BUILD, LINUX, LOG
from .shell import Failure, Progress, lines_of, must, say, spawn, stop

ENGINE = "drivers/iommu/iopt"
OUT = BUILD / "mutants-engine"
CONFIG = []
# A case counts as hung if it takes PATIENCE times as long as without a mutant, and at least LEAST seconds. The suites
# detect most hangs themselves within 15 seconds, see space_watch() in tests/space.c. KUnit ends the line of a result
# only when it prints the next one, so the case that hangs may be the second one after the one in the verdict.
PATIENCE, LEAST = 5, 30
# The suites of each stage; those of accesses, of runs and of random operations take longest. FIRST maps the start of a
# mutant's file name to suites that run before all stages, as they are likely to catch it.
STAGES = ["iopt-[!ra]*", "iopt-a*", "iopt-r*"]
FIRST = {"runs": "iopt-ru*", "reserve": "iopt-re*", "account": "iopt-acco*", "access": "iopt-a*", "owner": "iopt-o*",
         "dirty": "iopt-di*", "domain": "iopt-d*", "iova": "iopt-i*", "unmap": "iopt-u*", "pins": "iopt-p*",
         "program": "iopt-p*", "dump": "iopt-du*"}

DECLARED = "extern unsigned int iopt_mutant;\n"
DEFINED = "\nunsigned int iopt_mutant;\ncore_param(iopt_mutant, iopt_mutant, uint, 0);\n"
DEFINED_IN = "io_pagetable.c"
FAILED = re.compile(r"(EXPECTATION|ASSERTION) FAILED at (\S+)")


def with_mutants(text, numbered):
    """Add a copy of the function for each (number, mutant) to a source, and calls to the copies by iopt_mutant."""
    copies, calls = defaultdict(str), defaultdict(str)
    for number, mutant in numbered:
        (start, end), function = mutants.plant(text, mutant)
        name = f"{mutant.function}__{mutant.name}"
        head, _, body = function.partition("\n{\n")
        head = re.sub(rf"\b{mutant.function}\(", f"{name}(", head)
        arguments = re.search(r"\((.*)\)$", head, re.S).group(1)
        names = [re.search(r"\w+$", argument).group(0) for argument in arguments.split(",") if argument != "void"]
        copies[start] += f"{'' if head.startswith('static ') else 'static '}{head}\n{{\n{body}\n\n"
        calls[text.index("\n{\n", start, end) + 3] += \
            f"\tif (iopt_mutant == {number})\n\t\treturn {name}({', '.join(names)});\n"
    for place, more in sorted([*copies.items(), *calls.items()], reverse=True):
        text = text[:place] + more + text[place:]
    return DECLARED + text


def write_sources(everything, folder, defined_in, out):
    """Write the sources of a folder with all mutants into out.

    Unchanged files keep their time stamps, so that their objects are not built again.
    """
    for file in (LINUX / folder).rglob("*.[ch]"):
        name = str(file.relative_to(LINUX / folder))
        text = file.read_text()
        numbered = [(number, mutant) for number, mutant in enumerate(everything, 1) if mutant.file == name]
        if numbered:
            text = with_mutants(text, numbered)
        if name == defined_in:
            text += DEFINED
        copy = out / folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_text() != text:
            copy.write_text(text)


def build(everything):
    """Build the user-mode kernel with all mutants."""
    packages.need(packages.KERNEL)
    series.apply()
    OUT.mkdir(exist_ok=True)
    must("configure the kernel with mutants", kunit.tool("config", OUT, CONFIG), "mutants-engine.config", cwd=LINUX,
         env=kernel.environment())
    write_sources(everything, ENGINE, DEFINED_IN, OUT)
    must("build the kernel with mutants", kernel.make(OUT, "ARCH=um", "KCFLAGS=-w", "linux"), "mutants-engine.build",
         env=kernel.environment())


@dataclass
class Run:
    """A run of suites: the first failure or None, the cases that passed, and the seconds that each result took."""
    wrong: str
    passed: list
    took: list


def stages_for(mutant):
    """Return the stages in the order in which the mutant runs them."""
    first = [stage for start, stage in FIRST.items() if mutant.file.startswith(start)]
    return first + [stage for stage in STAGES if stage not in first]


def boot(number, stage, limits):
    """Run the suites of a stage with mutant number, 0 for none; after n results the next may take limits[n] seconds."""
    last, took = time.monotonic(), []
    child = spawn([OUT / "linux", "mem=1G", "console=tty", "kunit_shutdown=halt", f"kunit.filter_glob={stage}",
                   f"iopt_mutant={number}"], cwd=OUT)
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
    (LOG / f"mutants-engine-{number}.run").write_text("\n".join(lines) + "\n")
    return Run(wrong, ktap.parse(lines).passed, [*took, time.monotonic() - last])


def run(todo):
    """Test the mutants; return a verdict for each."""
    everything = mutants.listed("engine")
    build(everything)
    controls, limits = {}, {}
    for stage in {stage: None for mutant in todo for stage in stages_for(mutant)}:
        control = controls[stage] = boot(0, stage, [300])
        if control.wrong or not control.passed:
            raise Failure(f"the engine without a mutant fails: {control.wrong or 'no case passed'}, "
                          f"see {LOG}/mutants-engine-0.run")
        limits[stage] = [max(LEAST, PATIENCE * seconds) for seconds in control.took]
    say(f"the engine without a mutant: {sum(len(controls[stage].passed) for stage in STAGES)} cases passed in "
        f"{sum(sum(controls[stage].took) for stage in STAGES):.0f} s")

    def judge(mutant):
        for stage in stages_for(mutant):
            run = boot(everything.index(mutant) + 1, stage, limits[stage])
            missing = [case for case in controls[stage].passed if case not in run.passed]
            if run.wrong or missing:
                return Verdict(mutant, True, run.wrong or f"{missing[0]} did not run")
        return Verdict(mutant, False, "nothing")

    progress = Progress("mutants of the engine")
    with concurrent.futures.ThreadPoolExecutor(kernel.jobs()) as pool:
        jobs = [pool.submit(judge, mutant) for mutant in todo]
        try:
            while not all(job.done() for job in jobs):
                concurrent.futures.wait(jobs, 0.5, concurrent.futures.FIRST_EXCEPTION)
                progress.tick(f"{sum(job.done() for job in jobs)} of {len(jobs)}")
            verdicts = [job.result() for job in jobs]
        finally:
            for job in jobs:
                job.cancel()
    progress.done(f"{len(jobs)}")
    return verdicts
