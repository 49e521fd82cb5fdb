# SPDX-License-Identifier: GPL-2.0-only
"""What is special about arm64: the cross compiler and the root of guests.

The root consists of the essential packages of Debian 12, which are unpacked but not configured. No program in it runs
on the host. Programs that are built for guests find there the libraries that they need.
"""
import shutil

from . import debian_root, packages
from .paths import HARNESS

COMPILER = "aarch64-linux-gnu-gcc"
VARIABLES = ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", f"CC=ccache {COMPILER}"]


def root():
    """Install the root unless it exists, with guest/init as its init program; return its folder."""
    packages.need(packages.ARM_GUEST)
    folder = debian_root.unpacked("bookworm", ["kmod"], "arm64")
    init = folder / "sbin/init"
    init.unlink(missing_ok=True)
    shutil.copy(HARNESS / "guest/init", init)
    return folder
