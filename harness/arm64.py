# SPDX-License-Identifier: GPL-2.0-only
"""What is special about arm64: the cross compiler and the root of guests.

The root consists of packages of Debian 12 that are unpacked, but not configured. This needs neither privileges nor
programs of the root, which the host cannot run. Programs built for the guests find the libraries they need in the root.
"""
import fcntl
import shutil

from . import private_apt
from .paths import BUILD, HARNESS
from .shell import must

COMPILER = "aarch64-linux-gnu-gcc"
VARIABLES = ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", f"CC=ccache {COMPILER}"]
FOLDER = BUILD / "arm64-root"
NAMES = ["base-files", "bash", "coreutils", "dash", "findutils", "grep", "kmod", "libc-bin", "mawk", "mount", "procps",
         "sed", "util-linux"]
# In Debian 12, /bin, /lib and /sbin are links to folders in /usr.
UNPACK = """
mkdir -p "$2/usr/bin" "$2/usr/lib" "$2/usr/sbin"
ln -s usr/bin usr/lib usr/sbin "$2"
for package in "$1"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$2" --no-same-owner --keep-directory-symlink
done
ln -s mawk "$2/usr/bin/awk"
"""


def install(fresh):
    """Download the packages and their dependencies, and unpack them in the folder."""
    folder = BUILD / "arm64-apt"
    shutil.rmtree(folder, ignore_errors=True)
    apt = ["apt-get", *private_apt.foreign(folder, "arm64")]
    must("apt-get update for arm64", [*apt, "update"], "arm64-apt.log")
    must("download the packages of arm64 guests", [*apt, "install", "-d", "-y", "--no-install-recommends", *NAMES],
         "arm64-apt.log")
    shutil.rmtree(fresh, ignore_errors=True)
    must("unpack the packages of arm64 guests", ["sh", "-ec", UNPACK, "sh", folder / "cache/archives", fresh],
         "arm64-unpack.log")
    shutil.rmtree(folder)


def root():
    """Install the root unless it exists, with guest/init as its init program; return its folder."""
    # Another process of the same command may be installing it.
    with open(BUILD / f"{FOLDER.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not FOLDER.exists():
            fresh = FOLDER.with_name(f"{FOLDER.name}.new")
            install(fresh)
            fresh.rename(FOLDER)
        init = FOLDER / "sbin/init"
        init.unlink(missing_ok=True)
        shutil.copy(HARNESS / "guest/init", init)
    return FOLDER
