# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that are measured: ours, the one it stands on, and a later one that has /dev/iommu of its own."""
import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import differential, kernel, packages
from ..paths import BUILD, LINUX
from ..shell import must

PEER = BUILD / "linux-6.12"
TARBALL = Path("/usr/src/linux-source-6.12.tar.xz")


@dataclass
class Kernel:
    name: str           # as tables show it
    tree: Path          # its source
    out: Path           # where it was built
    front_ends: tuple   # what it has to measure

    @property
    def bzimage(self):
        return kernel.bzimage(self.out)


def fetch_peer():
    """Unpack Linux 6.12, unless it is there; return what it was made from."""
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
    """Linux 6.12 with the release kernel's fragments: a line that it does not take is judged by config.py."""
    identity = fetch_peer()
    packages.need(packages.KERNEL)
    out = BUILD / "peer-release"
    kernel.settle(out, kernel.fragments(*kernel.FRAGMENTS["release"], "peer"), PEER, strict=False, identity=identity)
    must("build Linux 6.12", kernel.make(out, "bzImage", "modules", tree=PEER), "peer-release.build",
         env=kernel.environment())
    return Kernel("6.12", PEER, out, ("type1", "iommufd"))


def stock():
    return Kernel("6.1", differential.STOCK, differential.stock_kernel(), ("type1",))


def ours(name="release"):
    return Kernel("ours", LINUX, kernel.build(name), ("type1", "iommufd"))
