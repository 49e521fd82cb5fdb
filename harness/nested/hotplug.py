# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: hot-unplug and hot-plug of a device and of memory."""
from ..results import Results
from . import counters, firmware
from .checks import PAGE, ROUNDS, check_disk, check_mapped, check_quit, check_unmapped
from .edu import FREE, Edu
from .machine import MEMORY, Machine, wait_for
from .passed import EDU_SLOT, NVME_SLOT, disk, edu

DIMM = 128 << 20        # bytes of memory that are plugged
# Registers of the machine `pc` through which an operating system confirms that a slot or a DIMM can be unplugged
SELECT_BUS, EJECT_SLOT = 0xae10, 0xae08
SELECT_DIMM, EJECT_DIMM, EJECT = 0xa00, 0xa14, 0x8


def device(door):
    """Unplug the NVMe controller, plug it in again, and boot from it."""
    results, before = Results(), counters.pinned()
    with Machine(door, [disk(door)]) as machine:
        check_disk(results, machine)
        machine.pause()
        machine.monitor.command("device_del", id="disk")
        machine.bus.output("l", SELECT_BUS, 0)
        machine.bus.output("l", EJECT_SLOT, 1 << NVME_SLOT)
        wait_for("the controller is unplugged", lambda: machine.monitor.deleted("disk"))
        check_unmapped(results, machine, before)
        machine.monitor.command("device_add", **disk(door))
        check_mapped(results, machine, before)
        machine.forget()
        machine.monitor.command("system_reset")
        check_disk(results, machine)
        check_quit(results, machine)
    return results


def memory(door):
    """Plug memory while the machine reads from the disk, let an edu device access the memory, and unplug it."""
    results, before = Results(), counters.pinned()
    with Machine(door, [disk(door), edu(door)], ["-m", f"{MEMORY >> 20}M,slots=1,maxmem=1G"]) as machine:
        machine.wait_for_rounds(ROUNDS)
        device = Edu(machine.bus, EDU_SLOT)
        pages, charged = counters.pinned(), machine.charged()
        machine.monitor.command("object-add", **{"qom-type": "memory-backend-ram"}, id="more", size=DIMM)
        machine.monitor.command("device_add", driver="pc-dimm", id="dimm", memdev="more")
        check_mapped(results, machine, before, MEMORY + DIMM)
        start = machine.monitor.command("query-memory-devices")[0]["data"]["addr"]
        results.check("a device reads and writes the plugged memory by DMA",
                      device.copies(start, start + DIMM - PAGE, firmware.data(PAGE)))
        machine.monitor.command("device_del", id="dimm")
        machine.bus.output("l", SELECT_DIMM, 0)
        machine.bus.output("b", EJECT_DIMM, EJECT)
        wait_for("the memory is unplugged", lambda: machine.monitor.deleted("dimm"))
        machine.monitor.command("object-del", id="more")
        now = counters.pinned(), machine.charged()
        results.check(f"the unplugged memory is neither pinned nor charged ({now})", now == (pages, charged))
        results.check("a device reads and writes the other memory by DMA",
                      device.copies(FREE, FREE + PAGE, firmware.data(PAGE)))
        check_disk(results, machine)
        check_quit(results, machine)
    return results
