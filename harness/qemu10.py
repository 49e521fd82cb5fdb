# SPDX-License-Identifier: GPL-2.0-only
"""Install QEMU 10 from Debian 13 to test IOTLB flushes, because it invalidates exactly what the kernel requests.

The QEMU of Debian 12 invalidates more, which hides flushes that are too short. QEMU 10 is installed into a separate
root under build/, and runs on the host with the loader and the libraries of that root.
"""
import functools

from . import debian_root

RELEASE = "trixie"


@functools.cache
def installed():
    """Install QEMU 10 if necessary; return the command that runs it, for Guest.qemu."""
    root = debian_root.installed(RELEASE, ["qemu-system-x86"])
    libraries = ":".join(str(root / folder) for folder in (
        "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio"))
    return [root / "lib64/ld-linux-x86-64.so.2", "--library-path", libraries, root / "usr/bin/qemu-system-x86_64",
            "-L", root / "usr/share/qemu", "-L", root / "usr/share/seabios"]
