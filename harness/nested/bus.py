# SPDX-License-Identifier: GPL-2.0-only
"""Access to the memory and the I/O ports of QEMU's machine while it runs, through the qtest protocol."""
from .lines import Lines

CONFIG_ADDRESS, CONFIG_DATA = 0xcf8, 0xcfc


class Bus:
    def __init__(self, path):
        self.lines = Lines(path)

    def start(self, timeout):
        self.lines.accept(timeout)

    def command(self, *words):
        """Execute a command and return the words of its result; raise RuntimeError if it fails."""
        self.lines.send(" ".join(word if isinstance(word, str) else f"{word:#x}" for word in words))
        result, *values = self.lines.receive().split()
        if result != "OK":
            raise RuntimeError(f"qtest {words[0]}: {result} {' '.join(values)}")
        return values

    def read(self, address, length):
        return bytes.fromhex(self.command("read", address, length)[0].removeprefix("0x"))

    def write(self, address, data):
        self.command("write", address, len(data), f"0x{data.hex()}")

    def load(self, size, address):
        """Load a value; size is b, w, l or q."""
        return int(self.command(f"read{size}", address)[0], 16)

    def store(self, size, address, value):
        self.command(f"write{size}", address, value)

    def input(self, size, port):
        return int(self.command(f"in{size}", port)[0], 16)

    def output(self, size, port, value):
        self.command(f"out{size}", port, value)

    def config(self, slot, register):
        """Return 32 bits of the configuration space of the device in a slot of bus 0."""
        self.output("l", CONFIG_ADDRESS, 1 << 31 | slot << 11 | register)
        return self.input("l", CONFIG_DATA)

    def set_config(self, slot, register, value):
        self.output("l", CONFIG_ADDRESS, 1 << 31 | slot << 11 | register)
        self.output("l", CONFIG_DATA, value)
