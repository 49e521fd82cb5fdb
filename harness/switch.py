# SPDX-License-Identifier: GPL-2.0-only
"""Check that a running kernel can switch between the two implementations of type1 by installing the other module.

The last commit of the topic type1 is built with VFIO as modules, once for each implementation. One guest boots the
kernel that was built for the engine. It installs the modules of the standalone implementation, those of the
implementation on the engine, and those of the standalone one again. Each time, the module of type1 must look the same
to modprobe and in sysfs, pass some contract programs, and unload.
"""
from . import contract, guest, implementations, kernel
from .paths import BUILD, HARNESS
from .results import Results
from .shell import must

MODULES = BUILD / "type1-modules"
ORDER = ["standalone", "engine", "standalone"]
# Contract programs that run on the usual machine (see contract.py) and need no mediated device.
PROGRAMS = ["lifetime", "get_info", "map_memory", "unmap", "parameters"]


def installed(name):
    """Build and install the modules of the named implementation; return the build folder and that of the modules."""
    out = implementations.build_at(implementations.last(), "modules", [*implementations.FRAGMENTS[name], "modules"])
    folder = MODULES / name
    must(f"install the modules of the {name} type1",
         kernel.make(out, "modules_install", f"INSTALL_MOD_PATH={folder}", tree=implementations.TREE),
         f"modules-{name}.install", env=kernel.environment(implementations.BASE))
    return out, folder


def parse(lines):
    """Return ([facts], contract.Side) for each time that modules were installed."""
    parts = []
    for line in lines:
        if line.startswith("# switch: install "):
            parts.append(([], []))
        elif parts and line.startswith("# switch: "):
            parts[-1][0].append(line.removeprefix("# switch: "))
        elif parts:
            parts[-1][1].append(line)
    found = []
    for facts, rest in parts:
        side = contract.Side("modules")
        side.parse(rest)
        found.append((facts, side))
    return found


def switch():
    """Boot the kernel, install the modules in ORDER, and compare what the guest observes; return the results."""
    contract.build_programs()
    folders = {}
    for name in dict.fromkeys(ORDER):
        out, folders[name] = installed(name)
    script = "\n".join([f". {HARNESS}/guest/tests.sh", f". {HARNESS}/guest/switch.sh",
                        *(f"switch {folders[name]} {contract.folder()} {' '.join(PROGRAMS)}" for name in ORDER), ""])
    outcome = guest.boot(guest.Guest("switch", kernel.bzimage(out), devices=guest.EDU), script)
    results, found = outcome.failures(allowed=["dma-fault"]), parse(outcome.lines)
    allowed = {"standalone": [], "engine": contract.table("allowed", 4, "|")}
    results.check("each installation was reached", len(found) == len(ORDER), [f"{len(found)} of {len(ORDER)}"])
    for name, (facts, side) in zip(ORDER, found):
        wrong = [fact for fact in facts if fact.startswith("failed ")] + side.wrong
        results.check(f"the {name} module loads, works and unloads", side.lines and not wrong, wrong)
        results.check(f"the {name} module looks like the standalone one", facts == found[0][0],
                      [f"{one} -> {two}" for one, two in zip(found[0][0], facts) if one != two])
        differing = [" | ".join(texts) for *texts, wanted in contract.compare(found[0][1], side, allowed[name])
                     if not wanted]
        results.check(f"the contract programs print the same lines with the {name} module", not differing,
                      differing[:8])
    return results
