#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Backends that come and go by the operator's orders: no flow is broken, none comes where none may.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	slow_start=5s larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	local n
	for n in $(lab_backend_names); do
		lab_ctl activate "$n"
	done
}

# The state of a backend (b1 is number 0) of web.
state() {
	json services 0 backends $((${1#b} - 1)) state -- list web
}

is_state() {
	[ "$(state "$1")" = "$2" ]
}

test_a_drained_backend_keeps_its_flows_and_gets_no_new_ones() {
	load_start drain --rate 100 --duration 24 --requests 2 --long 40 --long-interval-ms 200
	sleep 2
	refused 0 'web: b1 is draining: ordered' lab_ctl drain b1 --deadline 15s || return
	sleep 0.5
	same "new flows while it drains" "$(flows_within b1 3)" 0 || return
	refused 0 'b1 .*draining .*: ordered; [1-9][0-9]* flows are left' lab_ctl list web || return
	eventually 20 "the deadline" is_state b1 maintenance || return
	refused 0 "b1 .*maintenance .*: the drain's deadline has passed" lab_ctl list web || return
	refused 0 'web: b1 is warming: slow start' lab_ctl activate b1 || return
	sleep 1
	check "new flows of b1 at its return" "$(flows_within b1 2) > 0" || return
	load_wait && load_unbroken
}

test_a_drain_ends_when_no_flow_is_left() {
	refused 0 'draining' lab_ctl drain b2 || return
	eventually 30 "b2 is in maintenance" is_state b2 maintenance || return
	refused 0 'b2 .*maintenance .*: drained; no flow is left' lab_ctl list web
}

test_all_backends_drained_one_after_another_break_nothing() {
	local n
	load_start rolling --rate 100 --duration 60 --requests 3 --gap-ms 100 --long 40 \
		--long-interval-ms 200
	sleep 1
	for n in $(lab_backend_names); do
		lab_ctl drain "$n" || return
		sleep 1
		same "new flows of $n" "$(flows_within "$n" 1)" 0 || return
		lab_ctl activate "$n" || return
		eventually 5 "new flows of $n" has_new_flows "$n" || return
	done
	load_stop && load_unbroken
}

has_new_flows() {
	[ "$(flows_within "$1" 0.3)" -gt 0 ]
}

test_slow_start_gives_a_backend_its_part_little_by_little() {
	local early late
	load_start warm --rate 300 --duration 14 --requests 1
	lab_ctl maintenance b3 || return
	sleep 2
	lab_ctl activate b3 || return
	early=$(flows_within b3 1.5)
	eventually 10 "b3 is active" is_state b3 active || return
	late=$(flows_within b3 1.5)
	check "flows of the first 1.5 s and later" "$early > 0 && $early < 0.6 * $late" || return
	load_stop
}

test_the_last_backend_may_be_drained_too() {
	local n
	for n in b1 b2 b3; do
		lab_ctl maintenance "$n" || return
	done
	lab_ctl drain b4 || return
	refused 0 'no backend can take new flows' lab_ctl status || return
	# The last generation stays: better there than nowhere.
	client_get "http://$LAB_VIP4:80/"
}

client_get() {
	lab_in client curl -sS -m 3 -o "$E2E_WORK/got" --interface 10.1.0.9 "$1" || fail "no answer"
}

restart() {
	larchd_stop "$1"
	larchd_start
}

test_orders_outlive_the_daemon_with_their_age() {
	local signal
	lab_ctl drain b1 --deadline 60m || return
	lab_ctl maintenance b2 web || return
	sleep 2
	for signal in KILL TERM; do
		restart $signal || fail "no restart" || return
		same "b1 after $signal" "$(state b1)" draining &&
			same "b2 after $signal" "$(state b2)" maintenance || return
		check "age of b2" "$(json services 0 backends 1 age_s -- list web) >= 2" || return
		refused 0 "b2 .* active " lab_ctl list echo || return
	done
	lab_ctl activate b2 || return
	restart KILL || return
	refused 0 "b2 .* (active|warming) " lab_ctl list web
}

test_orders_that_make_no_sense_are_refused() {
	refused 4 "no service has a backend 'b9'" lab_ctl drain b9 &&
		refused 4 "service mail has no backend 'b1'" lab_ctl drain b1 mail &&
		refused 2 'Usage' lab_ctl drain &&
		refused 2 "deadline is '5'; expected a time" lab_ctl drain b1 --deadline 5 &&
		refused 2 'Usage: larchctl activate' lab_ctl activate b1 --deadline 5s
}

test_an_order_for_one_service_leaves_the_others() {
	lab_ctl drain b1 web || return
	same "web" "$(state b1)" draining || return
	refused 0 "b1 .* (active|warming) " lab_ctl list echo
}

run_tests "$@"
