# SPDX-License-Identifier: GPL-2.0-only
"""make mutants: plant small faults, one at a time, and check that the tests catch each of them.

mutate.py describes the faults. Each family has its own way to build and test mutants (see mutants_engine.py,
mutants_iommufd.py and mutants_type1.py). ONLY= selects families or mutants; by default all of them are tested.
"""
from . import mutants_engine, mutants_iommufd, mutants_type1, only
from .mutate import FAMILIES, FAULTS, listed, plant
from .paths import ROOT
from .results import Results, report
from .shell import Failure, say

RUNNERS = {"engine": mutants_engine.run, "iommufd": mutants_iommufd.run, "type1": mutants_type1.run}


def fit():
    """Check that each fault can be planted in our files, and that STAGES and FIRST of mutants_engine.py fit.

    Each stage must match a suite, and each key of FIRST a file with a mutant.
    """
    results = Results()
    for family, folder in FAMILIES.items():
        wrong = []
        for mutant in listed(family):
            try:
                plant((ROOT / folder / mutant.file).read_text(), mutant)
            except FileNotFoundError:
                wrong.append(f"mutant {mutant.name}: no file {folder}/{mutant.file}")
            except Failure as failure:
                wrong.append(str(failure))
        results.check(f"each fault in harness/faults/{family} fits", not wrong, wrong)
    unmatched = mutants_engine.unmatched()
    results.check("each stage of the engine's mutants has a suite", not unmatched, unmatched)
    return results


def run(family, chosen=None):
    """Test the mutants of a family, or only those in the list `chosen`; print each verdict, return a case for each."""
    todo = [mutant for mutant in listed(family) if chosen is None or mutant.name in chosen]
    results = Results()
    if not todo:
        return results
    wide, broad = (2 + max(len(getattr(mutant, column)) for mutant in todo) for column in ("name", "breaks"))
    for number, verdict in enumerate(RUNNERS[family](todo)):
        if not number:
            say(f"{'mutant':{wide}}{'breaks':{broad}}{'verdict':10}caught by")
        say(f"{verdict.mutant.name:{wide}}{verdict.mutant.breaks:{broad}}"
            f"{'caught' if verdict.caught else 'SURVIVED':10}{verdict.note}")
        results.check(f"mutant {verdict.mutant.name} is caught", verdict.caught)
    say(f"{family}: {len(todo)} mutants, {len(results.passed)} caught, {len(results.failed)} survived")
    return results


def chosen(names):
    return only.select(only.given(), [*FAMILIES, *(name for family in FAMILIES for name in names[family])],
                       "family or mutant", [*FAMILIES, f"or the mutants that the files in {FAULTS} list"])


def all_names():
    """Return {family: names of its mutants}."""
    return {family: [mutant.name for mutant in listed(family)] for family in FAMILIES}


def check_variables():
    chosen(all_names())


def main():
    names = all_names()
    found = chosen(names)
    misfits = fit()
    if misfits.failed:
        raise Failure("\n".join(misfits.failed))
    results = Results()
    for family in FAMILIES:
        results.add(run(family, names[family] if family in found else found))
    return report(results)
