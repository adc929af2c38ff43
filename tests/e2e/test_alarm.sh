#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Mostly waits.
# Servers that are rightly silent, and clients that make them look dead: nobody is ejected or avoided
# for it. One service for each case (see alarm.py), all at the same time; each has backends of its
# own, several to a namespace, since what a backend answers in one service clears it in the others.
set -u
. "$(dirname "$0")/lib.sh"

SERVICES=(poll one keep upload banner push idle vanish sparse night reset nat)
SECONDS_OF_LOAD=42

# address_of SERVICE_NUMBER BACKEND_NUMBER
address_of() {
	echo "10.50.$2.$((10 + $1))"
}

setup() {
	local backend n i
	lab_up || return
	for backend in $(lab_backend_names); do
		n=${backend#b}
		for i in "${!SERVICES[@]}"; do
			lab_in "$backend" ip addr add "$(address_of "$i" "$n")/24" dev eth0
		done
		# 0.0.0.0: at the VIP, and at its own address for NAT.
		lab_start "$backend" "$backend.log" python3 tests/e2e/alarm.py serve "$backend" \
			0.0.0.0 $(seq 9001 9012)
	done
	# What the service with NAT is answered goes by the balancer.
	lab_in router sh -c 'ip route add default via 10.60.0.2 table 300
		ip rule add iif balancer lookup main priority 290
		ip rule add sport 9012 ipproto tcp lookup 300 priority 300'
	lab_in balancer sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
	for backend in $(lab_backend_names); do
		lab_in "$backend" ethtool -K eth0 tx off >/dev/null
		lab_wait 20 grep -q ready "$LAB_DIR/$backend.log" ||
			fail "the server of $backend did not start" || return
	done
	lab_in client ip rule add fwmark 1 blackhole
	config >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 20 "all backends reachable" all_reachable
}

all_reachable() {
	[ "$(backend_entries | awk '$3 > 0' | wc -l)" = $((${#SERVICES[@]} * LAB_BACKENDS)) ]
}

config() {
	local i n
	printf 'interfaces:\n  - name: eth0\nlearning: {min_flows: 10}\nservices:\n'
	for i in "${!SERVICES[@]}"; do
		printf '  - name: %s\n    address: %s\n    port: %d\n    protocol: tcp\n' \
			"${SERVICES[i]}" $LAB_VIP4 $((9001 + i))
		[ "${SERVICES[i]}" != nat ] || printf '    forward: nat\n'
		printf '    slow_start: 0s\n    backends:\n'
		for n in $(seq "$LAB_BACKENDS"); do
			printf '      - {name: %s%d, address: %s, concurrency: 4}\n' \
				"${SERVICES[i]}" "$n" "$(address_of "$i" "$n")"
		done
	done
	printf '...\n'
}

# Requests, or connections, of a service that have come to their end.
done_of() {
	awk -v name="$1" '$1 == name { print $2 }' "$LAB_DIR/clients"
}

test_nobody_is_ejected_whose_silence_is_right() {
	local name
	lab_in client python3 tests/e2e/alarm.py ask $LAB_VIP4 $SECONDS_OF_LOAD >"$LAB_DIR/clients" ||
		fail "the clients failed" || return
	! grep -q failed "$LAB_DIR/clients" || fail "$(grep -m 3 failed "$LAB_DIR/clients")" || return
	for name in "${SERVICES[@]}"; do
		check "clients of $name that were served" "0$(done_of "$name") > 30" || return
	done
	! log_has ' is down' || fail "$(grep -o '[a-z]*: [a-z0-9]* is down.*' "$LARCHD_LOG")" || return
	same "backends that are active" "$(lab_ctl list | grep -c ' active ')" \
		$((${#SERVICES[@]} * LAB_BACKENDS)) || return
	! grep -v ' banner: the server speaks first' "$LARCHD_LOG" | grep -q 'timed by .* from now on' ||
		fail "another signal: $(grep -m 3 'timed by' "$LARCHD_LOG")"
}

run_tests "$@"
