#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Floods of SYNs that nobody will complete, over clients who are 100 ms away: so their SYNs, too, wait
# in the flow table for what follows.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	# Where the flood claims to come from: nobody there answers the servers.
	lab_in router sh -c 'ip route add blackhole 10.9.0.0/16
		ip -6 route add blackhole fd00:9::/48'
	lab_delay 100
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
}

# What the clients' TCP has sent so far, without the flood.
client_segments() {
	lab_in client cat /proc/net/snmp | awk '
		$1 == "Tcp:" && !named { for (i = 2; i <= NF; i++) at[$i] = i; named = 1; next }
		$1 == "Tcp:" { print $at["OutSegs"] + $at["RetransSegs"] }'
}

test_clients_are_100_ms_away() {
	learning=on larch_config | larchd_fresh || return
	check "seconds to connect" \
		"$(get 10.1.0.9 http://$LAB_VIP4/ -o /dev/null -w '%{time_connect}') >= 0.1" &&
		check "seconds to connect" \
			"$(get fd00:1::9 "http://[$LAB_VIP6]/" -o /dev/null -w '%{time_connect}') >= 0.1"
}

# Clients at a steady rate, and over their packets, for 4 s, 16 times as many SYNs: 99 % of the
# requests must be answered within 3 s, TCP's own retries included, and no connection that lasts
# may break. flooded NAME
flooded() {
	local before forwarded legitimate four six sent
	load_start "$1" --rate 50 --duration 6 --requests 1 --long 30 --long-interval-ms 500 \
		--timeout-ms 3000
	sleep 1
	before=$(client_segments)
	forwarded=$(counter larch_svc_count 0 packets)
	lab_start client flood4 "$BUILD/synflood" --target $LAB_VIP4:80 --source 10.9.0.0/16 \
		--rate 11000 --duration 4
	four=$LAB_PID
	lab_start client flood6 "$BUILD/synflood" --target "[$LAB_VIP6]:80" --source fd00:9::/48 \
		--rate 11000 --duration 4
	six=$LAB_PID
	wait $four $six || fail "$(cat "$LAB_DIR/flood4" "$LAB_DIR/flood6")" || return
	legitimate=$(($(client_segments) - before))
	sent=$(($("$BUILD/jsonget" sent <"$LAB_DIR/flood4") + $("$BUILD/jsonget" sent <"$LAB_DIR/flood6")))
	load_wait || return
	lab_ctl status
	echo "$sent SYNs over $legitimate packets of clients; requests: $(load_get requests)," \
		"broken: $(load_get broken), of lasting connections: $(load_get long broken)"
	[ "$sent" -ge $((16 * legitimate)) ] ||
		{
			skip "this machine is too busy: only $sent SYNs over $legitimate packets of clients"
			return 0
		}
	check "forwarded" "$(counter larch_svc_count 0 packets) - $forwarded > $sent" &&
		same "broken lasting connections" "$(load_get long broken total)" 0 &&
		check "answered" "$(load_get requests) >= 0.99 * ($(load_get flows) + $(load_get not_started))"
}

# Further keys of the service, each an argument.
flood_config() {
	learning=on larch_config | sed "s/^    protocol: tcp$/&$(printf '\\n    %s' "$@")/"
}

test_flood_16_times_the_clients_packets_keeps_no_client_away() {
	flood_config "signal: auto" | larchd_fresh || return
	flooded large
}

# A client's SYN loses its place long before the client has answered. Where the backends run the
# agent, what comes next finds its backend all the same.
test_flood_over_a_tiny_flow_table_keeps_no_client_away() {
	entries=1024 flood_config "agent: true" | larchd_fresh || return
	flooded tiny
}

# So many new flows are not all remembered, and are sent where all of their packets will go.
test_flood_above_the_bound_of_new_flows_keeps_no_client_away() {
	entries=1024 flood_config "agent: true" "new_flows: 2000" | larchd_fresh || return
	flooded bound
}

run_tests "$@"
