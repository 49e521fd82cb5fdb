# SPDX-License-Identifier: GPL-2.0-only
# Sourced in a guest after tests.sh, for harness/switch.py.

# fact NAME COMMAND...: print the first 20 lines of what a command prints.
fact() {
	name=$1
	shift
	"$@" 2>&1 | head -n 20 | sed "s/^/# switch: $name /"
}

# require COMMAND...: report a command that fails.
require() {
	"$@" || echo "# switch: failed $*"
}

loaded() {
	[ -d /sys/module/$1 ]
}

unloaded() {
	! loaded "$1"
}

# Unload vfio, the modules that depend on it and, if it is loaded, the engine (iopt).
unload() {
	require modprobe -r vfio_pci
	require modprobe -r vfio_iommu_type1
	for module in iopt vfio; do
		! loaded $module || require rmmod $module
		require unloaded $module
	done
	require unloaded vfio_iommu_type1
}

# switch MODULES PROGRAMS NAME...: install the modules of a folder, load and observe them, run the named programs of the
# folder PROGRAMS, and unload the modules. Then load them with parameters, print these, and unload the modules again.
switch() {
	echo "# switch: install $1"
	rm -rf /lib/modules/$(uname -r)
	mkdir -p /lib/modules
	cp -r $1/lib/modules/. /lib/modules/
	require depmod
	folder=$2
	shift 2

	require modprobe vfio-pci
	require loaded vfio_iommu_type1		# by the soft dependency of vfio
	for field in license description author parm alias softdep; do
		fact "modinfo $field" modinfo -F $field vfio_iommu_type1
	done
	fact softdep modinfo -F softdep vfio
	fact mode stat -c '%n %a' /sys/module/vfio_iommu_type1/parameters/*
	fact value grep . /sys/module/vfio_iommu_type1/parameters/*
	for program; do
		run_test $program $folder $program
	done
	unload

	require modprobe vfio_iommu_type1 allow_unsafe_interrupts=1 disable_hugepages=1 dma_entry_limit=7
	fact given grep . /sys/module/vfio_iommu_type1/parameters/*
	require modprobe vfio-pci
	unload
}
