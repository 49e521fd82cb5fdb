# SPDX-License-Identifier: GPL-2.0-only
"""The scenarios of machines that run firmware alone. Each takes a door and returns results."""
import signal

from ..results import Results
from . import counters, firmware
from .devices import EDU, EDU_SLOT, NIC, NVME, NVME_SLOT
from .edu import Edu
from .machine import MEMORY, Machine, wait_for

PAGE = 4096
ROUNDS = 5              # rounds of the boot sector that have to end
DIMM = 128 << 20        # bytes of memory that are plugged
SOURCE, TARGET = 0x50000, 0x60000       # addresses that neither the firmware nor the boot sector uses
# Registers of the hotplug of the machine `pc`
SELECT_BUS, EJECT_SLOT = 0xae10, 0xae08
SELECT_DIMM, EJECT_DIMM, EJECT = 0xa00, 0xa14, 0x8


def disk(door):
    """Return the device from whose disk the machine boots."""
    return door.device(NVME, id="disk", addr=str(NVME_SLOT), bootindex=1)


def edu(door):
    return door.device(EDU, addr=str(EDU_SLOT))


def check_mapped(results, machine, before, size=MEMORY):
    """Check that `size` bytes of memory are charged, and pinned in addition to `before` pages."""
    pages, charged = counters.pinned() - before, machine.charged()
    results.check(f"the memory of the machine is pinned ({pages} pages)", pages >= size // PAGE)
    results.check(f"the memory of the machine is charged to {machine.door.counter} ({charged} kB)",
                  charged >= size >> 10)


def check_unmapped(results, machine, before):
    """Check that no memory is charged, and `before` pages are pinned."""
    pages, charged = counters.pinned() - before, machine.charged()
    results.check(f"no memory of the machine is pinned ({pages} pages)", pages == 0)
    results.check(f"no memory of the machine is charged to {machine.door.counter} ({charged} kB)", charged == 0)


def check_disk(results, machine):
    """Check that the boot sector completes rounds, and what its last round read and wrote."""
    machine.wait_for_rounds(ROUNDS)
    machine.pause()
    for what, buffer in ("data of the disk", firmware.FIRST), ("data that it wrote", firmware.SECOND):
        results.check(f"the machine reads the {what} by DMA",
                      machine.bus.read(buffer, firmware.LENGTH) == firmware.data(firmware.LENGTH))
    machine.resume()


def check_quit(results, machine):
    status = machine.quit()
    results.check(f"the program ends with success (exit status {status})", status == firmware.status(firmware.PASSED))


def boot(door, memory=()):
    """Boot from the disk of a passed-through NVMe controller, with memory that arguments of QEMU select."""
    results, before = Results(), counters.pinned()
    with Machine(door, [disk(door)], memory) as machine:
        check_disk(results, machine)
        check_mapped(results, machine, before)
        check_quit(results, machine)
    return results


def backed(backend):
    """Return the arguments of QEMU for memory of a backend."""
    return ["-object", f"{backend},id=memory,size={MEMORY}", "-machine", "memory-backend=memory"]


def memfd(door):
    return boot(door, backed("memory-backend-memfd,share=on"))


def hugetlbfs(door):
    return boot(door, backed("memory-backend-file,mem-path=/dev/hugepages,share=on"))


def network(door):
    """Boot from the network through a passed-through NIC: the option ROM of the NIC loads a program with TFTP."""
    results, before = Results(), counters.pinned()
    with Machine(door, [door.device(NIC, bootindex=1)]) as machine:
        machine.wait_for_rounds(ROUNDS)
        sent = firmware.data(firmware.NETWORK_SIZE)
        results.check(f"the machine receives {len(sent)} bytes by DMA",
                      machine.bus.read(firmware.LOAD + firmware.SECTOR, len(sent)) == sent)
        check_mapped(results, machine, before)
        check_quit(results, machine)
    return results


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
                      device.copies(SOURCE, TARGET, firmware.data(PAGE)))
        check_disk(results, machine)
        check_quit(results, machine)
    return results


def killed(door):
    """Kill QEMU while the NVMe controller and an edu device do DMA."""
    results, before = Results(), counters.pinned()
    with Machine(door, [disk(door), edu(door)]) as machine:
        check_disk(results, machine)
        check_mapped(results, machine, before)
        device = Edu(machine.bus, EDU_SLOT)
        device.start(SOURCE, TARGET, 0)
        results.check("QEMU is killed while DMA runs", device.running())
        machine.process.send_signal(signal.SIGKILL)
        results.check("QEMU ends by the signal", machine.process.wait() == -signal.SIGKILL)
    return results


SCENARIOS = {
    "nvme": boot, "memfd": memfd, "hugetlbfs": hugetlbfs, "nic": network, "hotplug-device": device,
    "hotplug-memory": memory, "kill": killed,
}
