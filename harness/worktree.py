# SPDX-License-Identifier: GPL-2.0-only
"""Check out commits of build/linux in work trees of their own."""
import shutil

from .base import environment, git
from .paths import LINUX
from .shell import Failure, must


def checkout(tree, commit):
    """Check out a commit in the work tree at the path `tree`, and create this work tree unless it exists."""
    commit = git("rev-parse", f"{commit}^{{commit}}").strip()
    if f"worktree {tree}\n" not in git("worktree", "list", "--porcelain") or not (tree / "Makefile").exists():
        shutil.rmtree(tree, ignore_errors=True)
        git("worktree", "prune")
        _git(f"check out {tree.name}", LINUX, "worktree", "add", "-q", "--detach", tree, commit)
    if git("diff", "--name-only", "HEAD", tree=tree).strip():
        raise Failure(f"{tree} is generated, but was edited: run git -C {tree} checkout .")
    if git("rev-parse", "HEAD", tree=tree).strip() != commit:
        _git(f"check out a commit in {tree.name}", tree, "checkout", "-q", "--detach", commit)


def _git(title, tree, *argv):
    must(title, ["git", "-C", tree, *argv], f"{tree.name}-checkout.log", env=environment())
