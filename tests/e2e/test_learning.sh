#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Larch learns which backends are near which clients: b1 and b2 to the first prefixes of either
# family, b3 and b4 to the second ones, all of them to the third ones. Far is 25 ms further away.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers && place_all
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	tell b1 speed 1
}

# Share of near backends in the flows of the first two prefixes that began after a second of the load.
near_share() {
	awk -v from="$1" '$6 == 0 && $1 > from && $10 == "ok" && $2 !~ /^(10\.3|fd00:3)/ {
		first = $2 ~ /^(10\.1|fd00:1)/
		near += ($9 ~ /b[12]/) == first
		all++
	} END { print all ? near / all : "nan" }' "$LOAD.log"
}

# "source backend arm connects" of each cell.
cells() {
	bpftool map dump pinned "$LAB_PINS/larch_cells" | tr -d ',' | awk '
		$1 == "\"source\":" { source = $2 }
		$1 == "\"backend\":" { backend = $2 }
		$1 == "\"arm\":" { arm = $2 }
		$1 == "\"connects\":" { print source, backend, arm, $2 }'
}

# The smallest and the largest share of a backend among connects of an arm.
extreme_shares() {
	cells | awk -v arm="$1" '$3 == arm { count[$2] += $4; all += $4 } END {
		least = 1
		for (backend in count) {
			share = count[backend] / all
			least = share < least ? share : least
			most = share > most ? share : most
			n++
		}
		print n == 4 ? least : 0, most }'
}

# The flags of the plan in force.
plan_flags() {
	local bank
	bank=$(lookup larch_active 0 | awk '$1 == "\"bank\":" { print $2 + 0 }')
	lookup larch_plans "$bank" | awk '$1 == "\"flags\":" { print $2 + 0; exit }'
}

test_learned_flows_go_to_the_near_backends_and_control_flows_everywhere() {
	local least most
	learning=on larch_config | larchd_fresh || return
	load_start learn --rate 400 --duration 10 --requests 2
	load_wait && load_unbroken || return
	log_has "web: learning steers" || fail "log" || return
	check "near share" "$(near_share 6) > 0.8" || return
	read -r least most <<<"$(extreme_shares 1)"
	check "control shares" "$least > 0.12 && $most < 0.4"
}

control_one_in() {
	lab_ctl -o json status | "$BUILD/jsonget" services 0 control_one_in
}

is_smaller() {
	[ "$(control_one_in)" = 32 ]
}

# arm_share ARM FROM TO: of the flows that began between two seconds of the load.
arm_share() {
	paste "$E2E_WORK/arms" "$E2E_WORK/times" | awk -v arm="$1" -v from="$2" -v to="$3" '
		$7 > from && $7 <= to { all++; its += $6 == arm }
		END { print all ? its / all : "nan" }'
}

# Ticks of 3 s have 110 control flows each at first: after five of them the half is enough, and after
# five more its half is not. Flows go on in the arm in which they began, as the flow table tells.
test_control_arm_is_halved_where_flows_are_many() {
	local halved
	interval=3s learning=on larch_config | larchd_fresh || return
	same "the control arm: 1 in" "$(control_one_in)" 16 || return
	load_start many --rate 600 --duration 24 --requests 1
	eventually 22 "a smaller arm" is_smaller || return
	halved=$SECONDS
	load_wait && load_unbroken || return
	same "the control arm: 1 in" "$(control_one_in)" 32 || return
	refused 0 "1 flow in 32 is control" lab_ctl benefit web || return
	halved=$(awk -v since=$((SECONDS - halved)) 'END { print $1 - since }' "$LOAD.log")
	awk '$6 == 0 { print $2, $3, $4, $5, "tcp" }' "$LOAD.log" >"$E2E_WORK/flows"
	awk '$6 == 0 { print $1 }' "$LOAD.log" >"$E2E_WORK/times"
	lab_ctl arm <"$E2E_WORK/flows" >"$E2E_WORK/arms" || fail "status $?" || return
	echo "halved at $halved s"
	same "flows that nobody knows" "$(arm_share either 0 99)" 0 &&
		check "control share at first" "$(arm_share control 0 "$(awk "BEGIN { print $halved - 1.5 }")") > 0.05" &&
		check "and then" "$(arm_share control "$(awk "BEGIN { print $halved + 1.5 }")" 99) < 0.042"
}

is_as_at_first() {
	[ "$(control_one_in)" = 16 ]
}

# A packet that comes to another node must find the ring that the first one had for it.
test_control_arm_of_several_nodes_is_as_large_as_it_can_be() {
	(umask 077 && printf '%032d\n' 7 >"$LAB_DIR/seed")
	same "the control arm: 1 in" "$(control_one_in)" 32 || return
	load_start nodes --rate 200 --duration 20 --requests 1
	{
		printf 'seed_file: %s\ngenerations: {write: %s}\n' "$LAB_DIR/seed" "$LAB_DIR/generations"
		learning=on larch_config
	} | larchd_reload || return
	log_has "reloaded" || fail "refused: $(tail -n 1 "$LARCHD_LOG")" || return
	eventually 15 "the largest arm" is_as_at_first
	load_stop
	is_as_at_first
}

# New flows of b1 in two seconds.
rate_of_b1() {
	local before
	before=$(flows_of b1)
	sleep 2
	echo $(($(flows_of b1) - before))
}

test_slowed_backend_loses_most_of_its_new_flows_within_two_seconds() {
	local before after
	load_start slow --rate 300 --duration 8 --requests 2
	sleep 1
	before=$(rate_of_b1)
	tell b1 speed 0.05
	sleep 2
	after=$(rate_of_b1)
	check "flows before" "$before > 60" && check "flows after" "$after < 0.4 * $before" || return
	tell b1 speed 1
	load_wait && load_unbroken
}

