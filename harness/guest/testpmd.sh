# SPDX-License-Identifier: GPL-2.0-only
# Sourced in a guest after tests.sh. Forward $FRAMES frames in each direction with testpmd, and print the results as
# lines `# clients: NAME VALUE` for harness/clients.py.
huge_pages 256
bind_vfio 0000:00:06.0 0000:00:07.0

# count PORT RX|TX: print how many packets a port received or sent and how many it dropped, according to the last
# statistics that testpmd printed.
count() {
	tr -d '\r' <out | awk -v port="$1" -v what="$2-packets:" '
		/statistics for/ { here = $0 ~ ("for port " port " ") }
		here && $1 == what { n = $2; dropped = $3 ~ /dropped/ ? $4 : 0 }
		here && $0 ~ what { for (i = 1; i < NF; i++) if ($i == what) n = $(i + 1) }
		END { print n + 0, dropped + 0 }'
}

before=$(pins)
mkfifo in
dpdk-testpmd -l 0,1 -n 1 -a 0000:00:06.0 -a 0000:00:07.0 --iova-mode=va -- --no-mlockall --forward-mode=io --port-topology=paired \
	--stats-period 1 --nb-cores=1 --total-num-mbufs=4096 <in >out 2>&1 &
client=$!
exec 3>in
tries=0
until grep -aq 'NIC statistics' out || [ $tries -gt 300 ]; do
	sleep 0.3
	tries=$((tries + 1))
done
echo "# clients: forwarding yes"
tries=0
while [ $tries -lt 600 ]; do
	set -- $(count 0 TX) $(count 1 TX)
	[ "$1" -ge "$FRAMES" ] && [ "$3" -ge "$FRAMES" ] && break
	[ -d /proc/$client ] || break
	[ $((tries % 20)) = 0 ] && echo "# sent on port 0: $1, on port 1: $3"
	sleep 0.5
	tries=$((tries + 1))
done
echo "# clients: vmlck $(awk '/^VmLck/ { print $2 }' /proc/$client/status)"
kill -TERM $client
echo >&3
wait $client
echo "# clients: status $?"
for port in 0 1; do
	echo "# clients: rx$port $(count $port RX)"
	echo "# clients: tx$port $(count $port TX)"
done
sleep 1
echo "# clients: pins $before $(pins)"
tail -n 40 out
