#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The high-availability test: short scenarios run and are judged, a user's own runs and is refused
# for good reason, a given address is measured, and nothing is left behind. How fast is no test.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	export TMPDIR=$E2E_WORK/tmp
	mkdir "$TMPDIR"
	out=$E2E_WORK/out json=$E2E_WORK/figures.json html=$E2E_WORK/report.html
}

hatest() {
	LAB_ID=$LAB_ID-ha "$BUILD/larch-hatest" "$@" >"$out" 2>"$E2E_WORK/err"
}

# expect_status STATUS ARGUMENT...
expect_status() {
	local expected=$1 got
	shift
	hatest "$@"
	got=$?
	[ $got = "$expected" ] || fail "status $got, not $expected: $(tail -n 4 "$out" "$E2E_WORK/err" | tr '\n' ' ')"
}

# Where status 3 says that nothing can be said.
too_busy() {
	grep -q 'too busy to say' "$out" && rm -f "$E2E_WORK/reason" && skip "this machine is too busy"
}

figure() {
	"$BUILD/jsonget" "$@" <"$json"
}

# figure_of BALANCER NAME: of the first scenario.
figure_of() {
	local i
	for i in 0 1 2 3; do
		[ "$(figure scenarios 0 runs $i balancer)" != "$1" ] || figure scenarios 0 runs $i "$2"
	done
}

namespaces() {
	ip netns list | grep "^$LAB_ID-ha-"
}

nothing_left() {
	[ -z "$(namespaces; ls -A "$TMPDIR"; ls -d /sys/fs/bpf/"$LAB_ID"* 2>/dev/null)" ]
}

expect_nothing_left() {
	lab_wait 10 nothing_left || fail "left: $(namespaces | tr '\n' ' ') $(ls -A "$TMPDIR")"
}

# A scenario of the user's: scenario LINE... on stdin.
scenario() {
	{
		echo "title: mine"
		cat
		echo "..."
	} >"$E2E_WORK/mine.yaml"
}

test_killed_daemon_breaks_nothing_beside_a_proxy_whose_death_does() {
	expect_status 0 --short --against haproxy --json "$json" --html "$html" daemon || { too_busy; return; }
	same "scenario" "$(figure scenarios 0 name)" daemon &&
		check "requests" "$(figure_of larch requests) > 500" &&
		same "broken" "$(figure_of larch broken)" 0 &&
		same "long ones broken" "$(figure_of larch broken_long)" 0 &&
		same "with static weights" "$(figure_of static broken_long)" 0 &&
		check "a killed proxy's" "$(figure_of haproxy broken_long) > 0" || return
	grep -q '^  larch .*%' "$out" || fail "no table: $(cat "$out")" || return
	expect_report && expect_nothing_left
}

# It is one file that needs nothing and runs nothing.
expect_report() {
	xmllint --html --noout "$html" 2>/dev/null
	grep -q "default-src 'none'" "$html" || fail "no policy in the report" || return
	grep -qiE '<script|javascript:|on[a-z]+="|src="|https?://[^w]' "$html" &&
		fail "the report runs or loads something" && return 1
	grep -q '<svg' "$html" && grep -q '<polyline class="r0" points="[0-9]' "$html" || fail "no plot" || return
	sed -n '/<svg/,/<\/svg>/p' "$html" >"$E2E_WORK/plot.svg"
	xmllint --noout "$E2E_WORK/plot.svg" 2>"$E2E_WORK/xml" || fail "no XML: $(head -3 "$E2E_WORK/xml")"
}

test_reload_upgrade_and_drain_break_nothing() {
	expect_status 0 --short reload upgrade drain || { too_busy; return; }
	grep -q 'hatest: 3 of 3 scenarios' "$out" || fail "no verdict: $(tail -1 "$out")" || return
	expect_nothing_left
}

test_scenario_of_ones_own_with_a_hook_and_keys_of_larchd() {
	scenario <<-END
		lab: {backends: 2, learning: off, larchd: {flow_table: {entries: 4096}}, web: {signal: connect}}
		load: {rate: 50, long: 4, warm: 500ms, duration: 2s}
		events:
		  - {at: 500ms, do: run, command: "ip netns list | grep -c \$LAB_ID >$E2E_WORK/hook; \$BUILD/larchctl status >>$E2E_WORK/hook"}
		  - {at: 1s, do: kill, backend: b2, for: 500ms}
		thresholds: {availability: 0.01, broken_long: 4}
	END
	expect_status 0 --json "$json" "$E2E_WORK/mine.yaml" || return
	same "nodes in the hook" "$(head -1 "$E2E_WORK/hook")" 5 || return
	grep -q 'web' "$E2E_WORK/hook" || fail "the hook sees no larchd: $(cat "$E2E_WORK/hook")" || return
	same "static beside one that does not learn" "$(figure scenarios 0 runs '#')" 1 &&
		same "event" "$(figure scenarios 0 events 1 what)" "kill b2" &&
		check "not answered" "$(figure_of larch availability) < 1" && expect_nothing_left
}

