#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The lab server and the load generator against each other over loopback.
set -u
. "$(dirname "$0")/lib.sh"

build=$BUILD work=$E2E_WORK
server=

cleanup() {
	stop_server
}

teardown() {
	stop_server
}

# Starts a server with the given options on a free port of both families.
start_server() {
	"$build/labserver" --name b1 --listen 127.0.0.1:0 --control "$work/control" "$@" \
		>"$work/server.out" 2>"$work/server.err" &
	server=$!
	for _ in $(seq 100); do
		port=$(sed -n 's/^listening 127.0.0.1:\([0-9]*\)$/\1/p' "$work/server.out")
		[ -n "$port" ] && [ -S "$work/control" ] && return 0
		sleep 0.02
	done
	fail "the server did not start: $(cat "$work/server.err")"
}

stop_server() {
	[ -n "$server" ] || return 0
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	server=
}

tell() {
	"$build/labserver" --tell "$work/control" "$@"
}

generate() {
	"$build/loadgen" --target "127.0.0.1:$port" --source 127.1.0.0/24 --duration 1 "$@" \
		>"$work/report" 2>"$work/loadgen.err"
}

# The first value of a name in the summary: the total over all prefixes.
total() {
	grep '"summary"' "$work/report" | grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d : -f 2
}

# latency OBJECT QUANTILE [PREFIX], in ms.
latency() {
	grep '"summary"' "$work/report" | sed "s|.*\"${3:-summary}\":||" |
		grep -o "\"$1\":{[^}]*}" | head -n 1 | grep -o "\"$2\":[^,}]*" | cut -d : -f 2
}

expect_clean() {
	check "broken flows" "$(total total) == 0" && check "requests" "$(total requests) > 0"
}

# --- latency and capacity --------------------------------------------------------------------

test_light_load_takes_about_the_service_time() {
	start_server --workers 50 --service-ms 10
	generate --rate 100 || fail "loadgen failed" || return
	expect_clean && check "p50" "$(latency all_ms p50) >= 10 && $(latency all_ms p50) < 18" &&
		check "requests" "$(total requests) == 3 * $(total flows)"
}

test_latency_counts_from_the_intended_time() {
	# Of requests 10 ms apart the third waits for 3 x 50 ms of service: 130 ms since its time.
	start_server --workers 50 --service-ms 50
	generate --rate 20 --gap-ms 10 || fail "loadgen failed" || return
	expect_clean && check "p50" "$(latency all_ms p50) >= 90 && $(latency all_ms p50) < 125" &&
		check "p99" "$(latency all_ms p99) >= 130 && $(latency all_ms p99) < 250"
}

test_stopped_generator_does_not_hide_its_delay() {
	start_server --service-ms 0
	"$build/loadgen" --target "127.0.0.1:$port" --source 127.1.0.0/24 --rate 200 --even \
		--requests 1 --duration 1 >"$work/report" &
	local generator=$!
	sleep 0.3
	kill -STOP "$generator"
	sleep 0.4
	kill -CONT "$generator"
	wait "$generator" || fail "status $?" || return
	expect_clean && check "flows" "$(total flows) == 199" &&
		check "max" "$(latency all_ms max) > 350 && $(latency late_ms max) > 350"
}

test_class_costs_its_own_service_and_distance() {
	start_server --workers 50 --service-ms 1 --class 127.2.0.0/16=5+30
	generate --rate 200 --requests 1 --source 127.2.0.0/24 || fail "loadgen failed" || return
	expect_clean && check "near p50" "$(latency all_ms p50 127.1.0.0/24) < 8" &&
		check "far p50" "$(latency all_ms p50 127.2.0.0/24) >= 35" &&
		check "far p50" "$(latency all_ms p50 127.2.0.0/24) < 50"
}

test_distance_occupies_no_worker() {
	start_server --workers 1 --class 127.1.0.0/24=1+50
	generate --rate 300 --requests 1 || fail "loadgen failed" || return
	expect_clean && check "p50" "$(latency all_ms p50) < 80"
}

test_rate_beyond_capacity_saturates() {
	# 2 workers of 20 ms serve 100 a second; 200 a second for 1 s need 2 s.
	start_server --workers 2 --service-ms 20
	generate --rate 200 --even --requests 1 || fail "loadgen failed" || return
	expect_clean && check "max" "$(latency all_ms max) > 900 && $(latency all_ms max) < 1700" &&
		check "elapsed" "$(total elapsed_s) > 1.9"
}

