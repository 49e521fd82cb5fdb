# SPDX-License-Identifier: GPL-2.0-only
"""Install the root of arm64 guests: the essential packages of Debian 12, unpacked but not configured.

No program of it runs on the host. Programs that are built for the guests find in it the libraries they need.
"""
import shutil

from . import packages, qemu10
from .paths import BUILD, HARNESS
from .shell import must

FOLDER = BUILD / "arm64-root"
COMPILER = "aarch64-linux-gnu-gcc"
VARIABLES = ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", f"CC=ccache {COMPILER}"]
UNPACK = """
cd "$0"
for package in var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" .
    rm "$package"
done
ln -s mawk usr/bin/awk
"""


def root():
    """Install the root unless it exists, with guest/init as its init program; return its folder."""
    packages.need(packages.ARM_GUEST)
    if not FOLDER.exists():
        fresh = FOLDER.with_name(f"{FOLDER.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        must("install the root of arm64 guests",
             ["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", "--include=kmod", "bookworm",
              fresh, qemu10.mirror()], "arm64-root.log")
        # debootstrap has unpacked only some of the packages.
        must("unpack its packages", ["sh", "-ec", UNPACK, fresh], "arm64-unpack.log")
        fresh.rename(FOLDER)
    init = FOLDER / "sbin/init"
    init.unlink(missing_ok=True)
    shutil.copy(HARNESS / "guest/init", init)
    return FOLDER
