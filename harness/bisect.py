# SPDX-License-Identifier: GPL-2.0-only
"""make bisect: every commit compiles what it touches, with the series' parts built in and as modules.

make check leaves the modules to the last commit.
"""
import shutil

from . import kernel, ktap, packages, series
from .base import git
from .paths import BUILD
from .shell import ERROR, logged, say

TREE = BUILD / "bisect-tree"
VARIANTS = {"y": ["common", "iommufd", "kunit"], "m": ["common", "iommufd", "modular"]}


def touched(commit):
    """The folders to compile for a commit; a header counts for all of those that the series edits."""
    folders = set()
    for path in git("diff", "--name-only", f"{commit}~", commit).split():
        if path.startswith("include/"):
            folders |= {"drivers/iommu/", "drivers/vfio/"}
        elif path.startswith("drivers/"):
            folders.add("/".join(path.split("/")[:2]) + "/")
        elif path.startswith("samples/vfio-mdev/"):
            folders.add("samples/vfio-mdev/")
        elif path.startswith("virt/kvm/"):
            folders.add("arch/x86/kvm/")    # which builds it
    return sorted(folders)


def objects(patches, variant):
    """The objects of the files that patches bring; the KUnit suites are only ever built in."""
    sources = [path for patch in patches for path in patch.files
               if path.startswith("drivers/") and path.endswith(".c")]
    if variant == "m":
        sources = [path for path in sources if "/tests/" not in path and not path.endswith("_test.c")]
    return [path[:-1] + "o" for path in sources]


def compile_commit(title, patches, folders, variant, last):
    """Compile folders in TREE, of what patches bring all; return what is wrong."""
    out = BUILD / f"bisect-{variant}"
    # A symbol may come with a later commit; at the last one all of them must be there.
    kernel.settle(out, kernel.fragments(*VARIANTS[variant]), tree=TREE, strict=last)
    wanted = objects(patches, variant)
    for name in wanted:
        (out / name).unlink(missing_ok=True)
    # CONFIG_IOPT is selected by what comes after the engine, so the engine's commits need it said.
    argv = kernel.make(out, "KCFLAGS=-Werror", f"CONFIG_IOPT={variant}", tree=TREE)
    file = f"bisect-{patches[-1].name}-{variant}.build"
    status, log = logged(f"compile {title}", [*argv, *folders], file, env=kernel.environment())
    # What a later commit links.
    if not status and (missing := [name for name in wanted if not (out / name).exists()]):
        status, log = logged("compile what is not linked yet", [*argv, *missing], file, env=kernel.environment())
    if status:
        return [line for line in log.read_text().splitlines() if ERROR.search(line)][:8] or [f"see {log}"]
    return [f"{name} was not compiled" for name in wanted if not (out / name).exists()]


def bisect(every=tuple(VARIANTS)):
    """Compile each commit in these variants, and at the last one all of the series in the others."""
    packages.need(packages.KERNEL)
    made = series.apply()
    results = ktap.Results()
    if f"worktree {TREE}\n" not in git("worktree", "list", "--porcelain"):
        shutil.rmtree(TREE, ignore_errors=True)
        git("worktree", "prune")
        git("worktree", "add", "-q", "--detach", str(TREE), "base")
    todo = [([patch], commit, folders, every) for patch, commit in made if (folders := touched(commit))]
    todo.append(([patch for patch, _ in made], made[-1][1], sorted({folder for step in todo for folder in step[2]}),
                 [variant for variant in VARIANTS if variant not in every]))
    for number, (patches, commit, folders, variants) in enumerate(todo, 1):
        git("checkout", "-q", "--detach", commit, tree=TREE)
        for variant in variants:
            name = patches[-1].name if len(patches) == 1 else "the series"
            wrong = compile_commit(f"{number}/{len(todo)} {name} ={variant}", patches, folders, variant,
                                   last=number >= len(todo) - 1)
            case = f"{name} compiles ={variant}"
            if wrong:
                results.failed.append(case + "".join(f"\n    {line}" for line in wrong))
            else:
                results.passed.append(case)
    return results


def main():
    results = bisect()
    for case in results.failed:
        say(f"failed: {case}")
    say(f"{len(results.passed)} passed, {len(results.failed)} failed")
    return bool(results.failed)
