#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Services' addresses are announced by BGP: larchd keeps routes in a table of its own, BIRD on the
# balancer exports them, BIRD on the router learns them. No other route leads to the addresses.
set -u
. "$(dirname "$0")/lib.sh"

# The example, in the lab's addresses.
balancer_bird() {
	sed -e 's/192\.0\.2\.1;/10.60.0.2;/; s/192\.0\.2\.254/10.60.0.1/; s/2001:db8::254/fd00:60::1/' \
		-e 's/^log syslog all/log stderr all/' tools/examples/bird.conf
}

router_bird() {
	cat <<-END
		router id 10.60.0.1;
		log stderr all;
		protocol device {}
		protocol kernel { ipv4 { import none; export all; }; }
		protocol kernel { ipv6 { import none; export all; }; }
		template bgp host { local as 64513; hold time 9; connect delay time 1; connect retry time 5; error wait time 1, 5; }
		protocol bgp host4 from host { neighbor 10.60.0.2 as 64512; ipv4 { import all; export none; }; }
		protocol bgp host6 from host { neighbor fd00:60::2 as 64512; ipv6 { import all; export none; }; }
	END
}

start_bird() {
	local node=$1
	"${node}_bird" >"$LAB_DIR/bird-$node.conf"
	lab_start "$node" "bird-$node.log" bird -f -c "$LAB_DIR/bird-$node.conf" \
		-s "$LAB_DIR/bird-$node.ctl" -P "$LAB_DIR/bird-$node.pid"
}

setup() {
	lab_up && start_servers || return
	# BGP speaks through the program, as any of the host's own packets.
	lab_in balancer ethtool -K eth0 tx off >/dev/null
	lab_in router ip route del $LAB_VIP4
	lab_in router ip -6 route del $LAB_VIP6
	lab_in router sh -c 'echo 1 >/proc/sys/net/ipv6/conf/balancer/keep_addr_on_down'
	start_bird balancer
	start_bird router
	lab_wait 20 sessions_are_up || fail "no BGP: $(tail -n 3 "$LAB_DIR/bird-router.log")"
}

sessions_are_up() {
	[ "$(birdc -r -s "$LAB_DIR/bird-balancer.ctl" show protocols | grep -c Established)" = 2 ]
}

teardown() {
	local node
	for node in balancer router; do
		kill "$(cat "$LAB_DIR/bird-$node.pid")"
	done
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	[ -z "${MONITOR_PID:-}" ] || lab_stop "$MONITOR_PID"
	MONITOR_PID=
	larchd_remove
	lab_in balancer ip route flush table 4242
	lab_in balancer ip -6 route flush table 4242
	lab_in balancer ip link del spare
	lab_in balancer ip route del unreachable 10.50.0.0/16
	lab_in balancer ip -6 route del unreachable fd00:50::/32
}

# config [KEYS]: with routes.
config() {
	printf 'routes: {%s}\n' "${1:-}"
	larch_config
}

# What the balancer's table holds, both families, sorted.
held() {
	{
		lab_in balancer ip route show table "${1:-4242}"
		lab_in balancer ip -6 route show table "${1:-4242}"
	} 2>/dev/null | sed -E 's/ dev lo//; s/ metric 1024//; s/ pref medium//; s/ +$//' | sort | paste -sd ,
}

BOTH="blackhole $LAB_VIP4 proto 77,blackhole $LAB_VIP6 proto 77"

holds_both() {
	[ "$(held)" = "$BOTH" ]
}

holds_nothing() {
	[ -z "$(held)" ]
}

# The router has learned both addresses.
is_learned() {
	lab_in router ip route show $LAB_VIP4 | grep -q 'via 10.60.0.2.*proto bird' &&
		lab_in router ip -6 route show $LAB_VIP6 | grep -q 'via fe80.*proto bird\|via fd00:60::2.*proto bird'
}

is_forgotten() {
	[ -z "$(lab_in router ip route show $LAB_VIP4)$(lab_in router ip -6 route show $LAB_VIP6)" ]
}

# larchd, and clients that reach the service by BGP alone.
announced_from() {
	larchd_fresh && eventually 10 "routes" holds_both &&
		eventually 20 "BGP" is_learned && eventually 20 "service" vip_answers
}

# What happens to the balancer's routes from now on.
monitor_start() {
	lab_start balancer monitor ip monitor route
	MONITOR_PID=$LAB_PID
	sleep 0.3
}

# removals ADDRESS: how often its route has gone since then.
removals() {
	grep -c "^Deleted blackhole $1 .*table 4242" "$LAB_DIR/monitor"
}

