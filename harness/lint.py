# SPDX-License-Identifier: GPL-2.0-only
"""make lint: run static checks of the kernel and of this project on our patches and files; any finding is a failure."""
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import kernel, kerneldoc, layers, mutants, order, packages, series, series_mail, stock, structure
from .paths import BUILD, HARNESS, LINUX, LOG
from .results import Results, report
from .shell import Failure, Progress, logged, must

# FILE_PATH_CHANGES requires each patch that adds a file to update MAINTAINERS. In a topic, one patch adds the entry for
# all files. MACRO_ARG_REUSE reports iterator macros, which evaluate their arguments in each round.
CHECKPATCH = ["perl", "scripts/checkpatch.pl", "--strict", "--terse", "--no-summary", "--show-types",
              "--ignore=FILE_PATH_CHANGES,MACRO_ARG_REUSE"]

# The kernel's Coccinelle checks that apply to code like ours.
COCCI = ["free/*", "locks/*", "null/*", "iterators/*", "tests/*", "misc/*", "api/err_cast.cocci",
         "api/kfree_mismatch.cocci", "api/memdup*.cocci", "api/vma_pages.cocci", "api/alloc/*"]


def each(title, subjects, check, results):
    """Run check(subject), which returns findings, on all subjects in parallel; each subject is one case."""
    progress = Progress(title)
    with ThreadPoolExecutor(kernel.jobs()) as pool:
        for subject, findings in zip(subjects, pool.map(check, subjects)):
            progress.tick(str(subject))
            results.check(f"{title}: {getattr(subject, 'name', subject)}", not findings, findings)
    progress.done(f"{len(subjects)} checked")


def tool(argv):
    """Run a tool in the tree; return the lines that it prints, or its exit status if it fails without output."""
    done = subprocess.run([str(a) for a in argv], cwd=LINUX, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=kernel.environment())
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return lines or ([f"exit status {done.returncode}"] if done.returncode else [])


def compiled(objects, results):
    """Compile our sources with W=1 and sparse, and check that the engine's files do not call each other in a cycle."""
    out = BUILD / "lint"
    kernel.ensure_config(out, kernel.fragments(*kernel.FRAGMENTS["lint"]))
    status, log = logged("W=1 and sparse", kernel.make(out, "-k", "W=1", "C=2", "KCFLAGS=-Werror", *objects),
                         "lint.build", env=kernel.environment())
    text = log.read_text(errors="replace").splitlines()
    for name in objects:
        source = name.removesuffix("o")
        findings = [line for line in text if re.match(rf"(.*/)?{re.escape(source)}[ch]:\d+.*(warning|error)", line)]
        results.check(f"W=1 and sparse: {source}c", not findings, findings)
    if status and not results.failed:
        results.fail("W=1 and sparse: make failed")
    results.logs.append(log)
    if (LINUX / structure.ENGINE).exists():
        results.add(structure.calls(out))


# {minimal configuration, to find dependencies of our code that Kconfig does not state: folders to compile in it}
CONFIGURATIONS = {"vfio-alone": ["drivers/iommu/iopt/", "drivers/vfio/"]}


def configurations(results):
    """Check that Kconfig reports no unmet dependencies of selected symbols, and that the folders compile."""
    for name, folders in CONFIGURATIONS.items():
        out = BUILD / name
        kernel.configure(out, kernel.fragments(name))
        lines = (LOG / f"{name}.config").read_text(errors="replace").splitlines()
        findings = [line for line in lines if "unmet direct dependencies" in line]
        results.check(f"kconfig: {name}", not findings, findings)
        try:
            folders = [folder for folder in folders if (LINUX / folder).exists()]
            must(f"compile {name}", kernel.make(out, "KCFLAGS=-Werror", *folders), f"{name}.build",
                 env=kernel.environment())
            results.passed.append(f"compile: {name}")
        except Failure as failure:
            results.fail(f"compile: {failure}")
    # Configure the stock debug kernel of make inversion, since make check builds only the stock release kernel.
    try:
        stock.configured("debug")
        results.passed.append("kconfig: stock-debug")
    except Failure as failure:
        results.fail(f"kconfig: {failure}")


# orplus.cocci reports sums of sizes such as SZ_1G + SZ_2M as sums of flags.
NOT_OURS = {"orplus.cocci"}


def reports(rule):
    """Return whether to run a Coccinelle check: it is not in NOT_OURS, has a report mode, and needs no OCaml compiler.

    badzero.cocci needs OCaml, but sparse reports the same problems.
    """
    text = rule.read_text()
    return rule.name not in NOT_OURS and "virtual report" in text and "ocaml" not in text


def lint():
    packages.need(packages.LINT)
    results = Results()
    for check in layers.layers, structure.lengths, structure.widths, order.order, kerneldoc.kerneldoc, mutants.fit:
        results.add(check())
    ended = series_mail.write()
    brought = sorted({path for _, patches, _ in ended for patch in patches for path in patch.files})
    sources = [path for path in brought if path.endswith((".c", ".h"))]
    built = [path for path in sources if path.startswith("drivers/")]

    each("checkpatch", series_mail.mails(), lambda p: tool([*CHECKPATCH, p]), results)
    # The files of the series are checked as part of its patches. The harness's own C files are in no patch.
    own = sorted(HARNESS.rglob("*.[ch]"))
    each("checkpatch -f", own, lambda p: tool([*CHECKPATCH, "-f", p]), results)
    each("kernel-doc", sources, lambda p: tool(["perl", "scripts/kernel-doc", "-none", "-Werror", p]), results)
    rules = sorted({rule for glob in COCCI for rule in (LINUX / "scripts/coccinelle").glob(glob)
                    if rule.suffix == ".cocci" and reports(rule)})
    each("coccinelle", rules, lambda rule: tool(
        ["spatch", "--very-quiet", "-D", "report", "--no-show-diff", "--cocci-file", rule, "--no-includes",
         "--include-headers", *built]) if built else [], results)
    compiled([path[:-1] + "o" for path in built if path.endswith(".c")], results)
    configurations(results)
    for path in series.unlisted():
        results.fail(f"series: no patch adds {path}")
    if ended[-1][0].name == series.topics()[-1].name:
        for path in series.incomplete(series.apply()):
            results.fail(f"series: no patch adds the last lines of {path}")
    return results


def main():
    return report(lint())
