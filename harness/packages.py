# SPDX-License-Identifier: GPL-2.0-only
"""List the Debian packages that each part of the harness needs, and install those that are missing."""
import os
import shutil
import subprocess

from .shell import Failure, must, say

BASE = ["git", "xz-utils"]
SOURCE = ["linux-source-6.1"]
PEER = ["xz-utils", "linux-source-6.12"]
SERIES = ["git", "coccinelle"]
KERNEL = ["gcc", "libc6-dev", "make", "flex", "bison", "bc", "perl", "rsync", "ccache", "libelf-dev"]
DEB = ["linux-config-6.1", "dpkg-dev", "cpio", "kmod", "libssl-dev", "e2fsprogs"]
GUEST = ["qemu-system-x86", "seabios", "mount", "kmod"]
DEBOOTSTRAP = ["debootstrap"]
ARM_GUEST = ["qemu-system-arm"]
CROSS = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]
CLIENTS = ["dpdk-dev", "librte-net-e1000-23"]
BLOCK = ["qemu-utils"]         # has a driver for NVMe in user space
NEWER = ["uuid-dev", "libcap-dev"]      # libraries of newer kselftests
# spatch loads libpython to run Python code of rules. The last two packages are for spdxcheck, which checkpatch runs.
LINT = ["sparse", "perl", "libpython3-dev", "python3-ply", "python3-git"]
BUILD = [*BASE, *SERIES, *KERNEL]
# {command: packages}; commands that are not listed need those of BUILD and GUEST.
COMMANDS = {
    "check": [*BUILD, *GUEST, *ARM_GUEST, *CROSS, *LINT, *CLIENTS],
    "soak": [*BUILD, *GUEST, *ARM_GUEST, *CROSS, *LINT, *CLIENTS, *DEB],
    "clients": [*BUILD, *GUEST, *CLIENTS, *DEBOOTSTRAP, *BLOCK, *NEWER, *PEER],
    "bench": [*BUILD, *GUEST, *ARM_GUEST, *CROSS, *PEER],
    "lint": [*BUILD, *LINT],
    "series": [*BASE, *SERIES],
    "bases": [*BASE, *SERIES],
    "kernel": BUILD,
    "deb": [*BUILD, *DEB],
    "configs": [*BUILD, *CROSS, *DEB],
    "clean": [],
}
INSTALL = ["apt-get", "install", "-y", "--no-install-recommends"]


def version(name):
    """Return the version of an installed package."""
    return subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def missing(names):
    query = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *names],
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    there = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in there]


def apt(names, why):
    """Install or upgrade packages with apt-get if running as root; otherwise raise Failure with the command to run."""
    install = " ".join([*INSTALL, *names])
    if os.geteuid() != 0:
        raise Failure(f"{why}. Run this as root once:\n    apt-get update && {install}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    unreached = []
    try:
        # apt-get update succeeds even if it reaches no archive.
        log = must("apt-get update", ["apt-get", "update"], "apt-update.log", env=env)
        unreached = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(("W: ", "E: "))]
        say(f"packages: {' '.join(names)}")
        must(f"apt-get install {len(names)} packages", [*INSTALL, *names], "apt.log", env=env)
    except Failure as failure:
        raise Failure("\n    ".join([*str(failure).splitlines(), *unreached[:3]])
                      + "\nCheck the network and the sources of apt, and run the command again. Or install the "
                        f"packages yourself:\n    apt-get update && {install}") from None


def need(names):
    """Install the packages that are missing."""
    names = list(dict.fromkeys(names))
    if not shutil.which("dpkg-query"):
        raise Failure("dpkg-query is missing, so this is not Debian. The harness needs Debian 12 with these packages:\n"
                      f"    {' '.join(names)}")
    absent = missing(names)
    if absent:
        apt(absent, "packages are missing")


def need_for(command):
    """Install all packages that a command needs, so that it does not stop half-way because one is missing."""
    names = COMMANDS.get(command, [*BUILD, *GUEST])
    if os.environ.get("IOMMU") == "smmuv3":
        names = [*names, *ARM_GUEST, *CROSS]
    if names:
        need([*names, *([] if os.environ.get("KERNEL") else SOURCE)])