# figure WHAT MS. LARCH_FIGURES=FILE: it is added to it.
figure() {
	echo "$1: $2 ms" | tee -a "${LARCH_FIGURES:-/dev/null}"
}

# took WHAT SINCE
took() {
	figure "$1" $(((${EPOCHREALTIME/./} - $2) / 1000))
}

# json PATH... of `larchctl status`
status() {
	lab_ctl -o json status | "$BUILD/jsonget" "$@"
}

test_addresses_are_announced_when_packets_can_go_and_clients_reach_them() {
	vip_answers && fail "it answers without a route" && return 1
	config | announced_from || return
	same "announced" "$(status routes addresses 0 announced)" true &&
		same "table" "$(status routes table)" 4242 || return
	refused 0 "announced by a route in table 4242 of protocol 77" cat "$LARCHD_LOG" &&
		refused 0 "$LAB_VIP4 +announced " lab_ctl status &&
		refused 0 "TCP  $LAB_VIP4:80 web .*announced" lab_ctl list
}

test_operator_withdraws_and_announces() {
	local began
	config | announced_from || return
	refused 0 "$LAB_VIP4 stays announced: it is the address of echo, too" lab_ctl withdraw web &&
		holds_both || fail "one service of two: $(held)" || return
	began=${EPOCHREALTIME/./}
	refused 0 "$LAB_VIP4 +WITHDRAWN .*withdrawn by the operator" lab_ctl withdraw &&
		holds_nothing || fail "all: $(held)" || return
	eventually 10 "no route at the router" is_forgotten || return
	took "withdrawn by the operator, at the router" "$began"
	vip_answers && fail "it answers without a route" && return 1
	refused 0 "WARNING: $LAB_VIP4: WITHDRAWN: withdrawn by the operator" lab_ctl status &&
		refused 0 "NOT ANNOUNCED: withdrawn by the operator" lab_ctl list || return
	config | larchd_reload && sleep 0.6 && holds_nothing || fail "announced by a reload" || return
	refused 4 "no service nosuch" lab_ctl announce nosuch &&
		refused 0 "$LAB_VIP4 +announced" lab_ctl announce web && holds_both || fail "back: $(held)" || return
	eventually 10 "service" vip_answers
}

state_has_no_withdrawn() {
	! grep -q '"withdrawn"' "$LAB_DIR/state.json"
}

# No route is there for a moment, which a router could see.
test_what_is_withdrawn_stays_so_when_larchd_is_killed() {
	config | announced_from || return
	lab_ctl withdraw >/dev/null && holds_nothing || fail "withdrawn: $(held)" || return
	eventually 5 "the state file" grep -q '"withdrawn"' "$LAB_DIR/state.json" || return
	monitor_start
	larchd_stop KILL
	larchd_start || return
	refused 0 "$LAB_VIP4 +WITHDRAWN .*withdrawn by the operator" lab_ctl status &&
		holds_nothing || fail "after a restart: $(held)" || return
	same "routes made meanwhile" "$(grep -c "blackhole $LAB_VIP4" "$LAB_DIR/monitor")" 0 || return
	lab_ctl announce >/dev/null && holds_both || fail "announced: $(held)" || return
	eventually 5 "the state file" state_has_no_withdrawn || return
	larchd_stop KILL
	larchd_start && holds_both && eventually 10 "service" vip_answers
}

test_without_routes_there_is_nothing_to_order() {
	larch_config | larchd_fresh || return
	refused 1 "has no 'routes'" lab_ctl withdraw && holds_nothing &&
		same "routes" "$(lab_ctl -o json status | grep -c '"routes": null')" 1
}

test_route_that_somebody_removes_is_put_back_and_others_are_left_alone() {
	local began with_another="$BOTH,blackhole 192.0.2.7 proto static"
	lab_in balancer ip route add blackhole 192.0.2.7 table 4242 proto static || return
	config | larchd_fresh && eventually 10 "routes" same_held "$with_another" || return
	began=${EPOCHREALTIME/./}
	lab_in balancer ip route del blackhole $LAB_VIP4 table 4242
	eventually 5 "the route" same_held "$with_another" &&
		eventually 5 "the word of it" log_has "$LAB_VIP4: somebody has removed its route from table 4242; put back" ||
		return
	took "route put back" "$began"
	lab_in balancer ip route add blackhole 192.0.2.9 table 4242 proto 77
	eventually 5 "what is not wanted removed" same_held "$with_another"
}

same_held() {
	[ "$(held | tr , '\n' | sort)" = "$(tr , '\n' <<<"$1" | sort)" ]
}

