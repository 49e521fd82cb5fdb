# SPDX-License-Identifier: GPL-2.0-only
"""make deb: build Debian packages of the kernel, to install it on a machine.

The kernel is that of the tree before the topic retire, which has both implementations of type1; TYPE1= chooses one.
CONFIG= chooses the configuration (see deb_config.py). kbuild's bindeb-pkg writes the packages linux-image,
linux-headers and linux-libc-dev. A build that was interrupted continues where it stopped.
"""
import re
import shutil
from dataclasses import dataclass
from email.utils import formatdate

from . import base, deb_config, kernel, packages, series, worktree
from .paths import BUILD
from .shell import Failure, must, output, say

BASE = BUILD / "deb"
TREE = BASE / "linux"
TOPIC = "vfio"
SOURCE = "linux-iopt"


@dataclass(frozen=True)
class Cost:
    """What a build from nothing takes. Those of `local`, which depends on the machine, and `debian` are estimated."""
    minutes: int        # on one processor
    gigabytes: int      # in build/deb


COSTS = {"debian": Cost(600, 12), "local": Cost(120, 5), "small": Cost(15, 3)}


def folder(choice):
    """Return the folder of the packages. Both choices of type1 share it, as most objects are the same."""
    return BASE / choice.config


def duration(minutes):
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"


def size(path):
    """Return the gigabytes of disk that a folder takes, 0 if it does not exist."""
    return int(output("du", "-sk", path).split()[0]) / (1 << 20) if path.exists() else 0


def announce(choice):
    """Print what the build takes; raise Failure if the disk has not enough room for it."""
    cost, processors = COSTS[choice.config], kernel.jobs()
    say(f"CONFIG={choice.config} TYPE1={choice.type1}: from nothing, the build takes about "
        f"{duration(-(-cost.minutes // processors))} on {processors} idle processor{'s' * (processors > 1)}, and "
        f"{cost.gigabytes} GB in {BASE}. After an interruption, run the same command again: it continues.")
    free = shutil.disk_usage(BUILD).free / (1 << 30)
    needed = cost.gigabytes - size(BASE / "linux") - size(folder(choice))
    if free < needed:
        raise Failure(f"the disk of {BUILD} has {free:.1f} GB free, but this build needs {needed:.1f} GB more. Free "
                      "some space, give CONFIG=local, or use a clone on a larger disk.")


def kernel_version(tree):
    """Return the version of Linux of a tree, such as 6.1.170."""
    text = (tree / "Makefile").read_text()
    return ".".join(re.search(rf"^{key} = (\d+)$", text, re.M)[1] for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def package_version(tree):
    """Return a version between that of the Debian kernel that the tree is based on, and the next one."""
    debian = f"{kernel_version(tree)}-1" if base.named() else packages.version(*packages.SOURCE)
    return f"{debian}+iopt"


def changelog(choice, version):
    """Return the text of debian/changelog, dated like the commits of the series."""
    topics = [topic for topic, _, _ in series.ends(series.apply()) if topic.name != "retire"]
    return "\n".join([f"{SOURCE} ({version}) bookworm; urgency=medium", "",
                      f"  * Linux {kernel_version(TREE)} with these topics of the series:",
                      *[f"    - {topic.name}: {topic.cover()[0]}" for topic in topics],
                      f"  * CONFIG={choice.config}, TYPE1={choice.type1}", "",
                      " -- {} <{}>".format(*base.sender()) + f"  {formatdate(int(base.DATE.split()[0]))}", ""])


def environment(choice, version):
    """Return the environment for bindeb-pkg.

    bindeb-pkg writes a changelog, which a hook of dpkg-buildpackage replaces. dpkg-buildpackage would require
    build-essential, although g++ is not needed.
    """
    name, address = base.sender()
    ours = folder(choice) / "changelog"
    ours.write_text(changelog(choice, version))
    return dict(kernel.environment(BASE), KDEB_PKGVERSION=version, KDEB_CHANGELOG_DIST="bookworm", KDEB_COMPRESS="zstd",
                KDEB_SOURCENAME=SOURCE, DEBFULLNAME=name, DEBEMAIL=address,
                DPKG_FLAGS=f'-d --hook-build="cp {ours} debian/changelog"')


def build(choice):
    """Build the packages of the chosen kernel; return their paths: image, headers and libc-dev."""
    packages.need([*packages.KERNEL, *packages.DEB])
    worktree.checkout(TREE, series.end_of(TOPIC))
    out = folder(choice) / "build"
    deb_config.ensure(choice, out, TREE)
    version = package_version(TREE)
    must(f"build the packages of {release(choice)}", kernel.make(out, "bindeb-pkg", tree=TREE),
         f"deb-{choice.config}.build", env=environment(choice, version))
    return built(choice, version)


def release(choice):
    """Return the release of the kernel, as uname -r prints it."""
    return f"{kernel_version(TREE)}{choice.suffix()}"


def built(choice, version):
    names = [f"linux-image-{release(choice)}", f"linux-headers-{release(choice)}", "linux-libc-dev"]
    return [next(folder(choice).glob(f"{name}_{version}_*.deb")) for name in names]


def explain(choice, debs):
    """Print how to install the packages, and how to return to Debian's kernel."""
    image, headers, libc = debs
    names = f"linux-image-{release(choice)} linux-headers-{release(choice)}"
    say("\n".join([
        "", *(f"{path}  {path.stat().st_size >> 20} MB" for path in debs), "",
        "To install the kernel and boot it, run as root:",
        f"    dpkg -i {image} {headers}",
        "    reboot",
        "To compile programs that use /dev/iommu, also install its headers:",
        f"    dpkg -i {libc}",
        "To go back, choose another kernel in the boot menu (Advanced options), and run as root:",
        f"    apt-get purge {names}",
        "    apt-get install --allow-downgrades linux-libc-dev/bookworm-security",
        "Secure Boot has to be off, as no key that the firmware knows signed this kernel."]))


def check_variables():
    deb_config.given()


def main():
    choice = deb_config.given()
    announce(choice)
    explain(choice, build(choice))
    return 0
