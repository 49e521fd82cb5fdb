# SPDX-License-Identifier: GPL-2.0-only
"""make mutants: plant one-line faults, one at a time, and see that the tests notice each of them.

There are families of faults, each with a way of its own to build and to test: mutants_engine.py, mutants_iommufd.py and
mutants_type1.py.
harness/faults/FAMILY holds the faults, one a line:

    name | what it breaks | file | function | regular expression | replacement

The expression matches exactly once in the function. In the replacement \\1 is its first group, and \\n and \\t are what
they are in C. A bar that is no border of columns has a backslash before it, or no spaces around it. ONLY= names families
or mutants, with wildcards, separated by commas; else all are run.
"""
import fnmatch
import importlib
import os
import re
from dataclasses import dataclass

from . import ktap
from .paths import HARNESS
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
    """The faults of a family."""
    mutants = []
    path = FAULTS / family
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [part.strip() for part in re.split(r"(?<!\\) \|(?: |$)", line)]
        if len(columns) != 6:
            raise Failure(f"{path}:{number}: {len(columns)} columns, not 6")
        *columns, replacement = columns
        mutants.append(Mutant(*columns, replacement.replace(r"\|", "|")))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Failure(f"{path}: {name} is there twice")
    return mutants


def plant(text, mutant):
    """Where the function stands in the source, and the function with the fault; there must be one place for it."""
    body = re.search(rf"^[a-z][^\n;]*\b{mutant.function}\([^;{{]*?\)\n{{\n.*?^}}", text, re.M | re.S)
    if not body:
        raise Failure(f"mutant {mutant.name}: {mutant.file}: no function {mutant.function}")
    found = list(re.finditer(mutant.search, body.group(0)))
    if len(found) != 1:
        raise Failure(f"mutant {mutant.name}: {mutant.search} matches {len(found)} times in {mutant.function}")
    start, end = found[0].span()
    return body.span(), body.group(0)[:start] + found[0].expand(mutant.replacement) + body.group(0)[end:]


def mutate(text, mutant):
    """The source with the fault."""
    (start, end), function = plant(text, mutant)
    return text[:start] + function + text[end:]


def chosen(family):
    """Those of the family that ONLY= names."""
    patterns = [pattern for pattern in re.split(r"[,\s]+", os.environ.get("ONLY", "")) if pattern]
    return [mutant for mutant in listed(family)
            if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns
                                   for name in (family, mutant.name))]


def run(family):
    """Run the chosen faults of a family and print the table; return the verdicts."""
    todo = chosen(family)
    if not todo:
        return []
    verdicts = importlib.import_module(f".mutants_{family}", __package__).run(todo)
    wide, broad = (2 + max(len(getattr(mutant, column)) for mutant in todo) for column in ("name", "breaks"))
    say(f"{'mutant':{wide}}{'breaks':{broad}}{'verdict':10}noticed by")
    for verdict in verdicts:
        say(f"{verdict.mutant.name:{wide}}{verdict.mutant.breaks:{broad}}"
            f"{'caught' if verdict.caught else 'SURVIVED':10}{verdict.note}")
    caught = sum(verdict.caught for verdict in verdicts)
    say(f"{family}: {len(verdicts)} mutants, {caught} caught, {len(verdicts) - caught} survived")
    return verdicts


def stage(family):
    """For soak: each mutant is a case."""
    results = ktap.Results()
    for verdict in run(family):
        (results.passed if verdict.caught else results.failed).append(f"mutant {verdict.mutant.name} is noticed")
    return results


def main():
    verdicts = [verdict for family in FAMILIES for verdict in run(family)]
    if not verdicts:
        raise Failure(f"ONLY={os.environ.get('ONLY')}: neither {' nor '.join(FAMILIES)}, and no mutant's name")
    survived = sum(not verdict.caught for verdict in verdicts)
    say(f"RESULT: {'fail' if survived else 'pass'}")
    return bool(survived)
