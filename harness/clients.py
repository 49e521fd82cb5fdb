# SPDX-License-Identifier: GPL-2.0-only
"""make clients: run users of type1 and /dev/iommu that others wrote: DPDK's testpmd, QEMU 10 and newer kselftests.

testpmd forwards frames between two emulated NICs through vfio-pci. The host sends the frames and compares those that
arrive with those sent. The NICs' counters, VmLck of the process, the number of pinned pages and the kernel log are
checked as well.
"""
import re

from . import guest, inherit, kernel, newer, newer_iommufd, packages, qemu_client, stock
from .paths import HARNESS
from .results import Results, report
from .shell import say
from .traffic import Traffic

FRAMES = 60_000         # in each direction
NICS = ("6.0", "7.0")


def forward(name, bzimage, restarts):
    """Boot a kernel and forward frames with testpmd; return the outcome, the traffic and {name: value} from the guest.

    A Traffic object serves a single guest. Hence a guest that hung is restarted here, with new traffic, and not in
    guest.boot().
    """
    traffic = Traffic(FRAMES)
    devices = [f"e1000e,netdev=e{i},addr={address}" for i, address in enumerate(NICS)]
    machine = guest.Guest(f"clients-{name}", bzimage, devices=devices, options=traffic.netdevs(), memory="3G",
                          restarts=0)
    facts = {}

    def on_line(line):
        match = re.match(r"# clients: (\w+) (.*)", line)
        if match:
            facts[match.group(1)] = match.group(2)
        if line == "# clients: forwarding yes":
            traffic.go()

    traffic.start()
    try:
        outcome = guest.boot(machine, f"FRAMES={FRAMES}\n. {HARNESS}/guest/tests.sh\n. {HARNESS}/guest/testpmd.sh\n",
                             on_line)
    finally:
        traffic.stop()
    if restarts and guest.restartable(outcome):
        guest.note_restart(machine, outcome)
        return forward(name, bzimage, restarts - 1)
    return outcome, traffic, facts


def clients(name, bzimage):
    """Forward frames with testpmd under a kernel; return the results."""
    packages.need(packages.CLIENTS)
    outcome, traffic, facts = forward(name, bzimage, restarts=1)
    counted = [tuple(map(int, facts.get(key, "-1").split())) for key in ("rx0", "rx1", "tx0", "tx1")]
    total, arrived = 2 * FRAMES, sum(traffic.arrived)
    say(f"{name}: sent {sum(traffic.sent)}, received {arrived}, corrupted {traffic.wrong}; testpmd "
        + ", ".join(f"{key} {facts.get(key, '?')}" for key in ("rx0", "tx0", "rx1", "tx1"))
        + f"; VmLck {facts.get('vmlck', '?')} kB; pinned pages {facts.get('pins', '?')}")
    results = Results()
    results.check(f"the exit status of testpmd is 0 ({facts.get('status', 'none')})", facts.get("status") == "0")
    results.check(f"{total} frames were sent and {total} received", arrived == total == sum(traffic.sent))
    results.check("no frame is corrupted", traffic.wrong == 0 and arrived)
    results.check("the counters of both ports agree and show no drop", all(c == (FRAMES, 0) for c in counted))
    results.check("the memory is charged to VmLck", int(facts.get("vmlck") or 0) > 0)
    results.check("no page stays pinned", len(set(facts.get("pins", "1 2").split())) == 1)
    results.add(outcome.failures())
    return results


def ours():
    return clients("ours", kernel.bzimage(kernel.build("release")))


def container():
    """Forward frames under our kernel with an iommufd as /dev/vfio/vfio; return the results."""
    return clients("container", kernel.bzimage(inherit.container()))


def main():
    results = Results()
    results.add(clients("stock", kernel.bzimage(stock.build("release"))), "stock: ")
    results.add(ours(), "ours: ")
    results.add(container(), "iommufd as the container: ")
    results.add(qemu_client.qemu(), "QEMU: ")
    results.add(qemu_client.container(), "QEMU, iommufd as the container: ")
    results.add(newer.vfio(), "vfio of Linux 7: ")
    results.add(newer_iommufd.iommufd(), "iommufd of Linux 6.12: ")
    return report(results, every=True)
