# SPDX-License-Identifier: GPL-2.0-only
"""make clean: remove build/, which holds everything that the harness creates except the cache of ccache."""
import shutil

from .paths import BUILD
from .shell import Failure, say


def main():
    if BUILD.is_symlink():
        raise Failure(f"{BUILD} is a symbolic link: remove it, and the folder that it names, yourself")
    left = []
    if BUILD.exists():
        shutil.rmtree(BUILD, onerror=lambda _, path, error: left.append(f"{path}: {error[1].strerror}"))
    if left:
        raise Failure("\n    ".join([f"not all of {BUILD} could be removed. If root ran make, run make clean as root:",
                                     *left[:3]]))
    say(f"removed {BUILD}")
    return 0
