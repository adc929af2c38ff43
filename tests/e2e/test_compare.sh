#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The comparison of balancers in the lab: its short form has every row, loses nothing of Larch's and
# leaves nothing behind. Who is faster is no test.
set -u
. "$(dirname "$0")/lib.sh"

# A build folder of our own: the figures of the real one stay as they are.
setup() {
	bench=$E2E_WORK/build
	mkdir "$bench" && ln -s "$BUILD"/* "$bench"/ && rm -f "$bench"/lab.json
	export TMPDIR=$E2E_WORK/tmp
	mkdir "$TMPDIR"
}

compare() {
	LAB_ID=$LAB_ID-compare BUILD=$bench tools/compare-lab "$@" >"$E2E_WORK/out" 2>"$E2E_WORK/err"
}

# column NAME PATTERN: of the rows that hold the pattern, a line each.
column() {
	grep -E "$2" "$bench/lab.json" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

rows() {
	column scenario "$1" | wc -l
}

sum() {
	column "$@" | awk '{ sum += $1 } END { print sum + 0 }'
}

expect_rows() {
	local scenario balancer
	for scenario in "$@"; do
		for balancer in larch larch_learned larch_off haproxy nginx; do
			same "rows of $balancer, $scenario" \
				"$(rows "\"$scenario\",\"balancer\":\"$balancer\"")" 2 || return
		done
	done
	for balancer in direct larch larch_off haproxy nginx; do
		same "idle rows of $balancer" "$(rows "\"idle\",\"balancer\":\"$balancer\"")" 1 || return
	done
}

test_short_form_has_all_rows_and_loses_nothing_of_larch() {
	local balancer asked
	compare --quick || fail "compare-lab failed: $(tail -3 "$E2E_WORK/err")" || return
	"$BUILD/jsonget" '#' <"$bench/lab.json" >"$E2E_WORK/count" || fail "no valid JSON" || return
	same "rows" "$(cat "$E2E_WORK/count")" 55 && expect_rows classes slow shift crowd pauses || return
	same "failed requests of Larch" "$(sum failed '"larch')" 0 || return
	same "failed requests next door" "$(sum failed idle)" 0 || return
	asked=$(sum requests '"larch"')
	check "requests" "$asked > 1000" || return
	for balancer in larch_off haproxy nginx; do
		check "requests of $balancer" "$(sum requests "\"$balancer\"") > 0.9 * $asked" || return
	done
	grep -qE 'p99 .* over haproxy, +crowd +[0-9.]+ +bar 0.9: ' "$E2E_WORK/out" ||
		fail "no bars: $(cat "$E2E_WORK/out")" || return
	same "lines of progress" "$(grep -c 'p99 ms: ' "$E2E_WORK/err")" 10 && expect_nothing_left
}

load_runs() {
	ip netns pids "$LAB_ID-compare-haproxy-client" | xargs -r -n 1 ps -o comm= -p | grep loadgen
}

test_interrupted_comparison_leaves_nothing() {
	local pid
	LAB_ID=$LAB_ID-compare BUILD=$bench tools/compare-lab >"$E2E_WORK/out" 2>&1 &
	pid=$!
	eventually 40 "the load" load_runs || return
	kill -TERM $pid
	wait $pid
	same "exit status" $? 143 && expect_nothing_left
}

test_mistaken_options_are_refused() {
	refused 2 "takes one of: classes slow" tools/compare-lab --scenario none &&
		refused 2 "from 1 to 99" tools/compare-lab --repeat 0 &&
		refused 2 "what is 'now'" tools/compare-lab now
}

run_tests "$@"