test_crowds_that_come_again_are_all_counted() {
	scenario <<-END
		lab: {backends: 2, learning: off}
		load: {rate: 20, requests: 1, long: 0, warm: 0s, duration: 4s}
		events: [{at: 500ms, do: crowd, factor: 6, for: 1s, every: 1500ms, times: 2}]
	END
	expect_status 0 --json "$json" "$E2E_WORK/mine.yaml" || return
	check "requests" "$(figure_of larch requests) > 250"
}

# In the report, where a name is an attribute's value; in the JSON, which is UTF-8.
test_names_and_outputs_of_any_kind_are_reported() {
	local name=$'x" onload="y<\xff'
	scenario <<-END
		lab: {backends: 2, learning: off}
		load: {rate: 20, long: 0, warm: 0s, duration: 2s}
		events: [{at: 500ms, do: run, command: 'printf "\\377<b>"; exit 1'}]
	END
	mv "$E2E_WORK/mine.yaml" "$E2E_WORK/$name.yaml"
	expect_status 3 --json "$json" --html "$html" "$E2E_WORK/$name.yaml" || return
	check "scenarios in the JSON" "$(figure scenarios '#') == 1" || return
	grep -q '" onload' "$html" && fail "a name leaves its attribute" && return
	grep -q '<b>' "$html" && fail "an output is markup" && return
	expect_status 2 --json "$E2E_WORK/nowhere/x.json" steady
}

test_threshold_that_is_not_met_is_status_1() {
	scenario <<-END
		lab: {backends: 2, learning: off}
		load: {rate: 50, long: 0, warm: 200ms, duration: 2s}
		events:
		  - {at: 1s, do: kill, backend: b2, for: 800ms}
		thresholds: {availability: 1}
	END
	expect_status 1 "$E2E_WORK/mine.yaml" || return
	grep -q 'availability .*NOT MET' "$out" || fail "not said: $(cat "$out")"
}

test_what_cannot_run_is_status_3_with_the_reason() {
	scenario <<-END
		lab: {backends: 2, web: {signal: maybe}}
		load: {warm: 0s, duration: 2s}
	END
	expect_status 3 "$E2E_WORK/mine.yaml" || return
	grep -qE "could not run: (larch|static): .*signal.*'maybe'" "$out" || fail "reason: $(cat "$out")" || return
	scenario <<-END
		lab: {backends: 2, learning: off}
		load: {warm: 0s, duration: 2s}
		events: [{at: 1s, do: run, command: "echo no way; exit 7"}]
	END
	expect_status 3 "$E2E_WORK/mine.yaml" || return
	grep -q "exits with 7: no way" "$out" || fail "reason: $(cat "$out")" || return
	expect_nothing_left
}

# Who answers nobody keeps all connections open, and the generator cannot begin others: to leave
# those out would call it more available the worse it is.
test_connections_that_could_not_begin_are_no_availability() {
	local server
	python3 -c 'import socket, time
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(1)
print(server.getsockname()[1], flush=True)
time.sleep(600)' >"$E2E_WORK/port" &
	server=$!
	eventually 10 "the server" test -s "$E2E_WORK/port" || return
	scenario <<<"load: {rate: 20000, requests: 1, long: 0, warm: 0s, duration: 2s}"
	expect_status 3 --target "127.0.0.1:$(cat "$E2E_WORK/port")" "$E2E_WORK/mine.yaml"
	set -- $?
	kill $server
	wait $server
	[ "$1" = 0 ] && { grep -q 'too many connections were open' "$out" || fail "reason: $(cat "$out")"; }
}

