# SPDX-License-Identifier: GPL-2.0-only
"""Boot a kernel in QEMU (by default an emulated PC with VT-d) and run one shell script in it.

The guest mounts its root, which is that of the host or a folder of the host, read-only over 9p, below an overlay in
memory (see guest/init). A guest with a disk boots a Debian from that disk instead, with the initramfs of its own (see
debian_disk.py).
"""
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import cleanlog, ktap, machine as machines, packages
from .paths import LOG
from .results import Results
from .shell import Progress, lines_of, say, spawn, stop

BOOT = 240      # seconds that a boot may take: a debug kernel is slow on a busy host
WIDE = f"{machines.PC.iommu},aw-bits=48"    # 48 bits of IOVA instead of 39

EXIT = re.compile(r"^guest: exit status (\d+)$")
# The lines that run_test of guest/tests.sh prints before and after a program: the program's name and, in the second
# line, its exit status and the number of pinned pages before and after.
BEGIN = re.compile(r"^# harness: begin (\S+)$")
END = re.compile(r"^# harness: end (\S+) (\d+) (\S+) (\S+)$")
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")

# QEMU's edu devices, which do DMA: two devices with a separate IOMMU group each, and two functions that share a group.
EDU = ["edu,dma_mask=0xffffffffffffffff,addr=3.0",
       "edu,dma_mask=0xffffffffffffffff,addr=4.0",
       "edu,dma_mask=0xffffffffffffffff,addr=5.0,multifunction=on",
       "edu,dma_mask=0xffffffffffffffff,addr=5.1,multifunction=on"]
# Devices for error paths of vfio: a group that contains an edu device and a function used by a kernel driver, on a bus
# that can be reset; and a PF with VFs. The root port of that bus is limited to 5 GT/s. After a reset, the kernel waits
# for ports of higher speed to report an active link, and QEMU reports the link state incorrectly.
RESET_AND_SRIOV = [
    "pcie-root-port,x-speed=5,id=port1,chassis=1,slot=1,addr=6.0",
    "edu,dma_mask=0xffffffffffffffff,bus=port1,addr=0.0,multifunction=on",
    "virtio-rng-pci,bus=port1,addr=0.1,multifunction=on",
    "pcie-root-port,id=port2,chassis=2,slot=2,addr=7.0",
    "nvme-subsys,id=subsystem",
    "nvme,serial=1,subsys=subsystem,bus=port2,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2",
]


@dataclass
class Guest:
    """How to boot a guest: the kernel, the machine and the timeouts."""
    name: str                       # names the logs: build/log/NAME.{console,output,qemu}
    bzimage: Path
    initrd: Path = None
    disk: Path = None               # image of the root file system; the guest's changes to it are discarded
    devices: list = field(default_factory=list)
    options: list = field(default_factory=list)     # additional arguments of QEMU
    args: str = ""                  # additional kernel parameters
    cpus: int = 2
    accel: str = "tcg,thread=multi"
    memory: str = "2G"
    machine: machines.Machine = machines.PC
    iommu: str = ""                 # argument of -device, if not the IOMMU of the machine
    qemu: list = None               # command that runs QEMU, if not the one of the machine
    silence: int = 120              # seconds without progress after which the guest counts as hung
    timeout: int = 900              # seconds that the guest may run
    restarts: int = 1               # maximum number of restarts after a hang or a crash of QEMU


@dataclass
class Outcome:
    status: int                     # exit status of the script, None if the guest stopped before the script ended
    reason: str                     # why status is None
    lines: list                     # output of the script
    console: Path                   # file with the kernel log
    lost: bool = False              # the guest made no progress, or QEMU crashed

    def failures(self, allowed=()):
        """Return a failed case unless the script ended with status 0, and one for each finding in the log.

        `allowed` lists the findings that are not failures.
        """
        results = Results(logs=[self.console, self.console.with_suffix(".output")])
        if self.status is None:
            results.fail(f"guest {self.console.stem}: {self.reason}")
        elif self.status:
            results.fail(f"guest {self.console.stem}: exit status {self.status} of its script")
        results.add_findings(cleanlog.of(self, allowed))
        return results


# A message for each guest that was restarted because it hung or QEMU crashed, for the reports of make check and make
# soak.
restarted = []


class Console:
    """Reader for a kernel log that is still being written. KUnit prints its results there."""

    def __init__(self, path):
        self.path, self.read, self.rest = path, 0, ""

    def lines(self):
        """Return the complete lines written since the last call."""
        if self.path.stat().st_size == self.read:
            return []
        with open(self.path, "rb") as file:
            file.seek(self.read)
            data = file.read()
        self.read += len(data)
        *whole, self.rest = (self.rest + data.decode(errors="replace")).split("\n")
        return whole


