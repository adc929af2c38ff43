#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Backends that die, refuse or flap: out of the rings within a second, back by themselves.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	with_udp=0 learning=on larch_config | larchd_fresh
}

cleanup() {
	lab_in b1 ip link set dev eth0 xdpdrv off
	agent b1 obj "$BUILD/agent.bpf.o" sec xdp
	lab_kill KILL "${LOAD_PID:-}"
}

# The state of a backend (b1 is number 0).
state() {
	json services 0 backends $((${1#b} - 1)) state -- list web
}

is_state() {
	[ "$(state "$1")" = "$2" ]
}

# Times at which a backend's state has changed, from the log: so many lines.
changes() {
	grep -cE " web: $1 is (down|warming|active)" "$LARCHD_LOG"
}

# Without its agent nothing takes the packets out of the tunnel: SYNs are not answered.
agent() {
	lab_in "$1" ip link set dev eth0 xdpdrv "${@:2}"
}

test_a_backend_that_answers_no_syn_is_out_within_a_second_and_comes_back() {
	load_start mute --rate 300 --duration 40 --requests 1 --timeout-ms 8000
	sleep 3
	agent b1 off
	sleep 1
	check "new flows of b1 from the first second on" "$(flows_within b1 2) < 0.01 * 600" || return
	same "b1" "$(state b1)" down &&
		refused 0 'b1 .*down .*: (silent|refuses): ' lab_ctl list web || return
	agent b1 obj "$BUILD/agent.bpf.o" sec xdp
	eventually 15 "b1 is back" is_state b1 active || return
	check "flows of b1 at its return" "$(flows_within b1 2) > 0" || return
	load_stop
}

test_clients_of_a_dead_backend_get_through_and_others_notice_nothing() {
	load_start dead --rate 200 --duration 14 --requests 1 --timeout-ms 8000
	sleep 2
	lab_in b2 ip link set eth0 down
	sleep 1.5
	check "new flows of b2" "$(flows_within b2 4) < 0.02 * 800" || return
	lab_in b2 ip link set eth0 up
	lab_in b2 ip route add default via 10.50.2.1
	lab_in b2 ip -6 addr add fd00:50:2::2/64 dev eth0 nodad
	lab_in b2 ip -6 route add default via fd00:50:2::1
	load_wait
	# Those that were on their way to b2 when it died break; nothing else does.
	check "broken" "$(load_get broken total) < 0.01 * $(load_get requests)" || return
	eventually 20 "b2 is back" is_state b2 active
}

test_one_that_flaps_changes_its_state_twice_a_minute_at_most() {
	local before i
	load_start flap --rate 200 --duration 26 --requests 1 --timeout-ms 4000
	sleep 1
	before=$(changes b4)
	for i in $(seq 20); do
		agent b4 off
		sleep 0.5
		agent b4 obj "$BUILD/agent.bpf.o" sec xdp
		sleep 0.5
	done
	# Down, warming and active again are three lines of one coming and going.
	check "changes in 20 s" "$(changes b4) - $before <= 3" || return
	load_wait
	check "broken" "$(load_get broken total) < 0.03 * $(load_get requests)"
}

test_only_so_many_are_out_at_once() {
	load_start many --rate 300 --duration 12 --requests 1 --timeout-ms 8000
	sleep 1
	agent b2 off
	agent b3 off
	sleep 2
	check "backends that are out" "$(lab_ctl list web | grep -c ' down .*: \(silent\|refuses\)') <= 1" ||
		return
	agent b2 obj "$BUILD/agent.bpf.o" sec xdp
	agent b3 obj "$BUILD/agent.bpf.o" sec xdp
	load_stop
}

# Who stays out does so although nobody has tried it since. Those of the tests before are forgotten.
test_a_restart_does_not_bring_back_whoever_was_out() {
	local out left
	{
		larch_config_head
		larch_config_service web "[80, 8080]" tcp shadow
		printf '    eject_for: 12s\n...\n'
	} | larchd_fresh || return
	load_start restart --rate 300 --duration 40 --requests 1 --timeout-ms 8000
	sleep 2
	agent b1 off
	eventually 5 "b1 is out" is_state b1 down || return
	out=${EPOCHREALTIME/./}
	agent b1 obj "$BUILD/agent.bpf.o" sec xdp
	eventually 3 "it is kept" grep -q '"back_ns": [1-9]' "$LAB_DIR/state.json" || return
	larchd_stop KILL
	larchd_start || return
	same "b1 after the restart" "$(state b1)" down &&
		refused 0 'b1 .*down .*: (silent|refuses): ' lab_ctl list web || return
	sleep 1 # the flows whose SYNs are on their way again
	check "new flows of b1 while it is out" "$(flows_within b1 4) == 0" || return
	same "b1 still" "$(state b1)" down || return
	eventually 20 "b1 is back" is_state b1 active || return
	left=$(((${EPOCHREALTIME/./} - out) / 1000))
	check "ms that it was out" "$left > 11000 && $left < 17000" || return
	load_stop
}

run_tests "$@"
