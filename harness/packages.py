# SPDX-License-Identifier: GPL-2.0-only
"""List the Debian packages that each part of the harness needs, and install those that are missing."""
import os
import shutil
import subprocess

from .shell import Failure, must

BASE = ["git", "xz-utils"]
SOURCE = ["linux-source-6.1"]
PEER = ["xz-utils", "linux-source-6.12"]
SERIES = ["git", "coccinelle"]
KERNEL = ["gcc", "libc6-dev", "make", "flex", "bison", "bc", "perl", "rsync", "ccache", "libelf-dev"]
GUEST = ["qemu-system-x86", "seabios", "mount", "kmod"]
OTHER_QEMU = ["debootstrap"]
CLIENTS = ["dpdk-dev", "librte-net-e1000-23"]
LINT = ["sparse", "perl", "python3-ply", "python3-git"]   # the last two: for checkpatch's spdxcheck


def missing(names):
    query = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *names],
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    there = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in there]


def need(names):
    """Install missing packages with apt-get if running as root; otherwise raise Failure with their names."""
    if not shutil.which("dpkg-query"):
        raise Failure("this is no Debian system, as dpkg-query is missing. The harness needs Debian 12 with these "
                      f"packages:\n    {' '.join(names)}")
    absent = missing(names)
    if not absent:
        return
    install = f"apt-get install {' '.join(absent)}"
    if os.geteuid() != 0:
        raise Failure(f"packages are missing. Install them as root, or run make as root:\n    {install}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        must("apt-get update", ["apt-get", "update"], "apt.log", env=env)
        must(install, ["apt-get", "install", "-y", "--no-install-recommends", *absent], "apt.log", env=env)
    except Failure as failure:
        raise Failure(f"{failure}\nCheck the network and the sources of apt, and run the command again. Or install the "
                      f"packages yourself:\n    {install}") from None