test_program_taken_off_is_put_back_without_a_broken_flow() {
	local began
	config | announced_from || return
	monitor_start
	load_start off --rate 100 --duration 6 --long 20 --long-interval-ms 100
	for _ in 1 2 3; do
		sleep 1.2
		began=${EPOCHREALTIME/./}
		lab_in balancer ip link set dev eth0 xdp off
		eventually 5 "the program" program_is_back || return
		took "program put back" "$began"
	done
	load_wait && load_unbroken &&
		check "times it is said" "$(log_count 'SOMEBODY HAS TAKEN THE PROGRAM OFF; it is put back') == 3" || return
	figure "program taken off three times: the slowest request" "$(load_get all_ms max)"
	same "routes removed meanwhile" "$(removals $LAB_VIP4)" 0
}

program_is_back() {
	[ "$(status interfaces "${1:-0}" attached)" = true ]
}

test_another_program_in_its_place_withdraws_until_it_has_gone() {
	local began program
	config | announced_from || return
	began=${EPOCHREALTIME/./}
	lab_in balancer ip -force link set dev eth0 xdpdrv obj "$BUILD/pass.bpf.o" sec xdp || return
	program=$(program_id)
	eventually 5 "withdrawal" holds_nothing && eventually 10 "no route at the router" is_forgotten || return
	took "program replaced, withdrawn at the router" "$began"
	log_has "ANOTHER XDP PROGRAM .'pass', id $program. stands in the place" || fail "log" || return
	refused 0 "WARNING: $LAB_VIP4: WITHDRAWN: another XDP program stands in the place of Larch's" lab_ctl status &&
		refused 0 "WARNING: eth0: .*ANOTHER XDP PROGRAM is there" lab_ctl status || return
	sleep 1 # ticks
	same "program" "$(program_id)" "$program" && holds_nothing || fail "$(held)" || return
	began=${EPOCHREALTIME/./}
	lab_in balancer ip link set dev eth0 xdp off
	eventually 5 "routes" holds_both && eventually 10 "BGP" is_learned && eventually 5 "service" vip_answers || return
	took "the other program gone, service back" "$began"
}

test_routes_and_traffic_stay_when_larchd_is_killed_and_the_next_one_adopts_them() {
	config | announced_from || return
	monitor_start
	load_start kill --rate 100 --duration 8 --long 20 --long-interval-ms 100
	sleep 1
	larchd_stop KILL
	sleep 1.5
	holds_both && vip_answers || fail "without larchd: $(held)" || return
	larchd_start || return
	eventually 5 "adoption" log_has "$LAB_VIP4: announced already" || return
	sleep 1
	larchd_stop TERM
	sleep 0.5
	holds_both || fail "after SIGTERM: $(held)" || return
	larchd_start && load_wait && load_unbroken || return
	same "IPv4 routes removed" "$(removals $LAB_VIP4)" 0 && same "IPv6 routes removed" "$(removals $LAB_VIP6)" 0
}

test_detach_removes_the_routes() {
	config >"$LAB_DIR/larch.yaml"
	larchd_start --detach && eventually 10 "routes" holds_both || return
	lab_in balancer ip route add blackhole 192.0.2.7 table 4242 proto static
	larchd_stop TERM
	same "held" "$(held)" "blackhole 192.0.2.7 proto static"
}

test_configuration_moves_and_removes_routes() {
	config | announced_from || return
	monitor_start
	config "table: 4243, metric: 9" | larchd_reload && holds_nothing || fail "old table: $(held)" || return
	same "new table" "$(held 4243)" "blackhole $LAB_VIP4 proto 77 metric 9,blackhole $LAB_VIP6 proto 77 metric 9" || return
	config "table: 4243, metric: 8, protocol: 78" | larchd_reload || return
	same "new metric" "$(held 4243)" "blackhole $LAB_VIP4 proto 78 metric 8,blackhole $LAB_VIP6 proto 78 metric 8" || return
	config "table: 4243" | sed "s/, \"$LAB_VIP6\"\]/]/" | larchd_reload &&
		log_has "$LAB_VIP6: WITHDRAWN: not configured any more" || fail "log" || return
	same "one address" "$(held 4243)" "blackhole $LAB_VIP4 proto 77" || return
	larch_config | larchd_reload && same "no routes" "$(held 4243)" ""
}

status_says() {
	lab_ctl status | grep -q "$1"
}