test_jitter_spreads_but_keeps_the_mean() {
	start_server --workers 1000 --service-ms 20 --jitter 0.5 --seed 3
	generate --rate 500 --requests 1 || fail "loadgen failed" || return
	expect_clean && check "mean" "$(latency all_ms mean) > 18 && $(latency all_ms mean) < 30" &&
		check "p99" "$(latency all_ms p99) > 40"
}

test_full_queue_rejects_without_breaking() {
	start_server --workers 1 --service-ms 50 --queue 1
	generate --rate 100 --requests 1 || fail "loadgen failed" || return
	expect_clean && check "rejected" "$(total rejected) > 20"
}

# --- run-time control ------------------------------------------------------------------------

test_speed_takes_effect() {
	start_server --workers 50 --service-ms 4
	[ "$(echo 'speed 0.2' | tell)" = ok ] || fail "speed was not accepted" || return
	generate --rate 100 --requests 1 || fail "loadgen failed" || return
	expect_clean && check "p50" "$(latency all_ms p50) >= 20 && $(latency all_ms p50) < 32"
}

test_pause_stalls_everything() {
	start_server --workers 50 --service-ms 1
	(sleep 0.4; tell pause 400 >/dev/null) &
	generate --rate 200 --even --requests 1 || fail "loadgen failed" || return
	wait $!
	expect_clean && check "max" "$(latency all_ms max) > 370 && $(latency all_ms max) < 900"
}

test_class_can_change_at_run_time() {
	start_server --service-ms 1
	[ "$(tell class 127.1.0.0/16=30)" = ok ] || fail "class was not accepted" || return
	generate --rate 20 --requests 1 || fail "loadgen failed" || return
	expect_clean && check "p50" "$(latency all_ms p50) >= 30"
}

test_stats_agree_with_the_generator() {
	start_server --service-ms 1 --workers 10
	generate --rate 100 || fail "loadgen failed" || return
	local answered
	answered=$(tell stats | grep -o '"requests":[0-9]*' | cut -d : -f 2)
	check "requests" "$answered == $(total requests)"
}

test_unknown_command_is_an_error() {
	start_server
	tell dance >"$work/answer" && fail "exit status 0" && return 1
	grep -q '^error: ' "$work/answer" || fail "no error line"
}

test_quit_and_sigterm_stop_at_once_and_remove_the_socket() {
	start_server --service-ms 5000
	tell quit >/dev/null
	wait "$server" || fail "status $? after quit" || return
	[ ! -e "$work/control" ] || fail "the socket is still there" || return
	start_server --service-ms 5000
	generate --rate 20 --timeout-ms 200 --duration 0.2
	kill "$server"
	wait "$server" || fail "status $? after SIGTERM" || return
	[ ! -e "$work/control" ] || fail "the socket is still there"
}

test_socket_left_by_a_killed_server_is_reused() {
	start_server
	kill -KILL "$server"
	wait "$server" 2>/dev/null
	start_server
}

# --- verification ----------------------------------------------------------------------------

test_wrong_byte_is_a_mismatch() {
	start_server --service-ms 1 --corrupt byte
	generate --rate 50 || fail "loadgen failed" || return
	check "mismatches" "$(total mismatch) == $(total flows)" &&
		check "abandoned" "$(total abandoned_requests) == 2 * $(total flows)"
}

test_another_backend_within_a_connection_is_found() {
	start_server --service-ms 1 --corrupt name
	generate --rate 50 --even || fail "loadgen failed" || return
	check "changes" "$(total backend_changed) > 0"
}

test_answer_cut_short_is_an_early_end() {
	start_server --service-ms 1 --corrupt short
	generate --rate 50 || fail "loadgen failed" || return
	check "early ends" "$(total eof) + 0 == $(total flows)"
}

test_large_answers_are_verified() {
	start_server --service-ms 1
	generate --rate 5 --even --requests 2 --body 20000000 || fail "loadgen failed" || return
	expect_clean && check "bytes" "$(total bytes_verified) == 20000000 * $(total requests)"
}

