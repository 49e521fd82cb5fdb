# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the scripts of test guests: run_test NAME DIRECTORY PROGRAM
# prints the program's TAP between a begin line and an end line, which holds the exit status and the number of
# pages pinned for DMA before and after. The program has TEST_SECONDS, or 300 without.

# A task that is blocked is reported, after one to two times as many seconds, before the harness stops the guest.
[ ! -e /proc/sys/kernel/hung_task_timeout_secs ] || echo 50 >/proc/sys/kernel/hung_task_timeout_secs

pins() {
	cat /proc/sys/vm/stat_refresh >/dev/null
	awk '$1 == "nr_foll_pin_acquired" { pinned += $2; found++ }
	     $1 == "nr_foll_pin_released" { pinned -= $2; found++ }
	     END { print found == 2 ? pinned : "unknown" }' /proc/vmstat
}

run_test() {
	before=$(pins)
	echo "# harness: begin $1"
	( cd "$2" && exec timeout "${TEST_SECONDS:-300}" "./$3" )
	status=$?
	# What a process held is dropped as it exits; a device's last reference may take a moment more.
	for try in 1 2 3 4 5 6 7 8 9 10; do
		after=$(pins)
		[ "$after" = "$before" ] && break
		sleep 0.3
	done
	echo
	echo "# harness: end $1 $status $before $after"
}

# run_for SECONDS NAME DIRECTORY PROGRAM: run_test until so many seconds have passed or it fails.
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
