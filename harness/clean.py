# SPDX-License-Identifier: GPL-2.0-only
"""make clean: remove build/, which holds everything that the harness creates."""
import shutil

from .paths import BUILD


def main():
    shutil.rmtree(BUILD, ignore_errors=True)
    return 0
