# SPDX-License-Identifier: GPL-2.0-only
"""What the scenarios check: the mapped memory, and how the program of boot.S uses the disk and ends."""
from . import counters, firmware
from .machine import MEMORY, wait_for

PAGE = 4096
ROUNDS = 5      # rounds of the boot sector that have to end


def check_mapped(results, machine, before, size=MEMORY):
    """Check that `size` bytes of memory are charged, and pinned in addition to `before` pages."""
    pages, charged = counters.pinned() - before, machine.charged()
    results.check(f"the memory of the machine is pinned ({pages} pages)", pages >= size // PAGE)
    results.check(f"the memory of the machine is charged to {machine.door.counter} ({charged} kB)",
                  charged >= size >> 10)


def check_unmapped(results, machine, before):
    """Check that no memory is charged, and `before` pages are pinned.

    QEMU may close a device some time after it reported that the device was removed.
    """
    wait_for("no memory of the machine is pinned", lambda: counters.pinned() == before)
    charged = machine.charged()
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
