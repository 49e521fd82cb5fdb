# SPDX-License-Identifier: GPL-2.0-only
"""Commands to QEMU's monitor in the QEMU Machine Protocol."""
import json

from .lines import Lines


class Monitor:
    def __init__(self, path):
        self.lines, self.events = Lines(path), []

    def start(self, timeout):
        """Wait for QEMU and end the negotiation of capabilities."""
        self.lines.accept(timeout)
        self.lines.receive()
        self.command("qmp_capabilities")

    def message(self):
        """Return the next message that is no event. Events are added to self.events."""
        while "event" in (message := json.loads(self.lines.receive())):
            self.events.append(message)
        return message

    def command(self, name, **arguments):
        """Execute a command and return its result; raise RuntimeError if it fails."""
        self.lines.send(json.dumps({"execute": name, "arguments": arguments}))
        message = self.message()
        if "error" in message:
            raise RuntimeError(f"{name}: {message['error']['desc']}")
        return message["return"]

    def deleted(self, device):
        """Return whether QEMU has reported that a device was removed."""
        self.command("query-status")    # reads the pending events
        return any(event["event"] == "DEVICE_DELETED" and event["data"].get("device") == device
                   for event in self.events)
