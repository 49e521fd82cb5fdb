# SPDX-License-Identifier: GPL-2.0-only
"""Install QEMU 10 from Debian 13 to test IOTLB flushes, because it invalidates exactly what the kernel requests.

The QEMU of Debian 12 invalidates more, which hides flushes that are too short. QEMU 10 is installed into a separate
root under build/, and runs on the host with the loader and the libraries of that root.
"""
import functools
import shutil

from . import packages
from .paths import BUILD
from .shell import Failure, must, output

RELEASE = "trixie"
ROOT = BUILD / RELEASE


def mirror():
    """Return the URL of the Debian archive that apt uses on this machine."""
    targets = output("apt-get", "indextargets", "--format", "$(ORIGIN) $(SUITE) $(CODENAME) $(SITE)",
                     "Created-By: Packages")
    for line in targets.splitlines():
        origin, *_, site = line.split()
        if origin == "Debian" and not site.endswith("-security"):
            return site
    raise Failure("apt has no index of the Debian archive: run apt-get update")


@functools.cache
def installed():
    """Install QEMU 10 if necessary; return the command that runs it, for Guest.qemu."""
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
