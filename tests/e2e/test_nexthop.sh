#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Routes, neighbours and links change while traffic runs.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	# The router announces its address when it changes, as routers do.
	lab_in router sh -c 'echo 1 >/proc/sys/net/ipv4/conf/balancer/arp_notify
		echo 1 >/proc/sys/net/ipv6/conf/balancer/ndisc_notify'
	larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	lab_in balancer ip route del unreachable 10.50.2.2
	lab_in balancer ip route del unreachable 10.50.0.0/16
	lab_in balancer ip -6 route del unreachable fd00:50::/32
}


test_unknown_neighbour_is_resolved_at_the_start() {
	larchd_remove
	lab_in balancer ip neigh flush dev eth0
	lab_in balancer ip -6 neigh flush dev eth0
	larchd_start && eventually 20 "all backends reachable" all_ready &&
		eventually 10 "service" vip_answers
}

# The MAC address that packets to a backend get.
entry_mac() {
	bpftool map dump pinned "$LAB_PINS/larch_backends" | tr -d '\n ' |
		sed 's/{"key":/\n&/g' | sed -n "s/^{\"key\":$(backend_id "$1"),.*\"destination_mac\":\[\([0-9,]*\)\].*/\1/p"
}


test_router_that_changes_its_mac_is_followed_under_load() {
	load_start mac --rate 200 --duration 6 --long 20 --long-interval-ms 100
	sleep 1.5
	same "MAC before" "$(entry_mac b1)" "$(mac_numbers)" || return
	lab_in router ip link set dev balancer address 02:00:00:00:aa:01
	eventually 5 "the new MAC for IPv4" mac_is b1 2,0,0,0,170,1 &&
		eventually 5 "the new MAC for IPv6" mac_is b4 2,0,0,0,170,1 &&
		load_wait && load_unbroken || return
	# Packets that were lost before the change was known cost a retransmission, no more.
	check "latency" "$(load_get all_ms max) < 5000"
}

mac_is() {
	[ "$(entry_mac "$1")" = "$2" ]
}

mac_numbers() {
	local part
	for part in $(lab_in router ip link show dev balancer | awk '$1 == "link/ether" { print $2 }' | tr : ' '); do
		printf '%d,' "0x$part"
	done | sed 's/,$//'
}

digest() {
	generation | cut -d ' ' -f 2
}

test_backend_without_a_route_gets_no_new_flows_until_it_is_back() {
	local before digest
	digest=$(digest)
	load_start route --rate 200 --duration 5
	sleep 1
	lab_in balancer ip route add unreachable 10.50.2.2
	eventually 10 "b2 not ready" log_has 'b2: not reachable: ' || return
	[ "$(digest)" != "$digest" ] || fail "the rings have not changed" || return
	before=$(flows_of b2)
	sleep 1
	check "new flows of b2" "$(flows_of b2) == $before" || return
	lab_in balancer ip route del unreachable 10.50.2.2
	eventually 10 "b2 ready" backend_ready b2 || return
	sleep 1
	check "new flows of b2" "$(flows_of b2) > $before" || return
	load_wait # flows of b2 that were cut off by the route may have suffered
}

# The reload itself hears of the next hop: it asks netlink for the backend that is new.
test_service_may_leave_while_its_backend_comes_back() {
	interval=10s backends="b1 b2" larch_config | larchd_fresh || return
	lab_in balancer ip route add unreachable 10.50.1.2/32
	eventually 25 "b1 not ready" backend_not_ready b1 || return
	kill -STOP "$LAB_LARCHD"
	interval=10s backends="b2 b3" with_udp=0 larch_config |
		sed 's/name: web$/name: other/; s/port: \[80, 8080\]/port: 81/' >"$LAB_DIR/larch.yaml"
	kill -HUP "$LAB_LARCHD"
	lab_in balancer ip route del unreachable 10.50.1.2/32
	lab_kill CONT "$LAB_LARCHD"
	eventually 10 "the reload" log_has 'reloaded ' && kill -0 "$LAB_LARCHD" || fail "larchd died"
	larch_config | larchd_reload
}

test_generation_stays_while_no_backend_can_be_reached() {
	local number
	number=$(generation)
	lab_in balancer ip route replace unreachable 10.50.0.0/16
	lab_in balancer ip -6 route replace unreachable fd00:50::/32
	eventually 10 "nothing reachable" log_has 'no backend can be reached' || return
	lab_in balancer ip route del unreachable 10.50.0.0/16
	lab_in balancer ip -6 route del unreachable fd00:50::/32
	eventually 10 "all backends reachable" all_ready && eventually 10 "service" vip_answers || return
	check "generation" "$(generation_number) >= ${number% *}"
}

test_link_down_and_up_recovers_with_the_program_in_place() {
	local program
	program=$(program_id)
	lab_in balancer sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/keep_addr_on_down
		ip link set eth0 down'
	eventually 10 "b1 not ready" backend_not_ready b1 || return
	vip_answers && fail "answers over a link that is down" && return 1
	lab_in balancer sh -c 'ip link set eth0 up
		ip route add default via 10.60.0.1
		ip -6 route add default via fd00:60::1'
	eventually 30 "all backends reachable" all_ready && eventually 20 "service" vip_answers &&
		same "program" "$(program_id)" "$program" && ! larchd_has_ended
}

test_carrier_lost_at_the_router_recovers() {
	lab_in router sh -c 'echo 1 >/proc/sys/net/ipv6/conf/balancer/keep_addr_on_down
		ip link set balancer down'
	sleep 1.5
	vip_answers && fail "answers over a link that is down" && return 1
	lab_in router sh -c "ip link set balancer up
		ip route add $LAB_VIP4 via 10.60.0.2
		ip -6 route add $LAB_VIP6 via fd00:60::2"
	eventually 30 "all backends reachable" all_ready && eventually 20 "service" vip_answers
}

run_tests "$@"
