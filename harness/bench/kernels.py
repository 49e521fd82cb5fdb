# SPDX-License-Identifier: GPL-2.0-only
"""Build the measured kernels: ours, its stock base, and Linux 6.12, which has mainline's iommufd."""
import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import kernel, packages
from .. import stock as base
from ..paths import BUILD, LINUX
from ..shell import must

PEER = BUILD / "linux-6.12"
TARBALL = Path("/usr/src/linux-source-6.12.tar.xz")


@dataclass
class Kernel:
    name: str           # in tables
    tree: Path          # source tree
    out: Path           # build folder
    front_ends: tuple   # front ends to measure: type1, iommufd

    @property
    def bzimage(self):
        return kernel.bzimage(self.out)


def fetch_peer():
    """Unpack Linux 6.12 unless it is unpacked already; return a string that identifies the tarball."""
    packages.need(packages.PEER)
    stat = TARBALL.stat()
    identity = f"{TARBALL} {stat.st_size} {stat.st_mtime_ns}\n"
    stamp = PEER / ".identity"
    if not (stamp.exists() and stamp.read_text() == identity):
        shutil.rmtree(PEER, ignore_errors=True)
        PEER.mkdir(parents=True)
        must(f"unpack {TARBALL.name}", ["tar", "-C", PEER, "--strip-components=1", "-xf", TARBALL], "peer.log")
        stamp.write_text(identity)
    return identity


def peer():
    """Build Linux 6.12 with the release kernel's fragments.

    Lines that do not apply to 6.12 are ignored here; config.py compares the configurations.
    """
    identity = fetch_peer()
    packages.need(packages.KERNEL)
    out = BUILD / "peer-release"
    kernel.ensure_config(out, kernel.fragments(*kernel.FRAGMENTS["release"], "peer"), PEER, strict=False,
                         identity=identity)
    must("build Linux 6.12", kernel.make(out, "bzImage", "modules", tree=PEER), "peer-release.build",
         env=kernel.environment())
    return Kernel("6.12", PEER, out, ("type1", "iommufd"))


def stock():
    return Kernel("6.1", base.TREE, base.build("release"), ("type1",))


def ours(name="release"):
    return Kernel("ours", LINUX, kernel.build(name), ("type1", "iommufd"))
