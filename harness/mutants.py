# SPDX-License-Identifier: GPL-2.0-only
"""make mutants: plant one-line faults in the stock type1, and see that lines of the rules they break change.

harness/contract/mutants holds the faults. Each is made from the stock source at test time and built as a module of its
own. One guest loads one after the other beside the built-in type1: containers ask the driver that registered last
first, so the mutant serves them. The programs that have lines of the broken rules run, and each line is compared with
what the unchanged source, built the same way, gave.
"""
import re
import shutil
from dataclasses import dataclass

from . import differential, guest, kernel, ktap
from .paths import BUILD, HARNESS
from .shell import Failure, must, say

FOLDER = BUILD / "mutants"
SOURCE = "drivers/vfio/vfio_iommu_type1.c"
NONE = "unchanged"
PARAMETERS = "/sys/module/vfio_iommu_type1/parameters"
# The random sequences have lines of one rule only, and take as long as all the others together.
LEFT_OUT = {"random"}


@dataclass
class Mutant:
    name: str
    rules: list
    function: str
    search: str
    replacement: str


def listed():
    """The mutants of harness/contract/mutants."""
    mutants = []
    path = HARNESS / "contract/mutants"
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        # A bar within an expression is written with a backslash before it, and stands without spaces around it.
        parts = re.split(r"(?<!\\) \| ", line)
        if len(parts) != 5:
            raise Failure(f"{path}:{number}: not 5 columns")
        name, rules, function, search, replacement = (part.strip() for part in parts)
        replacement = replacement.replace(r"\n", "\n").replace(r"\t", "\t").replace(r"\|", "|")
        mutants.append(Mutant(name, rules.split(","), function, search, replacement))
    return mutants


def mutate(text, mutant):
    """The source with the fault; one that does not match exactly once is an error."""
    body = re.search(rf"^[a-z][^\n;]*\b{mutant.function}\([^;{{]*?\)\n{{\n.*?^}}", text, re.M | re.S)
    if not body:
        raise Failure(f"mutant {mutant.name}: no function {mutant.function}")
    changed, count = re.subn(mutant.search, lambda _: mutant.replacement, body.group(0))
    if count != 1:
        raise Failure(f"mutant {mutant.name}: {mutant.search} matches {count} times in {mutant.function}")
    return text[:body.start()] + changed + text[body.end():]


def build(mutants):
    """Build the unchanged source and each mutant as a module; return {name: .ko}."""
    out = differential.stock_kernel()
    text = (differential.STOCK / SOURCE).read_text()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    sources = {NONE: text, **{mutant.name: mutate(text, mutant) for mutant in mutants}}
    for name, source in sources.items():
        # It sits in drivers/vfio for its private header.
        (FOLDER / f"mutant_{name}.c").write_text(source)
    shutil.copy2(differential.STOCK / "drivers/vfio/vfio.h", FOLDER)
    (FOLDER / "Kbuild").write_text("".join(f"obj-m += mutant_{name}.o\n" for name in sources))
    must(f"build {len(mutants)} mutants", kernel.make(out, f"M={FOLDER}", "KCFLAGS=-w", "modules",
                                                     tree=differential.STOCK), "mutants.build",
         env=kernel.environment())
    return {name: FOLDER / f"mutant_{name}.ko" for name in sources}


def run(name, image, mdev, runs, modules, folder):
    """Boot, and for each (mutant, programs) load the mutant and run them; return {mutant: Side}."""
    script = f". {HARNESS}/guest/tests.sh\n{differential.SETUP}insmod {mdev}\n"
    for mutant, programs in runs:
        script += (f"echo '# mutant: {mutant}'\ninsmod {modules[mutant]} || exit\n"
                   f"mount --bind /sys/module/mutant_{mutant}/parameters {PARAMETERS}\n")
        script += "".join(f"run_test {program} {folder} {program}\n" for program in programs)
        script += f"umount {PARAMETERS}\nrmmod mutant_{mutant} || exit\n"
    outcome = guest.boot(guest.Guest(name, image, devices=guest.EDU, timeout=1800), script)
    sides, lines = {}, []
    for line in outcome.lines:
        if line.startswith("# mutant: "):
            lines = []
            sides[line[len("# mutant: "):]] = lines
        else:
            lines.append(line)
    parsed = {}
    for mutant, lines in sides.items():
        parsed[mutant] = differential.Side(mutant)
        differential.parse(parsed[mutant], lines, "usual")
    return parsed, outcome


def programs_of(baseline, rules):
    return sorted({program for (program, _), (of, _) in baseline.lines.items() if set(of) & set(rules)})


def judge(mutant, baseline, side, ran):
    """The first line of a broken rule that changed, and the first of another rule."""
    own = other = None
    for key, (rules, text) in baseline.lines.items():
        if key[0] not in ran:
            continue
        now = side.lines[key][1] if key in side.lines else differential.NOTHING
        if now != text:
            change = f"{key[0]} {key[1]}: {text} -> {now}"
            if set(rules) & set(mutant.rules):
                own = own or f"{','.join(sorted(set(rules) & set(mutant.rules)))} {change}"
            else:
                other = other or f"{','.join(rules)} {change}"
    return own, other


def mutants():
    """Run all; print the table and return ([caught], [survived])."""
    todo = listed()
    folder, programs = differential.build_programs()
    modules = build(todo)
    out = differential.stock_kernel()
    image = kernel.bzimage(out)
    mdev = differential.build_module("stock", out, differential.STOCK)
    elsewhere = {program for those in differential.ONLY.values() for program in those} | LEFT_OUT
    usual = [program for program in programs if program not in elsewhere]
    sides, _ = run("mutants-unchanged", image, mdev, [(NONE, usual)], modules, folder)
    baseline = sides[NONE]
    if baseline.wrong:
        raise Failure("the unchanged source: " + "; ".join(baseline.wrong))

    runs = {mutant.name: programs_of(baseline, mutant.rules) for mutant in todo}
    results, left, boot = {}, [mutant.name for mutant in todo], 0
    while left:
        # A mutant that stops the guest is judged by what it printed, and the next one gets a new guest.
        boot += 1
        sides, outcome = run(f"mutants-{boot}", image, mdev, [(name, runs[name]) for name in left], modules, folder)
        results.update(sides)
        if outcome.status is None and not sides:
            raise Failure(f"mutants: {outcome.reason}")
        left = [name for name in left if name not in sides]

    caught, survived = [], []
    say(f"{'mutant':24}{'rules':22}{'verdict':10}first line of a broken rule that changed")
    for mutant in todo:
        own, other = judge(mutant, baseline, results[mutant.name], runs[mutant.name])
        (caught if own else survived).append(mutant.name)
        note = own or (f"only {other}" if other else f"nothing, by {' '.join(runs[mutant.name]) or 'no program'}")
        say(f"{mutant.name:24}{','.join(mutant.rules):22}{'caught' if own else 'SURVIVED':10}{note}")
    say(f"{len(todo)} mutants, {len(caught)} caught, {len(survived)} survived")
    return caught, survived


def stage():
    """For soak: each mutant is a case."""
    caught, survived = mutants()
    return ktap.Results(passed=[f"caught: {name}" for name in caught],
                        failed=[f"survived: {name}" for name in survived])


def main():
    _, survived = mutants()
    say(f"RESULT: {'fail' if survived else 'pass'}")
    return bool(survived)
