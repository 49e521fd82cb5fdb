# SPDX-License-Identifier: GPL-2.0-only
"""make differential: compare the behaviour of type1 in the stock kernel and in ours, line by line.

A container that is an iommufd is compared with type1 in our kernel. The lines are those that contract.py records.
ONLY= selects contract programs; if it is given, rules without a line are not failures. Otherwise, switch.py checks the
modules of both implementations as well.
"""
import dataclasses
import functools
import itertools
import re

from . import beside, contract, guest, implementations, inherit, iommus, kernel, only, stock, switch
from .paths import LINUX
from .results import Results, report
from .shell import say


def judge(first, other, allowed, whole, least=0):
    """Print the table of rules and return a list of failures.

    If `whole` is false, only some programs ran, and rules and allowed differences without a line are not failures.
    Otherwise, each ABI and QUIRK rule must have a line or a reason in harness/contract/unseen. If `least` is given, it
    is enough that this number of rules has a line, no matter which.
    """
    differences = list(contract.compare(first, other, allowed))
    wrong = [f"{side.name}: {text}" for side in (first, other) for text in side.wrong]
    wrong += [f"{program}: {line}: {first.name} {one}, {other.name} {two}"
              for program, line, one, two, wanted in differences if not wanted]
    used = {difference[:4] for difference in differences}
    wrong += [f"allowed difference that did not occur: {' | '.join(entry)}" for entry in allowed
              if entry not in used and (whole or entry[:2] in first.lines)]

    kinds = {number: (kind, about) for number, kind, about in contract.table("rules", 3)}
    unseen = dict(contract.table("unseen", 2))
    seen = {}
    for side in (first, other):
        for (program, line), (rules, _) in side.lines.items():
            for rule in rules:
                seen.setdefault(rule, {}).setdefault(program, set()).add(line)
    say(f"{'rule':8}{'kind':7}{'lines':>6}  {'verdict':12}programs")
    for rule, (kind, about) in kinds.items():
        of_rule = [d for d in differences if d[1] in seen.get(rule, {}).get(d[0], ())]
        verdict = "no line" if rule not in seen else "same" if not of_rule else \
            "as allowed" if all(d[4] for d in of_rule) else "DIFFERENT"
        lines = sum(len(names) for names in seen.get(rule, {}).values())
        where = " ".join(sorted(seen[rule])) if rule in seen else unseen.get(rule, "")
        say(f"{rule:8}{kind:7}{lines:6}  {verdict:12}{where}")
        if whole and not least and rule not in seen and rule not in unseen and kind in ("ABI", "QUIRK"):
            wrong.append(f"{rule} has no line, and no reason in harness/contract/unseen: {about}")
        if rule in seen and rule in unseen:
            wrong.append(f"{rule} has lines, but is listed in harness/contract/unseen")
    wrong += [f"{rule}: not in {contract.SOURCE}/rules"
              for rule in sorted(set(seen) | set(unseen)) if rule not in kinds]
    counted = {kind: [sum(1 for rule, (k, _) in kinds.items() if k == kind and rule in seen),
                      sum(1 for k, _ in kinds.values() if k == kind)] for kind in ("ABI", "QUIRK", "BUG")}
    say("rules with a line: " + ", ".join(f"{have} of {all_} {kind}" for kind, (have, all_) in counted.items())
        + f"; {sum(have for have, _ in counted.values())} in all, {len(first.lines)} lines, "
          f"{len(differences)} differences, {sum(1 for d in differences if d[4])} of them allowed")
    if whole and len(seen) < least:
        wrong.append(f"only {len(seen)} rules have a line, not {least}")
    return wrong


def success(side):
    """Print how many random operations of each kind succeeded; return a failure for each kind below 50 %."""
    counts = [(line, *map(int, found.groups())) for (program, line), (_, text) in side.lines.items()
              if program == "random" and (found := re.match(r"tried (\d+) succeeded (\d+)$", text))]
    say(f"{'operation':12}{'tried':>8}{'succeeded':>11}")
    for line, tried, succeeded in counts:
        say(f"{line:12}{tried:8}{succeeded:11}{100 * succeeded // max(tried, 1):5} %")
    if not counts:
        return ["random: no operation was counted"]
    return [f"random: {line}: {succeeded} of {tried} succeeded, less than half"
            for line, tried, succeeded in counts if 2 * succeeded < tried or not tried]


