# SPDX-License-Identifier: GPL-2.0-only
"""make series: write each topic as mail with a cover letter, and check that git am yields the trees that were built."""
import shutil

from . import base, series
from .base import git
from .paths import BUILD
from .shell import Failure, must, say

FOLDER = BUILD / "series"
SCRATCH = BUILD / "series-am"


def write():
    """Write the patches of each topic into a folder of build/series; return what series.ends() returns."""
    ended = series.ends(series.apply())
    shutil.rmtree(FOLDER, ignore_errors=True)
    before = "base"
    for topic, _, commit in ended:
        folder = FOLDER / topic.folder.name
        git("format-patch", "-q", "--cover-letter", "--no-signature", "--stat=72", "-o", str(folder),
            f"{before}..{commit}")
        subject, body = topic.cover()
        letter = folder / "0000-cover-letter.patch"
        text = letter.read_text().replace("*** SUBJECT HERE ***", subject).replace("*** BLURB HERE ***", body)
        letter.write_text(text)
        before = commit
    return ended


def mails():
    """Return the patches in build/series, without the cover letters."""
    return [mail for mail in sorted(FOLDER.glob("*/*.patch")) if not mail.name.startswith("0000-")]


def prove(ended):
    """Apply the mail of one topic after the other with git am, beginning at the base.

    Raise Failure unless each topic results in the tree that was built for it.
    """
    shutil.rmtree(SCRATCH, ignore_errors=True)
    git("worktree", "prune")
    git("worktree", "add", "-q", "--no-checkout", "--detach", str(SCRATCH), "base")
    try:
        # A sparse checkout of the files that the series touches avoids writing out the whole tree.
        touched = {path for (_, _, commit) in ended for path in git("diff", "--name-only", "base", commit).splitlines()}
        git("sparse-checkout", "set", "--no-cone", "--stdin", tree=SCRATCH,
            data="".join(f"/{path}\n" for path in sorted(touched)))
        git("checkout", "-q", "--detach", "base", tree=SCRATCH)
        for topic, _, commit in ended:
            mail = [path for path in mails() if path.parent.name == topic.folder.name]
            must(f"git am of topic {topic.name}", ["git", "-C", SCRATCH, "am", "-q", *mail], "series-am.log",
                 env=base.environment())
            got, built = (git("rev-parse", f"{name}^{{tree}}", tree=SCRATCH).strip() for name in ("HEAD", commit))
            if got != built:
                raise Failure(f"git am of topic {topic.name} results in a different tree than the one that is built:\n"
                              + git("diff", "--stat", built, got))
    finally:
        git("worktree", "remove", "--force", str(SCRATCH))


def main():
    ended = write()
    prove(ended)
    for topic, patches, _ in ended:
        say(f"{FOLDER / topic.folder.name}: {len(patches)} {'patch' if len(patches) == 1 else 'patches'}")
    if base.sender() == base.PLACEHOLDER:
        say("note: git has no user.name and user.email, so the patches are from {} <{}>. Before you send them, set "
            "both with git config and run make series again.".format(*base.PLACEHOLDER))
    return 0
