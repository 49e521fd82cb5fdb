# SPDX-License-Identifier: GPL-2.0-only
"""Host tooling that unpacks the base kernel, applies the series, builds kernels, boots them in QEMU and tests them."""
