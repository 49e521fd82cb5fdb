# SPDX-License-Identifier: GPL-2.0-only
"""make coverage: measure with gcov on x86-64 which lines and branches of the engine the KUnit suites reach.

It also prints how many random operations of each kind succeed in a long run on user-mode Linux with KASAN.
"""
import base64
import io
import json
import tarfile
from collections import defaultdict
from pathlib import PurePath

from . import guest, kernel, ktap, kunit
from .results import report
from .shell import Failure, output, say

ENGINE = "drivers/iommu/iopt"

# Kbuild evaluates this in each folder. The engine itself is instrumented, but its tests are not.
PROFILE = f"GCOV_PROFILE=$(if $(filter {ENGINE},$(obj)),y)"

# Files in debugfs report size 0, so tar would store no data. Copy each counter file first.
COLLECT = f"""
cd /sys/kernel/debug/gcov || exit
find . -name '*.gcda' | grep /{ENGINE}/ | while read -r file; do
	cat "$file" >/tmp/"$(basename "$file")"
done
cd /tmp && tar -cf - *.gcda | base64
"""


def measure():
    """Return {file: ({line: count}, {(line, branch): count})} of the engine. Headers are summed over all objects."""
    out = kernel.build("coverage", PROFILE)
    outcome = guest.boot(guest.Guest("coverage", kernel.bzimage(out), args="kunit.enable=1"), COLLECT)
    results = ktap.parse(outcome.console.read_text(errors="replace").splitlines())
    if outcome.status or not results.passed or results.failed:
        raise Failure(f"the suites failed ({outcome.reason or results.failed or 'none ran'}), see {outcome.console}")
    folder = out / ENGINE
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode("".join(outcome.lines)))) as counters:
        counters.extractall(folder)
    files = defaultdict(lambda: (defaultdict(int), defaultdict(int)))
    for data in sorted(folder.glob("*.gcda")):
        counted = json.loads(output("gcov", "--branch-probabilities", "--json-format", "--stdout", data.name,
                                    cwd=folder))
        for file in counted["files"]:
            path = PurePath(file["file"])
            if f"{ENGINE}/" not in str(path):
                continue
            lines, branches = files[path.name]
            for line in file["lines"]:
                lines[line["line_number"]] += line["count"]
                for number, branch in enumerate(line["branches"]):
                    branches[line["line_number"], number] += branch["count"]
    return files


def main():
    rows = [(name, len(lines), len(lines) - list(lines.values()).count(0),
             len(branches), len(branches) - list(branches.values()).count(0))
            for name, (lines, branches) in sorted(measure().items())]
    rows.append(("all", *(sum(column) for column in list(zip(*rows))[1:])))
    say(f"{'file':24}{'lines':>16}{'branches':>18}")
    for name, lines, ran, branches, taken in rows:
        def share(part, whole):
            return f"{part}/{whole} {100 * part / whole:5.1f}%" if whole else "-"
        say(f"{name:24}{share(ran, lines):>16}{share(taken, branches):>18}")

    results = kunit.uml(ops=kunit.OPERATIONS)
    say("")
    for line in kunit.operations():
        say(line)
    return report(results)
