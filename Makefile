# SPDX-License-Identifier: GPL-2.0-only
# Commands of the project. Each is implemented by a module of the Python package in harness/.

COMMANDS := run check soak kunit selftest differential mutants bench clients inversion kcsan kernel series lint bisect coverage clean

.PHONY: help $(COMMANDS)

help: python
	@python3 -B -m harness help

$(COMMANDS): python
	@python3 -B -m harness $@

.PHONY: python
python:
	@command -v python3 >/dev/null || \
		{ apt-get update && apt-get install -y --no-install-recommends python3; }

# Pass variables of the command line to the harness.
export KERNEL PLANT ONLY WIDEN
