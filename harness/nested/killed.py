# SPDX-License-Identifier: GPL-2.0-only
"""Scenario: QEMU is killed while devices do DMA."""
import signal

from ..results import Results
from . import counters
from .checks import check_disk, check_mapped
from .edu import BUFFER, FREE, Edu
from .machine import Machine, wait_for
from .passed import EDU_SLOT, disk, edu


def keep_running(device):
    """Return while the device does a transfer, which takes 100 ms."""
    def runs():
        device.start(FREE, BUFFER, 0)
        return device.running()

    wait_for("a transfer runs", runs)


def killed(door):
    """Kill QEMU while the NVMe controller and an edu device do DMA."""
    results, before = Results(), counters.pinned()
    with Machine(door, [disk(door), edu(door)]) as machine:
        check_disk(results, machine)
        check_mapped(results, machine, before)
        keep_running(Edu(machine.bus, EDU_SLOT))
        machine.process.send_signal(signal.SIGKILL)
        results.check("QEMU ends by the signal", machine.process.wait() == -signal.SIGKILL)
    return results
