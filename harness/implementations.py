# SPDX-License-Identifier: GPL-2.0-only
"""Build kernels with either implementation of type1, by default at the last commit of the topic type1."""
from . import inherit, kernel, packages, series, worktree
from .paths import BUILD
from .shell import Failure, must

# The tree and its build folders have the same paths below BASE as ours have below BUILD, so that ccache finds objects
# that were compiled from the same files.
BASE = BUILD / "type1"
TREE = BASE / "linux"
TOPIC = "type1"
# {implementation: fragments in harness/config}
FRAGMENTS = {
    "standalone": ["common", "x86", "release", "standalone"],
    "engine": ["common", "x86", "release"],
}


def last():
    """Return the last commit of the topic."""
    commit = series.end_of(TOPIC)
    if not commit:
        raise Failure(f"TOPIC= ends the tree before the topic {TOPIC}, which has the second implementation")
    return commit


def build(name):
    """Build a release kernel with the named implementation; return its folder."""
    return build_at(last(), name, FRAGMENTS[name])


def build_at(commit, name, fragments):
    """Build a release kernel of a commit with the fragments, in the folder BASE/NAME; return the folder."""
    packages.need(packages.KERNEL)
    worktree.checkout(TREE, commit)
    out = BASE / name
    inherit.release(out, TREE)
    kernel.ensure_config(out, kernel.fragments(*fragments), TREE)
    must(f"build the kernel with the {name} type1", kernel.make(out, "bzImage", "modules", tree=TREE),
         f"type1-{name}.build", env=kernel.environment(BASE))
    return out