test_what_was_learned_goes_on_without_larchd_and_after_its_return() {
	load_start alone --rate 300 --duration 7 --requests 2
	sleep 3
	larchd_stop KILL
	sleep 2
	larchd_start && load_wait && load_unbroken || return
	check "near share" "$(near_share 3) > 0.8"
}

test_shadow_learns_but_steers_nothing() {
	learning=shadow larch_config | larchd_fresh || return
	load_start shadow --rate 400 --duration 6 --requests 2
	load_wait && load_unbroken || return
	log_has "web: learns, but steers nothing" || fail "log" || return
	same "plan's flags" "$(plan_flags)" 0 &&
		check "near share" "$(near_share 0) > 0.42 && $(near_share 0) < 0.58"
}

test_switching_from_shadow_to_on_begins_to_steer() {
	learning=on larch_config | larchd_reload || return
	load_start on --rate 400 --duration 6 --requests 2
	load_wait && load_unbroken || return
	same "plan's flags" "$(plan_flags)" 1 && check "near share" "$(near_share 4) > 0.8"
}

test_switching_off_steers_evenly_at_once() {
	learning=off larch_config | larchd_reload || return
	load_start evenly --rate 400 --duration 3 --requests 2
	load_wait && load_unbroken || return
	check "near share" "$(near_share 0) > 0.4 && $(near_share 0) < 0.6"
}

test_off_trains_and_publishes_nothing() {
	local number
	learning=off larch_config | larchd_fresh || return
	sleep 0.6
	number=$(generation)
	load_start off --rate 400 --duration 4 --requests 2
	load_wait && load_unbroken || return
	log_has "web: learning is off" || fail "log" || return
	same "generation" "$(generation)" "$number" && same "plan's flags" "$(plan_flags)" 0 &&
		check "near share" "$(near_share 0) > 0.4 && $(near_share 0) < 0.6"
}

# little LENGTH NUMBER: the bytes of a number, in hexadecimal, the last one first.
little() {
	local i
	for ((i = 0; i < $1; i++)); do
		printf '%02x ' $((($2 >> (8 * i)) & 255))
	done
}

# cell ARM FLOWS MS: makes larch_cells say that so many flows of an arm took so long at b1, in all.
# Buckets of 4, 8, 16 ... ms are 80, 88, 96 ...
cell() {
	local us=$(($3 * 1024)) bucket=80 i ms
	for ((ms = 4; ms < $3; ms *= 2)); do
		bucket=$((bucket + 8))
	done
	{
		little 8 $((0x0a0100))
		printf '%s' "$(little 4 0)" "$(little 2 0)" "$(little 2 0)" "$(little 2 80)" "06 00 01 "
		printf '%02x 00 00 ' "$1"
	} >"$E2E_WORK/key"
	{
		little 8 "$2" && little 8 $(($2 * 500)) && little 8 "$2" && little 8 $(($2 * us))
		little 8 $(($2 * (us - 500))) && little 8 $(($2 * (us - 500)))
		for ((i = 0; i < 192; i++)); do
			[ $i = $bucket ] && little 4 "$2" || printf '00 00 00 00 '
		done
	} >"$E2E_WORK/value"
	# shellcheck disable=SC2046 # words
	bpftool map update pinned "$LAB_PINS/larch_cells" key hex $(cat "$E2E_WORK/key") \
		value hex $(cat "$E2E_WORK/value")
}

# feed LEARNED_MS CONTROL_MS UNTIL...: new samples in every tick, until a command succeeds; at most
# for 20 s. Sums only grow: what is fed begins anew in other buckets, as a cell that came back.
feed() {
	local learned=$1 control=$2 flows=0 end=$((SECONDS + 20))
	shift 2
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		flows=$((flows + 40))
		cell 0 $((flows * 10)) "$learned" && cell 1 $flows "$control" || return
	done
}

history_has() {
	lab_ctl history web | grep -q "$1"
}

test_learning_that_does_harm_is_switched_off_and_tried_again_later() {
	interval=100ms learning=on larch_config | larchd_fresh || return
	feed 4 4 log_has "web: learning steers" || fail "learning did not begin" || return
	feed 16 4 log_has "warning: web: learning switched off: worse than control" ||
		fail "not switched off" || return
	feed 4 4 history_has "learning switched off: worse than control (mean .* tried again in 30 ticks" ||
		fail "the switch-off is not in the history" || return
	same "plan's flags" "$(plan_flags)" 0 || return
	refused 0 "LEARNING IS SWITCHED OFF" lab_ctl benefit web || return
	feed 4 4 log_has "info: web: learning is tried again" || fail "not tried again" || return
	feed 4 4 history_has "learning is tried again" || fail "the return is not in the history" || return
	same "plan's flags" "$(plan_flags)" 1
}

# In shadow both arms go by the control ring: a difference is no harm of learning.
test_shadow_is_not_judged() {
	interval=100ms learning=shadow larch_config | larchd_fresh || return
	feed 16 4 compared 40 || fail "ticks" || return
	! log_has "switched off" || fail "switched off in shadow" || return
	refused 0 "Both arms go the same way" lab_ctl benefit web || return
	same "plan's flags" "$(plan_flags)" 0
}

# Have so many ticks been compared?
compared() {
	[ "$(lab_ctl -o json benefit web | "$BUILD/jsonget" services 0 ticks)" -ge "$1" ]
}

run_tests "$@"
