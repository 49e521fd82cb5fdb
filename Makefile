# SPDX-License-Identifier: GPL-2.0-only
# Goals are commands of the harness (see harness/__main__.py). `make help` lists them.

.DEFAULT_GOAL := help
# Commands run in the given order, also with -j.
.NOTPARALLEL:

# Pass variables of the command line to the harness.
export KERNEL TOPIC PLANT ONLY WIDEN IOMMU CONFIG TYPE1 LSMOD
export IOPT_GOALS := $(MAKECMDGOALS)

.PHONY: python
python:
	@command -v python3 >/dev/null || if test "$$(id -u)" = 0; then \
		command -v apt-get >/dev/null || { echo "error: install python3. Without apt-get, make cannot do it." >&2; exit 1; }; \
		echo "python3 is missing: installing it with apt-get"; export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 >/dev/null; } || \
		{ echo "error: apt-get could not install python3. Check the network and the sources of apt." >&2; exit 1; }; \
	else \
		echo "error: python3 is missing. Run this as root: apt-get update && apt-get install python3" >&2; exit 1; \
	fi

# make tries to remake this file too. Without this rule, it would run the harness with the name of this file as command.
SELF := $(lastword $(MAKEFILE_LIST))
$(SELF): ;

# The prerequisite is phony, so that a command also runs if a file or folder of that name exists.
%: python
	@cd "$(dir $(SELF))" && python3 -B -m harness $@
