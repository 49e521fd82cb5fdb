# SPDX-License-Identifier: GPL-2.0-only
"""Unpack the base kernel, Linux 6.1, and import it as the first commit of the git tree build/linux."""
import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import packages
from .paths import BUILD, LINUX, ROOT
from .shell import Failure, must, output

TARBALL = Path("/usr/src/linux-source-6.1.tar.xz")
OLDEST = 170
# Advice if apt offers no newer package. Debian's installer makes the security archive a source of apt, but a bare
# debootstrap does not.
SECURITY = ("Newer versions are in Debian's security archive: add the suite bookworm-security to the sources of apt, "
            "and run the command again.")
CHOICE = (f"Give a source tree or a tarball of Linux 6.1.{OLDEST} or a later 6.1 as KERNEL=, or leave KERNEL= out "
          "to use Debian's package linux-source-6.1.")
NEEDED = 3                      # GB of disk for build/linux and the kernel of make run
IDENTITY = "base-identity"      # file in .git that identifies the source of the base

# The author of the base, and of the patches if git lacks user.name or user.email.
PLACEHOLDER = ("IOPT maintainers", "iopt@example.org")
DATE = "1767225600 +0000"
# Ignore the user's git configuration and fix the dates, so that the same input results in the same commit hashes.
ENV = dict(os.environ, GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_DATE=DATE,
           GIT_COMMITTER_DATE=DATE)
for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
    ENV.pop(name, None)


@functools.cache
def sender():
    """Return the user.name and user.email of git in the repository, or PLACEHOLDER if either is unset.

    The sender of the patches is their author, signs them off, and is in MAINTAINERS.
    """
    found = [subprocess.run(["git", "-C", ROOT, "config", key], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL).stdout.strip() for key in ("user.name", "user.email")]
    return tuple(found) if all(found) else PLACEHOLDER


def environment(identity=None):
    """Return the environment in which git commits with the given (name, address), by default that of sender()."""
    name, address = identity or sender()
    return dict(ENV, GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=address, GIT_COMMITTER_NAME=name,
                GIT_COMMITTER_EMAIL=address)


def git(*argv, env=None, data=None, text=True, tree=LINUX):
    return output("git", "-C", tree, *argv, env=dict(environment(), **(env or {})), data=data, text=text)


def named():
    """Return the path of the tree or tarball that KERNEL= names, or None if it is not set.

    Raise Failure if the path does not exist, or if it is a tree that check_version() rejects.
    """
    name = os.environ.get("KERNEL")
    if not name:
        return None
    try:
        path = Path(name).expanduser().resolve()
        found = path.exists()
    # expanduser() raises RuntimeError if it does not know the user.
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise Failure(f"KERNEL={name}: {reason}. {CHOICE}") from None
    if not found:
        raise Failure(f"KERNEL={name}: no such file or folder. {CHOICE}")
    if path.is_dir():
        check_version(path)
    return path


def source():
    """Return the path of the tree or tarball to import: KERNEL= if set, else the tarball of Debian's package."""
    path = named()
    if path:
        return path
    packages.need(packages.SOURCE)
    if not is_recent():
        packages.apt(packages.SOURCE, f"linux-source-6.1 {packages.version(*packages.SOURCE)} is too old")
    if not is_recent():
        raise Failure(f"linux-source-6.1 is {packages.version(*packages.SOURCE)}, but the series needs 6.1.{OLDEST} or "
                      f"later. {SECURITY}")
    return TARBALL


def is_recent():
    """Return whether the installed package has a kernel to which the series applies."""
    found = re.match(r"6\.1\.(\d+)", packages.version(*packages.SOURCE))
    return bool(found) and int(found.group(1)) >= OLDEST


def check_version(tree, shown=None):
    """Fail unless the tree is Linux 6.1.OLDEST or a later 6.1. shown is the name of the tree for messages."""
    try:
        text = (tree / "Makefile").read_text()
        major, minor, patch = (int(re.search(rf"^{key} = (\d+)$", text, re.M).group(1))
                               for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
    except (OSError, AttributeError):
        raise Failure(f"{shown or tree} is not a source tree of the kernel. {CHOICE}") from None
    if (major, minor) != (6, 1) or patch < OLDEST:
        raise Failure(f"{shown or tree} is Linux {major}.{minor}.{patch}, to which the series does not apply. {CHOICE}")


def fetch():
    """Import the base into build/linux as a commit tagged `base`, unless it is there already."""
    packages.need(packages.BASE)
    origin = source()
    stat = (origin / "Makefile" if origin.is_dir() else origin).stat()
    identity = f"{origin} {stat.st_size} {stat.st_mtime_ns}\n"
    stamp = LINUX / ".git" / IDENTITY
    if stamp.exists() and stamp.read_text() == identity:
        return
    free = shutil.disk_usage(BUILD).free >> 30
    if free < NEEDED:
        raise Failure(f"the disk of {BUILD} has {free} GB free, but a kernel and its build take {NEEDED} GB, and all "
                      "commands together 10 GB")
    fresh = BUILD / "linux.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if (origin / ".config").exists():
        raise Failure(f"{origin} contains a build: run `make mrproper` there first, which also deletes its .config")
    if origin.is_dir():
        check_version(origin)
        must(f"copy {origin}", ["cp", "-a", f"{origin}/.", fresh], "base.log")
        shutil.rmtree(fresh / ".git", ignore_errors=True)
    else:
        try:
            must(f"unpack {origin.name}",
                 ["tar", "-C", fresh, "--strip-components=1", "-xf", origin], "base.log")
        except Failure as failure:
            raise Failure(f"{failure}\n{CHOICE}") from None
    check_version(fresh, origin)
    git("init", "-q", "-b", "series", tree=fresh)
    for key, value in (("core.compression", "1"), ("gc.auto", "0"), ("core.autocrlf", "false"),
                       ("advice.detachedHead", "false")):
        git("config", key, value, tree=fresh)
    must("import the base", ["git", "-C", fresh, "add", "-f", "-A", "."], "base.log", env=ENV)
    # The author of the base is fixed, so that its hash does not depend on the sender.
    git("commit", "-q", "-m", "Linux 6.1 base", tree=fresh, env=environment(PLACEHOLDER))
    git("tag", "base", tree=fresh)
    (fresh / ".git" / IDENTITY).write_text(identity)
    old = BUILD / "linux.old"
    shutil.rmtree(old, ignore_errors=True)
    if LINUX.exists():
        LINUX.rename(old)
    fresh.rename(LINUX)
    shutil.rmtree(old, ignore_errors=True)
