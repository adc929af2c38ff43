#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The ways to a backend, with real servers: GUE, L2, another interface, and the balancer itself.
# b1 and b2 are behind the router; b3 and b4 on a network of their own, where the balancer has a
# second interface; b60 is the balancer.
set -u
. "$(dirname "$0")/lib.sh"
LAN_MTU=$((LAB_MTU + 100))

setup() {
	LAB_BACKENDS=2 lab_up && lan_up && LAB_BACKENDS=4 && start_nginx && start_servers || return
	head -c 20000000 /dev/urandom >"$LAB_DIR/large"
	SUM=$(sha256 "$LAB_DIR/large")
	own_service || return
	for backend in $(lab_backend_names) b60; do
		ln "$LAB_DIR/large" "$LAB_DIR/$backend/files/large"
	done
	larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
}

# A link of a node to the switch of the second network: $2 its name there.
lan_link() {
	ip link add "$1" mtu $LAN_MTU numrxqueues 2 numtxqueues 2 netns "$LAB_ID-switch" type veth \
		peer name "$2" mtu $LAN_MTU numrxqueues 2 numtxqueues 2 netns "$LAB_ID-$1" || return
	lab_in switch ip link set "$1" master br0 up
	# What is redirected to a veth device arrives only where GRO or an XDP program awaits it.
	lab_in switch ethtool -K "$1" gro on >/dev/null
	lab_in "$1" sh -c "ip addr add 10.50.3.$3/24 dev $2
		ip -6 addr add fd00:50:4::$4/64 dev $2 nodad
		ip link set $2 up"
}

lan_up() {
	local backend
	lab_node switch && lab_node b3 && lab_node b4 &&
		lab_in switch ip link add br0 mtu $LAN_MTU type bridge mcast_snooping 0 &&
		lab_in switch ip link set br0 up || return
	lan_link router lan 254 fe && lan_link balancer eth1 1 1 && lan_link b3 eth0 2 3 &&
		lan_link b4 eth0 4 2 || return
	for backend in b3 b4; do
		lab_in $backend sh -c "ip route add default via 10.50.3.254
			ip -6 route add default via fd00:50:4::fe
			ip addr add $LAB_VIP4/32 dev lo
			ip -6 addr add $LAB_VIP6/128 dev lo nodad"
		lab_in $backend ip link set dev eth0 xdpdrv obj "$BUILD/agent$LAB_FRAGS.bpf.o" sec "xdp$LAB_FRAGS" || return
	done
}

# The balancer is b60: the service's addresses and a server.
own_service() {
	lab_in balancer sh -c "ip addr add $LAB_VIP4/32 dev lo
		ip -6 addr add $LAB_VIP6/128 dev lo nodad
		ip addr add 10.50.60.2/32 dev lo"
	mkdir -p "$LAB_DIR/b60/files"
	nginx_config b60 >"$LAB_DIR/b60/nginx.conf"
	lab_start balancer b60/log nginx -p "$LAB_DIR/b60" -e stderr -c "$LAB_DIR/b60/nginx.conf"
	lab_wait 20 lab_in balancer curl -sS -m 2 "http://$LAB_VIP4:8080/name"
}

# Down and up through one backend, of 20 MB, both compared. transfer MODE BACKEND SOURCE HOST
transfer() {
	backends=$2 forward=$1 larch_config | larchd_reload || return
	get "$3" "http://$4:8080/large" -o "$LAB_DIR/down" -D "$LAB_DIR/head" || fail "GET" || return
	grep -q "X-Backend: $2" "$LAB_DIR/head" || fail "not answered by $2" || return
	same "downloaded" "$(sha256 "$LAB_DIR/down")" "$SUM" || return
	get "$3" "http://$4:8080/up" -T "$LAB_DIR/large" -f -o /dev/null || fail "PUT" || return
	same "uploaded" "$(sha256 "$LAB_DIR/$2/files/up")" "$SUM" || return
	rm "$LAB_DIR/$2/files/up"
}

