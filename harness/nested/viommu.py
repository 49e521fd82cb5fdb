# SPDX-License-Identifier: GPL-2.0-only
"""A machine with an emulated IOMMU, in which our kernel maps and unmaps memory for passed-through edu devices.

QEMU maps in our outer kernel what the inner kernel maps in the emulated IOMMU. The IOMMU is in caching mode, in which
the inner kernel reports each mapping.
"""
import json
import re

from .. import guest, kernel, qemu10, selftest
from ..paths import BUILD, HARNESS, LOG
from .devices import EDU, SECOND_EDU

PROGRAM = "iommufd/ioas_dma"
NOTIFIED = re.compile(r"vfio_iommu_map_notify iommu (MAP|UNMAP) ")
LEAST = 200     # number of mappings that the inner kernel has to report


def machine(door):
    return guest.Guest(
        f"nested-{door.name}", kernel.bzimage(BUILD / "release"), qemu=qemu10.installed(), cpus=1, memory="512M",
        iommu=f"{guest.IOMMU},caching-mode=on", restarts=0, silence=600, timeout=1200,
        options=[*door.options, "-trace", "vfio_iommu_map_notify", "-trace", "vtd_inv_desc*", "-trace", "vtd_dm*", "-trace", "vtd_as*", "-trace", "vtd_page_walk_one*", "-trace", "vtd_replay*", "-trace", "vtd_switch*"],
        devices=[json.dumps(door.device(address)) for address in (EDU, SECOND_EDU)])


def viommu(door):
    """Run a kselftest in the machine, which checks that DMA reaches what is mapped and nothing else."""
    name = f"nested-{door.name}"
    LOG.mkdir(parents=True, exist_ok=True)
    outcome = guest.boot_once(machine(door), f". {HARNESS}/guest/tests.sh\nexport TEST_SECONDS=900\n"
                              + selftest.run("run_test", PROGRAM).strip() + " -t two_devices_in_one_ioas\n", None)
    results = selftest.judge(outcome.lines, complete=False)
    results.add(outcome.failures(allowed=["dma-fault"]))
    seen = NOTIFIED.findall((LOG / f"{name}.qemu").read_text())
    print(seen.count("MAP"), seen.count("UNMAP"))
    print("\n".join([l for l in (LOG / f"{name}.qemu").read_text().splitlines()][-300:]))
    return results
