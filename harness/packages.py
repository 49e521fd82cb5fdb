# SPDX-License-Identifier: GPL-2.0-only
"""The Debian packages that the parts of the harness need."""
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
        raise Failure("dpkg-query is missing, so this is no Debian system. On Debian 12 these packages "
                      f"are needed: {' '.join(names)}")
    absent = missing(names)
    if not absent:
        return
    if os.geteuid() != 0:
        raise Failure(f"packages are missing, run as root: apt-get install {' '.join(absent)}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    must("apt-get update", ["apt-get", "update"], "apt.log", env=env)
    must(f"apt-get install {' '.join(absent)}",
         ["apt-get", "install", "-y", "--no-install-recommends", *absent], "apt.log", env=env)
