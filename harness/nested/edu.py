# SPDX-License-Identifier: GPL-2.0-only
"""DMA with a passed-through edu device of QEMU. Its registers are accessed through the machine's bus."""
from .machine import wait_for

COMMAND, BAR0 = 0x04, 0x10      # registers of the configuration space
ENABLED = 0x6                   # in COMMAND: the device responds to memory accesses, and may do DMA
SOURCE, TARGET, COUNT, START = 0x80, 0x88, 0x90, 0x98
BUFFER, LENGTH = 0x40000, 4096  # the buffer in the device
RUN, TO_MEMORY = 1, 2           # in START
FREE = 0x50000                  # address in memory that neither the firmware nor boot.S uses


class Edu:
    def __init__(self, bus, slot):
        """Enable the device in a slot of bus 0, to which the firmware has assigned an address."""
        self.bus = bus
        bus.set_config(slot, COMMAND, bus.config(slot, COMMAND) & 0xffff | ENABLED)
        self.base = bus.config(slot, BAR0) & ~0xf

    def start(self, source, target, flags):
        for register, value in (SOURCE, source), (TARGET, target), (COUNT, LENGTH), (START, RUN | flags):
            self.bus.store("q", self.base + register, value)

    def running(self):
        return self.bus.load("q", self.base + START) & RUN != 0

    def transfer(self, source, target, flags):
        self.start(source, target, flags)
        wait_for("the transfer ends", lambda: not self.running())

    def copies(self, source, target, data):
        """Return whether the device copies LENGTH bytes of data from one address in memory to another."""
        self.bus.write(source, data)
        self.transfer(source, BUFFER, 0)
        self.transfer(BUFFER, target, TO_MEMORY)
        return self.bus.read(target, LENGTH) == data