class Place:
    """The test that a guest is running, derived from the output of its script and of KUnit."""
    RUN = re.compile(r"^# +RUN +(\S+)")

    def __init__(self):
        self.program, self.case, self.suite = "", "", ""

    def output(self, line):
        begin, run, result = BEGIN.match(line), self.RUN.match(line), ktap.RESULT.match(line)
        if begin:
            self.program, self.case = begin.group(1), "its start"
        elif run:
            self.case = run.group(1)
        elif result:
            self.case = f"what follows {result.group(4) or result.group(3)}"

    def console(self, line):
        """Evaluate a line of the kernel log; return whether KUnit printed it, which counts as progress."""
        line = ktap.STAMP.sub("", line.rstrip("\r"))
        subtest, result = ktap.SUBTEST.match(line), ktap.RESULT.match(line)
        if subtest:
            self.program, self.case = subtest.group(2), "its start"
        elif result:
            self.case = f"what follows {result.group(4) or result.group(3)}"
        return bool(subtest or result or ktap.PLAN.match(line))

    def __str__(self):
        return f"{self.program}, {self.case}" if self.program else "boot"


def root_parameters(guest):
    """Return the kernel parameters with which the guest finds its root file system and its init process."""
    if guest.disk:
        return "root=/dev/vda rw"
    return ("root=hostroot rootfstype=9p ro rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose "
            f"{guest.machine.init}")


def command(guest, script, console):
    machine = guest.machine
    kernel_args = (f"panic=-1 oops=panic {machine.args} {root_parameters(guest)} "
                   f"GUEST_RUN={script} GUEST_PORT={machine.port} {guest.args}")
    argv = [*(guest.qemu or machine.program), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", f"file:{console}", *machine.board, "-accel", guest.accel, "-smp", str(guest.cpus),
            "-m", guest.memory, "-kernel", str(guest.bzimage), "-append", kernel_args,
            "-fsdev", f"local,id=root,path={machine.root()},security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=hostroot"]
    if guest.iommu or machine.iommu:
        argv += ["-device", guest.iommu or machine.iommu]
    if guest.disk:
        argv += ["-initrd", guest.initrd, "-drive", f"file={guest.disk},format=raw,if=virtio,snapshot=on"]
    argv += guest.options
    for device in guest.devices:
        argv += ["-device", device]
    return argv


def explain(console, qemu, lines):
    """Return why a guest stopped before its script ended: a panic or a QEMU error; if unknown, the end of its logs."""
    text = console.read_text(errors="replace")
    panic = PANIC.search(text)
    if panic:
        return f"the kernel panicked: {panic.group(1)}"
    if not text:
        return f"QEMU did not start: {qemu.read_text(errors='replace').strip()}"
    return "it stopped before the end of its script" + tail(text, lines)


def tail(text, lines):
    return "".join(f"\n    {line}" for line in [*text.splitlines()[-6:], *lines[-4:]])


def ended_with(child):
    """Return the exit status of QEMU, which has closed its output.

    The status is negative if a signal killed QEMU. If QEMU is still running after 10 seconds, return 0.
    """
    try:
        return child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        return 0


def boot_once(guest, script, on_line):
    """Boot a guest once, run the shell script in it and return the Outcome.

    Output of the script and KUnit results count as progress. Other lines of the kernel log do not, since a kernel that
    hangs may report stalls endlessly.
    """
    console, qemu, file = (LOG / f"{guest.name}.{kind}" for kind in ("console", "qemu", "sh"))
    file.write_text(script)
    console.write_bytes(b"")
    lines, status, reason, lost = [], None, "", False
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
                        progress.clear()
                        on_line(line)
                if now - heard > silence:
                    lost, reason = True, f"it hung in {place}: no progress for {silence} s"
                elif now - start > guest.timeout:
                    reason = f"it took more than {guest.timeout} s, and was in {place}"
                if reason:
                    break
                progress.tick(lines[-1] if lines else str(place))
            else:
                if (code := ended_with(child)) < 0:
                    lost, reason = True, f"QEMU was killed by {signal.Signals(-code).name} in {place}"
        finally:
            stop(child)
    # If the script ended, the result is complete even if the guest failed to power off.
    lost = lost and status is None
    if status is None:
        reason = reason + tail(console.read_text(errors="replace"), lines) if reason else explain(console, qemu, lines)
    progress.done(f"exit status {status}" if status is not None else reason.splitlines()[0])
    return Outcome(status, reason, lines, console, lost)


def restartable(outcome):
    """Return whether the guest hung or QEMU crashed, and the log reports nothing but stalls, which a hang can cause."""
    return outcome.lost and not cleanlog.of(outcome, ["stall"])


def note_restart(guest, outcome):
    """Save the logs of a guest after a hang or a crash of QEMU, and report that the guest is restarted."""
    for kind in ("console", "output"):
        (LOG / f"{guest.name}.{kind}").replace(LOG / f"{guest.name}.hung.{kind}")
    restarted.append(f"guest {guest.name} was restarted: {outcome.reason}")
    say(restarted[-1])


def boot(guest, script, on_line=None):
    """Boot a guest, run the shell script in it and return the Outcome; call on_line(text) for each line that it prints.

    With several emulated processors, QEMU itself can hang or crash through no fault of the kernel. Such a guest is
    restarted up to guest.restarts times, and each restart is reported.
    """
    packages.need(guest.machine.packages)
    LOG.mkdir(parents=True, exist_ok=True)
    for _ in range(guest.restarts):
        outcome = boot_once(guest, script, on_line)
        if not restartable(outcome):
            return outcome
        note_restart(guest, outcome)
    return boot_once(guest, script, on_line)
