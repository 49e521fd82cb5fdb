# SPDX-License-Identifier: GPL-2.0-only
"""make run: run the sample program of samples/iommufd in a guest, where it moves data by DMA."""
from . import guest, kernel
from .paths import BUILD, LINUX, LOG
from .results import Results, report
from .shell import must, say


def build_sample(include):
    out = BUILD / "sample"
    out.mkdir(parents=True, exist_ok=True)
    must("build the sample", ["make", "-C", LINUX / "samples/iommufd", f"KHDR={include}", f"OUT={out}"],
         "sample.build", env=kernel.environment())
    return out


def sample(on_line=None):
    """Run the sample under the release kernel; return the results.

    The sample also shows that the IOMMU blocks DMA, so DMA faults in the log are expected.
    """
    built = kernel.build("release")
    out = build_sample(kernel.headers(built))
    machine = guest.Guest("run-release", kernel.bzimage(built), devices=guest.EDU + guest.RESET_AND_SRIOV, timeout=300)
    script = kernel.insmod_mdevs(built) + f"exec sh {LINUX}/samples/iommufd/run.sh {out}\n"
    outcome = guest.boot(machine, script, on_line)
    results = Results()
    results.check("samples/iommufd moves data by DMA", outcome.status == 0)
    results.add(outcome.failures(allowed=["dma-fault"]))
    return results


def main():
    results = sample(on_line=say)
    wrong = report(results, every=True)
    if not wrong:
        say(f"The kernel is {kernel.bzimage(BUILD / 'release')}, and logs are in {LOG}. To run all tests: make check")
    return wrong
