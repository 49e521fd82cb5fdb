# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: hot-unplug and hot-plug of a device and of memory."""
from ..results import Results
from . import counters, firmware
from .checks import PAGE, ROUNDS, check_disk, check_mapped, check_quit, check_unmapped
from .edu import FREE, Edu
from .machine import MEMORY, Machine, wait_for
from .passed import EDU_SLOT, NVME_SLOT, disk, edu

DIMM = 128 << 20        # bytes of memory that are plugged
# Registers of the machine `pc`
SELECT_BUS, EJECT_SLOT = 0xae10, 0xae08
SELECT_DIMM, EJECT_DIMM, EJECT = 0xa00, 0xa14, 0x8


def unplug(machine, name, *outputs):
    """Unplug a device. An operating system would do the outputs (size, port, value), which confirm the request."""
    machine.monitor.command("device_del", id=name)
    for output in outputs:
        machine.bus.output(*output)
    wait_for(f"{name} is unplugged", lambda: machine.monitor.deleted(name))


def plug_memory(machine):
    """Plug a DIMM; return its address."""
    machine.monitor.command("object-add", **{"qom-type": "memory-backend-ram"}, id="more", size=DIMM)
    machine.monitor.command("device_add", driver="pc-dimm", id="dimm", memdev="more")
    return machine.monitor.command("query-memory-devices")[0]["data"]["addr"]


def unplug_memory(machine):
    unplug(machine, "dimm", ("l", SELECT_DIMM, 0), ("b", EJECT_DIMM, EJECT))
    machine.monitor.command("object-del", id="more")


def device(door):
    """Unplug the NVMe controller, plug it in again, and boot from it."""
    results, before = Results(), counters.pinned()
    with Machine(door, [disk(door)]) as machine:
        check_disk(results, machine)
        machine.pause()
        unplug(machine, "disk", ("l", SELECT_BUS, 0), ("l", EJECT_SLOT, 1 << NVME_SLOT))
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
        start = plug_memory(machine)
        check_mapped(results, machine, before, MEMORY + DIMM)
        results.check("a device reads and writes the plugged memory by DMA",
                      device.copies(start, start + DIMM - PAGE, firmware.data(PAGE)))
        unplug_memory(machine)
        now = counters.pinned(), machine.charged()
        results.check(f"the unplugged memory is neither pinned nor charged ({now})", now == (pages, charged))
        results.check("a device reads and writes the other memory by DMA",
                      device.copies(FREE, FREE + PAGE, firmware.data(PAGE)))
        check_disk(results, machine)
        check_quit(results, machine)
    return results
