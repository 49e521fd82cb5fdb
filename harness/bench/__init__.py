# SPDX-License-Identifier: GPL-2.0-only
"""make bench: measure our kernel against the stock kernel and Linux 6.12.

Each part prints tables, and may return limits that pass or fail. ONLY=table,flat runs only these parts.
"""
import importlib
import os
import subprocess

from . import config, kernels
from ..paths import ROOT
from ..shell import Failure, say

PARTS = ("table", "flat", "footprint", "waits", "parallel")


def chosen():
    names = os.environ.get("ONLY", "").replace(",", " ").split()
    for name in names:
        if name not in PARTS:
            raise Failure(f"ONLY={name}: no such part, the parts are {', '.join(PARTS)}")
    return names or PARTS


def commit():
    described = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return described.stdout.strip() or "unknown"


def main():
    parts = chosen()
    measured = [kernels.stock(), kernels.peer(), kernels.ours()]
    config.compare(measured)
    say(f"\n\"ours\" is commit {commit()}")
    limits = []
    for name in parts:
        limits += importlib.import_module(f"{__name__}.{name}").run(measured)
    say("")
    for limit in limits:
        say(str(limit))
    failed = sum(not limit.holds for limit in limits)
    say(f"{len(limits) - failed} passed, {failed} failed")
    return bool(failed)
