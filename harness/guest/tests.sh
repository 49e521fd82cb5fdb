# SPDX-License-Identifier: GPL-2.0-only
# Functions for the scripts that run tests in guests.

# Report blocked tasks after 50 to 100 seconds, before the harness stops the guest for lack of progress.
[ ! -e /proc/sys/kernel/hung_task_timeout_secs ] || echo 50 >/proc/sys/kernel/hung_task_timeout_secs

# Print the number of pins taken with FOLL_PIN and not released, or "unknown" if the kernel does not count them.
pins() {
	cat /proc/sys/vm/stat_refresh >/dev/null
	awk '$1 == "nr_foll_pin_acquired" { pinned += $2; found++ }
	     $1 == "nr_foll_pin_released" { pinned -= $2; found++ }
	     END { print found == 2 ? pinned : "unknown" }' /proc/vmstat
}

# run_test NAME DIRECTORY PROGRAM [ARGUMENT ...]: run a program for at most TEST_SECONDS, 300 by default. The program's
# output is enclosed in a begin line and an end line; the latter has the exit status and the number of pinned pages before
# and after. Callers find these values in $status, $before and $after. If RUN_AS is set, it is the start of the command
# that runs the program, for example as another user.
run_test() {
	before=$(pins)
	name=$1
	directory=$2
	shift 2
	echo "# harness: begin $name"
	( cd "$directory" && exec timeout "${TEST_SECONDS:-300}" $RUN_AS "./$@" )
	status=$?
	# The last reference to a device, and with it its pins, may be released some time after the program exits. Wait for
	# up to three seconds.
	for try in 1 2 3 4 5 6 7 8 9 10; do
		after=$(pins)
		[ "$after" = "$before" ] && break
		sleep 0.3
	done
	echo
	echo "# harness: end $name $status $before $after"
}

# run_for SECONDS NAME DIRECTORY PROGRAM: repeat run_test, with a different STRESS_SEED each time, until SECONDS have
# passed or the program fails.
run_for() {
	seconds=$1
	began=$(date +%s)
	shift
	STRESS_SEED=1
	while :; do
		export STRESS_SEED
		run_test "$@"
		[ $status = 0 ] && [ $(($(date +%s) - began)) -lt "$seconds" ] || break
		STRESS_SEED=$((STRESS_SEED + 1))
	done
}

# huge_pages NUMBER: reserve huge pages, and mount hugetlbfs at /dev/hugepages.
huge_pages() {
	echo "$1" >/proc/sys/vm/nr_hugepages
	mkdir -p /dev/hugepages
	mount -t hugetlbfs hugetlbfs /dev/hugepages
}

# bind_vfio ADDRESS...: bind PCI devices to vfio-pci.
bind_vfio() {
	for address; do
		echo vfio-pci >"/sys/bus/pci/devices/$address/driver_override"
		echo "$address" >/sys/bus/pci/drivers_probe
	done
}
