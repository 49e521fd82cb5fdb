# SPDX-License-Identifier: GPL-2.0-only
"""Start other builds from a copy of the objects of the release kernel, so that kbuild compiles only what differs."""
import os
import shutil

from . import kernel
from .base import git
from .paths import BUILD, LINUX


def release(out, tree, name="release"):
    """Copy the folder of the named release kernel to `out`, the build folder of a work tree, unless `out` exists.

    Sources that differ between our tree and the work tree are touched, so that kbuild recompiles whatever depends on
    them. The other files should be older in the work tree than the copied objects: kbuild also recompiles whatever
    depends on a file that is newer.
    """
    ours = kernel.build(name)
    if out.exists():
        return
    fresh = out.with_name(f"{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(ours, fresh, symlinks=True)
    # Kbuild compiles an object again if its command differs from the recorded one, or if a file recorded as a
    # prerequisite is newer.
    for record in fresh.rglob(".*.cmd"):
        record.write_text(record.read_text().replace(f"{LINUX}/", f"{tree}/").replace(f"{ours}/", f"{out}/"))
    fresh.rename(out)
    for path in git("diff", "--name-only", git("rev-parse", "HEAD", tree=tree).strip(), "HEAD").splitlines():
        if (tree / path).exists():
            os.utime(tree / path)


def container():
    """Build our kernel in which an iommufd provides /dev/vfio/vfio; return its folder."""
    release(BUILD / "container", LINUX)
    return kernel.build("container")