def explain(wrong, kernels, kind):
    """If random sequences differ, trace the first of them under both kernels; return the first different line."""
    seeds = [found.group(1) for found in (re.match(r"random: seed_(\d+)\.", text) for text in wrong) if found]
    if not seeds:
        return []
    runs = []
    for tested in kernels:
        script = contract.header(tested) + f"CONTRACT_SEED={seeds[0]} {contract.folder(tested.board)}/random\n"
        outcome = guest.boot(guest.Guest(f"differential-{tested.name}-seed", tested.bzimage, devices=guest.EDU,
                                         **iommus.arguments(kind)), script)
        runs.append([line[2:] for line in outcome.lines if line.startswith("# ")])
    for number, (one, two) in enumerate(itertools.zip_longest(*runs, fillvalue=contract.NOTHING), 1):
        if one != two:
            return [f"random: seed {seeds[0]}, line {number} of the trace: "
                    f"{kernels[0].name} {one}, {kernels[1].name} {two}"]
    return [f"random: seed {seeds[0]} does not differ when run alone"]


# The kernels that can be compared: {name: function that builds it and returns its folder, its tree and whether the
# programs do only what an iommufd supports}.
KERNELS = {
    "stock": lambda: (stock.build("release"), stock.TREE),
    "standalone": lambda: (implementations.build("standalone"), implementations.TREE),
    "engine": lambda: (implementations.build("engine"), implementations.TREE),
    "ours": lambda: (kernel.build("release"), LINUX),
    "type1": lambda: (kernel.build("release"), LINUX, True),
    "iommufd": lambda: (inherit.container(), LINUX, True),
    "arm64-stock": lambda: (stock.build("arm64-release"), stock.TREE),
    "arm64-ours": lambda: (kernel.build("arm64-release"), LINUX),
}
# Pairs that make differential compares, each with the name of its list of intended differences, or "" if there is none.
# The topic type1 has both implementations in one tree: "standalone" is that of the stock kernel, and "engine" the one
# that our kernel has in the end.
PAIRS = [("stock", "standalone", ""), ("standalone", "engine", "allowed"), ("stock", "ours", "allowed"),
         ("type1", "iommufd", "iommufd")]
RULES_OF_IOMMUFD = 120      # number of rules that must have a line with an iommufd


def pair(sides, kernels, allowed, whole, kind="intel"):
    """Compare two sides, with the named list of intended differences; return the results."""
    silent = [f"{side.name}: no program printed a line" for side in sides if not side.lines]
    wrong = judge(*sides, contract.table(allowed, 4, "|") if allowed else [], whole,
                  RULES_OF_IOMMUFD if allowed == "iommufd" else 0)
    wrong += silent + explain(wrong, kernels, kind)
    results = Results(failed=wrong, logs=[log for side in sides for log in side.logs])
    if not wrong:
        results.passed.append("all lines are the same" + (", except for intended differences" if allowed else ""))
    return results


def differential(pairs=PAIRS, seeds=200, wanted="", kind="intel"):
    """Compare type1 of pairs of kernels on machines with the IOMMU `kind` (see iommus.py); return the results.

    `seeds` is the number of random sequences. `wanted` is the text of ONLY=.
    """
    every = contract.programs()
    chosen = only.select(wanted, every, "program")
    contract.build_programs(iommus.board(kind))
    names = list(dict.fromkeys(name for pair_ in pairs for name in pair_[:2]))
    kernels = {name: contract.prepare(name, *KERNELS[name]()) for name in names}
    jobs = {name: functools.partial(contract.record, kernels[name], chosen, seeds, kind) for name in names}
    # The programs do little in parallel, so that another guest can run at the same time.
    with beside.started("differential", [jobs[name] for name in names[::2]]) as others:
        sides = {name: jobs[name]() for name in names[1::2]}
        sides.update((name, others.result()) for name in names[::2])
    results = Results()
    for one, other, allowed in pairs:
        say(f"\n{one} and {other}:")
        whole = chosen == every and kind == "intel"
        results.add(pair([sides[one], sides[other]], [kernels[one], kernels[other]], allowed, whole, kind),
                    f"{one} and {other}: ")
    if "random" in chosen:
        for text in success(sides[pairs[0][0]]):
            results.fail(text)
    return results


def ours(seeds=200, kind="intel", wanted=""):
    """Compare the stock kernel with ours on a machine with the IOMMU `kind`."""
    prefix = iommus.board(kind).prefix
    return differential([(f"{prefix}stock", f"{prefix}ours", "allowed")], seeds, wanted, kind)


def again():
    """Compare the stock kernel with itself, to show that the programs print the same lines in each run."""
    built = contract.prepare("stock", *KERNELS["stock"]())
    twice = [built, dataclasses.replace(built, name="again")]
    contract.build_programs()
    return pair([contract.record(tested, contract.programs()) for tested in twice], twice, "", True)


def check_variables():
    iommus.given()
    only.select(only.given(), contract.sources(), "program")


def main():
    kind = iommus.given()
    if kind != "intel":
        return report(ours(kind=kind, wanted=only.given()))
    results = differential(wanted=only.given())
    if not only.given():
        results.add(switch.switch(), "switch: ")
    return report(results)
