#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The benchmark's report is complete and valid whatever could not be measured, and nothing of its
# namespaces is left. No test asks how fast anything is.
set -u
. "$(dirname "$0")/lib.sh"

# A build folder of our own: the figures of the real one stay as they are.
setup() {
	bench=$E2E_WORK/build
	mkdir "$bench" && ln -s "$BUILD"/* "$bench"/ && rm -f "$bench"/bench.{json,svg}
	export TMPDIR=$E2E_WORK/tmp
	mkdir "$TMPDIR"
}

run_bench() {
	LAB_ID=$LAB_ID-bench BUILD=$bench tools/run-bench --quick "$@"
}

figure() {
	"$BUILD/jsonget" "$@" <"$bench/bench.json"
}

test_packet_cases_are_rows_with_net_gross_and_noise() {
	run_bench --case established_udp6 --flows 1 || fail "run-bench failed" || return
	same "case" "$(figure 0 case)" established_udp6 && same "flows" "$(figure 0 flows)" 1 &&
		check "net" "0 < $(figure 0 net_ns) && $(figure 0 net_ns) < $(figure 0 gross_ns)" &&
		check "noise" "$(figure 0 noise) >= 0"
}

# By the routes of a network namespace that the benchmark makes for itself.
test_answers_of_nat_backends_are_rows() {
	run_bench --case nat_answer --flows 1 || fail "run-bench failed" || return
	same "rows" "$(figure '#')" 2 && same "case" "$(figure 0 case)" nat_answer_tcp4 &&
		same "case" "$(figure 1 case)" nat_answer_tcp6
}

test_picture_is_an_svg_with_the_cases() {
	run_bench --case floor_tunnel4 || fail "run-bench failed" || return
	head -n 2 "$bench/bench.svg" | grep -q '<svg xmlns' || fail "no SVG" || return
	grep -q floor_tunnel4 "$bench/bench.svg" || fail "the case is not in it"
}

test_ratios_over_veth_are_rows_with_ratio() {
	local said=$E2E_WORK/said at rows
	run_bench --only veth --flows 1024 >"$said" 2>&1 ||
		fail "run-bench failed: $(tail -5 "$said")" || return
	rows=$(figure '#')
	[ "$rows" -ge 2 ] || grep -q "too busy" "$said" || # a third one where nft is installed
		fail "rows: $rows: $(cat "$said")" || return
	for at in $(seq 0 $((rows - 1))); do
		check "$(figure "$at" case)" "$(figure "$at" ratio) > 0 && $(figure "$at" flows) > 0" || return
	done
	expect_nothing_left
}

test_rival_that_is_missing_costs_its_rows_and_says_why() {
	local out=$E2E_WORK/out err=$E2E_WORK/err rows=$E2E_WORK/rows
	rm "$bench/tx.bpf.o"
	LAB_ID=$LAB_ID-bench BUILD=$bench tools/compare-veth --pairs 20 --flows 1 --rows "$rows" \
		>"$out" 2>"$err"
	same "exit status" $? 0
	ln -s "$BUILD/tx.bpf.o" "$bench/"
	grep -q "veth_over_xdp_tx .*skipped: it could not be set up" "$out" || fail "table: $(cat "$out")" || return
	grep -q "xdp_tx could not be set up: ." "$err" || fail "stderr: $(cat "$err")" || return
	grep -q veth_over_ip_forward "$rows" || grep -q "veth_over_ip_forward .*too busy" "$out" ||
		fail "the others' rows are missing, too: $(cat "$out" "$err")" || return
	! grep -q veth_over_xdp_tx "$rows" || fail "a row of what was not measured" || return
	expect_nothing_left
}

test_rings_are_rows_with_what_they_moved() {
	run_bench --only rings >/dev/null || fail "run-bench failed" || return
	same "case" "$(figure 0 case)" ring_one_grows && same "way" "$(figure 0 way)" rendezvous &&
		check "moved" "$(figure 0 moved) > 0 && $(figure 0 moved_by_least) >= 1"
}

test_nothing_to_compare_leaves_valid_json() {
	ln -sf /bin/false "$bench/vethbench"
	run_bench --only veth --flows 1 >"$E2E_WORK/out" 2>"$E2E_WORK/err"
	same "exit status" $? 0
	ln -sf "$BUILD/vethbench" "$bench/vethbench"
	same "rows" "$(figure '#')" 0 && grep -q "comparisons skipped" "$E2E_WORK/out" &&
		grep -q "comparisons skipped" "$E2E_WORK/err" || fail "not said"
}

clients() {
	ip netns pids "$LAB_ID-bench-client" | xargs -r -n 1 ps -o comm= -p | grep connbench
}

test_interrupted_benchmark_leaves_nothing() {
	local pid
	LAB_ID=$LAB_ID-bench BUILD=$bench tools/run-bench --only connections >"$E2E_WORK/out" 2>&1 &
	pid=$!
	eventually 20 "clients at work" clients || return
	kill -TERM $pid
	wait $pid
	same "exit status" $? 143 && expect_nothing_left
}

run_tests "$@"
