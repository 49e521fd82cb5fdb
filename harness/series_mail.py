# SPDX-License-Identifier: GPL-2.0-only
"""make series: write the patches and a cover letter as mail, and check that git am yields the tree that was built."""
import shutil

from . import series
from .base import ENV, git
from .paths import BUILD, SERIES
from .shell import Failure, must, say

FOLDER = BUILD / "series"
SCRATCH = BUILD / "series-am"


def write():
    """Write the patches into build/series; return [(patch, commit)] as series.apply() does."""
    made = series.apply()
    shutil.rmtree(FOLDER, ignore_errors=True)
    if not made:
        raise Failure("series/ contains no patch")
    git("format-patch", "-q", "--cover-letter", "--no-signature", "--stat=72", "-o", str(FOLDER), "base..HEAD")
    letter = FOLDER / "0000-cover-letter.patch"
    try:
        subject, _, body = (SERIES / "cover").read_text().strip().partition("\n")
    except FileNotFoundError:
        raise Failure("the cover letter, series/cover, is missing") from None
    text = letter.read_text().replace("*** SUBJECT HERE ***", subject).replace("*** BLURB HERE ***", body.strip())
    letter.write_text(text)
    return made


def prove():
    """Apply the mail to the base with git am; raise Failure unless the result equals the tree of build/linux."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    git("worktree", "prune")
    git("worktree", "add", "-q", "--no-checkout", "--detach", str(SCRATCH), "base")
    try:
        # A sparse checkout of the files that the series touches avoids writing out the whole tree.
        touched = git("diff", "--name-only", "base", "HEAD")
        git("sparse-checkout", "set", "--no-cone", "--stdin", tree=SCRATCH,
            data="".join(f"/{path}\n" for path in touched.splitlines()))
        git("checkout", "-q", "--detach", "base", tree=SCRATCH)
        must("apply the mail to the base", ["git", "-C", SCRATCH, "am", "-q", *sorted(FOLDER.glob("*.patch"))[1:]],
             "series-am.log", env=ENV)
        got, built = git("rev-parse", "HEAD^{tree}", tree=SCRATCH), git("rev-parse", "HEAD^{tree}")
        if got != built:
            raise Failure("git am results in a different tree than the one that is built:\n" +
                          git("diff", "--stat", built.strip(), got.strip()))
    finally:
        git("worktree", "remove", "--force", str(SCRATCH))


def main():
    write()
    prove()
    say(str(FOLDER))
    return 0