test_bad_scenarios_are_refused_with_their_place() {
	scenario <<<"load: {rate: 10x}"
	refused 2 "mine.yaml:2:14: load.rate: rate is '10x'; expected a number" \
		"$BUILD/larch-hatest" "$E2E_WORK/mine.yaml" || return
	scenario <<<"events: [{at: 1s, do: explode}]"
	refused 2 "mine.yaml:2:23: .*'explode'; expected slow, pause" "$BUILD/larch-hatest" check "$E2E_WORK/mine.yaml" || return
	echo "title: cut off" >"$E2E_WORK/mine.yaml"
	refused 2 "closing line '...'" "$BUILD/larch-hatest" "$E2E_WORK/mine.yaml" &&
		refused 2 "list' shows what there is" "$BUILD/larch-hatest" nothing &&
		refused 2 "must be haproxy, nginx" "$BUILD/larch-hatest" --against apache steady &&
		refused 2 "go with --target" "$BUILD/larch-hatest" --host a steady &&
		refused 2 "no lab for 'kill'" "$BUILD/larch-hatest" --target 127.0.0.1:80 dead &&
		refused 2 "usage: larch-hatest" "$BUILD/larch-hatest"
}

test_listed_scenarios_are_valid() {
	local name
	expect_status 0 list || return
	check "scenarios" "$(wc -l <"$out") >= 13" || return
	for name in steady crowd slow dead flap drain rolling daemon upgrade link node synflood reload; do
		grep -q "^  $name " "$out" || fail "$name is missing" || return
	done
}

# A server on this host's loopback, as somebody's own, and a hook that slows it.
test_given_address_is_measured_with_the_users_hooks() {
	local server port
	"$BUILD/labserver" --name b1 --listen 127.0.0.1:0 --service-ms 2 --workers 64 \
		--control "$E2E_WORK/server.sock" >"$E2E_WORK/server" &
	server=$!
	eventually 10 "the server" grep -q listening "$E2E_WORK/server" || return
	port=$(sed 's/.*://' "$E2E_WORK/server")
	scenario <<-END
		load: {rate: 50, long: 2, warm: 0s, duration: 3s, path: /}
		events:
		  - {at: 1s, do: run, command: "$BUILD/labserver --tell $E2E_WORK/server.sock speed 0.01"}
		  - {at: 2s, do: run, command: "$BUILD/labserver --tell $E2E_WORK/server.sock speed 1"}
		thresholds: {availability: 0.9, broken: 0, refused: 0}
	END
	expect_status 0 --target "127.0.0.1:$port" --json "$json" "$E2E_WORK/mine.yaml"
	set -- $?
	kill $server
	wait $server
	[ "$1" = 0 ] || return
	same "target" "$(figure target)" "127.0.0.1:$port" &&
		check "slower" "$(figure scenarios 0 runs 0 during p99_ms) > 5 * $(figure scenarios 0 runs 0 before p50_ms)" &&
		expect_nothing_left
}

load_runs() {
	ip netns pids "$LAB_ID-ha-larch-client" 2>/dev/null | xargs -r -n 1 ps -o comm= -p | grep -q loadgen
}

# interrupted SIGNAL STATUS
interrupted() {
	local pid
	LAB_ID=$LAB_ID-ha "$BUILD/larch-hatest" dead >"$out" 2>&1 &
	pid=$!
	eventually 40 "the load" load_runs || return
	kill "-$1" $pid
	wait $pid
	same "exit status" $? "$2" && expect_nothing_left
}

test_interrupted_test_leaves_nothing() {
	interrupted INT 130 && interrupted TERM 143
}

# Its labs see the end of their orders.
test_killed_test_leaves_nothing() {
	interrupted KILL 137
}

# hook_hangs SIGNAL STATUS
hook_hangs() {
	local pid
	rm -f "$E2E_WORK/hangs"
	LAB_ID=$LAB_ID-ha "$BUILD/larch-hatest" "$E2E_WORK/mine.yaml" >"$out" 2>&1 &
	pid=$!
	eventually 40 "the hook" test -e "$E2E_WORK/hangs" || return
	kill "-$1" $pid
	wait $pid
	same "exit status" $? "$2" && expect_nothing_left || return
	! pgrep -f "sleep 98765" >/dev/null || fail "the hook lives on"
}

test_hook_that_hangs_outlives_neither_an_interrupt_nor_a_kill() {
	scenario <<-END
		lab: {backends: 2, learning: off}
		load: {rate: 20, long: 0, warm: 0s, duration: 60s}
		events: [{at: 500ms, do: run, command: "touch $E2E_WORK/hangs; sleep 98765; true"}]
	END
	hook_hangs TERM 143 && hook_hangs KILL 137
}

run_tests "$@"
