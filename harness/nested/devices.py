# SPDX-License-Identifier: GPL-2.0-only
"""PCI addresses of the devices that the guest passes through."""
EDU, SECOND_EDU, NVME, NIC = ALL = [f"0000:00:{slot}.0" for slot in ("03", "04", "06", "07")]
