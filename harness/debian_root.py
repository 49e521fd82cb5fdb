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
    return _installed(BUILD / release, release, names, [])


# debootstrap has unpacked only some of the packages, and has configured none, since it cannot run their programs.
UNPACK = """
cd "$0"
for package in var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" .
    rm "$package"
done
ln -s mawk usr/bin/awk
"""


def unpacked(release, names, arch):
    """Unpack the packages of a minimal root of another architecture, unless the root exists; return its folder."""
    return _installed(BUILD / f"{release}-{arch}", release, names, ["--foreign", f"--arch={arch}"],
                      lambda fresh: must("unpack the packages", ["sh", "-ec", UNPACK, fresh], f"{release}-unpack.log"))


def _installed(root, release, names, options, finish=lambda fresh: None):
    packages.need(packages.DEBOOTSTRAP)
    if not root.exists():
        fresh = root.with_name(f"{root.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        must(f"install {root.name} with debootstrap",
             ["debootstrap", *options, "--variant=minbase", f"--include={','.join(names)}", release, fresh, mirror()],
             f"{root.name}.log")
        finish(fresh)
        fresh.rename(root)
    return root
