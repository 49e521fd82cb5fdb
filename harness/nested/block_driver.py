# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's own NVMe driver, which runs in the programs of qemu-utils and uses VFIO_TYPE1_IOMMU."""
import signal
import subprocess

from ..results import Results
from . import counters
from .devices import NVME
from .machine import wait_for

DISK = f"nvme://{NVME}/1"
# The part of the disk that the boot sector does not use
OFFSET, LENGTH = 8 << 20, 4 << 20
PATTERNS = 0x5a, 0xc3


def io(*commands):
    """Run qemu-io with commands; return whether it succeeds."""
    done = subprocess.run(["qemu-io", "-f", "raw", *(word for command in commands for word in ("-c", command)), DISK],
                          stdin=subprocess.DEVNULL)
    return done.returncode == 0


def check_patterns(results):
    """Write patterns in requests of different sizes, and read them with another process."""
    first, second = PATTERNS
    middle, part = OFFSET + LENGTH // 2 + 512, 1536
    results.check("qemu-io writes", io(f"write -P {first} {OFFSET} {LENGTH}", f"write -P {second} {middle} {part}"))
    results.check("qemu-io reads the data back", io(
        f"read -P {first} {OFFSET} {LENGTH // 2 + 512}", f"read -P {second} {middle} {part}",
        f"read -P {first} {middle + part} {OFFSET + LENGTH - middle - part}"))
    results.check("qemu-io notices other data", not io(f"read -P {second} {OFFSET} 4096"))


def bench(count):
    """Start qemu-img, which completes `count` reads of a page and keeps 32 of them in flight."""
    return subprocess.Popen(["qemu-img", "bench", "-f", "raw", "-n", "-c", str(count), "-d", "32", "-o", str(OFFSET),
                             DISK], stdin=subprocess.DEVNULL)


def check_killed(results):
    """Kill qemu-img while it reads."""
    with bench(1 << 30) as process:
        wait_for("memory is mapped", lambda: counters.kilobytes(process.pid, "VmLck"))
        charged = counters.kilobytes(process.pid, "VmLck")
        results.check(f"the memory of qemu-img is charged to VmLck ({charged} kB)", charged)
        process.send_signal(signal.SIGKILL)
    results.check("qemu-img ends by the signal", process.returncode == -signal.SIGKILL)


def block_driver(_):
    """Write and read with QEMU's NVMe driver, and kill it. It supports the container only."""
    results = Results()
    check_patterns(results)
    results.check("qemu-img completes 2000 reads", bench(2000).wait() == 0)
    check_killed(results)
    check_patterns(results)
    return results