test_empty_answers_are_fine() {
	start_server --service-ms 1
	generate --rate 50 --body 0 || fail "loadgen failed" || return
	expect_clean
}

test_killed_server_breaks_flows() {
	start_server --service-ms 5
	disown "$server" # bash need not report its death
	(sleep 0.5; kill -KILL "$server") &
	generate --rate 100 --gap-ms 200 --timeout-ms 1000 --long 5 --long-interval-ms 100 ||
		fail "loadgen failed" || return
	wait $!
	check "broken" "$(total total) > 20" && check "refused" "$(total refused) > 20" &&
		check "long" "$(grep -o '"long":{"flows".*' "$work/report" |
			grep -o '"total":[0-9]*' | cut -d : -f 2) == 5"
}

test_unanswered_requests_time_out() {
	start_server --service-ms 60000
	generate --rate 20 --even --timeout-ms 300 || fail "loadgen failed" || return
	check "timeouts" "$(total timeout) == $(total flows)"
}

# --- the generator's schedule ----------------------------------------------------------------

test_ipv6_works() {
	if ! grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then
		skip "no IPv6 on loopback"
		return
	fi
	start_server --service-ms 2 --listen '[::1]:0' --class ::1/128=6
	port=$(sed -n 's/^listening \[::1\]:\([0-9]*\)$/\1/p' "$work/server.out")
	"$build/loadgen" --target "[::1]:$port" --source ::1 --rate 100 --duration 1 \
		>"$work/report" || fail "loadgen failed" || return
	expect_clean && check "p50" "$(latency all_ms p50) >= 6"
}

test_long_flows_live_for_the_whole_run() {
	start_server --service-ms 1
	generate --long 20 --long-interval-ms 50 --rate 10 || fail "loadgen failed" || return
	grep -o '"long":{"flows".*' "$work/report" >"$work/long"
	grep -q '"flows":20,' "$work/long" && grep -q '"total":0' "$work/long" ||
		fail "$(cat "$work/long")" || return
	check "requests" "$(grep -o '"requests":[0-9]*' "$work/long" | cut -d : -f 2) >= 360"
}

test_log_has_a_line_per_request() {
	start_server --service-ms 1
	generate --rate 100 --log "$work/log" || fail "loadgen failed" || return
	check "lines" "$(wc -l <"$work/log") == $(total requests)" || return
	awk -v port="$port" 'NF != 10 || $2 !~ /^127\.1\.0\./ || $3 < 1 || $5 != port ||
		$9 != "b1" || $10 != "ok" || $8 < 1 || ($6 == 0) != ($7 > 0) {
			print; exit 1 }' "$work/log" \
		>"$work/odd" || fail "odd line: $(cat "$work/odd")"
}

test_same_seed_offers_the_same_load() {
	start_server --service-ms 1 --workers 50
	for run in 1 2; do
		generate --rate 200 --seed 42 --source 127.2.0.0/16@2.5#100 --log "$work/log" ||
			fail "loadgen failed" || return
		awk '{ print $1, $2, $6 }' "$work/log" | sort >"$work/load$run"
	done
	cmp -s "$work/load1" "$work/load2" || fail "the two runs differ"
}

test_weights_divide_the_flows() {
	start_server --service-ms 0 --workers 50
	generate --rate 1000 --requests 1 --source 127.2.0.0/24@3 || fail "loadgen failed" || return
	local heavy
	heavy=$(grep '"summary"' "$work/report" | sed 's|.*"127.2.0.0/24":||' |
		grep -o '"flows":[0-9]*' | head -n 1 | cut -d : -f 2)
	check "share" "$heavy > 0.7 * $(total flows) && $heavy < 0.8 * $(total flows)"
}

test_flows_beyond_max_open_are_counted() {
	start_server --service-ms 500 --workers 100
	generate --rate 100 --even --requests 1 --max-open 10 || fail "loadgen failed" || return
	check "sum" "$(total flows) + $(total not_started) == 99" &&
		check "not started" "$(total not_started) > 50"
}

test_interrupted_run_ends_with_a_summary() {
	start_server --service-ms 1
	"$build/loadgen" --target "127.0.0.1:$port" --source 127.1.0.0/24 --rate 50 \
		--duration 60 >"$work/report" &
	local generator=$!
	sleep 0.5
	kill -INT "$generator"
	wait "$generator" || fail "status $?" || return
	[ "$(total interrupted)" = true ] && expect_clean
}

