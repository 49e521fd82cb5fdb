# SPDX-License-Identifier: GPL-2.0-only
# Goals are commands of the harness (see harness/__main__.py). `make help` lists them.

.DEFAULT_GOAL := help

# Pass variables of the command line to the harness.
export KERNEL TOPIC PLANT ONLY WIDEN
export IOPT_GOALS := $(MAKECMDGOALS)

.PHONY: python
python:
	@command -v python3 >/dev/null || \
		{ test "$$(id -u)" = 0 && echo "python3 is missing: installing it with apt-get" && \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 >/dev/null; } || \
		{ echo "error: python3 is missing. Install it; on Debian, run as root: apt-get install python3" >&2; exit 1; }

# make tries to remake this file too. Without this rule, it would run the harness with the command `Makefile`.
Makefile: ;

# The prerequisite is phony, so that a command also runs if a file or folder of that name exists.
%: python
	@python3 -B -m harness $@
