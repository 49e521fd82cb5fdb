# SPDX-License-Identifier: GPL-2.0-only
"""make check: run all stages that a submission must pass, and print the number of passed and failed cases.

PLANT=use-after-free, PLANT=lock-inversion or PLANT=leak triggers that bug in the selftest guests with the debug kernel,
so that make check must fail. WIDEN=1 delays threads of concurrent selftests after they release a lock. TOPIC= ends the
series after a topic; then only the stages that apply to this tree run.
"""
import functools
import os
import time

from . import (beside, bisect, cleanlog, clients, contract, differential, guest, inversion, kernel, kunit, lint,
               planted, run, selftest, series, series_mail, stock, widen)
from .paths import LINUX, LOG
from .results import Results
from .shell import Failure, say


def roundtrip():
    # Check out the stock tree before the release kernel is built. Its files are then older than the objects that
    # stock.build() copies from the release kernel, so that kbuild does not compile them again (see inherit.py).
    stock.tree()
    ended = series_mail.write()
    series_mail.prove(ended)
    return Results(passed=[f"git am of topic {topic.name} results in the tree that is built" for topic, _, _ in ended])


def stock_kernel():
    stock.build("release")
    return Results(passed=["the stock release kernel is built"])


def debug_kernel():
    kernel.build("debug")
    return Results(passed=["the debug kernel is built"])


FIRST = ("series", roundtrip)
# (name, function, path in the kernel tree without which the stage does not apply). The path is missing if TOPIC= ends
# the tree before the topic that adds it.
STAGES = [
    ("sample", lambda: run.sample(on_line=say), "samples/iommufd/run.sh"),
    ("debug kernel", debug_kernel, "tools/testing/selftests/iommufd"),
    ("kunit on user-mode Linux", lambda: kunit.uml(ops=150000), kunit.KUNITCONFIG),
    ("selftests", lambda: selftest.selftests(planted.given(), widened=widen.given()),
     "tools/testing/selftests/iommufd"),
]

# A guest keeps about one processor busy. These stages run in the background on another one, once FIRST is done. Those
# that need the debug kernel come last, because STAGES builds it meanwhile, with all processors.
BESIDE = [
    ("lint", lint.lint, ""),
    ("each topic compiles", bisect.topics, ""),
    ("stock kernel", stock_kernel, ""),
    ("differential", differential.ours, contract.SOURCE),
    ("clients", clients.ours, ""),
    ("sample with other IOMMUs", run.others, "samples/iommufd/run.sh"),
    ("racing unmaps", inversion.ours, contract.SOURCE),
    ("kunit in the debug kernel", lambda: kunit.debug(60), "drivers/iommu/iommu-group-test.c"),
    ("planted bugs", planted.planted, ""),
]


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def processor_time():
    """Return the seconds that this process and the children that it has waited for have run on a processor."""
    return sum(os.times()[:4])


def stage(name, work):
    """Run one stage and return (results, (elapsed seconds, seconds on a processor)).

    A Failure or a stage without tests counts as a failed case.
    """
    say(f"\n== {name}")
    start, used = time.monotonic(), processor_time()
    try:
        results = work()
    except Failure as failure:
        results = Results(failed=[str(failure)])
    if results.none():
        results.fail("the stage ran no test")
    for case in results.failed:
        say(f"failed: {case}")
    for case in results.skipped:
        say(f"skipped: {case}")
    for log in results.logs if results.failed else []:
        say(f"see {log}")
    times = time.monotonic() - start, processor_time() - used
    say(f"== {name}: {results.counts()}, {clock(times[0])}")
    return results, times


def report(staged):
    """Report on the stages [(name, results, times)] and on restarted guests; return whether any case failed."""
    total = Results()
    say("\nelapsed, on processors")
    for name, results, (elapsed, used) in staged:
        say(f"{clock(elapsed):>7}{clock(used):>8}  {name}")
        total.add(results, f"{name}: ")
    if guest.restarted:
        say("\nrestarted guests:")
        for what in guest.restarted:
            say(f"  {what}")
    if total.failed:
        say(f"\nfailed (the output above names the logs, which are in {LOG}):")
        for case in total.failed:
            say("\n".join(f"  {line}" for line in case.splitlines()[:1 + cleanlog.REPORT]))
    say(f"\n{len(total.passed)} passed, {len(total.failed)} failed")
    return bool(total.failed)


def with_total(staged, start):
    """Return the stages and a line for their total; start is the time at which the first stage began."""
    used = sum(times[1] for _, _, times in staged)
    return [*staged, ("total", Results(), (time.monotonic() - start, used))]


def run_all(stages):
    """Run the stages one after the other and print their report; return whether any case failed."""
    start = time.monotonic()
    return report(with_total([(name, *stage(name, work)) for name, work in stages], start))


def check_variables():
    planted.given()
    # PLANT= and WIDEN= affect only the selftests, and WIDEN= only the concurrent ones, which the topic vfio adds.
    for name, topic in ("PLANT", "iommufd"), ("WIDEN", "vfio"):
        if os.environ.get(name) and not series.includes(topic):
            raise Failure(f"{name}= has no effect: TOPIC= ends the series before the topic {topic}, which adds the "
                          "selftests that it changes")


def main():
    start = time.monotonic()
    staged = [(FIRST[0], *stage(*FIRST))]
    if staged[0][1].failed:     # the other stages need the series as well
        return report(with_total(staged, start))
    todo, aside = ([(name, work) for name, work, path in stages if (LINUX / path).exists()]
                   for stages in (STAGES, BESIDE))
    with beside.started("beside", [functools.partial(stage, name, work) for name, work in aside]) as others:
        staged += [(name, *stage(name, work)) for name, work in todo]
        for name, _ in aside:
            try:
                results, times = others.result()
            except Failure as failure:
                results, times = Results(failed=[str(failure)]), (0, 0)
            staged.append((f"{name} (in the background)", results, times))
    say((LOG / "beside").read_text())
    return report(with_total(staged, start))
