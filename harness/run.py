# SPDX-License-Identifier: GPL-2.0-only
"""make run: run the sample program of samples/iommufd in a guest, where it moves data by DMA."""
from . import cleanlog, guest, kernel
from .paths import BUILD, LINUX
from .shell import must, say

NAME = "run"


def build_sample(include):
    out = BUILD / "sample"
    out.mkdir(parents=True, exist_ok=True)
    must("build the sample", ["make", "-C", LINUX / "samples/iommufd", f"KHDR={include}", f"OUT={out}"],
         "sample.build", env=kernel.environment())
    return out


def sample(kernel_name, on_line=None):
    """Run the sample under the named kernel; return the Outcome and the findings in the kernel log.

    The sample also shows DMA that the IOMMU blocks, so DMA faults in the log are expected.
    """
    built = kernel.build(kernel_name)
    out = build_sample(kernel.headers(built))
    machine = guest.Guest(f"{NAME}-{kernel_name}", kernel.bzimage(built), devices=guest.EDU + guest.UNLIKE, timeout=300)
    script = kernel.insmod_mdevs(built) + f"exec sh {LINUX}/samples/iommufd/run.sh {out}\n"
    outcome = guest.boot(machine, script, on_line)
    return outcome, cleanlog.of(outcome, allowed=["dma-fault"])


def main():
    outcome, dirty = sample("release", on_line=say)
    if outcome.reason:
        say(f"the guest did not finish: {outcome.reason}")
    for finding in dirty:
        say(f"kernel log: {finding.name}: {finding.line}")
    passed = outcome.status == 0 and not dirty
    if not passed:
        say(f"logs: {outcome.console}")
    say(f"RESULT: {'pass' if passed else 'fail'}")
    return not passed