# --- refusals --------------------------------------------------------------------------------

test_bad_options_are_refused_with_the_reason() {
	local gen=("$build/loadgen" --target 127.0.0.1:9 --rate 1)

	refused 2 "--rate 'x': must be a number" "$build/loadgen" --rate x &&
		refused 2 "must be a whole number" "$build/loadgen" --requests 0 &&
		refused 2 "needed" "$build/loadgen" &&
		refused 2 "host bits" "${gen[@]}" --source 10.0.0.1/24 &&
		refused 2 "COUNT must be" "${gen[@]}" --source 10.0.0.0/30#3 &&
		refused 2 "no --target of its family" "${gen[@]}" --source ::1 &&
		refused 2 "given twice" "${gen[@]}" --source ::1 --source ::1/128 &&
		refused 2 "nothing to do" "${gen[@]}" --source 127.0.0.1 --rate 0 &&
		refused 2 "--help" "$build/loadgen" --nonsense &&
		refused 2 "needed" "$build/labserver" --name x &&
		refused 2 "a class is" "$build/labserver" --class 10.0.0.0/8 &&
		refused 2 "no time in ms" "$build/labserver" --class 10.0.0.0/8=1+x &&
		refused 2 "a name has" "$build/labserver" --name 'a b' &&
		refused 2 "must be like" "$build/labserver" --listen fd00::1:80
}

test_address_that_is_not_local_is_refused_with_the_remedy() {
	refused 1 "ip route add local 192.0.2.0/24 dev lo" "$build/loadgen" \
		--target 127.0.0.1:9 --source 192.0.2.0/24 --rate 1
}

test_port_in_use_is_said() {
	start_server
	refused 1 "choose another port" "$build/labserver" --name b2 --listen "127.0.0.1:$port"
}

# ask BYTES: the status line of the answer to raw bytes.
ask() {
	local line
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf '%b' "$1" >&3
	IFS= read -r -t 2 line <&3
	exec 3>&-
	echo "${line%%$'\r'}"
}

test_malformed_requests_are_answered_and_survived() {
	start_server --service-ms 0
	local bytes long
	long=$(printf '%09000d' 0)
	for bytes in 'GARBAGE\n\n' 'GET /\r\n\r\n' '\r\n' 'GET / HTTP/1.1\r\nA b\r\n\r\n' \
		'PUT / HTTP/1.1\r\nContent-Length: -5\r\n\r\n' '\0\0\0\0'; do
		[ "$(ask "$bytes")" = "HTTP/1.1 400 Bad Request" ] || fail "$bytes" || return
	done
	[[ $(ask 'DELETE / HTTP/1.1\r\n\r\n') = *" 501 "* ]] || fail "DELETE" || return
	[[ $(ask 'GET / HTTP/2.0\r\n\r\n') = *" 505 "* ]] || fail "HTTP/2.0" || return
	[[ $(ask "GET /$long HTTP/1.1\r\n\r\n") = *" 431 "* ]] || fail "long head" || return
	[[ $(ask 'GET /else HTTP/1.1\r\n\r\n') = *" 404 "* ]] || fail "/else" || return
	[[ $(ask 'GET / HTTP/1.1\r\n\r\n') = *" 200 "* ]] || fail "the server did not survive"
}

test_uploads_are_digested() {
	start_server --service-ms 0
	local answer
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf 'POST /x HTTP/1.1\r\nContent-Length: 6\r\nConnection: close\r\n\r\nfoo' >&3
	sleep 0.1
	printf 'bar' >&3
	answer=$(timeout 2 cat <&3)
	exec 3>&-
	[[ $answer = *'{"length":6,"fnv1a":"85944171f73967e8"}'* ]] || fail "$answer"
}

test_pipelined_requests_are_answered_in_order() {
	start_server --service-ms 1
	local answer
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /no HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n' >&3
	answer=$(timeout 2 cat <&3 | grep -a -o '^HTTP/1.1 [0-9]*' | tr '\n' ' ')
	exec 3>&-
	[ "$answer" = "HTTP/1.1 404 HTTP/1.1 200 HTTP/1.1 200 " ] || fail "$answer"
}

run_tests "$@"
