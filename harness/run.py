# SPDX-License-Identifier: GPL-2.0-only
"""make run: run the sample program of samples/iommufd in a guest, where it moves data by DMA."""
from . import guest, iommus, kernel
from .paths import BUILD, LINUX, LOG
from .results import Results, report
from .shell import Failure, must, say


def folder(board):
    """Return the folder of the sample for a Machine."""
    return BUILD / f"{board.prefix}sample"


def build_sample(board, include):
    """Build the sample for a Machine; return its folder."""
    out = folder(board)
    out.mkdir(parents=True, exist_ok=True)
    must("build the sample",
         ["make", "-C", LINUX / "samples/iommufd", f"KHDR={include}", f"OUT={out}", f"CC={board.compiler}"],
         f"{out.name}.build", env=kernel.environment())
    return out


def sample(on_line=None, kind="intel", **fields):
    """Run the sample under the release kernel on a machine with the IOMMU `kind` (see iommus.py); return the results.

    Other arguments are for guest.Guest.

    The sample also shows that the IOMMU blocks DMA, so DMA faults in the log are expected.
    """
    arguments = {**iommus.arguments(kind), **fields}
    board = iommus.board(kind)
    built = kernel.build(f"{board.prefix}release")
    out = build_sample(board, kernel.headers(built))
    booted = guest.Guest(f"run-{kind}", kernel.bzimage(built), devices=guest.EDU + guest.RESET_AND_SRIOV, timeout=300,
                         **arguments)
    script = kernel.insmod_mdevs(built) + f"exec sh {LINUX}/samples/iommufd/run.sh {out}\n"
    outcome = guest.boot(booted, script, on_line)
    results = Results()
    results.check("samples/iommufd moves data by DMA", outcome.status == 0)
    results.add(outcome.failures(allowed=["dma-fault"]))
    return results


def check_variables():
    iommus.given()


def others():
    """Run the sample on machines with the other IOMMUs; return the results."""
    results = Results()
    for kind in iommus.KINDS:
        if kind != "intel":
            try:
                results.add(sample(kind=kind), f"{kind}: ")
            except Failure as failure:
                results.fail(f"{kind}: {failure}")
    return results


def main():
    kind = iommus.given()
    results = sample(on_line=say, kind=kind)
    wrong = report(results, every=True)
    if not wrong and kind == "intel":
        say(f"The kernel is {kernel.bzimage(BUILD / 'release')}, and logs are in {LOG}. To run all tests: make check")
    return wrong
