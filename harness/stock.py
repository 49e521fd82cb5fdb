# SPDX-License-Identifier: GPL-2.0-only
"""Build the stock kernel: the unmodified base, in a separate work tree."""
import fcntl

from . import base, inherit, kernel, machine, packages, worktree
from .paths import BUILD
from .shell import must

# The tree and its build folders have the same paths below BASE as ours have below BUILD, so that ccache finds objects
# that were compiled from the same files.
BASE = BUILD / "stock"
TREE = BASE / "linux"
# Like FRAGMENTS in kernel.py, but without preempt and without the fragments for symbols that the series adds.
FRAGMENTS = {
    "release": ["common", "x86", "release"],
    "arm64-release": ["common", "arm64-virt", "release"],
    "debug": ["common", "x86", "debug", "debug-x86", "kasan"],
}


def tree():
    """Check out the base in TREE."""
    base.fetch()
    worktree.checkout(TREE, "base")


def configured(name):
    """Configure the named stock kernel; return its folder."""
    tree()
    out = BASE / name
    kernel.ensure_config(out, kernel.fragments(*FRAGMENTS[name]), TREE)
    return out


def build(name):
    """Build the named stock kernel; return its folder.

    If another process of the same command is building it, wait for that process first.
    """
    packages.need([*packages.KERNEL, *machine.of(name).cross])
    BASE.mkdir(parents=True, exist_ok=True)
    with open(BASE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree()
        if name.endswith("release"):
            inherit.release(BASE / name, TREE, name)
        out = configured(name)
        must(f"build the stock {name} kernel", kernel.make(out, machine.of(name).goal, "modules", tree=TREE),
             f"stock-{name}.build", env=kernel.environment(BASE))
    return out
