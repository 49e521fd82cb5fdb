# SPDX-License-Identifier: GPL-2.0-only
"""A QEMU guest: q35 with VT-d, without KVM, on the host's root, that runs one shell script and stops."""
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import packages
from .paths import HARNESS, LOG
from .shell import Progress, lines_of, spawn, stop

EXIT = re.compile(r"^guest: exit status (\d+)$")
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")

# QEMU's teaching device that does DMA; two alone in their groups and two functions of one device, that share one.
EDU = ["edu,dma_mask=0xffffffffffffffff,addr=3.0",
       "edu,dma_mask=0xffffffffffffffff,addr=4.0",
       "edu,dma_mask=0xffffffffffffffff,addr=5.0,multifunction=on",
       "edu,dma_mask=0xffffffffffffffff,addr=5.1,multifunction=on"]
# What makes vfio refuse: a bus that can be reset, with an edu and a function that a kernel driver has, in one group;
# and a function with virtual functions. The bus hangs on a port too slow to report its link, for QEMU's report is wrong.
UNLIKE = ["pcie-root-port,x-speed=5,id=port1,chassis=1,slot=1,addr=6.0",
          "edu,dma_mask=0xffffffffffffffff,bus=port1,addr=0.0,multifunction=on",
          "virtio-rng-pci,bus=port1,addr=0.1,multifunction=on",
          "pcie-root-port,id=port2,chassis=2,slot=2,addr=7.0",
          "nvme-subsys,id=subsystem",
          "nvme,serial=1,subsys=subsystem,bus=port2,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2"]


@dataclass
class Guest:
    """How to boot: the kernel, and what differs from one stage to another."""
    name: str                       # of the logs: build/log/NAME.{console,output,qemu}
    bzimage: Path
    devices: list = field(default_factory=list)
    options: list = field(default_factory=list)     # more of QEMU's arguments
    args: str = ""                  # more kernel arguments
    cpus: int = 2
    accel: str = "tcg,thread=multi"
    memory: str = "2G"
    iommu: str = "intel-iommu,intremap=on"
    silence: int = 120              # seconds without a character after which it counts as hung
    timeout: int = 900              # seconds in all


@dataclass
class Outcome:
    status: int                     # the script's; None when the guest did not get to its end
    reason: str                     # why not
    lines: list                     # what the script printed
    console: Path                   # the kernel's log


def command(guest, script, console):
    # Where the host is busy an emulated timer may be late, and the kernel would take it for one that does not work.
    kernel_args = (f"console=ttyS0 panic=-1 oops=panic no_timer_check intel_iommu=on "
                   f"root=hostroot rootfstype=9p ro rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose "
                   f"init={HARNESS}/guest/init GUEST_RUN={script} {guest.args}")
    argv = ["qemu-system-x86_64", "-M", "q35,kernel-irqchip=split", "-accel", guest.accel, "-cpu", "max",
            "-smp", str(guest.cpus), "-m", guest.memory, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-serial", f"file:{console}", "-serial", "stdio",
            "-kernel", str(guest.bzimage), "-append", kernel_args,
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=hostroot", "-device", guest.iommu]
    argv += guest.options
    for device in guest.devices:
        argv += ["-device", device]
    return argv


def explain(console, qemu, lines):
    """Why a guest stopped before its script's end, and the last that was heard of it."""
    text = console.read_text(errors="replace")
    panic = PANIC.search(text)
    if panic:
        return f"the kernel panicked: {panic.group(1)}"
    if not text:
        return f"QEMU did not start it: {qemu.read_text(errors='replace').strip()}"
    return "it stopped before the script's end" + tail(text, lines)


def tail(text, lines):
    return "".join(f"\n    {line}" for line in [*text.splitlines()[-6:], *lines[-4:]])


def boot(guest, script, on_line=None):
    """Boot, run the shell script there, and give its outcome; on_line(text) sees each line it prints."""
    packages.need(packages.GUEST)
    LOG.mkdir(parents=True, exist_ok=True)
    console, qemu, file = (LOG / f"{guest.name}.{kind}" for kind in ("console", "qemu", "sh"))
    file.write_text(script)
    console.write_bytes(b"")
    lines, status, reason, size = [], None, "", 0
    progress = Progress(f"guest {guest.name}")
    start = heard = time.monotonic()
    with open(qemu, "wb") as errors, open(LOG / f"{guest.name}.output", "w") as log:
        child = spawn(command(guest, file, console), stderr=errors)
        try:
            for line in lines_of(child):
                now, grown = time.monotonic(), console.stat().st_size
                if line is not None or grown != size:
                    heard, size = now, grown
                ended = line is not None and EXIT.match(line)
                if ended:
                    status = int(ended.group(1))
                elif line is not None:
                    log.write(line + "\n")
                    lines.append(line)
                    if on_line:
                        on_line(line)
                if now - heard > guest.silence:
                    reason = f"it hung: nothing was heard for {guest.silence} s"
                elif now - start > guest.timeout:
                    reason = f"it took more than {guest.timeout} s"
                if reason:
                    break
                progress.tick(lines[-1] if lines else "")
        finally:
            stop(child)
    if status is None:
        reason = reason + tail(console.read_text(errors="replace"), lines) if reason else explain(console, qemu, lines)
    progress.done(f"exit status {status}" if status is not None else reason.splitlines()[0])
    return Outcome(status, reason, lines, console)
