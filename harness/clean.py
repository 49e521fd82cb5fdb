# SPDX-License-Identifier: GPL-2.0-only
"""make clean: nothing outside of build/ was made."""
import shutil

from .paths import BUILD


def main():
    shutil.rmtree(BUILD, ignore_errors=True)
    return 0
