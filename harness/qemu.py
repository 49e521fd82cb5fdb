# SPDX-License-Identifier: GPL-2.0-only
"""QEMU 10 of Debian 13, which invalidates no more of its IOTLB than the kernel asks for; Debian 12's QEMU does.

It lies in a root of its own under build/ and runs outside of it, by that root's own loader and libraries.
"""
import functools
import shutil

from . import packages
from .paths import BUILD
from .shell import Failure, must, output

RELEASE = "trixie"
ROOT = BUILD / RELEASE


def mirror():
    """The archive that the machine's own apt takes Debian from."""
    targets = output("apt-get", "indextargets", "--format", "$(ORIGIN) $(SUITE) $(CODENAME) $(SITE)",
                     "Created-By: Packages")
    for line in targets.splitlines():
        origin, *_, site = line.split()
        if origin == "Debian" and not site.endswith("-security"):
            return site
    raise Failure("apt has no index of Debian's archive: apt-get update")


@functools.cache
def ten():
    """The command that runs QEMU 10, installed if need be, as Guest.qemu has it."""
    packages.need(packages.OTHER_QEMU)
    if not ROOT.exists():
        fresh = BUILD / f"{RELEASE}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        must("install QEMU 10", ["debootstrap", "--variant=minbase", "--include=qemu-system-x86", RELEASE, fresh,
                                 mirror()], "qemu.log")
        fresh.rename(ROOT)
    libraries = ":".join(str(ROOT / folder) for folder in (
        "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio"))
    return [ROOT / "lib64/ld-linux-x86-64.so.2", "--library-path", libraries, ROOT / "usr/bin/qemu-system-x86_64",
            "-L", ROOT / "usr/share/qemu", "-L", ROOT / "usr/share/seabios"]
