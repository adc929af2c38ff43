#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Real clients, real servers: HTTP over all four kinds of tunnel, large transfers, many clients,
# UDP, and whether every packet is counted.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers && start_nginx && start_udpecho || return
	head -c 20000000 /dev/urandom >"$LAB_DIR/large"
	SUM=$(sha256 "$LAB_DIR/large")
	for backend in $(lab_backend_names); do
		ln "$LAB_DIR/large" "$LAB_DIR/$backend/files/large"
	done
	larch_config | larchd_fresh
}

start_udpecho() {
	local backend
	for backend in $(lab_backend_names); do
		lab_start "$backend" "$backend.udp" "$BUILD/udpecho" --name "$backend" \
			--listen "$LAB_VIP4:5300" --listen "[$LAB_VIP6]:5300"
	done
}

# Backends that answer 60 connections from an address.
backends_met() {
	get "$1" "http://$2:8080/name?[1-60]" -H 'Connection: close' | sort -u | tr '\n' ' '
}

test_get_reaches_every_backend_from_every_ipv4_prefix() {
	local n
	for n in 1 2 3; do
		same "from 10.$n.0.9" "$(backends_met "10.$n.0.9" $LAB_VIP4)" "b1 b2 b3 b4 " || return
	done
}

test_get_reaches_every_backend_from_every_ipv6_prefix() {
	local n
	for n in 1 2 3; do
		same "from fd00:$n::9" "$(backends_met "fd00:$n::9" "[$LAB_VIP6]")" "b1 b2 b3 b4 " ||
			return
	done
}

# Down and up through one backend, of 20 MB, both compared. transfer BACKEND SOURCE HOST
transfer() {
	backends=$1 larch_config | larchd_reload || return
	get "$2" "http://$3:8080/large" -o "$LAB_DIR/down" -D "$LAB_DIR/head" || fail "GET" || return
	grep -q "X-Backend: $1" "$LAB_DIR/head" || fail "not answered by $1" || return
	same "downloaded" "$(sha256 "$LAB_DIR/down")" "$SUM" || return
	get "$2" "http://$3:8080/up" -T "$LAB_DIR/large" -f -o /dev/null || fail "PUT" || return
	same "uploaded" "$(sha256 "$LAB_DIR/$1/files/up")" "$SUM" || return
	rm "$LAB_DIR/$1/files/up"
}

test_20_mb_down_and_up_ipv4_in_ipv4() {
	transfer b1 10.1.0.9 $LAB_VIP4
}

test_20_mb_down_and_up_ipv6_in_ipv4() {
	transfer b2 fd00:2::9 "[$LAB_VIP6]"
}

test_20_mb_down_and_up_ipv4_in_ipv6() {
	transfer b4 10.3.0.9 $LAB_VIP4
}

test_20_mb_down_and_up_ipv6_in_ipv6() {
	transfer b4 fd00:1::9 "[$LAB_VIP6]"
}

test_many_clients_and_long_connections_are_served_without_a_break() {
	learning=on larch_config | larchd_reload || return
	load_start many --rate 500 --duration 5 --long 30 --long-interval-ms 100 --requests 3
	load_wait && load_unbroken || return
	check "requests" "$(load_get requests) > 3 * 500 * 5 * 0.8" &&
		check "long requests" "$(load_get long requests) > 30 * 25" &&
		same "backends" "$(load_get backends '#')" 4
}

test_udp_flows_keep_their_backend_while_the_ring_changes() {
	larch_config | larchd_reload || return
	local family
	lab_start client udp4 "$BUILD/udpecho" --ask "$LAB_VIP4:5300" --source 10.1.0.0/24 \
		--flows 40 --rounds 40
	local four=$LAB_PID
	lab_start client udp6 "$BUILD/udpecho" --ask "[$LAB_VIP6]:5300" --source fd00:1::/64 \
		--flows 40 --rounds 40
	local six=$LAB_PID
	sleep 1
	backends="b1=1 b2=100 b3=1 b4=100" larch_config | larchd_reload || return
	sleep 1
	backends="b1=100 b2=0 b3=0 b4=0" larch_config | larchd_reload || return
	wait $four $six
	for family in udp4 udp6; do
		same "$family: answered" "$("$BUILD/jsonget" answered <"$LAB_DIR/$family")" 1600 &&
			same "$family: changed" "$("$BUILD/jsonget" changed <"$LAB_DIR/$family")" 0 &&
			same "$family: backends" "$("$BUILD/jsonget" backends '#' <"$LAB_DIR/$family")" 4 ||
			return
	done
	lab_in client "$BUILD/udpecho" --ask "$LAB_VIP4:5300" --source 10.2.0.0/24 --flows 20 \
		>"$LAB_DIR/udp"
	same "new flows' backends" "$("$BUILD/jsonget" backends b1 <"$LAB_DIR/udp")" 20
}

# Of a datagram's fragments only the first one names its port.
fragmented() {
	lab_in client "$BUILD/udpecho" --ask "$1" --source "$2" --bytes 4000 --flows 30 --rounds 10 \
		--gap-ms 50 >"$LAB_DIR/fragmented"
	same "$1: answered" "$("$BUILD/jsonget" answered <"$LAB_DIR/fragmented")" 300 &&
		same "$1: changed" "$("$BUILD/jsonget" changed <"$LAB_DIR/fragmented")" 0 &&
		same "$1: backends" "$("$BUILD/jsonget" backends '#' <"$LAB_DIR/fragmented")" 4
}

test_udp_datagrams_in_fragments_keep_their_backend() {
	larch_config | larchd_reload || return
	fragmented $LAB_VIP4:5300 10.1.0.0/24 && fragmented "[$LAB_VIP6]:5300" fd00:1::/64
}

# Packets that the driver gave to the program, by the driver's own counters.
received() {
	lab_in balancer ethtool -S eth0 |
		awk '$1 ~ /^rx_queue_[0-9]+_xdp_packets:$/ { sum += $2 } END { print sum + 0 }'
}

# Both counters at one quiet moment: received, counted.
quiet_counters() {
	local got counted try
	for try in $(seq 20); do
		counted=$(outcome_sum)
		got=$(received)
		[ "$counted" = "$(outcome_sum)" ] && break
		sleep 0.2
	done
	echo "$got $counted"
}

test_outcomes_add_up_to_the_packets_received() {
	larch_config | larchd_reload || return
	local before after
	before=$(quiet_counters)
	load_start count --rate 300 --duration 3
	get 10.1.0.9 "http://$LAB_VIP4:9/" -o /dev/null -m 1 # no service there
	get 10.1.0.9 "http://10.60.0.2/" -o /dev/null # a host that is no service
	load_wait && load_unbroken || return
	sleep 0.3
	after=$(quiet_counters)
	# shellcheck disable=SC2086 # four numbers
	set -- $before $after
	check "received" "$3 - $1 > 5000" && same "counted" $(($4 - $2)) $(($3 - $1))
}

test_each_kind_of_packet_has_its_outcome() {
	local new ours
	new=$(counter larch_outcomes 1 packets)
	ours=$(counter larch_outcomes 9 packets)
	get 10.1.0.9 "http://$LAB_VIP4:8080/name?[1-10]" -H 'Connection: close' >/dev/null
	same "forward_new" $(($(counter larch_outcomes 1 packets) - new)) 10 || return
	get 10.1.0.9 "http://10.60.0.2/" -o /dev/null # a host that is no service
	check "pass_not_ours" "$(counter larch_outcomes 9 packets) > $ours"
}

run_tests "$@"
