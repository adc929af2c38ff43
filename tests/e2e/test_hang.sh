#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Servers that hang or slow down while their kernels go on to accept connections: found out by what
# their clients wait for. And what only looks like that.
set -u
. "$(dirname "$0")/lib.sh"

RATE=400 # flows a second, of 8 ms: near half of what four servers of two workers can

setup() {
	lab_up && start_servers --workers 2 --service-ms 8 --jitter 0.3
}

cleanup() {
	lab_kill CONT "${SERVER[@]}"
	lab_kill KILL "${LOAD_PID:-}"
	tell b1 speed 1
}

# larchd with what `learning` says, and a load that it knows, for so many seconds from now on.
begin() {
	with_udp=0 learning=$1 larch_config | sed 's/concurrency: 8/concurrency: 2/' | larchd_fresh &&
		load_start "$E2E_TEST" --rate $RATE --duration $(($2 + 4)) --requests 1 \
			--timeout-ms 15000 && sleep 4
}

# b1's part of the new flows, in percent, in the next so many seconds.
part_in() {
	local own all
	own=$(flows_of b1) all=$(new_flows)
	sleep "$1"
	own=$(($(flows_of b1) - own)) all=$(($(new_flows) - all))
	awk "BEGIN { printf \"%.1f\n\", 100 * $own / ($all + !$all) }"
}

has_its_part() {
	awk "BEGIN { exit !($(part_in 1) >= $1) }"
}

is_down() {
	lab_ctl list web | grep -q "$1 .*down .*: $2: "
}

# Seconds from $1 on, with tenths.
since() {
	awk "BEGIN { printf \"%.1f\", ($EPOCHREALTIME - $1) }"
}

hang() {
	local began before seen
	begin "$1" 16 || return
	before=$(part_in 2)
	kill -STOP "${SERVER[b1]}"
	sleep 1
	seen=$(part_in 2)
	is_down b1 silent || fail "b1 is not out: $(lab_ctl list web | grep b1)" || return
	lab_kill CONT "${SERVER[b1]}"
	began=$EPOCHREALTIME
	echo "b1 had $before % before, $seen % while it hung"
	check "b1 had a part of the flows" "$before > 10" || return
	check "b1's part from the first second on" "$seen < 0.05 * $before" || return
	eventually 6 "b1 has its part again" has_its_part 10 || return
	echo "back after $(since "$began") s"
	load_wait
	load_unbroken
}

test_a_server_that_hangs_loses_its_flows_within_a_second_and_has_them_back() {
	hang on
}

test_by_weights_alone_too() {
	hang shadow
}

# 58 ms in place of 8.
test_a_server_that_slows_by_50_ms_keeps_a_fifth_of_its_flows_within_two_seconds() {
	local began before seen
	begin on 45 || return
	before=$(part_in 2)
	tell b1 speed 0.138
	sleep 2
	seen=$(part_in 2)
	check "b1 had a part of the flows" "$before > 10" || return
	check "b1's part from the second second on" "$seen <= 0.2 * $before" || return
	sleep 4
	tell b1 speed 1
	began=$EPOCHREALTIME
	eventually 30 "b1 has its part again" has_its_part 10 || return
	echo "b1 had $before % before, $seen % while it was slow; back after $(since "$began") s"
	load_stop
}

# Resets for five seconds, which Larch does not see: SYNs that nobody answers.
test_a_server_that_refused_for_five_seconds_is_back_within_ten() {
	local began
	begin shadow 30 || return
	lab_stop "${SERVER[b1]}"
	sleep 5
	start_server b1 --workers 2 --service-ms 8 --jitter 0.3 || return
	began=$EPOCHREALTIME
	eventually 10 "b1 has its part again" has_its_part 10 || return
	echo "back after $(since "$began") s"
	load_stop
}

run_tests "$@"
