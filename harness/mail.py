# SPDX-License-Identifier: GPL-2.0-only
"""make series: patches with a cover letter, as a maintainer gets them, proved to give the tree that is built."""
import shutil

from . import series
from .base import ENV, git
from .paths import BUILD, SERIES
from .shell import Failure, must, say

FOLDER = BUILD / "series"
SCRATCH = BUILD / "series-am"


def write():
    """Write the patches into build/series; return what apply() returned."""
    made = series.apply()
    shutil.rmtree(FOLDER, ignore_errors=True)
    if not made:
        raise Failure("series/ holds no patch")
    git("format-patch", "-q", "--cover-letter", "--no-signature", "--stat=72", "-o", str(FOLDER), "base..HEAD")
    letter = FOLDER / "0000-cover-letter.patch"
    try:
        subject, _, body = (SERIES / "cover").read_text().strip().partition("\n")
    except FileNotFoundError:
        raise Failure("series/cover: no cover letter") from None
    text = letter.read_text().replace("*** SUBJECT HERE ***", subject).replace("*** BLURB HERE ***", body.strip())
    letter.write_text(text)
    return made


def prove():
    """git am on the base gives the very tree of build/linux's last commit."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    git("worktree", "prune")
    git("worktree", "add", "-q", "--no-checkout", "--detach", str(SCRATCH), "base")
    try:
        # Only the files that the series touches are written out; all others are in the index as in the base.
        touched = git("diff", "--name-only", "base", "HEAD")
        git("sparse-checkout", "set", "--no-cone", "--stdin", tree=SCRATCH,
            data="".join(f"/{path}\n" for path in touched.splitlines()))
        git("checkout", "-q", "--detach", "base", tree=SCRATCH)
        must("apply the mail to the base", ["git", "-C", SCRATCH, "am", "-q", *sorted(FOLDER.glob("*.patch"))[1:]],
             "series-am.log", env=ENV)
        got, built = git("rev-parse", "HEAD^{tree}", tree=SCRATCH), git("rev-parse", "HEAD^{tree}")
        if got != built:
            raise Failure("git am gives another tree than the one that is built:\n" +
                          git("diff", "--stat", built.strip(), got.strip()))
    finally:
        git("worktree", "remove", "--force", str(SCRATCH))


def main():
    write()
    prove()
    say(str(FOLDER))
    return 0