# Packets that the agents of all backends took out of tunnels.
decapsulated() {
	local backend program map
	for backend in $(lab_backend_names); do
		program=$(lab_in "$backend" ip -d link show dev eth0 |
			sed -n 's/.*prog\/xdp id \([0-9]*\) .*/\1/p')
		for map in $(bpftool prog show id "$program" | sed -n 's/.*map_ids \([0-9,]*\).*/\1/p' | tr ',' ' '); do
			bpftool map show id "$map" | grep -q 'name larch_agent ' &&
				bpftool map lookup id "$map" key 0 0 0 0
		done
	done | awk '$1 == "\"packets\":" { sum += $2 } END { print sum + 0 }'
}

test_gue_20_mb_down_and_up_ipv4_in_ipv4() {
	transfer gue b1 10.1.0.9 $LAB_VIP4
}

test_gue_20_mb_down_and_up_ipv6_in_ipv4() {
	transfer gue b2 fd00:2::9 "[$LAB_VIP6]"
}

test_gue_20_mb_down_and_up_ipv4_in_ipv6() {
	transfer gue b4 10.3.0.9 $LAB_VIP4
}

test_gue_20_mb_down_and_up_ipv6_in_ipv6() {
	transfer gue b4 fd00:1::9 "[$LAB_VIP6]"
}

# snmp COUNTER: of UDP over IPv6 at b4.
udp6() {
	lab_in b4 sed -n "s/^$1 *\t*\([0-9]*\)$/\1/p" /proc/self/net/snmp6
}

# Without an agent the datagrams go to b4's own UDP, which looks at the checksum before it finds
# that there is nobody.
test_gue_checksum_over_ipv6_is_right_for_the_kernel() {
	local closed wrong source
	backends=b4 forward=gue larch_config | larchd_reload || return
	closed=$(udp6 Udp6NoPorts) wrong=$(udp6 Udp6InCsumErrors)
	lab_in b4 ip link set dev eth0 xdp off
	for source in 10.1.0.8 fd00:1::8; do
		lab_in client curl -s -m 2 --interface $source -o /dev/null \
			"http://$([[ $source = *:* ]] && echo "[$LAB_VIP6]" || echo $LAB_VIP4):8080/name"
	done
	lab_in b4 ip link set dev eth0 xdpdrv obj "$BUILD/agent$LAB_FRAGS.bpf.o" sec "xdp$LAB_FRAGS"
	check "datagrams with a right checksum" "$(udp6 Udp6NoPorts) - $closed >= 4" &&
		same "wrong checksums" "$(udp6 Udp6InCsumErrors)" "$wrong"
}

test_l2_20_mb_down_and_up_ipv4() {
	transfer l2 b3 10.1.0.9 $LAB_VIP4
}

test_l2_20_mb_down_and_up_ipv6() {
	transfer l2 b3 fd00:1::9 "[$LAB_VIP6]"
}

test_l2_20_mb_down_and_up_to_a_backend_with_an_ipv6_address() {
	transfer l2 b4 10.2.0.9 $LAB_VIP4
}

test_l2_packets_reach_the_backend_without_a_tunnel() {
	local before
	backends="b3 b4" forward=l2 larch_config | larchd_reload || return
	before=$(decapsulated)
	same "backends" "$(backends_met)" "b3 b4 " &&
		same "packets in tunnels" "$(decapsulated)" "$before" || return
	backends="b3 b4" larch_config | larchd_reload || return
	same "backends" "$(backends_met)" "b3 b4 " &&
		check "packets in tunnels" "$(decapsulated) > $before"
}

