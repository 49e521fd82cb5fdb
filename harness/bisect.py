# SPDX-License-Identifier: GPL-2.0-only
"""make bisect: check that each commit compiles, with the series' drivers built in (y) and as modules (m).

For each commit, only the folders that touched() returns are compiled; commits that change no kernel code are skipped.
Commits that extend type1 on the engine are compiled with both implementations of type1. modpost checks that the modules
of the whole series find all symbols that they use. Then bisect_uml.py tests the commits of the engine, and
bisect_type1.py those of type1. ONLY= selects patches by the names of their folders.

make check compiles only the last commit of each topic, with y, and the whole series with m. Its other stages build the
whole series with y.
"""
import functools
import re
from pathlib import Path

from . import bisect_type1, bisect_uml, kernel, only, packages, series, worktree
from .base import git
from .paths import BUILD
from .results import Results, report
from .shell import ERROR, logged, output

TREE = BUILD / "bisect-tree"
# The modules that unresolved() checks, by the folders of their sources. They need no other driver.
MODULES = {
    "drivers/iommu/iopt": ["iopt"],
    "drivers/iommu/iommufd": ["iommufd"],
    "drivers/vfio/type1_ioctl": ["vfio_type1_ioctl"],
    "drivers/vfio": ["vfio", "vfio_virqfd", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci", "mdev"],
}
VARIANTS = {"y": ["common", "x86", "iommufd", "kunit", "kunit-x86", "validate"],
            "m": ["common", "x86", "iommufd", "modular", "validate"]}
# The same with type1 on the engine, for the commits at which it is not the default.
ENGINE = {f"{variant}-engine": [*fragments, "engine"] for variant, fragments in VARIANTS.items()}


@functools.cache
def touched(commit):
    """Return the folders to compile for a commit. A header in include/ adds drivers/iommu and drivers/vfio."""
    folders = set()
    for path in git("diff", "--name-only", f"{commit}~", commit).split():
        if path.startswith("include/"):
            folders |= {"drivers/iommu/", "drivers/vfio/"}
        elif path.startswith("drivers/"):
            folders.add("/".join(path.split("/")[:2]) + "/")
        elif path.startswith("samples/vfio-mdev/"):
            folders.add("samples/vfio-mdev/")
        elif path.startswith("virt/kvm/"):
            folders.add("arch/x86/kvm/")    # its Makefile builds virt/kvm
    return sorted(folders)


def objects(patches, variant):
    """Return the objects of the sources that the patches add. Variants "m" omit KUnit suites, which are built in."""
    sources = [path for patch in patches for path in patch.files
               if path.startswith("drivers/") and path.endswith(".c")]
    if variant[0] == "m":
        sources = [path for path in sources if "/iopt/tests/" not in path and not path.endswith("_test.c")]
    return [path[:-1] + "o" for path in sources]


def compile_commit(title, patches, folders, variant, strict):
    """Compile the folders in TREE, and all objects that the patches add; return a list of errors."""
    built = variant[0]
    out = BUILD / f"bisect-{built}"
    kernel.ensure_config(out, kernel.fragments(*(VARIANTS | ENGINE)[variant]), tree=TREE, strict=strict)
    wanted = objects(patches, variant)
    for name in wanted:
        (out / name).unlink(missing_ok=True)
    # The front ends select CONFIG_IOPT, but are added by later commits. Set it explicitly for the commits of the
    # engine.
    argv = kernel.make(out, "KCFLAGS=-Werror", f"CONFIG_IOPT={built}", tree=TREE)
    file = f"bisect-{patches[-1].name}-{variant}.build"
    status, log = logged(f"compile {title}", [*argv, *folders], file, env=kernel.environment())
    # Kbuild skips objects that only a later commit links. Compile those by name.
    if not status and (missing := [name for name in wanted if not (out / name).exists()]):
        status, log = logged("compile what is not linked yet", [*argv, *missing], file, env=kernel.environment())
    if status:
        return [line for line in log.read_text().splitlines() if ERROR.search(line)][:8] + [f"see {log}"]
    return [f"{name} was not compiled" for name in wanted if not (out / name).exists()]


def unresolved(out):
    """Run modpost, which kbuild runs only for complete kernels, on MODULES in the folder out; return its errors.

    The release kernel, which has the same code built in, stands for the kernel that would load the modules.
    """
    release = kernel.build("release") / "Module.symvers"
    ordered = [line for folder in ("drivers/iommu", "drivers/vfio")
               for line in (out / folder / "modules.order").read_text().split()]
    wanted = {name for folder, names in MODULES.items() if (TREE / folder).exists() for name in names}
    modules = [line[:-2] + "o" for line in ordered if Path(line).stem in wanted]
    if len(modules) != len(wanted):
        return [f"{len(modules)} of {len(wanted)} modules were built"]
    theirs = set(re.findall(r"__ksymtab_(\w+)$", output("nm", *modules, cwd=out), re.M))
    symbols = out / "kernel.symvers"
    symbols.write_text("".join(
        line for line in release.read_text().splitlines(keepends=True)
        if line.split()[1] not in theirs))
    status, log = logged("modpost", ["scripts/mod/modpost", "-e", "-i", symbols, "-o", out / "modules.symvers",
                                     *modules], "bisect-modpost.build", cwd=out, env=kernel.environment())
    errors = [line for line in log.read_text().splitlines() if "ERROR" in line]
    return errors or ([f"modpost failed, see {log}"] if status else [])


def commits(made, chosen):
    """Return the steps that compile the chosen commits. A step is (name, patches, commit, folders, variants).

    Commits that change no kernel code are left out. If all are chosen, a last step without variants follows. It
    compiles nothing, but checks out the last commit, so that compiled() checks the modules.
    """
    learning = [patch for patch, _ in bisect_type1.patches(made)]
    found = [(patch.name, [patch], commit, folders, [*(ENGINE if patch in learning else ()), *VARIANTS])
             for patch, commit in made if patch.name in chosen and (folders := touched(commit))]
    return [*found, *([whole(made, [])] if len(chosen) == len(made) else [])]


def ends(made):
    """Return the steps for make check: the end of each topic as y, and the end of the series as m.

    The end of the series as y is what the other stages build.
    """
    found, folders = [], set()
    for topic, patches, commit in series.ends(made):
        folders = folders.union(*(touched(each) for patch, each in made if patch.topic == topic))
        found.append((f"topic {topic.name}", patches, commit, sorted(folders), ["y"]))
    return [*found[:-1], whole(made, ["m"])]


def whole(made, variants):
    folders = sorted({folder for _, commit in made for folder in touched(commit)})
    return "the series", [patch for patch, _ in made], made[-1][1], folders, variants


def compiled(todo):
    """Compile the steps, and check at the end that the modules find their symbols; return the results."""
    packages.need(packages.KERNEL)
    results = Results()
    last = series.apply()[-1][1]
    # Commits in the middle of the series may lack symbols of the fragments, and Kconfig enables the engine only with a
    # front end. The last commit must define all symbols.
    complete = series.includes("type1")
    for number, (name, patches, commit, folders, variants) in enumerate(todo, 1):
        worktree.checkout(TREE, commit)
        for variant in variants:
            wrong = compile_commit(f"{number}/{len(todo)} {name} ={variant}", patches, folders, variant,
                                   strict=complete and commit == last)
            results.check(f"{name} compiles ={variant}", not wrong, wrong)
    if not results.failed and todo and todo[-1][2] == last:     # otherwise modules may be missing
        errors = unresolved(BUILD / "bisect-m")
        results.check("the modules find their symbols", not errors, errors)
    return results


def topics():
    return compiled(ends(series.apply()))


def check_variables():
    only.select(only.given(), names(), "patch")


def names():
    return [entry.name for topic in series.given() for entry in sorted(topic.folder.iterdir()) if entry.is_dir()]


def main():
    kernel.build("release")
    made = series.apply()
    chosen = only.select(only.given(), names(), "patch")
    results = compiled(commits(made, chosen))
    results.add(bisect_uml.commits(made, chosen))
    results.add(bisect_type1.booted(made, chosen))
    return report(results)
