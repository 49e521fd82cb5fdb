# SPDX-License-Identifier: GPL-2.0-only
"""Test mutants of type1: each breaks rules of the contract, and must change a line of output that shows one of them.

Each mutant is built as a module. A guest loads one mutant after the other, in addition to the built-in type1. SET_IOMMU
first tries the driver that was registered last, so containers use the mutant. The guest runs the contract programs that
show the broken rules, and their lines are compared with those of the unchanged source, which is built as a module too.
"""
import re
import shutil

from . import contract, guest, kernel, mutate
from .mutate import Verdict
from .paths import BUILD, LINUX
from .shell import Failure, must

FOLDER = BUILD / "mutants"
SOURCE = LINUX / "drivers/vfio"
FOLDERS = ("type1", "type1_ioctl")
NONE = "unchanged"
PARAMETERS = "/sys/module/vfio_iommu_type1/parameters"
# The random sequences take as long as all other programs together.
LEFT_OUT = {"random"}
# A program that is not compared with stock type1. It prints one line of the contract, which says whether its own check
# of the race passed.
RACE = "race_notices"


def rules(mutant):
    return mutant.breaks.split(",")


def build(mutants):
    """Build the unchanged source and each mutant as a module; return {name: .ko}."""
    out = kernel.build("release")
    # Remove the exports, since the kernel exports these symbols from the built-in type1.
    text = {f"{folder}/{path.name}": re.sub(r"^EXPORT_SYMBOL.*\n", "", path.read_text(), flags=re.M)
            for folder in FOLDERS for path in (SOURCE / folder).glob("*.[ch]")}
    for mutant in mutants:
        if mutant.file not in text:
            raise Failure(f"mutant {mutant.name}: no such file: {mutant.file}")
    objects = [f"{name[:-2]}.o" for name in text if name.endswith(".c")]
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, mutant in [(NONE, None), *((mutant.name, mutant) for mutant in mutants)]:
        folder = FOLDER / name
        folder.mkdir(parents=True)
        for path, source in text.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(mutate.mutate(source, mutant) if mutant and path == mutant.file else source)
        for header in SOURCE.glob("*.h"):       # type1.h includes ../vfio.h
            shutil.copy2(header, folder)
        (folder / "Kbuild").write_text(f"obj-m += mutant_{name}.o\nmutant_{name}-y := {' '.join(objects)}\n")
    (FOLDER / "Kbuild").write_text("".join(f"obj-m += {folder.name}/\n" for folder in sorted(FOLDER.iterdir())))
    must(f"build {len(mutants)} mutants", kernel.make(out, f"M={FOLDER}", "KCFLAGS=-w", "modules"), "mutants.build",
         env=kernel.environment())
    return {name: FOLDER / name / f"mutant_{name}.ko" for name in [NONE, *(mutant.name for mutant in mutants)]}


def boot(name, tested, runs, modules):
    """Boot a guest; for each (mutant, programs), load the module and run them; return ({mutant: Side}, Outcome)."""
    script = contract.header(tested)
    for mutant, programs in runs:
        script += (f"echo '# mutant: {mutant}'\ninsmod {modules[mutant]} || exit\n"
                   f"mount --bind /sys/module/mutant_{mutant}/parameters {PARAMETERS}\n")
        script += "".join(map(contract.run, programs))
        script += f"umount {PARAMETERS}\nrmmod mutant_{mutant} || exit\n"
    # A mutant that leaves pages pinned can make an unmap wait forever, without any output. The limit for silence is
    # short, so that such a hang is detected soon.
    outcome = guest.boot(guest.Guest(name, tested.bzimage, devices=guest.EDU, silence=30, timeout=1800, restarts=0),
                         script)
    sides, lines = {}, []
    for line in outcome.lines:
        if line.startswith("# mutant: "):
            lines = []
            sides[line[len("# mutant: "):]] = lines
        else:
            lines.append(line)
    parsed = {}
    for mutant, lines in sides.items():
        parsed[mutant] = contract.Side(mutant)
        parsed[mutant].parse(lines)
    return parsed, outcome


def programs_of(baseline, broken):
    return sorted({program for (program, _), (of, _) in baseline.lines.items() if set(of) & set(broken)})


def judge(mutant, baseline, side, ran):
    """Return the first changed line that shows a rule broken by the mutant, and the first one that does not."""
    own = other = None
    broken = set(rules(mutant))
    for key, (shown, text) in baseline.lines.items():
        if key[0] not in ran:
            continue
        now = side.lines[key][1] if key in side.lines else contract.NOTHING
        if now != text:
            change = f"{key[0]} {key[1]}: {text} -> {now}"
            if broken & set(shown):
                own = own or f"{','.join(sorted(broken & set(shown)))} {change}"
            else:
                other = other or f"{','.join(shown)} {change}"
    return own, other


def run(todo):
    """Test the mutants; return a verdict for each."""
    contract.build_programs()
    modules = build(todo)
    tested = contract.prepare("ours", kernel.build("release"))
    usual = [program for program in contract.usual(contract.programs()) if program not in LEFT_OUT] + [RACE]
    sides, _ = boot("mutants-unchanged", tested, [(NONE, usual)], modules)
    baseline = sides[NONE]
    mutate.require_clean("type1", "; ".join(baseline.wrong))
    runs = {mutant.name: programs_of(baseline, rules(mutant)) for mutant in todo}
    results, left, number = {}, [mutant.name for mutant in todo], 0
    while left:
        # If a mutant stops the guest, judge it by the lines printed so far, and run the other mutants in a new guest.
        number += 1
        sides, outcome = boot(f"mutants-{number}", tested, [(name, runs[name]) for name in left], modules)
        results.update(sides)
        if outcome.status is None and not sides:
            raise Failure(f"mutants: {outcome.reason}")
        left = [name for name in left if name not in sides]

    verdicts = []
    for mutant in todo:
        own, other = judge(mutant, baseline, results[mutant.name], runs[mutant.name])
        note = own or (f"only {other}" if other else f"nothing, by {' '.join(runs[mutant.name]) or 'no program'}")
        verdicts.append(Verdict(mutant, bool(own), note))
    return verdicts
