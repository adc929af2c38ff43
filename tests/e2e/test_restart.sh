#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon ends, dies and comes back, under load: nothing may break, and nothing may be forgotten.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	learning=on larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	[ -n "$LAB_LARCHD" ] || larchd_start
}

test_kills_and_restarts_under_load_break_nothing() {
	load_start kill --rate 300 --duration 10 --long 30 --long-interval-ms 100
	for _ in 1 2 3 4; do
		sleep 0.8
		larchd_stop KILL
		sleep 0.4
		larchd_start || return
	done
	load_wait && load_unbroken
}

test_traffic_goes_on_while_larchd_is_dead() {
	local before program number
	program=$(program_id)
	load_start dead --rate 300 --duration 5 --long 20 --long-interval-ms 100
	sleep 1
	larchd_stop KILL
	before=$(new_flows)
	number=$(generation)
	sleep 2
	check "new flows" "$(new_flows) - $before > 300" && same "program" "$(program_id)" "$program" &&
		same "generation" "$(generation)" "$number" || return
	load_wait && load_unbroken && larchd_start
}

test_sigterm_leaves_the_data_plane_running() {
	local program
	program=$(program_id)
	load_start term --rate 300 --duration 5 --long 20 --long-interval-ms 100
	sleep 1
	kill -TERM "$LAB_LARCHD"
	wait "$LAB_LARCHD" || fail "exit status $?" || return
	LAB_LARCHD=
	log_has 'the data plane goes on' || fail "its log does not say that the data plane goes on" || return
	[ ! -e "$LAB_DIR/larchd.sock" ] || fail "the socket is left" || return
	sleep 1.5
	same "program" "$(program_id)" "$program" && larchd_start &&
		load_wait && load_unbroken
}

test_restart_adopts_generation_ids_and_program() {
	local ids program number digest
	learning=off larch_config | larchd_reload || return
	sleep 0.6 # let a tick pass
	ids=$(backend_entries | cut -d ' ' -f 1,4)
	program=$(program_id)
	read -r number digest <<<"$(generation)"
	larchd_stop KILL
	larchd_start && eventually 20 "all backends reachable" all_ready || return
	log_has 'adopting the program that runs there' || fail "nothing in the log" || return
	same "ids" "$(backend_entries | cut -d ' ' -f 1,4)" "$ids" &&
		same "program" "$(program_id)" "$program" &&
		check "generation" "$(generation_number) >= $number" &&
		same "digest" "$(generation | cut -d ' ' -f 2)" "$digest"
}

test_ids_stay_with_their_servers_when_the_order_changes() {
	local ids
	ids=$(backend_entries | cut -d ' ' -f 1,4)
	larchd_stop KILL
	backends="b4 b2 b1 b3" larch_config >"$LAB_DIR/larch.yaml"
	larchd_start || return
	same "ids" "$(backend_entries | cut -d ' ' -f 1,4)" "$ids"
}

test_generation_number_never_goes_down() {
	local number last=0
	learning=on larch_config | larchd_reload || return
	for signal in KILL TERM KILL; do
		load_start "gen$signal" --rate 200 --duration 1.5
		load_wait || return
		number=$(generation_number)
		check "generation" "$number >= $last" || return
		last=$number
		larchd_stop $signal
		larchd_start || return
		check "generation" "$(generation_number) >= $last" || return
	done
}

test_established_flows_stay_on_their_backends_over_a_restart() {
	load_start stay --long 60 --long-interval-ms 100 --duration 5 --rate 1
	sleep 1
	larchd_stop KILL
	backends="b1=100 b2=1 b3=100 b4=1" larch_config >"$LAB_DIR/larch.yaml"
	sleep 0.5
	larchd_start || return
	load_wait && load_unbroken || return
	# loadgen counts another backend within a connection as broken; here once more by its log.
	same "flows with two backends" "$(awk '$10 == "long" { print $2, $3, $9 }' "$LOAD.log" |
		sort -u | cut -d ' ' -f 1,2 | uniq -d | wc -l)" 0 &&
		check "long flows" "$(awk '$10 == "long" { print $2, $3 }' "$LOAD.log" | sort -u | wc -l) == 60"
}

test_counters_go_on_over_a_restart() {
	local packets flows outcomes
	packets=$(counter larch_svc_count 0 packets)
	flows=$(new_flows)
	outcomes=$(outcome_sum)
	check "packets before" "$packets > 1000" || return
	larchd_stop KILL
	larchd_start || return
	check "packets" "$(counter larch_svc_count 0 packets) >= $packets" &&
		check "flows" "$(new_flows) >= $flows" &&
		check "outcomes" "$(outcome_sum) >= $outcomes"
}

# damage MAP KEY HEX...: the entry's first bytes; all others as they are.
damage() {
	local map=$1 key=$2 rest
	shift 2
	rest=$(bpftool -j map lookup pinned "$LAB_PINS/$map" key "$key" 0 0 0 |
		grep -o '"value":\["[^]]*' | grep -o '0x[0-9a-f][0-9a-f]' | tail -n +$(($# + 1)))
	# shellcheck disable=SC2086 # words
	bpftool map update pinned "$LAB_PINS/$map" key "$key" 0 0 0 value "$@" $rest
}

test_damaged_tables_are_repaired_and_that_is_said() {
	larchd_stop KILL
	damage larch_active 0 7 0 0 0 || fail "larch_active" || return
	damage larch_backends 900 9 1 || fail "larch_backends" || return
	larchd_start || return
	log_has "web: the generation in the kernel is damaged" || fail "log: generation" || return
	eventually 20 "service" vip_answers || return
	lab_ctl explain 10.1.0.7:1234 $LAB_VIP4:80 >/dev/null || fail "explain"
}

test_second_larchd_does_no_harm_to_the_first() {
	local generation socket
	learning=off larch_config | larchd_reload || return
	generation=$(generation)
	backends="b1=1 b2=99" larch_config >"$LAB_DIR/second.yaml"
	for socket in larchd.sock second.sock; do
		refused 1 "another larchd is at work" lab_in balancer timeout 10 "$BUILD/larchd" \
			-c "$LAB_DIR/second.yaml" -p "$LAB_PINS" -s "$LAB_DIR/$socket" || return
		same "generation" "$(generation)" "$generation" || return
	done
	kill -0 "$LAB_LARCHD" && vip_answers || fail "the first does not work any more"
}

run_tests "$@"
