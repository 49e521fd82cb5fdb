# SPDX-License-Identifier: GPL-2.0-only
"""Find the configurations with which Debian builds its own kernels of Linux 6.1."""
import lzma
from pathlib import Path

from . import packages, private_apt
from .paths import BUILD
from .shell import must, output

PACKAGE = "linux-config-6.1"
BASE = BUILD / "debian-config"


def architecture():
    """Return Debian's name for the architecture of this machine."""
    return output("dpkg", "--print-architecture").strip()


def of(arch):
    """Return the path of Debian's configuration for its usual kernel on the architecture."""
    root = installed() if arch == architecture() else unpacked(arch)
    path = BASE / f"{arch}.config"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.decompress((root / f"usr/src/{PACKAGE}/config.{arch}_none_{arch}.xz").read_bytes()))
    return path


def installed():
    """Install the package of this architecture; return the root that it is installed in."""
    packages.need([PACKAGE])
    return Path("/")


def unpacked(arch):
    """Download and unpack the package of another architecture, unless it is unpacked already; return the folder."""
    folder = BASE / arch
    root = folder / "root"
    if root.exists():
        return root
    apt = ["apt-get", *private_apt.foreign(folder, arch)]
    must(f"apt-get update for {arch}", [*apt, "update"], f"apt-{arch}.log")
    must(f"download {PACKAGE} for {arch}", [*apt, "download", PACKAGE], f"apt-{arch}.log", cwd=folder)
    fresh = folder / "root.new"
    output("dpkg-deb", "-x", next(folder.glob(f"{PACKAGE}_*.deb")), fresh)
    fresh.rename(root)
    return root
