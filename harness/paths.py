# SPDX-License-Identifier: GPL-2.0-only
"""Where things are. All that the harness makes is under build/."""
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"
SERIES = ROOT / "series"
BUILD = ROOT / "build"
LINUX = BUILD / "linux"     # git tree: the base and one commit a patch
LOG = BUILD / "log"
