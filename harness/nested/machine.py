# SPDX-License-Identifier: GPL-2.0-only
"""A machine that QEMU runs with firmware alone, with passed-through devices."""
import json
import subprocess
import tempfile
import time
from pathlib import Path

from .. import qemu10
from . import counters, firmware
from .bus import Bus
from .qmp import Monitor

MEMORY = 256 << 20
PATIENCE = 120      # seconds to wait for what the machine does


def wait_for(what, holds, patience=PATIENCE):
    """Wait until holds() is true; raise TimeoutError otherwise."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience} seconds: {what}")
        time.sleep(0.1)


class Machine:
    """A QEMU process with its monitor and the machine's bus. Use it in a `with` statement, which ends the process."""

    def __init__(self, door, devices, options=()):
        """Start QEMU with devices, each given by its properties, and with other arguments."""
        self.door = door
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.monitor, self.bus = Monitor(path / "monitor"), Bus(path / "bus")
        arguments = [*qemu10.installed(), "-M", "pc", "-accel", "tcg", "-nodefaults", "-no-user-config",
                     "-display", "none", "-m", f"{MEMORY >> 20}", *options, *door.options,
                     "-qmp", f"unix:{path}/monitor", "-qtest", f"unix:{path}/bus", "-qtest-log", "none",
                     "-device", "isa-debug-exit,iobase=0xf4"]
        for properties in devices:
            arguments += ["-device", json.dumps(properties)]
        self.process = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL)

    def __enter__(self):
        try:
            self.bus.start(PATIENCE)
            self.monitor.start(PATIENCE)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def charged(self):
        """Return the kilobytes of memory that are mapped for devices, according to the counter of the door."""
        return counters.kilobytes(self.process.pid, self.door.counter)

    def rounds(self):
        """Return how many rounds the program of boot.S has completed."""
        return self.bus.load("l", firmware.MAILBOX + 4)

    def wait_for_rounds(self, count):
        """Wait until the program has completed `count` more rounds."""
        goal = self.rounds() + count
        wait_for(f"{count} rounds of the program", lambda: self.rounds() >= goal)

    def send(self, command):
        """Send a command to the program."""
        self.bus.store("b", firmware.MAILBOX, ord(command))

    def pause(self):
        """Stop the program at the end of a round, so that it uses no device until resume()."""
        self.send("s")
        wait_for("the program stops", lambda: self.bus.load("b", firmware.MAILBOX + 1) == 1)

    def forget(self):
        """Set the number of completed rounds to 0, while the program is paused."""
        self.bus.store("l", firmware.MAILBOX + 4, 0)

    def resume(self):
        self.bus.store("w", firmware.MAILBOX, 0)

    def quit(self):
        """End the program; return the exit status of QEMU."""
        self.send("q")
        return self.process.wait(PATIENCE)
