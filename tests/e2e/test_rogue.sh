#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who does not play fair, and services that share backends: a client prefix that lies about one
# backend moves little of what others get, and a queue at a backend counts for all its services.
set -u
. "$(dirname "$0")/lib.sh"

ROGUE=10.1.66.0/24 # a neighbour of the first class, in whose leaf it is

# b1 is near to the first prefixes, b2 to the second, b3 to the third ones, b4 to nobody: 25 ms. What
# b1 sends is told from the rest by its TTL.
setup() {
	lab_up && start_servers --listen "$LAB_VIP4:81" || return
	local n class
	for n in 1 2 3 4; do
		for class in 1 2 3; do
			[ $n = $class ] || tell "b$n" class "10.$class.0.0/24=2+25" &&
				tell "b$n" class "fd00:$class::/64=2+25" || return
		done
		tell b$n class "fd00:$n::/64=2" && tell b$n class "10.$n.0.0/24=2" || return
	done
	lab_in router ip route add $ROGUE via 10.70.0.2
	lab_in b1 sh -c 'echo 77 >/proc/sys/net/ipv4/ip_default_ttl'
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}" "${OTHER_PID:-}" "${LIAR_PID:-}"
}

# home_share CLASSES FROM TO: of the flows of some classes that began between two seconds of the
# load, the share that went to their own backend.
home_share() {
	awk -v class="$1" -v from="$2" -v to="$3" '
		$6 == 0 && $1 > from && $1 <= to && $10 == "ok" && $2 ~ "^(10\\.|fd00:)" class "[.:]" {
			split($2, part, "[.:]+")
			home += $9 == "b" part[2]
			all++
		}
		END { print all ? home / all : "nan" }' "$LOAD.log"
}

# lie NAME OPTION...: honest load, in which the liar lies about b1 from 5 s to 9 s. Sets before,
# meanwhile and after: the shares at home of the first class, and others: of the other two.
lie() {
	local name=$1
	shift
	learning=on larch_config | larchd_fresh || return
	load_start "$name" --rate 300 --duration 14 --requests 2
	sleep 5
	lab_start client "liar-$name" "$BUILD/liar" --target $LAB_VIP4:80 --source $ROGUE \
		--rate 60 --duration 4 --ttl 76 "$@"
	LIAR_PID=$LAB_PID
	wait $LIAR_PID || fail "liar: $(cat "$LAB_DIR/liar-$name")" || return
	load_wait && load_unbroken || return
	before=$(home_share 1 3 5)
	meanwhile=$(home_share 1 6 9)
	after=$(home_share 1 12 14)
	others=$(home_share "[23]" 6 9)
	echo "$name: $(cat "$LAB_DIR/liar-$name"); at home: $before, meanwhile $meanwhile, after $after; others" \
		"$(home_share 2 6 9) $(home_share 3 6 9)"
	check "lies" "$("$BUILD/jsonget" lies <"$LAB_DIR/liar-$name") > 50"
}

test_lies_that_a_backend_is_fast_bring_it_nobody() {
	lie fast --answer-ms 0 --requests 20 || return
	check "at home" "$meanwhile > 0.8 * $before && $after > 0.85 * $before" &&
		check "the others at home" "$others > 0.8"
}

# Who says so is soon told apart, and sent elsewhere; what it said until then is forgotten.
test_lies_that_a_backend_is_slow_do_not_take_it_from_the_others() {
	lie slow --answer-ms 40 --requests 100 || return
	check "at home" "$meanwhile > 0.5 * $before && $after > 0.85 * $before" &&
		check "the others at home" "$others > 0.8"
}

# Two services of different backends, b2 in common.
shared_config() {
	larch_config_head
	backends="b1 b2" larch_config_service heavy 80 tcp on
	backends="b2 b3" larch_config_service light 81 tcp on
	printf '...\n'
}

# share_of BACKEND LOG FROM TO: of the flows of a log that began between these seconds.
share_of() {
	awk -v backend="$1" -v from="$3" -v to="$4" '$6 == 0 && $1 > from && $1 <= to && $10 == "ok" { all++; its += $9 == backend }
		END { print all ? its / all : "nan" }' "$2"
}

# For the light service b2 is better than b3, as long as the heavy one leaves it alone.
test_a_queue_at_a_shared_backend_counts_for_both_services() {
	local n class
	for n in 1 2 3; do
		for class in 1 2; do
			tell b$n class "10.$class.0.0/24=$((n == 3 ? 25 : 20))" || return
		done
	done
	shared_config | larchd_fresh || return
	lab_start client light "$BUILD/loadgen" --target $LAB_VIP4:81 --source 10.2.0.0/24 --rate 60 \
		--duration 18 --requests 1 --log "$LAB_DIR/light.log"
	OTHER_PID=$LAB_PID
	sleep 9
	lab_start client heavy "$BUILD/loadgen" --target $LAB_VIP4:80 --source 10.1.0.0/24 --rate 170 \
		--duration 9 --requests 3 --log "$LAB_DIR/heavy.log"
	LOAD_PID=$LAB_PID
	wait "$LOAD_PID" "$OTHER_PID" || fail "loadgen failed" || return
	echo "heavy: b2 has $(share_of b2 "$LAB_DIR/heavy.log" 3 9), light: b3 has" \
		"$(share_of b3 "$LAB_DIR/light.log" 4 9), then $(share_of b3 "$LAB_DIR/light.log" 12 18)"
	check "b3's share of the light service alone" "$(share_of b3 "$LAB_DIR/light.log" 4 9) < 0.4" &&
		check "and beside the other" "$(share_of b3 "$LAB_DIR/light.log" 12 18) > 0.6" &&
		check "b2's share of the heavy service" "$(share_of b2 "$LAB_DIR/heavy.log" 3 9) > 0.3" &&
		check "and of its flows" "$(share_of b2 "$LAB_DIR/heavy.log" 3 9) < 0.65"
}

run_tests "$@"
