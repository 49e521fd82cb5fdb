# SPDX-License-Identifier: GPL-2.0-only
"""The second part of make bisect: boot the commits that extend type1 on the engine, and run the contract programs.

In the topic type1, patches add the functions of a container to the implementation on the engine. The file `programs`
of such a patch lists contract programs, one per line, that from this patch on print the same lines as under the stock
kernel, except for the differences in harness/contract/allowed. If only some lines of a program are the same so far,
patterns after its name select lines and, after a !, exclude lines:
    lifetime set_iommu.* !set_iommu.*.avail
A later patch that lists the program again replaces the patterns.

For each patch with this file, the commit is built with the implementation on the engine. The programs listed by this
patch and by all earlier ones are run in guests, and their lines are compared with those of the stock kernel. make
differential compares all lines at the end of the topic, with both implementations.
"""
import fnmatch
import re

from . import contract, differential, implementations
from .results import Results
from .shell import Failure, say

NAME = "programs"


def patches(made):
    """Return [(patch, commit)] for the patches that have a file `programs`."""
    return [(patch, commit) for patch, commit in made if (patch.folder / NAME).exists()]


def listed(patch):
    """Return {program: patterns of lines} of the patch's file; [*] stands for all lines."""
    lines = (line.partition("#")[0].split() for line in (patch.folder / NAME).read_text().splitlines())
    return {words[0]: words[1:] or ["*"] for words in lines if words}


def growing(made):
    """Yield (patch, commit, {program: patterns}) with the programs that the patch and all earlier ones list."""
    wanted, every = {}, contract.programs()
    for patch, commit in patches(made):
        for program, patterns in listed(patch).items():
            if program not in every:
                raise Failure(f"{patch.where}/{NAME}: there is no contract program {program}")
            wanted[program] = patterns
        yield patch, commit, dict(wanted)


def matches(line, pattern):
    return fnmatch.fnmatchcase(line, pattern.removeprefix("!"))


def chosen(wanted, program, line):
    """Return whether a line is compared.

    Lines of the pseudo program `kernel log@MACHINE` are compared only if all lines of all programs of that machine are.
    """
    name, _, machine = program.partition("@")
    if name == "kernel log":
        return all(wanted.get(each) == ["*"] for each in contract.ONLY[machine])
    patterns = wanted.get(name, ())
    return any(matches(line, pattern) for pattern in patterns if pattern[0] != "!") and \
        not any(matches(line, pattern) for pattern in patterns if pattern[0] == "!")


def selected(side, wanted):
    """Return a Side with the chosen lines, without failures of programs that need not run to their end.

    Pages that such a program leaves pinned are failures nevertheless.
    """
    partly = {program for program in contract.programs() if wanted.get(program) != ["*"]}
    kept = contract.Side(side.name, logs=side.logs)
    kept.lines = {key: value for key, value in side.lines.items() if chosen(wanted, *key)}
    for text in side.wrong:
        # Failures that name no program are those of a machine, such as a finding in its kernel log.
        program = re.split("[:@]", text)[0]
        if program not in partly or " pages pinned before, " in text:
            kept.wrong.append(text)
    return kept


def unmatched(side, wanted):
    """Return an error for each pattern that matches no line of the stock kernel."""
    lines = {}
    for program, line in side.lines:
        lines.setdefault(program.partition("@")[0], []).append(line)
    return [f"{program}: no line matches {pattern}" for program, patterns in wanted.items() for pattern in patterns
            if not any(matches(line, pattern) for line in lines.get(program, ()))]


def compared(stock, patch, commit, wanted):
    """Build and boot a commit, run the programs and return a list of failures."""
    out = implementations.build_at(commit, "engine", [*implementations.FRAGMENTS["engine"], "engine"])
    tested = contract.prepare(patch.name, out, implementations.TREE)
    ours = contract.record(tested, list(wanted))
    sides = [selected(side, wanted) for side in (stock, ours)]
    return unmatched(stock, wanted) + differential.judge(*sides, contract.table("allowed", 4, "|"), whole=False)


def booted(made, chosen):
    """Check the commits of those chosen patches that have a file `programs`; return the results."""
    todo, results = [step for step in growing(made) if step[0].name in chosen], Results()
    if not todo:
        return results
    contract.build_programs()
    stock = contract.record(contract.prepare("stock", *differential.KERNELS["stock"]()), list(todo[-1][2]))
    for number, (patch, commit, wanted) in enumerate(todo, 1):
        say(f"\nboot {number}/{len(todo)} {patch.name}:")
        wrong = compared(stock, patch, commit, wanted)
        results.check(f"{patch.name} passes its contract programs", not wrong, wrong[:8])
    return results

