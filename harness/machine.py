# SPDX-License-Identifier: GPL-2.0-only
"""Describe the machines that QEMU emulates: how a kernel for each is built, and how it is booted."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import arm64, packages
from .paths import HARNESS, ROOT


@dataclass(frozen=True)
class Machine:
    """A board with its processors and ports."""
    prefix: str         # names of kernels for this machine start with it
    compiler: str
    variables: list     # variables of kbuild
    goal: str           # goal of kbuild that makes the bootable file
    image: str          # path of this file in a build folder
    program: list       # command that runs QEMU
    board: list         # arguments of QEMU: the board, its processors, and the port that is the standard output
    port: str           # device file of that port, to which guest/init sends the output of the script
    iommu: str          # argument of -device, "" if the board has an IOMMU
    args: str           # kernel parameters
    init: str           # kernel parameters that choose guest/init as the init process
    cross: list         # Debian packages of a cross compiler
    packages: list      # Debian packages that guests need
    root: Callable      # returns the folder that is the root of the guest


PC = Machine(
    prefix="", compiler="gcc", variables=["CC=ccache gcc"], goal="bzImage", image="arch/x86/boot/bzImage",
    program=["qemu-system-x86_64"], board=["-M", "q35,kernel-irqchip=split", "-cpu", "max", "-serial", "stdio"],
    # no_timer_check: timer interrupts are late on a busy host, and the kernel would report a broken timer.
    port="/dev/ttyS1", iommu="intel-iommu,intremap=on",
    args="console=ttyS0 no_timer_check intel_iommu=on", init=f"init={HARNESS}/guest/init",
    cross=[], packages=packages.GUEST, root=lambda: Path("/"))
# The guest mounts the checkout at the same path as on the host. The addresses of the last devices leave those that
# tests use free.
ARM = Machine(
    prefix="arm64-", compiler=arm64.COMPILER, variables=arm64.VARIABLES, goal="Image", image="arch/arm64/boot/Image",
    program=["qemu-system-aarch64"],
    board=["-M", "virt,gic-version=3,iommu=smmuv3", "-cpu", "max,pauth-impdef=on", "-chardev", "stdio,id=script",
           "-device", "virtio-serial-pci,addr=1c.0", "-device", "virtconsole,chardev=script",
           "-fsdev", f"local,id=checkout,path={ROOT},security_model=none,readonly=on,multidevs=remap",
           "-device", "virtio-9p-pci,addr=1d.0,fsdev=checkout,mount_tag=checkout"],
    port="/dev/hvc0", iommu="", args="console=ttyAMA0",
    init=f"init=/sbin/init GUEST_CHECKOUT={ROOT}",
    cross=packages.CROSS, packages=packages.ARM_GUEST, root=arm64.root)


def of(kernel):
    """Return the machine that the kernel of this name is built for."""
    return ARM if kernel.startswith(ARM.prefix) else PC
