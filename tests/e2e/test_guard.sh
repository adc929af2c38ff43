#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may ask, how often, and what a client sees of a backend that has fallen silent: with real
# clients and servers, and larchd that writes what the packet path reads.
set -u
. "$(dirname "$0")/lib.sh"

DENIED=24 RATE=25 AGAIN=44 # include/larch/outcome.h

setup() {
	lab_up && start_servers && start_nginx
}

# Further keys of the services of tcp, each an argument.
guard_config() {
	larch_config | sed "s#^    protocol: tcp\$#&$(printf '\\n    %s' "$@")#"
}

vip_refuses() {
	! get "$1" "http://$2:8080/name" -m 1 -o /dev/null 2>/dev/null
}

test_who_is_denied_gets_no_answer_and_who_is_allowed_does() {
	guard_config 'deny: [10.1.0.0/16, "fd00:1::/32"]' 'allow: [10.0.0.0/8, 10.1.0.9, "fd00:2::/32"]' |
		larchd_fresh || return
	get 10.1.0.9 "http://$LAB_VIP4:8080/name" -o /dev/null || fail "a longer prefix" || return
	get 10.2.0.9 "http://$LAB_VIP4:8080/name" -o /dev/null || fail "a shorter prefix" || return
	get fd00:2::9 "http://[$LAB_VIP6]:8080/name" -o /dev/null || fail "allowed" || return
	vip_refuses 10.1.0.10 $LAB_VIP4 || fail "10.1.0.10 is let in" || return
	vip_refuses fd00:1::9 "[$LAB_VIP6]" || fail "fd00:1::9 is let in" || return
	vip_refuses fd00:3::9 "[$LAB_VIP6]" || fail "fd00:3::9, not listed, is let in" || return
	check "packets denied" "$(outcomes $DENIED) > 0"
}

test_a_reload_cuts_off_who_is_denied_from_then_on() {
	larch_config | larchd_fresh || return
	load_start cut --rate 50 --duration 4 --long 30 --long-interval-ms 100 --timeout-ms 1000
	sleep 1
	guard_config 'deny: 10.1.0.0/16' | larchd_reload || return
	eventually 5 guard_denies || fail "established flows go on" || return
	vip_refuses 10.1.0.9 $LAB_VIP4 || fail "10.1.0.9 is let in" || return
	get 10.2.0.9 "http://$LAB_VIP4:8080/name" -o /dev/null || fail "10.2.0.9 is shut out" || return
	larch_config | larchd_reload || return
	get 10.1.0.9 "http://$LAB_VIP4:8080/name" -o /dev/null || fail "10.1.0.9 stays shut out" || return
	load_stop
}

guard_denies() {
	[ "$(outcomes $DENIED)" -gt 100 ]
}

# One client tries 100 connections at once, another one at the same time.
test_one_source_does_not_take_more_than_its_share() {
	local answered
	guard_config 'source_rate: 1' 'source_burst: 20' | larchd_fresh || return
	answered=$(get 10.1.0.9 "http://$LAB_VIP4:8080/name?[1-100]" -m 2 --connect-timeout 2 -Z \
		--parallel-max 100 --parallel-immediate --no-keepalive -H 'Connection: close' 2>/dev/null |
		wc -l)
	check "answers to a client of 100 connections" "20 <= $answered && $answered <= 25" || return
	get 10.1.0.10 "http://$LAB_VIP4:8080/name" -o /dev/null || fail "its neighbour is shut out" ||
		return
	check "SYNs dropped" "$(outcomes $RATE) >= 75"
}

# Without its agent, a backend's kernel has no use for what comes in a tunnel.
test_a_backend_that_is_silent_costs_its_clients_one_more_syn() {
	local connects
	larch_config | larchd_fresh || return
	lab_in b1 ip link set dev eth0 xdpdrv off
	connects=$(get 10.1.0.9 "http://$LAB_VIP4:8080/name?[1-60]" -m 8 -Z --parallel-max 60 \
		--parallel-immediate -H 'Connection: close' -w '%{time_connect}\n' -o /dev/null)
	lab_in b1 ip link set dev eth0 xdpdrv obj "$BUILD/agent.bpf.o" sec xdp
	same "connections" "$(wc -l <<<"$connects")" 60 || return
	echo "connections by whole seconds: $(sort <<<"$connects" | cut -d . -f 1 | uniq -c | xargs)"
	check "SYNs sent to another backend" "$(outcomes $AGAIN) >= 5" || return
	awk '$1 == 0 || $1 >= 4 { exit 1 }' <<<"$connects" || fail "connects: $connects"
}

run_tests "$@"
