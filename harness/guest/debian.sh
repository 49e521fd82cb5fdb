# SPDX-License-Identifier: GPL-2.0-only
# Checks of an installed kernel in a booted Debian: names and permissions of the device files, modules, and access of an
# ordinary user. Prints a line of TAP for each check. Run by harness/deb_test.py with
#   RELEASE    the kernel's release
#   DEPENDS    a module that vfio_iommu_type1 depends on
#   USER       an ordinary user

group=dma

# check NAME COMMAND [ARGUMENT ...]: the check passes if the command succeeds
check() {
	name=$1
	shift
	if output=$("$@" 2>&1); then
		echo "ok 1 - $name"
	else
		echo "not ok 1 - $name"
		echo "# $*: $output"
	fi
}

# is NAME EXPECTED ACTUAL
is() {
	check "$1" test "$3" = "$2"
}

# fails COMMAND [ARGUMENT ...]
fails() {
	! "$@"
}

mode() {
	stat -c '%A %U:%G' "$1" 2>&1
}

loaded() {
	lsmod | awk '{ print $1 }' | grep -qx "$1"
}

# parameters MODULE, aliases MODULE: names of the parameters and the aliases, in one line
parameters() {
	modinfo -F parm "$1" | cut -d: -f1 | sort | xargs
}

aliases() {
	modinfo -F alias "$1" | sort | xargs
}

as_user() {
	runuser -u "$USER" -- "$@"
}

opens() {
	as_user sh -c ': <>"$1"' sh "$1"
}

is "the installed kernel runs" "$RELEASE" "$(uname -r)"
is "no unit of systemd failed" "" "$(systemctl list-units --failed --plain --no-legend)"
is "the root disk is mounted by modules of the initramfs" ext4 "$(findmnt -n -o FSTYPE /)"

is "no module of vfio is loaded at boot" "" "$(lsmod | grep -E '^(vfio|iommufd|iopt)')"
is "/dev/vfio/vfio exists before the module is loaded" "crw-rw-rw- root:root" "$(mode /dev/vfio/vfio)"
check "/dev/vfio/vfio can be opened" opens /dev/vfio/vfio
for module in vfio iommufd iopt vfio_iommu_type1; do
	check "opening /dev/vfio/vfio loads $module" loaded $module
done
udevadm settle
is "/dev/iommu is for root" "crw-rw---- root:root" "$(mode /dev/iommu)"
is "/dev/vfio/vfio is for everyone" "crw-rw-rw- root:root" "$(mode /dev/vfio/vfio)"
is "/dev/iommu is the misc device iommu" /sys/devices/virtual/misc/iommu \
	"/sys$(udevadm info -q path -n /dev/iommu)"

is "parameters of vfio_iommu_type1" "allow_unsafe_interrupts disable_hugepages dma_entry_limit" \
	"$(parameters vfio_iommu_type1)"
is "version of vfio_iommu_type1" 0.2 "$(modinfo -F version vfio_iommu_type1)"
check "vfio_iommu_type1 depends on $DEPENDS" sh -c "modinfo -F depends vfio_iommu_type1 | tr , '\n' | grep -qx $DEPENDS"
is "parameters of iommufd" allow_unsafe_interrupts "$(parameters iommufd)"
is "parameters of vfio" "" "$(parameters vfio)"
is "aliases of vfio" "char-major-10-196 devname:vfio/vfio" "$(aliases vfio)"
is "softdep of vfio" "post: vfio_iommu_type1 vfio_iommu_spapr_tce" "$(modinfo -F softdep vfio)"
for module in vfio iommufd iopt vfio_iommu_type1 vfio_type1_ioctl vfio_pci; do
	check "$module has a description, a license and the release" sh -c "modinfo -F description $module | grep -q . &&
		modinfo -F license $module | grep -q '^GPL' && modinfo -F vermagic $module | grep -q '^$RELEASE '"
done
for parameter in allow_unsafe_interrupts disable_hugepages dma_entry_limit; do
	check "/sys has the parameter $parameter" test -w /sys/module/vfio_iommu_type1/parameters/$parameter
done

# The administrator binds the devices to vfio-pci.
check "vfio-pci loads" modprobe vfio-pci
bind() {
	echo vfio-pci >"$1/driver_override"
	echo "${1##*/}" >/sys/bus/pci/drivers_probe
}
first=
for function in /sys/bus/pci/devices/*; do
	[ "$(cat "$function/vendor"):$(cat "$function/device")" = 0x1234:0x11e8 ] || continue
	bind "$function"
	first=${first:-$function}
	functions="$functions ${function##*/}"
done
udevadm settle
node=/dev/vfio/devices/$(ls "$first/vfio-dev")
legacy=/dev/vfio/$(basename "$(readlink -f "$first/iommu_group")")
is "the device file is for root" "crw------- root:root" "$(mode "$node")"
is "the group file is for root" "crw------- root:root" "$(mode "$legacy")"
is "the device file has the number in sysfs" "$(cat "$first"/vfio-dev/*/dev)" \
	"$(printf %d:%d "0x$(stat -c %t "$node")" "0x$(stat -c %T "$node")")"
for file in /dev/iommu "$node" "$legacy"; do
	check "a user cannot open ${file%[0-9]}" fails opens "$file"
done
# The administrator gives a group of users access to /dev/iommu and the devices, with rules of udev.
groupadd --system $group
usermod --append --groups $group "$USER"
cat >/etc/udev/rules.d/70-$group.rules <<RULES
SUBSYSTEM=="misc", KERNEL=="iommu", GROUP="$group", MODE="0660"
SUBSYSTEM=="vfio-dev", GROUP="$group", MODE="0660"
RULES
udevadm control --reload
udevadm trigger --subsystem-match=vfio-dev
udevadm trigger --subsystem-match=misc
udevadm settle
is "a rule of udev applies to /dev/iommu" "crw-rw---- root:$group" "$(mode /dev/iommu)"
is "a rule of udev applies to the device file" "crw-rw---- root:$group" "$(mode "$node")"
for file in /dev/vfio/[0-9]*; do
	setfacl -m "u:$USER:rw" "$file"
done
for file in /dev/iommu "$node" "$legacy"; do
	check "a user who has access opens ${file%[0-9]}" opens "$file"
done

# run_sample RUN DIRECTORY: run the sample as the user
run_sample() {
	# shellcheck disable=SC2086 # several words
	if $RUN_AS sh "$1" "$2"; then
		echo "ok 1 - the sample moves data by DMA for an ordinary user"
	else
		echo "not ok 1 - the sample moves data by DMA for an ordinary user"
	fi
}

# Check that all modules can be unloaded after the tests.
unload() {
	for address in $functions; do
		echo "$address" >/sys/bus/pci/drivers/vfio-pci/unbind
	done
	check "the modules of vfio and iommufd unload" modprobe -r vfio_pci vfio_iommu_type1 vfio vfio_virqfd \
		iommufd vfio_type1_ioctl iopt
	is "no module of vfio is left" "" "$(lsmod | grep -E '^(vfio|iommufd|iopt)')"
	check "/dev/iommu is gone" fails test -e /dev/iommu
}
