# SPDX-License-Identifier: GPL-2.0-only
"""make bisect: link user-mode Linux at each commit of the topic engine that adds code, and run its KUnit suites.

The commits before the first suite are only linked. The tree and the build folder are named as in make kunit, but are in
FOLDER instead of build/, so that ccache finds objects that make kunit compiled from the same files.
"""
from . import cleanlog, kernel, ktap, kunit, worktree
from .paths import BUILD
from .results import Results
from .shell import ERROR, logged

FOLDER = BUILD / "bisect-uml"
TREE = FOLDER / "linux"
TOPIC = "engine"
OPERATIONS = 200        # number of random operations; make kunit covers long runs
# Configuration of the commits without a suite. CONFIG_IOPT has no prompt, and nothing selects it yet.
LINKED = "CONFIG_IOMMU_SUPPORT=y\n"
FORCED = "--make_options=CONFIG_IOPT=y"


def tool(tree):
    """Return the command line that builds the commit checked out in the tree and runs the suites if it has any."""
    jobs = f"--jobs={kernel.jobs()}"
    if (tree / kunit.KUNITCONFIG).exists():
        return kunit.tool("run", FOLDER / "uml", [], jobs, f"--kernel_args=iopt_test.ops={OPERATIONS}",
                          "--timeout=900", "--raw_output=all")
    config = FOLDER / "linked.config"
    config.write_text(LINKED)
    return kunit.tool("build", FOLDER / "uml", [], jobs, FORCED, kunitconfig=config)


def errors(status, text, suites):
    """Return the errors in the output of kunit.py."""
    lines = text.splitlines()
    if status:
        return [line for line in lines if ERROR.search(line)][:8] or lines[-8:]
    if not suites:
        return []
    results = ktap.parse(lines)
    results.add_findings(cleanlog.findings(text))
    return results.failed[:8] or ([] if results.passed else ["no test ran"])


def commits(made, chosen):
    """Link the commits of the chosen patches of the topic, and run their suites; return the results."""
    results = Results()
    todo = [(patch, commit) for patch, commit in made
            if patch.topic.name == TOPIC and patch.name in chosen
            and any(path.startswith("drivers/") for path in [*patch.files, *patch.grown])]
    for number, (patch, commit) in enumerate(todo, 1):
        worktree.checkout(TREE, commit)
        suites = (TREE / kunit.KUNITCONFIG).exists()
        status, log = logged(f"user-mode Linux {number}/{len(todo)} {patch.name}", tool(TREE),
                             f"bisect-uml-{patch.name}.log", cwd=TREE, env=kernel.environment(FOLDER))
        wrong = errors(status, log.read_text(errors="replace"), suites)
        results.check(f"{patch.name} {'passes its suites' if suites else 'links'} on user-mode Linux", not wrong,
                      [*wrong, f"see {log}"])
    return results