test_what_no_backend_serves_is_withdrawn_only_if_that_is_wanted() {
	config | announced_from || return
	lab_in balancer ip route add unreachable 10.50.0.0/16
	lab_in balancer ip -6 route add unreachable fd00:50::/32
	eventually 10 "a word of it" status_says "$LAB_VIP4: announced, though no backend can serve it" &&
		holds_both || fail "withdrawn: $(held)" || return
	config "withdraw_without_backends: true" | larchd_reload || return
	eventually 10 "withdrawal" holds_nothing || return
	refused 0 "$LAB_VIP4: WITHDRAWN: no backend can serve it" lab_ctl status || return
	lab_in balancer ip route del unreachable 10.50.0.0/16
	lab_in balancer ip -6 route del unreachable fd00:50::/32
	eventually 10 "routes" holds_both && eventually 20 "service" vip_answers
}

# A start that another program prevents must not leave clients with a host that drops them.
test_start_that_another_program_prevents_withdraws() {
	config | announced_from || return
	larchd_stop KILL
	lab_in balancer ip -force link set dev eth0 xdpdrv obj "$BUILD/pass.bpf.o" sec xdp || return
	holds_both || fail "$(held)" || return
	larchd_begin
	eventually 10 "its end" larchd_has_ended
	log_has "ALL ADDRESSES ARE WITHDRAWN from table 4242: another XDP program" || fail "log" || return
	holds_nothing || fail "$(held)"
}

test_link_flap_is_survived() {
	local began
	config | announced_from || return
	lab_in router ip link set balancer down
	eventually 5 "withdrawal" holds_nothing || return
	log_has "$LAB_VIP4: WITHDRAWN: no interface with Larch's program has a link" || fail "log" || return
	refused 0 "WARNING: eth0: the link is down" lab_ctl status || return
	lab_in router ip link set balancer up
	began=${EPOCHREALTIME/./}
	eventually 10 "routes" holds_both && eventually 30 "BGP" is_learned && eventually 10 "service" vip_answers || return
	took "link back, service back" "$began"
}

# The link between router and balancer, as the lab makes it.
link_again() {
	lab_link balancer balancer 10.60.0 fd00:60 $((LAB_MTU + 100)) || return
	lab_in balancer ethtool -K eth0 tx off >/dev/null
	lab_in router sh -c "ethtool -K balancer tx off >/dev/null
		echo 1 >/proc/sys/net/ipv6/conf/balancer/keep_addr_on_down
		ip link set dev balancer xdpdrv obj $BUILD/pass$LAB_FRAGS.bpf.o sec xdp$LAB_FRAGS"
}

test_interface_that_is_deleted_and_made_again_serves_again() {
	local began
	config | announced_from || return
	lab_in router ip link del balancer
	eventually 5 "withdrawal" holds_nothing || return
	log_has "$LAB_VIP4: WITHDRAWN: Larch's program is on no interface" || fail "log" || return
	link_again || fail "no link" || return
	began=${EPOCHREALTIME/./}
	eventually 10 "routes" holds_both && eventually 30 "BGP" is_learned && eventually 10 "service" vip_answers || return
	took "interface back, service back" "$began"
}

# A link on which nothing is learned; larchd has the program on both.
test_one_of_two_interfaces_is_enough() {
	lab_in balancer ip link add spare type veth peer name spare-end netns "$LAB_ID-router" || return
	lab_in balancer ip link set spare up
	lab_in router ip link set spare-end up
	config | sed 's/^  - name: eth0/&\n  - name: spare/' | announced_from || return
	monitor_start
	lab_in balancer ip -force link set dev spare xdpdrv obj "$BUILD/pass.bpf.o" sec xdp
	eventually 5 "a word of it" log_has "spare: ANOTHER XDP PROGRAM" || return
	lab_in balancer ip link set dev spare xdp off
	eventually 5 "the program" program_is_back 1 || return
	lab_in router ip link set spare-end down
	eventually 5 "a word of it" log_has "spare: the link is down" || return
	lab_in balancer ip link del spare
	eventually 5 "a word of it" log_has "spare: the interface is gone" || return
	sleep 0.6 # ticks
	holds_both && vip_answers || fail "$(held)" || return
	same "routes removed" "$(removals $LAB_VIP4)" 0
}

test_mac_addresses_change_under_traffic() {
	config | announced_from || return
	monitor_start
	load_start mac --rate 100 --duration 9 --long 20 --long-interval-ms 100
	sleep 1.5
	lab_in router ip link set dev balancer address 02:00:00:00:aa:01
	sleep 4
	lab_in balancer sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify
		echo 1 >/proc/sys/net/ipv6/conf/eth0/ndisc_notify
		ip link set dev eth0 address 02:00:00:00:aa:02'
	load_wait && load_unbroken || return
	figure "MAC addresses changed: the slowest request" "$(load_get all_ms max)"
	same "routes removed" "$(removals $LAB_VIP4)" 0 && eventually 10 "BGP" is_learned
}

run_tests "$@"
