#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Run the sample with every edu device of this machine, as root:
#
#	run.sh DIR	DIR is where iommufd-dma was built, "." if not given
#
# The exit status is the program's; 4 if there is no device.

dir=${1:-.}
found=

for function in /sys/bus/pci/devices/*; do
	[ "$(cat "$function/vendor")" = 0x1234 ] || continue
	[ "$(cat "$function/device")" = 0x11e8 ] || continue
	found="$found ${function##*/}"
done

if [ -z "$found" ]; then
	echo "no edu device (PCI 1234:11e8); give QEMU -device edu" >&2
	exit 4
fi

# shellcheck disable=SC2086 # one argument for each address
exec "$dir/iommufd-dma" $found
