# SPDX-License-Identifier: GPL-2.0-only
"""Run QEMU 10 as a client of vfio inside of a guest of ours.

harness/qemu_client.py boots the guest. In it, `python3 -m harness.nested SCENARIO DOOR` runs a scenario and prints its
results as TAP. A door is the interface through which QEMU maps the memory of its machine (see doors.py).
"""
