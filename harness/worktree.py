# SPDX-License-Identifier: GPL-2.0-only
"""Check out commits of build/linux in work trees of their own."""
import shutil

from .base import git
from .shell import Failure


def checkout(tree, commit):
    """Check out a commit in the work tree of that path, and create the work tree unless it exists."""
    commit = git("rev-parse", f"{commit}^{{commit}}").strip()
    if f"worktree {tree}\n" not in git("worktree", "list", "--porcelain") or not (tree / "Makefile").exists():
        shutil.rmtree(tree, ignore_errors=True)
        git("worktree", "prune")
        git("worktree", "add", "-q", "--detach", str(tree), commit)
    if git("diff", "--name-only", "HEAD", tree=tree).strip():
        raise Failure(f"{tree} is generated, but was edited: run git -C {tree} checkout .")
    if git("rev-parse", "HEAD", tree=tree).strip() != commit:
        git("checkout", "-q", "--detach", commit, tree=tree)
