#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the balancer says by itself, to real network stacks: what fits where a route says that less
# does, and answers to pings of the service's address; and fragments of flows without ports.
set -u
. "$(dirname "$0")/lib.sh"

# Outcomes by number.
DROP_TOO_BIG=21 DROP_ECHO_RATE=26 REPLY_ECHO=32 REPLY_TOO_BIG=33

setup() {
	local backend
	lab_up && small_links && start_nginx || return
	head -c 3000000 /dev/urandom >"$LAB_DIR/large"
	for backend in $(lab_backend_names); do
		lab_start "$backend" "$backend.udp" "$BUILD/udpecho" --name "$backend" \
			--listen "$LAB_VIP4:5300" --listen "[$LAB_VIP6]:5300"
	done
	larch_config | larchd_fresh
}

# The links of b1 and b4 are too small for a tunnel around a packet of 1500, and the routes say so.
small_links() {
	local n
	for n in 1 4; do
		lab_in router ip link set "b$n" mtu 1500
		lab_in "b$n" ip link set eth0 mtu 1500
	done
	lab_in balancer ip route add 10.50.1.0/24 via 10.60.0.1 mtu 1500
	lab_in balancer ip -6 route add fd00:50:4::/64 via fd00:60::1 mtu 1500
}

# Nobody remembers what fits.
cleanup() {
	lab_in client ip route flush cache
	lab_in client ip -6 route flush cache
}

# configure BACKENDS [LINE]: these alone serve, and the file has this line of its own.
configure() {
	backends=$1 larch_config | sed "s/^services:/${2:-}\n&/" | larchd_reload &&
		same "refusals" "$(log_count 'reload refused')" 0
}

# Did the outcome come about since its counter was noted in $before?
came_about() {
	local now
	now=$(counter larch_outcomes "$1" packets)
	[ "$now" -gt "$before" ] || fail "outcome $1: $now, as before"
}

note() {
	before=$(counter larch_outcomes "$1" packets)
}

same_file() {
	cmp "$1" "$2" || fail "$1 is not $2"
}

# --- too big on the way to the backend ---

# upload BACKEND SOURCE HOST
upload() {
	configure "$1" && note $REPLY_TOO_BIG || return
	get "$2" "http://$3:8080/up" -T "$LAB_DIR/large" -f -o /dev/null || fail "PUT" || return
	same_file "$LAB_DIR/$1/files/up" "$LAB_DIR/large" && came_about $REPLY_TOO_BIG
}

test_upload_of_ipv4_through_an_ipv4_tunnel_that_is_too_small() {
	upload b1 10.1.0.9 $LAB_VIP4
}

test_upload_of_ipv6_through_an_ipv4_tunnel_that_is_too_small() {
	upload b1 fd00:1::9 "[$LAB_VIP6]"
}

test_upload_of_ipv4_through_an_ipv6_tunnel_that_is_too_small() {
	upload b4 10.1.0.9 $LAB_VIP4
}

test_upload_of_ipv6_through_an_ipv6_tunnel_that_is_too_small() {
	upload b4 fd00:1::9 "[$LAB_VIP6]"
}

test_upload_in_udp_that_does_not_fit() {
	local host
	configure b1 && note $REPLY_TOO_BIG || return
	for host in "$LAB_VIP4:5300 10.1.0.0/24" "[$LAB_VIP6]:5300 fd00:1::/64"; do
		lab_in client "$BUILD/udpecho" --ask "${host% *}" --source "${host#* }" --flows 4 \
			--rounds 4 --bytes 1440 >"$LAB_DIR/udp"
		check "answers of ${host% *}" "$("$BUILD/jsonget" answered <"$LAB_DIR/udp") >= 12" ||
			return
	done
	came_about $REPLY_TOO_BIG
}

# What the messages are good for: without them nothing larger than the link gets through.
test_without_messages_an_upload_hangs() {
	configure b1 "limits: {too_big: 0}" && note $DROP_TOO_BIG || return
	get 10.1.0.9 "http://$LAB_VIP4:8080/up" -T "$LAB_DIR/large" -f -o /dev/null -m 2 &&
		fail "the upload succeeded" && return 1
	came_about $DROP_TOO_BIG
}

# --- fragments ---

test_fragmented_datagrams_by_source_arrive() {
	local service='s/^  - name: echo$/&\n    hash: source/'
	backends="b2 b3" larch_config | sed "$service" | larchd_reload || return
	lab_in client "$BUILD/udpecho" --ask "$LAB_VIP4:5300" --source 10.2.0.0/24 --flows 10 \
		--rounds 5 --bytes 4000 --gap-ms 200 >"$LAB_DIR/udp"
	same "answered" "$("$BUILD/jsonget" answered <"$LAB_DIR/udp")" 50 &&
		same "changed" "$("$BUILD/jsonget" changed <"$LAB_DIR/udp")" 0
}

# --- ping ---

test_service_answers_pings() {
	configure "b1 b2" && note $REPLY_ECHO || return
	lab_in client ping -c 3 -i 0.2 -W 2 -s 1000 -I 10.1.0.9 $LAB_VIP4 || fail "IPv4" || return
	lab_in client ping -c 3 -i 0.2 -W 2 -s 1000 -I fd00:1::9 $LAB_VIP6 || fail "IPv6" || return
	same "answered" $(($(counter larch_outcomes $REPLY_ECHO packets) - before)) 6
}

test_pings_beyond_the_limit_are_dropped() {
	local replies
	configure "b1 b2" "limits: {echo: 5}" && note $DROP_ECHO_RATE || return
	lab_in client ping -c 100 -i 0.002 -W 1 -I 10.1.0.9 $LAB_VIP4 >"$LAB_DIR/ping"
	came_about $DROP_ECHO_RATE || return
	replies=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$LAB_DIR/ping")
	check "replies" "$replies > 0 && $replies < 60"
}

test_pings_are_left_to_the_host_if_the_limit_is_0() {
	configure "b1 b2" "limits: {echo: 0}" && note $REPLY_ECHO || return
	lab_in client ping -c 1 -W 1 -I 10.1.0.9 $LAB_VIP4 && fail "answered" && return 1
	same "answered" "$(counter larch_outcomes $REPLY_ECHO packets)" "$before"
}

run_tests "$@"
