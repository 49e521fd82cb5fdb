# SPDX-License-Identifier: GPL-2.0-only
"""make bases: apply the series to each version of linux-source-6.1 that apt offers.

The packages are downloaded, but not installed. `make series` runs in a copy of the repository, so that build/ keeps the
tree that other commands use.
"""
import os
import re
import shutil

from . import packages
from .paths import BUILD, ROOT
from .results import Results, report
from .shell import GRACE, logged, must, output

FOLDER = BUILD / "bases"
COPY = FOLDER / "copy"
PACKAGE = packages.SOURCE[0]


def versions():
    """Return the versions of the package that apt offers, the newest one first."""
    return re.findall(rf"^ *{PACKAGE} \| +(\S+) \|.*Packages$", output("apt-cache", "madison", PACKAGE), re.M)


def tarball(version):
    """Download and unpack a version of the package; return the path of the kernel's tarball."""
    folder = FOLDER / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = f"bases-{version}.download"
    # Download as root: apt warns if the user _apt cannot write to the folder.
    must(f"download {PACKAGE} {version}",
         ["apt-get", "download", "-o", "APT::Sandbox::User=root", f"{PACKAGE}={version}"], name, cwd=folder)
    must(f"unpack {PACKAGE} {version}", ["dpkg-deb", "-x", *folder.glob("*.deb"), folder], name)
    return next(folder.glob(f"usr/src/{PACKAGE}.tar*"))


def applied(version):
    """Return whether the series applies to a version, and the log."""
    source = tarball(version)
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT, COPY, symlinks=True, ignore=shutil.ignore_patterns("build", ".git"))
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    status, log = logged(f"apply the series to {version}", ["make", "-C", COPY, "series", f"KERNEL={source}"],
                         f"bases-{version}.log", env=env, grace=4 * GRACE)
    shutil.rmtree(source.parents[2])
    return not status, log


def main():
    results, every = Results(), versions()
    results.check(f"apt offers {PACKAGE}", every)
    for version in every:
        fine, log = applied(version)
        results.check(f"the series applies to {PACKAGE} {version}", fine, [] if fine else
                      [*log.read_text(errors="replace").splitlines()[-4:], f"see {log}"])
    shutil.rmtree(FOLDER, ignore_errors=True)
    return report(results, every=True)
