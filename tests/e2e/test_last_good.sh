#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A start with a bad file: larchd takes the last good configuration, and says so wherever one looks.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	larch_config | larchd_fresh && lab_wait 5 test -s "$LAB_DIR/last-good.yaml" &&
		cp "$LAB_DIR/larch.yaml" "$LAB_DIR/good.yaml"
}

cleanup() {
	rm -rf "$LAB_DIR/larch.yaml"
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/larch.yaml"
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/last-good.yaml"
	larchd_stop TERM
	larchd_start
}

test_what_is_in_force_is_kept_beside_the_state_file() {
	local kept=$LAB_DIR/last-good.yaml
	cmp "$LAB_DIR/larch.yaml" "$kept" || fail "not what was started with" || return
	backends="b1 b2 b3" larch_config | larchd_reload || return
	lab_wait 5 cmp "$LAB_DIR/larch.yaml" "$kept" || fail "not what was reloaded" || return
	cp "$kept" "$LAB_DIR/before.yaml"
	larch_config | sed 's/weight: 100/weight: 10x/' | larchd_reload || return
	cmp "$LAB_DIR/before.yaml" "$kept" || fail "a bad file was kept"
}

# says_so NAME FILE: every surface, of a larchd that had to take the last good one.
says_so() {
	local answer
	log_has "error: $2.* is REFUSED: larchd starts with the LAST GOOD configuration, $LAB_DIR/last-good.yaml" ||
		fail "$1: the log" || return
	refused 0 "^config $LAB_DIR/last-good.yaml, .*the LAST GOOD one: the file was REFUSED" lab_ctl status &&
		refused 0 "^WARNING: the LAST GOOD configuration, .* is in force; the file was refused" lab_ctl status &&
		refused 0 "^WARNING: the LAST GOOD configuration" lab_ctl list || return
	answer=$(lab_ctl -o json status)
	same "$1: ok" "$("$BUILD/jsonget" config ok <<<"$answer")" false &&
		same "$1: last_good" "$("$BUILD/jsonget" config last_good <<<"$answer")" "$LAB_DIR/last-good.yaml" || return
	lab_ctl -o json list | grep -q '"the LAST GOOD configuration' || fail "$1: the list's JSON" || return
	refused 1 "refused; the last good one, $LAB_DIR/last-good.yaml, stays in force" lab_ctl reload &&
		vip_answers
}

test_a_start_with_a_bad_file_takes_the_last_good_one_and_says_so() {
	sed -i 's/weight: 100/weight: 10x/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && says_so "bad" "$LAB_DIR/larch.yaml" || return
	log_has "$LAB_DIR/larch.yaml:13:50: .*'10x'; expected" || fail "the mistake is not in the log" || return
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/larch.yaml"
	refused 0 "reloaded" lab_ctl reload || return
	! lab_ctl status | grep -q "LAST GOOD" || fail "it says so still" || return
	same "ok" "$(lab_ctl -o json status | "$BUILD/jsonget" config ok)" true
}

test_a_start_without_the_file_takes_the_last_good_one_too() {
	rm "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && log_has "larch.yaml: No such file" && says_so "missing" "$LAB_DIR/larch.yaml"
}

test_a_file_that_is_cut_off_changes_nothing_for_the_traffic() {
	load_start cut --rate 300 --duration 6 --long 40 --long-interval-ms 100
	sleep 1
	truncate -s -20 "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && says_so "cut" "$LAB_DIR/larch.yaml" || return
	load_wait && load_unbroken
}

test_strict_refuses_instead() {
	sed -i 's/weight: 100/weight: 10x/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	refused 1 "larch.yaml:13:50: " lab_in balancer timeout 20 "$BUILD/larchd" --strict \
		-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json"
}

test_the_first_start_ever_is_refused() {
	sed -i 's/weight: 100/weight: 10x/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	rm "$LAB_DIR/last-good.yaml"
	refused 1 "larch.yaml:13:50: " lab_in balancer timeout 20 "$BUILD/larchd" \
		-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json"
}

test_a_last_good_one_that_is_bad_itself_is_refused_too() {
	sed -i 's/weight: 100/weight: 10x/' "$LAB_DIR/larch.yaml"
	truncate -s -20 "$LAB_DIR/last-good.yaml"
	larchd_stop KILL
	refused 1 "last-good.yaml:[0-9]+" lab_in balancer timeout 20 "$BUILD/larchd" \
		-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json"
}

test_check_never_looks_at_the_last_good_one() {
	refused 1 "No such file" "$BUILD/larchd" -t -c "$LAB_DIR/none.yaml" --state "$LAB_DIR/state.json"
}

run_tests "$@"
