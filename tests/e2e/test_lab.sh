#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The lab itself: it comes up as its head comment says, and it goes without a trace whatever happens.
set -u
. "$(dirname "$0")/lib.sh"

# A lab with servers and larchd in a shell of its own, with its own id, which says "ready" at the
# end. $1: seconds that it lives after that.
other_lab() {
	export OTHER_ID=$LAB_ID-other
	larch_config >"$E2E_WORK/larch.yaml"
	OTHER_TMP=$E2E_WORK/tmp
	mkdir -p "$OTHER_TMP"
	LAB_ID=$OTHER_ID TMPDIR=$OTHER_TMP bash -c '
		. tools/lab.sh
		trap lab_down EXIT
		trap "exit 1" INT TERM
		lab_up || exit 1
		lab_start b1 b1.log "$BUILD/labserver" --name b1 --listen "$LAB_VIP4:80"
		cp "$0" "$LAB_DIR/larch.yaml"
		lab_larchd || exit 1
		lab_start client load "$BUILD/loadgen" --target "$LAB_VIP4:80" --source 10.1.0.0/24 \
			--rate 50 --duration 60
		echo ready
		for _ in $(seq '"$1"'0); do sleep 0.1; done' "$E2E_WORK/larch.yaml" \
		>"$E2E_WORK/other" 2>&1 &
	OTHER=$!
}

# Everything that the other lab has made.
traces() {
	ip netns list | grep "^$OTHER_ID-"
	ls -d /sys/fs/bpf/"$OTHER_ID"* 2>/dev/null
	ls -A "$OTHER_TMP"
	local environment
	for environment in $(grep -lsz "^LAB_ID=$OTHER_ID$" /proc/[0-9]*/environ); do
		tr '\0' ' ' <"${environment%environ}cmdline" && echo
	done
}

no_traces() {
	[ -z "$(traces)" ]
}

expect_no_traces() {
	lab_wait 10 no_traces || fail "left: $(traces)"
}

other_is_ready() {
	grep -q ready "$E2E_WORK/other"
}

other_works() {
	eventually 60 "the other lab ($(tail -n 1 "$E2E_WORK/other"))" other_is_ready || return
	[ -n "$(traces)" ] || fail "there is no other lab"
}

test_lab_down_leaves_nothing() {
	other_lab 0
	wait "$OTHER" || fail "status $?: $(tail -n 3 "$E2E_WORK/other")" || return
	other_is_ready || fail "was not ready" || return
	expect_no_traces
}

test_terminated_lab_leaves_nothing() {
	other_lab 60
	other_works || return
	kill -TERM "$OTHER"
	wait "$OTHER"
	expect_no_traces
}

test_lab_terminated_while_it_is_built_leaves_nothing() {
	local delay
	for delay in 0.05 0.2 0.5; do
		other_lab 60
		sleep $delay
		kill -TERM "$OTHER"
		wait "$OTHER"
		expect_no_traces || return
	done
}

test_killed_lab_is_removed_by_the_next_lab_down_of_its_id() {
	other_lab 60
	other_works || return
	kill -KILL "$OTHER"
	wait "$OTHER" 2>/dev/null
	LAB_ID=$OTHER_ID bash -c '. tools/lab.sh; lab_down'
	rm -rf "$OTHER_TMP" # its folder's name died with it
	mkdir "$OTHER_TMP"
	expect_no_traces
}

test_two_labs_do_not_disturb_one_another() {
	other_lab 60
	other_works || return
	LAB_DIR=
	lab_up && start_servers && larch_config | larchd_fresh || return
	eventually 10 "service" vip_answers || return
	kill -TERM "$OTHER"
	wait "$OTHER"
	expect_no_traces && vip_answers || fail "this lab does not answer any more"
}

run_tests "$@"
