# SPDX-License-Identifier: GPL-2.0-only
"""make bench: compare the performance of our kernel with that of the stock kernel and of Linux 6.12.

Each part prints tables and may return figures with limits, which pass or fail. ONLY=table,flat runs just these parts.
"""
import importlib
import subprocess

from . import config, kernels
from .. import only
from ..paths import ROOT
from ..results import Results, report
from ..shell import say

PARTS = ("table", "iommus", "flat", "footprint", "waits", "parallel")


def commit():
    described = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return described.stdout.strip() or "unknown"


def chosen():
    return only.select(only.given(), PARTS, "part")


def check_variables():
    chosen()


def main():
    parts = chosen()
    measured = [kernels.stock(), kernels.peer(), kernels.ours()]
    config.compare(measured)
    say(f"\n\"ours\" is commit {commit()}")
    limits = []
    for name in parts:
        limits += importlib.import_module(f"{__name__}.{name}").run(measured)
    results = Results()
    for limit in limits:
        results.check(str(limit), limit.holds)
    say("")
    # Some parts have no limits.
    return report(results, every=True) if limits else False
