# SPDX-License-Identifier: GPL-2.0-only
"""A QEMU guest: q35 with VT-d, without KVM, on the host's root, that runs one shell script and stops."""
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import cleanlog, ktap, packages
from .paths import HARNESS, LOG
from .shell import Progress, lines_of, say, spawn, stop

BOOT = 240      # seconds until the first progress, which a debug kernel on a busy host may need
QEMU = ["qemu-system-x86_64"]
IOMMU = "intel-iommu,intremap=on"
WIDE = f"{IOMMU},aw-bits=48"    # 48 bits of IOVA instead of 39

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
    iommu: str = IOMMU
    qemu: list = field(default_factory=lambda: QEMU)    # the command, before QEMU's arguments
    silence: int = 120              # seconds without progress of its tests after which it counts as hung
    timeout: int = 900              # seconds in all
    restarts: int = 1               # times that it is started again after it hung


@dataclass
class Outcome:
    status: int                     # the script's; None when the guest did not get to its end
    reason: str                     # why not
    lines: list                     # what the script printed
    console: Path                   # the kernel's log
    hung: bool = False              # no test made progress


# Each guest that hung and was started again; the reports of the commands end with them.
restarted = []


class Console:
    """The kernel's log as it grows, where KUnit reports."""

    def __init__(self, path):
        self.path, self.read, self.rest = path, 0, ""

    def lines(self):
        """The lines that were written since the last call."""
        if self.path.stat().st_size == self.read:
            return []
        with open(self.path, "rb") as file:
            file.seek(self.read)
            data = file.read()
        self.read += len(data)
        *whole, self.rest = (self.rest + data.decode(errors="replace")).split("\n")
        return whole


class Place:
    """Which test a guest is in, by what its script and KUnit print."""
    BEGIN = re.compile(r"^# harness: begin (\S+)$")
    RUN = re.compile(r"^# +RUN +(\S+)")

    def __init__(self):
        self.program, self.case, self.suite = "", "", ""

    def output(self, line):
        begin, run, result = self.BEGIN.match(line), self.RUN.match(line), ktap.RESULT.match(line)
        if begin:
            self.program, self.case = begin.group(1), "its start"
        elif run:
            self.case = run.group(1)
        elif result:
            self.case = f"what follows {result.group(4) or result.group(3)}"

    def console(self, line):
        """Whether a line of the kernel's log is KUnit's, and so is progress."""
        line = ktap.STAMP.sub("", line.rstrip("\r"))
        subtest, result = ktap.SUBTEST.match(line), ktap.RESULT.match(line)
        if subtest:
            self.program, self.case = subtest.group(2), "its start"
        elif result:
            self.case = f"what follows {result.group(4) or result.group(3)}"
        return bool(subtest or result or ktap.PLAN.match(line))

    def __str__(self):
        return f"{self.program}, {self.case}" if self.program else "boot"


def command(guest, script, console):
    # Where the host is busy an emulated timer may be late, and the kernel would take it for one that does not work.
    kernel_args = (f"console=ttyS0 panic=-1 oops=panic no_timer_check intel_iommu=on "
                   f"root=hostroot rootfstype=9p ro rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose "
                   f"init={HARNESS}/guest/init GUEST_RUN={script} {guest.args}")
    argv = [*guest.qemu, "-M", "q35,kernel-irqchip=split", "-accel", guest.accel, "-cpu", "max",
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


def boot_once(guest, script, on_line):
    """Boot, run the shell script there, and return its outcome.

    A line of the script's output or a result of KUnit is progress. Another line of the kernel's log is not: a kernel
    whose processors wait for each other reports stalls without end.
    """
    console, qemu, file = (LOG / f"{guest.name}.{kind}" for kind in ("console", "qemu", "sh"))
    file.write_text(script)
    console.write_bytes(b"")
    lines, status, reason, hung = [], None, "", False
    progress, place, log_lines = Progress(f"guest {guest.name}"), Place(), Console(console)
    start = heard = time.monotonic()
    silence = max(guest.silence, BOOT)
    with open(qemu, "wb") as errors, open(LOG / f"{guest.name}.output", "w") as log:
        child = spawn(command(guest, file, console), stderr=errors)
        try:
            for line in lines_of(child):
                now = time.monotonic()
                results = [place.console(text) for text in log_lines.lines()]
                if line is not None or any(results):
                    heard, silence = now, guest.silence
                ended = line is not None and EXIT.match(line)
                if ended:
                    status = int(ended.group(1))
                elif line is not None:
                    log.write(line + "\n")
                    lines.append(line)
                    place.output(line)
                    if on_line:
                        on_line(line)
                if now - heard > silence:
                    hung, reason = True, f"it hung in {place}: no progress for {silence} s"
                elif now - start > guest.timeout:
                    reason = f"it took more than {guest.timeout} s, and was in {place}"
                if reason:
                    break
                progress.tick(lines[-1] if lines else str(place))
        finally:
            stop(child)
    # A guest whose script ended and that does not stop has done its work.
    hung = hung and status is None
    if status is None:
        reason = reason + tail(console.read_text(errors="replace"), lines) if reason else explain(console, qemu, lines)
    progress.done(f"exit status {status}" if status is not None else reason.splitlines()[0])
    return Outcome(status, reason, lines, console, hung)


def restartable(outcome):
    """Whether a guest hung and its kernel's log does not say why: stalls are what any hang makes it report."""
    return outcome.hung and not cleanlog.of(outcome, ["stall"])


def note_restart(guest, outcome):
    """Keep the logs of a guest that hung, and report that it is started again."""
    for kind in ("console", "output"):
        (LOG / f"{guest.name}.{kind}").replace(LOG / f"{guest.name}.hung.{kind}")
    restarted.append(f"the emulator's guest {guest.name} hung and was started again: {outcome.reason}")
    say(restarted[-1])


def boot(guest, script, on_line=None):
    """Boot, run the shell script there, and return its outcome; on_line(text) sees each line it prints.

    An emulated machine of several processors can hang through no fault of its kernel: a guest that hangs is started
    again, which is reported, and fails if it hangs again.
    """
    packages.need(packages.GUEST)
    LOG.mkdir(parents=True, exist_ok=True)
    for _ in range(guest.restarts):
        outcome = boot_once(guest, script, on_line)
        if not restartable(outcome):
            return outcome
        note_restart(guest, outcome)
    return boot_once(guest, script, on_line)
