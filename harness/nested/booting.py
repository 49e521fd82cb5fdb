# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: boot from a disk and from the network."""
from ..results import Results
from . import counters, firmware
from .checks import ROUNDS, check_disk, check_mapped, check_quit
from .machine import MEMORY, Machine
from .passed import disk, nic


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
    with Machine(door, [nic(door)]) as machine:
        machine.wait_for_rounds(ROUNDS)
        sent = firmware.data(firmware.NETWORK_SIZE)
        results.check(f"the machine receives {len(sent)} bytes by DMA",
                      machine.bus.read(firmware.LOAD + firmware.SECTOR, len(sent)) == sent)
        check_mapped(results, machine, before)
        check_quit(results, machine)
    return results
