# SPDX-License-Identifier: GPL-2.0-only
"""make clean: remove build/, which holds everything that the harness creates except the cache of ccache."""
import errno
import shutil

from .paths import BUILD, LOCK
from .shell import Failure, Progress, say

REASONS = {
    errno.ENOTEMPTY: "Another program writes to it: end that program, and run make clean again.",
    errno.EACCES: "If root ran make, run make clean as root.",
    errno.EPERM: "If root ran make, run make clean as root.",
}


def remove(path, left):
    """Remove a file or a folder; append (path, error) to the list `left` for each path that cannot be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=lambda _, name, error: left.append((name, error[1])))
        return
    try:
        path.unlink()
    except OSError as error:
        left.append((path, error))


def main():
    if BUILD.is_symlink():
        raise Failure(f"{BUILD} is a symbolic link: remove it, and the folder that it names, yourself")
    progress, left = Progress(f"remove {BUILD}"), []
    # The lock is deleted last, so that no other command starts meanwhile.
    for path in [*sorted(BUILD.glob("*/*")), *sorted(BUILD.iterdir())]:
        if path != LOCK:
            progress.tick(path.name)
            remove(path, left)
    if not left:
        LOCK.unlink()
        # A folder on which a file system is mounted stays.
        if not BUILD.is_mount():
            BUILD.rmdir()
    progress.done()
    if left:
        # The errors of the folders above a file that could not be removed follow from its error.
        path, error = left[0]
        raise Failure("\n    ".join([f"not all of {BUILD} could be removed:", f"{path}: {error.strerror}",
                                     *([REASONS[error.errno]] if error.errno in REASONS else [])]))
    return 0
