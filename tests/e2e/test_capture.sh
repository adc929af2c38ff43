#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# larchctl capture: real packets in a pcap, while it runs and no longer.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${CAPTURE:-}"
	eventually 10 "the capture's end" capture_is_off
}

# 4 (enum larch_settings_flag): LARCH_CAPTURE. Packets come all the time, or are made here.
capture_flag() {
	lookup larch_settings 0 | awk '$1 == "\"flags\":" { print int($2 / 4) % 2; exit }'
}

capture_is_on() {
	[ "$(capture_flag)" = 1 ]
}

capture_is_off() {
	get 10.1.0.9 "http://$LAB_VIP4/" -o /dev/null
	[ "$(capture_flag)" = 0 ]
}

# capture_begin OPTION...: until it is at work.
capture_begin() {
	"$BUILD/larchctl" capture -p "$LAB_PINS" "$@" >"$E2E_WORK/lines" 2>"$E2E_WORK/end" &
	CAPTURE=$!
	eventually 10 "the capture" capture_is_on
}

# capture_end [SIGNAL]: it says how much it was.
capture_end() {
	kill "-${1:-INT}" "$CAPTURE" 2>/dev/null
	wait "$CAPTURE" || fail "status $?: $(cat "$E2E_WORK/end")"
}

test_a_request_is_in_the_pcap_from_syn_to_fin() {
	capture_begin -w "$E2E_WORK/pcap" --host 10.1.0.9 --port 80 || return
	get 10.1.0.8 "http://$LAB_VIP4/" -o /dev/null && get 10.1.0.9 "http://$LAB_VIP4/" -o /dev/null
	same "requests" "$?" 0 && capture_end TERM || return
	tcpdump -nr "$E2E_WORK/pcap" >"$E2E_WORK/read" 2>"$E2E_WORK/error" ||
		fail "tcpdump: $(cat "$E2E_WORK/error")" || return
	cat "$E2E_WORK/read"
	grep -q "packets, 0 lost" "$E2E_WORK/end" || fail "$(cat "$E2E_WORK/end")" || return
	same "packets" "$(wc -l <"$E2E_WORK/read")" "$(awk '{ print $2 }' "$E2E_WORK/end")" &&
		same "SYNs of the host" "$(grep -c '10.1.0.9.* > .*Flags \[S' "$E2E_WORK/read")" 1 &&
		same "of another host" "$(grep -c '10.1.0.8' "$E2E_WORK/read")" 0 &&
		check "packets" "$(wc -l <"$E2E_WORK/read") >= 4" &&
		same "switched on" "$(capture_flag)" 0
}

test_lines_name_outcomes_and_flows() {
	capture_begin --outcome forward_new --count 2 || return
	get 10.1.0.9 "http://$LAB_VIP4/" --local-port 4711 -o /dev/null
	get fd00:1::9 "http://[$LAB_VIP6]/" -o /dev/null
	wait "$CAPTURE" || fail "status $?: $(cat "$E2E_WORK/end")" || return
	same "lines" "$(wc -l <"$E2E_WORK/lines")" 2 || return
	grep -qE "^[0-9:.]+ FORWARD_NEW +[0-9]+  10.1.0.9:4711 -> $LAB_VIP4:80\$" "$E2E_WORK/lines" &&
		grep -qF "[fd00:1::9]:" "$E2E_WORK/lines" || fail "$(cat "$E2E_WORK/lines")"
}

test_there_is_one_capture_at_a_time_and_a_killed_one_leaves_nothing_on() {
	capture_begin || return
	refused 1 "another capture" "$BUILD/larchctl" capture -p "$LAB_PINS" || return
	lab_kill KILL "$CAPTURE"
	eventually 10 "nothing is left on" capture_is_off || return
	refused 0 "0 packets, 0 lost" "$BUILD/larchctl" capture -p "$LAB_PINS" --seconds 1 --port 9
}

test_it_needs_no_larchd() {
	larchd_stop KILL
	capture_begin --count 1 || return
	get 10.1.0.9 "http://$LAB_VIP4/" -o /dev/null
	wait "$CAPTURE" || fail "$(cat "$E2E_WORK/end")" || return
	same "lines" "$(wc -l <"$E2E_WORK/lines")" 1 && larchd_start
}

test_what_is_wrong_is_refused() {
	local capture="$BUILD/larchctl capture -p $LAB_PINS"
	# shellcheck disable=SC2086 # words
	refused 2 'DROP_NO_NEXTHOP ' $capture --outcome NONSENSE &&
		refused 2 "no address or network" $capture --host 10.1.0.0/33 &&
		refused 2 "no port" $capture --port 70000 &&
		refused 2 "no number of packets" $capture --count 0 &&
		refused 1 "has no pins" "$BUILD/larchctl" capture -p "$LAB_PINS/none" &&
		refused 2 Usage "$BUILD/larchctl" --port 9 status
}

run_tests "$@"
