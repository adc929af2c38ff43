#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Larch learns which backends are near which clients: b1 and b2 to the first prefixes of either
# family, b3 and b4 to the second ones, all of them to the third ones. Far is 25 ms further away.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	local n
	for n in 1 2 3 4; do
		place "b$n" $((n < 3 ? 2 : 1)) || return
	done
}

# Makes one of the prefixes far from a backend.
place() {
	tell "$1" class "10.$2.0.0/24=2+25" && tell "$1" class "fd00:$2::/64=2+25"
}

cleanup() {
	kill -KILL "${LOAD_PID:-}"
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
	log_has "shadow: learns, but steers nothing" || fail "log" || return
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

run_tests "$@"
