#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Run the sample with all edu devices of the machine. Needs root, or devices
# that are bound to vfio-pci and whose files the user may open.
#
#	run.sh [DIR]	DIR is the directory of iommufd-dma, "." by default
#
# The exit status is that of iommufd-dma, or 4 if there is no edu device.

dir=${1:-.}
found=

for function in /sys/bus/pci/devices/*; do
	[ "$(cat "$function/vendor")" = 0x1234 ] || continue
	[ "$(cat "$function/device")" = 0x11e8 ] || continue
	found="$found ${function##*/}"
done

if [ -z "$found" ]; then
	echo "no edu device (PCI 1234:11e8); run QEMU with -device edu" >&2
	exit 4
fi

# shellcheck disable=SC2086 # one argument per address
exec "$dir/iommufd-dma" $found
