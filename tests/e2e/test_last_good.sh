#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A start with a bad file, or one that cannot be applied: larchd takes the last good configuration,
# and says so wherever one looks.
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
	lab_in balancer ip link del plain
	rmdir "$GROUP"
	larchd_start
}

GROUP=/sys/fs/cgroup/memory/$LAB_ID

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
	vip_answers
}

reload_fails() {
	refused 1 "refused; the last good one, $LAB_DIR/last-good.yaml, stays in force" lab_ctl reload && vip_answers
}

test_a_start_with_a_bad_file_takes_the_last_good_one_and_says_so() {
	sed -i 's/weight: 100/weight: 10x/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && says_so "bad" "$LAB_DIR/larch.yaml" && reload_fails || return
	log_has "$LAB_DIR/larch.yaml:13:50: .*'10x'; expected" || fail "the mistake is not in the log" || return
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/larch.yaml"
	refused 0 "reloaded" lab_ctl reload || return
	! lab_ctl status | grep -q "LAST GOOD" || fail "it says so still" || return
	same "ok" "$(lab_ctl -o json status | "$BUILD/jsonget" config ok)" true
}

test_a_start_without_the_file_takes_the_last_good_one_too() {
	rm "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && log_has "larch.yaml: No such file" && says_so "missing" "$LAB_DIR/larch.yaml" && reload_fails
}

test_a_file_that_is_cut_off_changes_nothing_for_the_traffic() {
	load_start cut --rate 300 --duration 6 --long 40 --long-interval-ms 100
	sleep 1
	truncate -s -20 "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && says_so "cut" "$LAB_DIR/larch.yaml" && reload_fails || return
	load_wait && load_unbroken
}

# What can be found out beforehand: the file changes nothing, for no packet.
test_an_interface_that_does_not_exist_gives_way_to_the_last_good_one() {
	local before
	sed -i 's/name: eth0/name: eth7/; s/port: \[80, 8080\]/port: 8080/' "$LAB_DIR/larch.yaml"
	before=$(generation)
	load_start away --rate 300 --duration 6 --long 40 --long-interval-ms 100
	sleep 1
	larchd_stop KILL
	larchd_start && says_so "away" "$LAB_DIR/larch.yaml" && reload_fails || return
	same "the generation" "$(generation)" "$before" &&
		log_has 'error: eth7: cannot attach: No such device' || return
	refused 0 "the file was refused at the start: $LAB_DIR/larch.yaml: eth7: cannot attach: No such device" \
		lab_ctl status || return
	load_wait && load_unbroken || return
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/larch.yaml"
	refused 0 "reloaded" lab_ctl reload
}

test_an_interface_where_another_program_stands_gives_way_too() {
	lab_in balancer ip link add plain type veth peer name plain-end
	lab_in balancer ip link set dev plain xdpgeneric obj "$BUILD/pass.bpf.o" sec xdp
	sed -i 's/name: eth0/name: plain/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && says_so "taken" "$LAB_DIR/larch.yaml" &&
		log_has 'plain: cannot attach: another XDP program is there'
}

# Only an attempt shows that: what the file has changed by then is undone.
test_a_driver_that_refuses_the_program_gives_way_too() {
	lab_in balancer ip link add plain mtu 9000 type veth peer name plain-end mtu 9000
	sed -i 's/  - name: eth0/&\n  - {name: plain, frags: off}/; s/port: \[80, 8080\]/port: 8080/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	larchd_start && log_has 'plain: cannot attach: .*leave frags at auto' || return
	says_so "refused by the driver" "$LAB_DIR/larch.yaml" || return
	# A reload serves what it can; what a start could not apply is not kept as good.
	refused 0 "reloaded" lab_ctl reload &&
		refused 0 'WARNING: plain: ' lab_ctl status || return
	sleep 0.5
	cmp "$LAB_DIR/good.yaml" "$LAB_DIR/last-good.yaml"
}

test_a_flow_table_that_does_not_fit_gives_way_too() {
	mkdir "$GROUP" && echo $((180 << 20)) >"$GROUP/memory.limit_in_bytes" || {
		skip "no memory cgroups here"
		return 0
	}
	larchd_remove
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/last-good.yaml"
	sed -i 's/entries: 65536/entries: 16777216/' "$LAB_DIR/larch.yaml"
	larchd_limited
	lab_wait 30 larchd_is_up_or_dead
	log_has 'larch.yaml is REFUSED: larchd starts with the LAST GOOD' || fail "log" || return
	refused 0 "the file was refused at the start: $LAB_DIR/larch.yaml: flow_table.entries: 16777216: Cannot allocate" \
		lab_ctl status || return
	eventually 20 "service" vip_answers
}

# larchd, in a control group that has little memory.
larchd_limited() {
	LARCHD_LOG=$LAB_DIR/larchd-limited.log
	# shellcheck disable=SC2016 # the inner shell's
	lab_start balancer larchd-limited.log sh -c 'echo $$ >"$1" && shift && exec "$@"' sh "$GROUP/cgroup.procs" \
		"$BUILD/larchd" -c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" \
		--state "$LAB_DIR/state.json" -l debug
	LAB_LARCHD=$LAB_PID
}

test_where_the_last_good_one_cannot_be_applied_either_it_is_refused() {
	sed -i 's/name: eth0/name: eth7/' "$LAB_DIR/larch.yaml"
	sed 's/name: eth0/name: eth8/' "$LAB_DIR/good.yaml" >"$LAB_DIR/last-good.yaml"
	larchd_stop KILL
	refused 1 "eth8: cannot attach: No such device" lab_in balancer timeout 20 "$BUILD/larchd" \
		-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json" &&
		vip_answers
}

test_strict_refuses_what_cannot_be_applied() {
	sed -i 's/name: eth0/name: eth7/' "$LAB_DIR/larch.yaml"
	larchd_stop KILL
	refused 1 "eth7: cannot attach: No such device" lab_in balancer timeout 20 "$BUILD/larchd" --strict \
		-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json"
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
