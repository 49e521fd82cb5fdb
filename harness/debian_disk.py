# SPDX-License-Identifier: GPL-2.0-only
"""Make disks with a Debian 12 in which packages of kernels are installed, for guests that boot as a machine does.

Such a guest runs systemd, udev and the initramfs that initramfs-tools made. A unit of systemd runs the script that
guest.boot() gives it.
"""
import shutil

from . import debian_root
from .paths import HARNESS, ROOT
from .shell import must, output

RELEASE = "bookworm"
PACKAGES = ["systemd-sysv", "udev", "kmod", "initramfs-tools", "zstd", "acl"]
UNIT = "harness.service"
USER = "tester"
SIZE = "4G"     # of the disk; the image is a sparse file


def chroot(title, root, argv, log):
    """Run a program in the root, with /proc and in mount and process namespaces of its own, as if it were a machine."""
    must(title, ["unshare", "--fork", "--pid", "--mount", f"--root={root}", "--mount-proc", *argv], log)


def install(root, debs):
    """Install packages in the root, which runs the hooks of initramfs-tools."""
    folder = root / "packages"
    folder.mkdir()
    for deb in debs:
        shutil.copy(deb, folder)
    chroot("install the packages in Debian 12", root, ["dpkg", "-i", *(f"/packages/{deb.name}" for deb in debs)],
           "debian-dpkg.log")
    shutil.rmtree(folder)


def prepare(root):
    """Add a user, and the unit that runs the script of the harness."""
    output("chroot", root, "useradd", "--create-home", "--shell", "/bin/sh", USER)
    (root / "etc/fstab").write_text("/dev/vda / ext4 errors=remount-ro 0 1\n")
    (root / "etc/hostname").write_text("guest\n")
    for folder in (root / "host", root / str(ROOT).lstrip("/")):
        folder.mkdir(parents=True, exist_ok=True)
    text = (HARNESS / "guest" / UNIT).read_text().replace("@ROOT@", str(ROOT)).replace("@HARNESS@", str(HARNESS))
    (root / "etc/systemd/system" / UNIT).write_text(text)
    output("chroot", root, "systemctl", "enable", UNIT)


def make(folder, debs):
    """Install the packages in a Debian 12 and make a disk of it; return the paths of its root and of the disk."""
    pristine = debian_root.installed(RELEASE, PACKAGES)
    root, disk = folder / "root", folder / "disk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    output("cp", "-a", pristine, root)
    prepare(root)
    install(root, debs)
    must("make the disk of Debian 12", ["mke2fs", "-q", "-t", "ext4", "-d", root, disk, SIZE], "debian-disk.log")
    return root, disk
