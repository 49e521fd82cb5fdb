# SPDX-License-Identifier: GPL-2.0-only
"""make selftest: the kselftests of iommufd and vfio, in the debug kernel with VT-d and edu devices.

ONLY= names programs (iommufd/ioas_*), with wildcards, separated by commas; else all are run, and then each errno that is
documented has to be seen by one of them.
"""
import fnmatch
import os
import re

from . import cleanlog, errnos, guest, kernel, ktap, planted
from .paths import BUILD, HARNESS, LINUX
from .shell import Failure, must, output, say

COLLECTIONS = ("iommufd", "vfio")
FOLDER = BUILD / "selftest"     # COLLECTION-installed is there
BEGIN = re.compile(r"^# harness: begin (\S+)$")
END = re.compile(r"^# harness: end (\S+) (\d+) (-?\d+) (-?\d+)$")
# A test whose purpose is a refused DMA says so in its output.
DECLARED = "# expects: dma-fault"


def build_programs(include):
    """Build the collections as the tree's lib.mk does; return [(collection/program, folder, program)]."""
    programs = []
    for collection in COLLECTIONS:
        source = LINUX / "tools/testing/selftests" / collection
        if not source.is_dir():
            raise Failure(f"the tree has no tools/testing/selftests/{collection}")
        out, installed = FOLDER / collection, FOLDER / f"{collection}-installed"
        out.mkdir(parents=True, exist_ok=True)
        argv = ["make", "-C", source, f"OUTPUT={out}", f"KHDR_INCLUDES=-isystem {include}",
                f"INSTALL_PATH={installed}"]
        must(f"build the {collection} selftests", [*argv, "install"], f"selftest-{collection}.build",
             env=kernel.environment())
        listed = output(*argv, "-s", "--no-print-directory", "emit_tests", env=kernel.environment())
        for line in listed.splitlines():
            programs.append((f"{collection}/{line.split(':')[1]}", installed, line.split(":")[1]))
    return programs


def chosen(programs, only):
    """Those that match one of the patterns in only; all if there is none."""
    patterns = [pattern for pattern in re.split(r"[,\s]+", only) if pattern]
    return [program for program in programs
            if not patterns or any(fnmatch.fnmatch(program[0], pattern) for pattern in patterns)]


def judge(lines, complete):
    """The results of each program, with what its exit status and the pin counters say.

    If the run was complete the errnos that were seen are compared with those that are documented.
    """
    results, inside, name, seen = ktap.Results(), [], None, {}
    for line in lines:
        begin, end = BEGIN.match(line), END.match(line)
        if begin:
            name, inside = begin.group(1), []
        elif end:
            status, before, after = int(end.group(2)), int(end.group(3)), int(end.group(4))
            found = ktap.parse(inside)
            results.add(found, f"{name}: ")
            for pair, tests in errnos.hit(inside, name).items():
                seen.setdefault(pair, []).extend(tests)
            # 4 is kselftest's word for: all was skipped.
            if status and not found.failed and not (status == 4 and found.skipped):
                results.failed.append(f"{name}: exit status {status}")
            if not found.total() and not status:
                results.failed.append(f"{name}: it printed no result")
            kept = results.passed if before == after else results.failed
            kept.append(f"{name}: pages pinned before {before}, after {after}")
            name = None
        elif name:
            inside.append(line)
    if name:
        results.add(ktap.parse(inside), f"{name}: ")
        results.failed.append(f"{name}: it did not end")
    if complete:
        results.add(errnos.judge(seen))
    return results


def selftests(plant=None, only="", variables=""):
    """Run the programs in one guest, with variables NAME=VALUE; with a plant, that bug is made first."""
    if plant:
        planted.check_kind(plant)
    out = kernel.build("debug")
    built = build_programs(kernel.headers(out))
    programs = chosen(built, only)
    if not programs:
        raise Failure(f"{only}: no such program")
    script = f". {HARNESS}/guest/tests.sh\n" + kernel.insmod_mdevs(out)
    if variables:
        script += f"export {variables}\n"
    if plant:
        script += planted.insmod(planted.build(out), plant)
    for program in programs:
        script += "run_test {} {} {}\n".format(*program)
    machine = guest.Guest("selftest", kernel.bzimage(out), devices=guest.EDU + guest.UNLIKE, timeout=1800)
    outcome = guest.boot(machine, script)
    results = judge(outcome.lines, programs == built)
    if outcome.status is None:
        results.failed.append(f"guest: {outcome.reason.splitlines()[0]}")
    allowed = ["dma-fault"] if DECLARED in outcome.lines else []
    return results, cleanlog.of(outcome, allowed)


def main():
    results, dirty = selftests(os.environ.get("PLANT"), os.environ.get("ONLY", ""))
    for case in results.failed:
        say(f"failed: {case}")
    for finding in dirty:
        say(f"kernel log: {finding.name}: {finding.line}")
    say(f"{len(results.passed)} passed, {len(results.failed)} failed, {len(results.skipped)} skipped")
    return bool(results.failed or dirty or not results.passed)
