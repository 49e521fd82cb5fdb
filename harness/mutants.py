# SPDX-License-Identifier: GPL-2.0-only
"""make mutants: plant small faults, one at a time, and check that the tests catch each of them.

The faults form families, which are built and tested in different ways: see mutants_engine.py, mutants_iommufd.py and
mutants_type1.py. harness/faults/FAMILY lists the faults, one a line:

    name | what it breaks | file | function | regular expression | replacement

The expression must match exactly once in the function. In the replacement \\1 is the first group, and \\n and \\t are
escapes as in C. A literal bar needs a backslash before it or no spaces around it. ONLY= selects families or mutants
by patterns separated by commas; the default is all.
"""
import importlib
import re
from dataclasses import dataclass

from . import only
from .paths import HARNESS
from .results import Results, report
from .shell import Failure, say

FAULTS = HARNESS / "faults"
FAMILIES = ("engine", "iommufd", "type1")


@dataclass
class Mutant:
    name: str
    breaks: str
    file: str
    function: str
    search: str
    replacement: str


@dataclass
class Verdict:
    mutant: Mutant
    caught: bool
    note: str


def listed(family):
    """Return the mutants of a family."""
    mutants = []
    path = FAULTS / family
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [part.strip() for part in re.split(r"(?<!\\) \|(?: |$)", line)]
        if len(columns) != 6:
            raise Failure(f"{path}:{number}: {len(columns)} columns instead of 6")
        *columns, replacement = columns
        mutants.append(Mutant(*columns, replacement.replace(r"\|", "|")))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Failure(f"{path}: {name} is listed twice")
    return mutants


def plant(text, mutant):
    """Return the span of the function in the source, and its text with the fault planted."""
    body = re.search(rf"^[a-z][^\n;]*\b{mutant.function}\([^;{{]*?\)\n{{\n.*?^}}", text, re.M | re.S)
    if not body:
        raise Failure(f"mutant {mutant.name}: {mutant.file}: no function {mutant.function}")
    found = list(re.finditer(mutant.search, body.group(0)))
    if len(found) != 1:
        raise Failure(f"mutant {mutant.name}: {mutant.search} matches {len(found)} times in {mutant.function}")
    start, end = found[0].span()
    return body.span(), body.group(0)[:start] + found[0].expand(mutant.replacement) + body.group(0)[end:]


def mutate(text, mutant):
    """Return the source with the fault planted."""
    (start, end), function = plant(text, mutant)
    return text[:start] + function + text[end:]


def run(family, chosen=None):
    """Test the mutants of a family, or those of the chosen names; print a table and return a case for each."""
    todo = [mutant for mutant in listed(family) if chosen is None or mutant.name in chosen]
    results = Results()
    if not todo:
        return results
    verdicts = importlib.import_module(f".mutants_{family}", __package__).run(todo)
    wide, broad = (2 + max(len(getattr(mutant, column)) for mutant in todo) for column in ("name", "breaks"))
    say(f"{'mutant':{wide}}{'breaks':{broad}}{'verdict':10}caught by")
    for verdict in verdicts:
        say(f"{verdict.mutant.name:{wide}}{verdict.mutant.breaks:{broad}}"
            f"{'caught' if verdict.caught else 'SURVIVED':10}{verdict.note}")
        results.check(f"mutant {verdict.mutant.name} is caught", verdict.caught)
    say(f"{family}: {len(verdicts)} mutants, {len(results.passed)} caught, {len(results.failed)} survived")
    return results


def main():
    names = {family: [mutant.name for mutant in listed(family)] for family in FAMILIES}
    found = only.select(only.given(), [*FAMILIES, *(name for family in FAMILIES for name in names[family])],
                        "family or mutant", [*FAMILIES, f"or the mutants that the files in {FAULTS} list"])
    results = Results()
    for family in FAMILIES:
        results.add(run(family, names[family] if family in found else found))
    return report(results)
