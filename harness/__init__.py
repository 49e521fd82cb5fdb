# SPDX-License-Identifier: GPL-2.0-only
"""Host tooling: fetch, apply, configure, build, boot, check."""
