# SPDX-License-Identifier: GPL-2.0-only
"""Install releases of Debian with debootstrap, in roots of their own under build/."""
import shutil

from . import packages
from .paths import BUILD
from .shell import Failure, must, output


def mirror():
    """Return the URL of the Debian archive that apt uses on this machine."""
    targets = output("apt-get", "indextargets", "--format", "$(ORIGIN) $(SUITE) $(CODENAME) $(SITE)",
                     "Created-By: Packages")
    for line in targets.splitlines():
        origin, *_, site = line.split()
        if origin == "Debian" and not site.endswith("-security"):
            return site
    raise Failure("apt has no index of the Debian archive: run apt-get update")


def installed(release, names):
    """Install a minimal root of the release with these packages, unless it exists; return its folder."""
    packages.need(packages.DEBOOTSTRAP)
    root = BUILD / release
    if not root.exists():
        fresh = BUILD / f"{release}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        must(f"install Debian's {release}", ["debootstrap", "--variant=minbase", f"--include={','.join(names)}",
                                             release, fresh, mirror()], f"{release}.log")
        fresh.rename(root)
    return root
