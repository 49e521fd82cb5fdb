# SPDX-License-Identifier: GPL-2.0-only
"""Paths of the repository, in which the harness creates files only under build/."""
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"
SERIES = ROOT / "series"
BUILD = ROOT / "build"
LINUX = BUILD / "linux"     # git tree: the base and one commit per patch
LOG = BUILD / "log"
LOCK = BUILD / ".lock"       # held by the command that runs in this checkout