test_l2_gives_nothing_to_backends_behind_a_router() {
	backends="b1 b3" forward=l2 larch_config | larchd_reload || return
	same "backends" "$(backends_met)" "b3 " || return
	lab_ctl list | grep -q "b1.*behind a router" || fail "list: $(lab_ctl list)" || return
	backends="b1" forward=l2 larch_config | larchd_reload || return
	log_has "web: no backend can be reached" || fail "log" || return
	backends="b1 b3" forward=gue larch_config | larchd_reload || return
	same "backends in tunnels" "$(backends_met)" "b1 b3 "
}

test_l2_backend_that_moves_behind_a_router_loses_its_flows_and_gets_them_back() {
	backends="b3 b4" forward=l2 larch_config | larchd_reload || return
	lab_in balancer ip route add 10.50.3.2/32 via 10.50.3.254
	eventually 10 "b3 out of reach" eval '[ "$(backends_met)" = "b4 " ]'
	lab_in balancer ip route del 10.50.3.2/32
	eventually 10 "b3 in reach" eval '[ "$(backends_met)" = "b3 b4 " ]'
}

test_a_tunnel_to_another_interface_20_mb_ipv4_in_ipv4() {
	transfer ipip b3 10.1.0.9 $LAB_VIP4
}

test_a_tunnel_to_another_interface_20_mb_ipv6_in_ipv6() {
	transfer ipip b4 fd00:1::9 "[$LAB_VIP6]"
}

# Backends that answer 80 connections.
backends_met() {
	get 10.1.0.9 "http://$LAB_VIP4:8080/name?[1-80]" -H 'Connection: close' | sort -u | tr '\n' ' '
}

test_both_interfaces_and_the_balancer_itself_serve_together() {
	backends="b1 b2 b3 b4 b60" larch_config | larchd_reload || return
	log_has "backend b60: reachable: it is this host" || fail "log" || return
	same "backends" "$(backends_met)" "b1 b2 b3 b4 b60 "
}

test_the_balancer_itself_20_mb_down_and_up_ipv4() {
	transfer ipip b60 10.1.0.9 $LAB_VIP4
}

test_the_balancer_itself_20_mb_down_and_up_ipv6() {
	transfer gue b60 fd00:1::9 "[$LAB_VIP6]"
}

test_flows_of_the_balancer_itself_are_counted_and_survive_a_restart() {
	local flows download
	backends=b60 larch_config | larchd_reload || return
	flows=$(flows_of b60)
	get 10.1.0.9 "http://$LAB_VIP4:8080/large" --limit-rate 8M -o "$LAB_DIR/down" &
	download=$!
	lab_wait 5 test -s "$LAB_DIR/down"
	larchd_stop KILL
	larchd_start || return
	log_has "damaged" && fail "log" && return 1
	wait $download || fail "GET" || return
	same "downloaded" "$(sha256 "$LAB_DIR/down")" "$SUM" || return
	check "flows" "$(flows_of b60) == $flows + 1"
}

test_an_address_that_leaves_the_balancer_is_a_backend_elsewhere_no_more() {
	backends="b1 b60" larch_config | larchd_reload || return
	lab_in balancer ip addr del 10.50.60.2/32 dev lo
	lab_in balancer ip route add unreachable 10.50.60.2
	eventually 10 "b60 not ready" backend_not_ready b60 || return
	same "backends" "$(backends_met)" "b1 " || return
	# In this order: without both, it is a backend behind a router for a moment.
	lab_in balancer ip addr add 10.50.60.2/32 dev lo
	lab_in balancer ip route del unreachable 10.50.60.2
	eventually 10 "b60 ready" backend_ready b60 && same "backends" "$(backends_met)" "b1 b60 "
}

test_flows_survive_a_change_of_mode() {
	local word
	backends="b3 b4" larch_config | larchd_reload || return
	load_start modes --rate 100 --duration 5 --long 20 --long-interval-ms 50
	for word in gue l2 ipip gue; do
		sleep 0.8
		backends="b3 b4" forward=$word larch_config | larchd_reload || return
	done
	load_wait && load_unbroken && check "long requests" "$(load_get long requests) > 20 * 50"
}

run_tests "$@"
