#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# NAT: real servers that know nothing of Larch. They listen on their own addresses and on another
# port than the service's; the router sends what they answer to the balancer.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	local backend
	LAB_BACKENDS=2 lab_up && LAB_BACKENDS=2 || return
	for backend in b1 b2; do
		backend_up $backend "${backend#b}" || return
	done
	lab_in router sh -c 'ip route add default via 10.60.0.2 table 300
		ip -6 route add default via fd00:60::2 table 300'
	lab_in balancer sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward
		echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
	head -c 20000000 /dev/urandom >"$LAB_DIR/large"
	SUM=$(sha256 "$LAB_DIR/large")
	for backend in b1 b2; do
		ln "$LAB_DIR/large" "$LAB_DIR/$backend/files/large"
	done
	nat_config >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 20 "all backends reachable" four_ready
}

four_ready() {
	[ "$(backend_entries | awk '$3 > 0' | wc -l)" = 4 ]
}

# No service's address, no agent; its way to the clients leads through the balancer.
backend_up() {
	lab_in "$1" sh -c "ip addr del $LAB_VIP4/32 dev lo
		ip -6 addr del $LAB_VIP6/128 dev lo
		ip link set dev eth0 xdp off
		ethtool -K eth0 tx off >/dev/null"
	lab_in router sh -c "ip rule add iif $1 lookup 300 priority 300
		ip -6 rule add iif $1 lookup 300 priority 300"
	mkdir -p "$LAB_DIR/$1/files"
	nginx_config "$1" | sed -E 's/listen .*\]:8080/listen [::]:8080/; s/listen [0-9.]+:/listen /' \
		>"$LAB_DIR/$1/nginx.conf"
	lab_start "$1" "$1/log" nginx -p "$LAB_DIR/$1" -e stderr -c "$LAB_DIR/$1/nginx.conf"
	lab_start "$1" "$1/udp.log" "$BUILD/udpecho" --name "$1" --listen "10.50.$2.2:5353" \
		--listen "[fd00:50:$2::2]:5353"
	lab_wait 20 lab_in "$1" curl -sS -m 2 "http://10.50.$2.2:8080/name"
}

# nat_service NAME ADDRESS PORT PROTOCOL BACKEND_PORT BACKEND_ADDRESS...
nat_service() {
	local address n=0
	printf '  - name: %s\n    address: ["%s"]\n    port: %s\n    protocol: %s\n' "$1" "$2" "$3" "$4"
	printf '    forward: nat\n    backend_port: %s\n    learning: %s\n    backends:\n' "$5" \
		"$([ "$4" = tcp ] && echo on || echo off)"
	shift 5
	for address in "$@"; do
		n=$((n + 1))
		printf '      - {name: b%d%s, address: "%s", weight: 100, concurrency: 8}\n' $n \
			"$([[ $address = *:* ]] && echo v6)" "$address"
	done
}

nat_config() {
	larch_config_head
	nat_service web $LAB_VIP4 80 tcp 8080 10.50.1.2 10.50.2.2
	nat_service web6 $LAB_VIP6 80 tcp 8080 fd00:50:1::2 fd00:50:2::2
	nat_service echo $LAB_VIP4 5300 udp 5353 10.50.1.2 10.50.2.2
	nat_service echo6 $LAB_VIP6 5300 udp 5353 fd00:50:1::2 fd00:50:2::2
	printf '...\n'
}

# outcome NUMBER: see larch/outcome.h.
outcome() {
	counter larch_outcomes "$1" packets
}

# backends_met SOURCE HOST: those that answer 40 connections.
backends_met() {
	get "$1" "http://$2/name?[1-40]" -H 'Connection: close' | sort -u | tr '\n' ' '
}

test_both_families_reach_servers_on_another_port() {
	same "IPv4" "$(backends_met 10.1.0.9 $LAB_VIP4)" "b1 b2 " &&
		same "IPv6" "$(backends_met fd00:1::9 "[$LAB_VIP6]")" "b1 b2 " &&
		check "returned" "$(outcome 36) > 160"
}

# transfer SOURCE HOST: 20 MB down and up, compared.
transfer() {
	local backend
	get "$1" "http://$2/large" -o "$LAB_DIR/down" || fail "GET" || return
	same "downloaded" "$(sha256 "$LAB_DIR/down")" "$SUM" || return
	get "$1" "http://$2/up" -T "$LAB_DIR/large" -f -o /dev/null -D "$LAB_DIR/head" ||
		fail "PUT" || return
	backend=$(tr -d '\r' <"$LAB_DIR/head" | sed -n 's/^X-Backend: //p' | tail -1)
	same "uploaded" "$(sha256 "$LAB_DIR/$backend/files/up")" "$SUM"
}

test_20_mb_down_and_up_ipv4() {
	transfer 10.2.0.9 $LAB_VIP4
}

test_20_mb_down_and_up_ipv6() {
	transfer fd00:2::9 "[$LAB_VIP6]"
}

# echoes TARGET SOURCE: all datagrams come back, from where they were sent to.
echoes() {
	local said
	said=$(lab_in client "$BUILD/udpecho" --ask "$1" --source "$2") || fail "udpecho" || return
	echo "$said" >"$LAB_DIR/echo.json"
	same "answered" "$(echo "$said" | sed 's/.*"answered":\([0-9]*\).*/\1/')" \
		"$(echo "$said" | sed 's/.*"sent":\([0-9]*\).*/\1/')"
}

test_datagrams_both_families() {
	echoes "$LAB_VIP4:5300" 10.1.0.0/24 && echoes "[$LAB_VIP6]:5300" fd00:1::/48
}

# b1 asks the service, and gets its own answer.
test_a_backend_is_its_own_client() {
	same "IPv4" "$(lab_in b1 curl -sS -m 8 "http://$LAB_VIP4/name")" b1 &&
		same "IPv6" "$(lab_in b2 curl -sS -m 8 "http://[$LAB_VIP6]/name")" b2
}

# explained SOURCE PATH_ELEMENT...: of its flow to the service.
explained() {
	local source=$1
	shift
	lab_ctl -o json explain "$source" "$LAB_VIP4:80/tcp" | "$BUILD/jsonget" "$@"
}

test_explain_knows_where_flows_are() {
	local port
	for port in 3001 3002 3003 3004 3005 3006; do
		same "port $port" "$(get 10.1.0.9 "http://$LAB_VIP4/name" --local-port $port)" \
			"$(explained "10.1.0.9:$port" backend)" || return
	done
	same "b2's own flow" "$(explained 10.50.2.2:4000 new backend)" b2 &&
		same "decided by" "$(explained 10.50.2.2:4000 decided_by)" source
}

# Is there a cell in which responses were counted?
has_samples() {
	bpftool map dump pinned "$LAB_PINS/larch_cells" | grep -q '"responses": [1-9]'
}

test_responses_are_measured() {
	backends_met 10.3.0.9 $LAB_VIP4 >/dev/null
	has_samples || fail "$(bpftool map dump pinned "$LAB_PINS/larch_cells" | head -40)"
}

run_tests "$@"
