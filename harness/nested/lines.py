# SPDX-License-Identifier: GPL-2.0-only
"""Talk to QEMU in lines through a Unix socket."""
import socket


class Lines:
    """A socket that QEMU connects to. It exchanges one message a line."""

    def __init__(self, path):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(1)
        self.file = None

    def accept(self, timeout):
        """Wait until QEMU has connected."""
        self.server.settimeout(timeout)
        connection, _ = self.server.accept()
        connection.settimeout(timeout)
        self.file = connection.makefile("rw", newline="\n")

    def send(self, line):
        self.file.write(line + "\n")
        self.file.flush()

    def receive(self):
        """Return the next line; raise EOFError if QEMU has closed the socket."""
        line = self.file.readline()
        if not line:
            raise EOFError("QEMU closed the socket")
        return line.rstrip("\n")
