# SPDX-License-Identifier: GPL-2.0-only
"""Generate Ethernet traffic through a guest that forwards between two NICs, and check what it forwards.

QEMU connects each NIC to a UDP socket of this process, with one frame per datagram. Frames are numbered and sent in
both directions. The number of frames in flight in each direction is limited to WINDOW, so that no queue overflows. Each
frame received is compared byte by byte with the one that was sent.
"""
import hashlib
import select
import socket
import threading
import time

WINDOW = 48
LENGTHS = (60, 64, 128, 509, 1024, 1514)
HEADER = bytes.fromhex("ffffffffffff" "525400000001" "88b5")


def frame(end, number):
    """Return a broadcast frame of an experimental EtherType, with content unique to its direction and number."""
    length = LENGTHS[number % len(LENGTHS)]
    start = HEADER + bytes([end]) + number.to_bytes(8, "big")
    seed = hashlib.sha256(start).digest()
    return (start + seed * (length // len(seed) + 1))[:length]


class Traffic(threading.Thread):
    """A thread that, after go(), sends `count` frames each way. It stops if none arrives for `patience` seconds."""

    def __init__(self, count, patience=60):
        super().__init__(daemon=True)
        self.count, self.patience = count, patience
        self.sockets, self.ports = [], []
        for _ in range(4):
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            end.bind(("127.0.0.1", 0))
            self.sockets.append(end)
            self.ports.append(end.getsockname()[1])
        # The last two ports are for QEMU. They were bound only to find free port numbers.
        for end in self.sockets[2:]:
            end.close()
        self.sockets = self.sockets[:2]
        self.sent, self.arrived, self.wrong = [0, 0], [0, 0], 0
        self.begin, self.quit = threading.Event(), threading.Event()

    def netdevs(self):
        """Return the arguments of QEMU for the netdevs e0 and e1."""
        return [argument for i in (0, 1) for argument in (
            "-netdev", f"socket,id=e{i},udp=127.0.0.1:{self.ports[i]},localaddr=127.0.0.1:{self.ports[2 + i]}")]

    def go(self):
        self.begin.set()

    def stop(self):
        self.quit.set()
        self.begin.set()
        self.join()

    def run(self):
        self.begin.wait()
        heard = time.monotonic()
        while not self.quit.is_set() and min(self.arrived) < self.count:
            for end in (0, 1):
                while self.sent[end] < min(self.count, self.arrived[1 - end] + WINDOW):
                    self.sockets[end].sendto(frame(end, self.sent[end]), ("127.0.0.1", self.ports[2 + end]))
                    self.sent[end] += 1
            ready, _, _ = select.select(self.sockets, [], [], 0.2)
            for end in ready:
                self.receive(self.sockets.index(end), end.recv(2048))
                heard = time.monotonic()
            if time.monotonic() - heard > self.patience:
                return

    def receive(self, end, data):
        # Ignore frames of other types, which the guest may send on its own.
        if data[12:14] != HEADER[12:14]:
            return
        if data != frame(1 - end, self.arrived[end]):
            self.wrong += 1
        self.arrived[end] += 1
