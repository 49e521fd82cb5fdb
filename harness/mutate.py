# SPDX-License-Identifier: GPL-2.0-only
"""Read the lists of small faults and plant faults in sources. A source with a planted fault is called a mutant.

The faults are grouped into families. harness/faults/FAMILY lists the faults of a family, one per line:

    name | what it breaks | file | function | regular expression | replacement

The second column names the property that the fault breaks or the symptom that it causes; for type1, it lists rules of
the contract programs. The expression must match exactly once in the function. In the replacement, \\1 is the first
group, and \\n and \\t are escapes as in C. A literal bar must be preceded by a backslash or have no spaces around it.
"""
import concurrent.futures
import re
from collections import defaultdict
from dataclasses import dataclass

from .paths import HARNESS, LINUX
from .shell import Failure

FAULTS = HARNESS / "faults"
FAMILIES = {    # family: folder of its files
    "engine": "drivers/iommu/iopt",
    "iommufd": "drivers/iommu/iommufd",
    "type1": "drivers/vfio",
}
# One kernel contains all mutants of the engine or of iommufd. This parameter selects one of them by number, or none if
# it is 0.
PARAMETER = "iopt_mutant"
DECLARED = f"extern unsigned int {PARAMETER};\n"
DEFINED = f"\nunsigned int {PARAMETER};\ncore_param({PARAMETER}, {PARAMETER}, uint, 0);\n"


@dataclass
class Mutant:
    number: int         # position in the list of its family, from 1
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
    note: str           # what caught the mutant


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
        mutants.append(Mutant(len(mutants) + 1, *columns, replacement.replace(r"\|", "|")))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Failure(f"{path}: {name} is listed twice")
    return mutants


def plant(text, mutant):
    """Return the span of the function in the source, and the function's text with the fault planted."""
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


def with_mutants(text, mutants):
    """For each mutant, add a faulty copy of its function. The original calls the copy that PARAMETER selects."""
    copies, calls = defaultdict(str), defaultdict(str)
    for mutant in mutants:
        (start, end), function = plant(text, mutant)
        name = f"{mutant.function}__{mutant.name}"
        head, _, body = function.partition("\n{\n")
        head = re.sub(rf"\b{mutant.function}\(", f"{name}(", head)
        arguments = re.search(r"\((.*)\)$", head, re.S).group(1)
        names = [re.search(r"\w+$", argument).group(0) for argument in arguments.split(",") if argument != "void"]
        copies[start] += f"{'' if head.startswith('static ') else 'static '}{head}\n{{\n{body}\n\n"
        calls[text.index("\n{\n", start, end) + 3] += \
            f"\tif ({PARAMETER} == {mutant.number})\n\t\treturn {name}({', '.join(names)});\n"
    for place, more in sorted([*copies.items(), *calls.items()], reverse=True):
        text = text[:place] + more + text[place:]
    return DECLARED + text


def write_sources(family, out, defined_in):
    """Write the sources with all mutants of a family to a build folder, where kbuild prefers them to those of the tree.

    The file `defined_in` also defines the kernel parameter. Unchanged files keep their timestamps, so that their
    objects are not rebuilt.
    """
    folder, mutants = FAMILIES[family], listed(family)
    for copy in (out / folder).rglob("*.[ch]"):
        if not (LINUX / folder / copy.relative_to(out / folder)).exists() and not copy.name.endswith(".mod.c"):
            copy.unlink()
    for file in (LINUX / folder).rglob("*.[ch]"):
        name = str(file.relative_to(LINUX / folder))
        text = file.read_text()
        of_file = [mutant for mutant in mutants if mutant.file == name]
        if of_file:
            text = with_mutants(text, of_file)
        if name == defined_in:
            text += DEFINED
        copy = out / folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_text() != text:
            copy.write_text(text)


def require_clean(what, wrong):
    """Raise Failure if the tests fail without a fault, since no mutant can be judged then.

    `wrong` is the failure; it is empty or None if there was none.
    """
    if wrong:
        raise Failure(f"{what} fails without a fault, so that its mutants cannot be judged: {wrong}")


def judged(judge, mutants, workers):
    """Call judge() for each mutant, in `workers` threads; yield each Verdict as soon as it is known."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(judge, mutant) for mutant in mutants]
        try:
            for job in concurrent.futures.as_completed(jobs):
                yield job.result()
        finally:
            for job in jobs:
                job.cancel()
