# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's counters of pinned and charged memory."""
import re
from pathlib import Path


def pinned():
    """Return the number of pages pinned with FOLL_PIN (see pins in guest/tests.sh)."""
    Path("/proc/sys/vm/stat_refresh").read_text()
    counted = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return int(counted["nr_foll_pin_acquired"]) - int(counted["nr_foll_pin_released"])


def kilobytes(pid, name):
    """Return the value of a line of /proc/PID/status."""
    return int(re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))
