# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The runner of the end-to-end tests, and what they share. A test file sources this, defines
# functions test_..., and ends with `run_tests "$@"` (arguments: patterns of names to run).
#
#   setup, teardown   optional, once a file, around all of its tests; setup makes the lab if needed
#   cleanup           optional, after each test
#
# A test runs in this shell, says why with `fail`, `check` or `skip`, and returns non-zero when it
# has failed. Its output is shown only then. The last line is "N passed, N failed, N skipped".

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
LAB_ID=${LAB_ID:-larch-e2e-$$}
. tools/lab.sh
PATH=$PATH:/usr/sbin:/sbin
shopt -s lastpipe # what a pipe ends with runs in this shell

E2E_NAME=$(basename "$0" .sh)
E2E_NAME=${E2E_NAME#test_}
E2E_WORK=$(mktemp -d) || exit 1
E2E_TEST=
E2E_DONE=
LAB_LARCHD=
passed=0 failed=0 skipped=0
LARCHD_LOG=
LARCHD_STARTS=0

# --- verdicts --------------------------------------------------------------------------------

fail() {
	echo "$*" >>"$E2E_WORK/reason"
	return 1
}

skip() {
	echo "$*" >"$E2E_WORK/skip"
}

# check WHAT EXPRESSION: the expression is awk's, and is shown if it is false.
check() {
	awk "BEGIN { exit !($2) }" || fail "$1: not $2"
}

# same WHAT GOT EXPECTED
same() {
	[ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"
}

# eventually SECONDS WHAT COMMAND...: waits until it succeeds.
eventually() {
	local seconds=$1 what=$2
	shift 2
	lab_wait "$seconds" "$@" || fail "$what: not within $seconds s"
}

# refused STATUS WORDS COMMAND...: exits with the status and says the words (a pattern of grep -E).
refused() {
	local status=$1 words=$2 got
	shift 2
	"$@" >"$E2E_WORK/said" 2>&1
	got=$?
	[ "$got" = "$status" ] || fail "status $got, not $status: $*: $(head -c 600 "$E2E_WORK/said")" || return
	grep -qE -- "$words" "$E2E_WORK/said" ||
		fail "said '$(head -c 600 "$E2E_WORK/said")', not '$words': $*"
}

# --- runner ----------------------------------------------------------------------------------

e2e_reason() {
	[ ! -e "$E2E_WORK/reason" ] || tr '\n' ' ' <"$E2E_WORK/reason"
}

e2e_show() {
	sed "s/^/        /" | tail -n "${1:-40}"
}

e2e_report() {
	printf '  %-7s %s %s (%s s)' "$1" "$E2E_NAME" "${E2E_TEST#test_}" "$2"
	[ -z "${3:-}" ] || printf ': %s' "$3"
	echo
}

e2e_details() {
	[ ! -s "$E2E_WORK/output" ] || e2e_show 20 <"$E2E_WORK/output"
	[ -f "$LARCHD_LOG" ] || return 0
	echo "        larchd's log, the last lines:"
	grep -v libbpf "$LARCHD_LOG" | e2e_show 15
}

e2e_run() {
	local began=${EPOCHREALTIME/./} status took
	E2E_TEST=$1
	rm -f "$E2E_WORK/reason" "$E2E_WORK/skip"
	"$E2E_TEST" >"$E2E_WORK/output" 2>&1
	status=$?
	took=$((${EPOCHREALTIME/./} - began))
	took=$((took / 1000000)).$((took / 100000 % 10))
	if [ $status -ne 0 ]; then
		failed=$((failed + 1))
		e2e_report FAIL "$took" "$(e2e_reason)"
		e2e_details
	elif [ -e "$E2E_WORK/skip" ]; then
		skipped=$((skipped + 1))
		e2e_report skip "$took" "$(cat "$E2E_WORK/skip")"
	else
		passed=$((passed + 1))
		e2e_report ok "$took"
	fi
	! declare -F cleanup >/dev/null || cleanup >/dev/null 2>&1
}

e2e_finish() {
	trap '' INT TERM
	if [ -z "$E2E_DONE" ]; then
		failed=$((failed + 1))
		e2e_report FAIL 0 "the file ended in the middle"
		e2e_details
	fi
	! declare -F teardown >/dev/null || teardown >/dev/null 2>&1
	lab_down >/dev/null 2>&1
	rm -rf "$E2E_WORK"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# Does the name match one of the patterns, if there are any?
e2e_wanted() {
	local name=$1 pattern
	shift
	[ $# -gt 0 ] || return 0
	for pattern in "$@"; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ ${name#test_} = *$pattern* ]] && return
	done
	return 1
}

run_tests() {
	local test
	for test in $(sed -n 's/^\(test_[A-Za-z0-9_]*\)() {$/\1/p' "$0"); do
		e2e_wanted "$test" "$@" || continue
		if [ -z "$E2E_TEST" ] && declare -F setup >/dev/null; then
			E2E_TEST=setup
			setup >"$E2E_WORK/output" 2>&1 || {
				fail "setup failed"
				failed=$((failed + 1))
				e2e_report FAIL 0 "$(e2e_reason)"
				e2e_details
				break
			}
		fi
		e2e_run "$test"
	done
	if [ -z "$E2E_TEST" ]; then
		echo "  FAIL    $E2E_NAME: no test has '$*' in its name"
		failed=$((failed + 1))
	fi
	E2E_DONE=1
	exit
}

trap 'e2e_finish; exit' EXIT
trap 'exit 1' INT TERM

# --- the lab's servers -----------------------------------------------------------------------

declare -A SERVER # the processes of our lab servers, by backend

# start_server BACKEND [OPTION...]: our lab server on its port 80.
start_server() {
	local backend=$1
	shift
	lab_start "$backend" "$backend.log" "$BUILD/labserver" --name "$backend" \
		--listen "$LAB_VIP4:80" --listen "[$LAB_VIP6]:80" --workers 8 --service-ms 2 \
		--control "$LAB_DIR/$backend.sock" "$@"
	SERVER[$backend]=$LAB_PID
	lab_wait 20 tell "$backend" speed 1 || fail "the server of $backend did not start"
}

# The same of every backend; options are passed on.
start_servers() {
	local backend
	for backend in $(lab_backend_names); do
		start_server "$backend" "$@" || return
	done
}

# tell BACKEND COMMAND...: to our lab server.
tell() {
	local backend=$1
	shift
	"$BUILD/labserver" --tell "$LAB_DIR/$backend.sock" "$@"
}

# place BACKEND N: makes the prefixes of this number far from it.
place() {
	tell "$1" class "10.$2.0.0/24=2+25" && tell "$1" class "fd00:$2::/64=2+25"
}

# b1 and b2 are near the first prefixes, b3 and b4 the second ones.
place_all() {
	local n
	for n in 1 2 3 4; do
		place "b$n" $((n < 3 ? 2 : 1)) || return
	done
}

nginx_config() {
	local backend=$1
	cat <<-END
		daemon off;
		master_process off;
		pid $LAB_DIR/$backend/nginx.pid;
		error_log stderr warn;
		user root;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_max_body_size 64m;
			client_body_temp_path $LAB_DIR/$backend/body;
			proxy_temp_path $LAB_DIR/$backend/proxy;
			fastcgi_temp_path $LAB_DIR/$backend/fastcgi;
			uwsgi_temp_path $LAB_DIR/$backend/uwsgi;
			scgi_temp_path $LAB_DIR/$backend/scgi;
			server {
				listen $LAB_VIP4:8080;
				listen [$LAB_VIP6]:8080;
				root $LAB_DIR/$backend/files;
				add_header X-Backend $backend always;
				location / { dav_methods PUT; }
				location /name { return 200 "$backend\n"; }
			}
		}
	END
}

# Debian's nginx on port 8080 of every backend, or of these nodes, with PUT. Files: $LAB_DIR/bN/files.
start_nginx() {
	local backend
	# shellcheck disable=SC2046 # names
	[ $# -gt 0 ] || set -- $(lab_backend_names)
	for backend in "$@"; do
		mkdir -p "$LAB_DIR/$backend/files"
		nginx_config "$backend" >"$LAB_DIR/$backend/nginx.conf"
		lab_start "$backend" "$backend/log" nginx -p "$LAB_DIR/$backend" -e stderr \
			-c "$LAB_DIR/$backend/nginx.conf"
	done
	for backend in "$@"; do
		lab_wait 20 lab_in "$backend" curl -sS -m 2 "http://$LAB_VIP4:8080/name" ||
			fail "nginx of $backend did not start: $(tail -3 "$LAB_DIR/$backend/log")" || return
	done
}

# --- larchd ----------------------------------------------------------------------------------

# The configuration on stdout. What it can vary, as variables before the call:
#   backends  "b1 b2=0 ..." with weights (100)     learning  on, shadow, off (off)
#   interval  of the tick (250ms)                  with_udp  service on port 5300 (1)
#   entries   of the flow table (65536)              forward   ipip, gue, l2 (ipip)
#   slow_start (0s)
larch_config() {
	larch_config_head
	larch_config_service web "[80, 8080]" tcp "${learning:-off}"
	[ "${with_udp:-1}" = 0 ] || larch_config_service echo 5300 udp off
	printf '...\n'
}

# Up to the services. A test with services of its own goes on with larch_config_service and "...".
larch_config_head() {
	printf 'interfaces:\n  - name: eth0\nflow_table: {entries: %s}\n' "${entries:-65536}"
	printf 'learning: {interval: %s, half_life_server: 3s, half_life_connect: 1s}\n' "${interval:-250ms}"
	printf 'services:\n'
}

# larch_config_service NAME PORT PROTOCOL LEARNING
larch_config_service() {
	local entry name weight
	printf '  - name: %s\n    address: [%s, "%s"]\n' "$1" $LAB_VIP4 $LAB_VIP6
	printf '    port: %s\n    protocol: %s\n    learning: %s\n' "$2" "$3" "$4"
	printf '    forward: %s\n    backends:\n' "${forward:-ipip}"
	for entry in ${backends:-$(lab_backend_names)}; do
		name=${entry%=*} weight=100
		[ "$entry" = "$name" ] || weight=${entry#*=}
		printf '      - {name: %s, address: "%s", weight: %s, concurrency: 8}\n' "$name" \
			"$(backend_address "$name")" "$weight"
	done
	printf '    slow_start: %s\n' "${slow_start:-0s}"
}

# The last backend is reached by IPv6: so all four kinds of tunnel are in use.
backend_address() {
	local n=${1#b}
	if [ "$n" = "$LAB_BACKENDS" ]; then
		echo "fd00:50:$n::2"
	else
		echo "10.50.$n.2"
	fi
}

larchd_is_up() {
	grep -q ' runs: ' "$LARCHD_LOG"
}

larchd_has_ended() {
	! lab_runs "$LAB_LARCHD"
}

larchd_is_up_or_dead() {
	larchd_is_up || larchd_has_ended
}

# Starts larchd with $LAB_DIR/larch.yaml, without waiting; arguments are passed on.
larchd_begin() {
	LARCHD_STARTS=$((LARCHD_STARTS + 1))
	LARCHD_LOG=$LAB_DIR/larchd-$LARCHD_STARTS.log
	lab_start balancer "larchd-$LARCHD_STARTS.log" "$BUILD/larchd" -c "$LAB_DIR/larch.yaml" \
		-p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json" -l debug "$@"
	LAB_LARCHD=$LAB_PID
}

# Starts it and waits until it runs.
larchd_start() {
	larchd_begin "$@"
	lab_wait 30 larchd_is_up_or_dead
	larchd_is_up || fail "larchd did not start: $(tail -n 2 "$LARCHD_LOG")"
}

larchd_stop() {
	[ -z "$LAB_LARCHD" ] || lab_stop "$LAB_LARCHD" "${1:-TERM}"
	LAB_LARCHD=
}

# Nothing of Larch is left on the balancer.
larchd_remove() {
	larchd_stop KILL
	lab_in balancer ip link set dev eth0 xdp off 2>/dev/null
	lab_in balancer ip link set dev eth0 xdpgeneric off 2>/dev/null
	rm -rf "$LAB_PINS" "$LAB_DIR/larchd.sock" "$LAB_DIR"/state.json* "$LAB_DIR/last-good.yaml"
}

# A larchd that knows nothing of earlier ones, with a configuration from stdin.
larchd_fresh() {
	cat >"$LAB_DIR/larch.yaml"
	larchd_remove
	larchd_start && eventually 20 "all backends reachable" all_ready
}

# A new configuration from stdin, taken over by SIGHUP.
larchd_reload() {
	local before
	before=$(log_count 'reloaded |reload refused')
	cat >"$LAB_DIR/larch.yaml"
	kill -HUP "$LAB_LARCHD"
	eventually 20 "the reload" log_has_more "$before" 'reloaded |reload refused'
}

log_has() {
	grep -qE -- "$1" "$LARCHD_LOG"
}

log_count() {
	grep -cE -- "$1" "$LARCHD_LOG"
}

log_has_more() {
	[ "$(log_count "$2")" -gt "$1" ]
}

# --- what is in the kernel -------------------------------------------------------------------

# lookup MAP KEY: one entry, KEY below 256.
lookup() {
	bpftool map lookup pinned "$LAB_PINS/$1" key "$2" 0 0 0
}

# counter MAP KEY FIELD: summed over CPUs.
counter() {
	lookup "$1" "$2" | awk -v field="\"$3\":" '$1 == field { sum += $2 } END { print sum + 0 }'
}

# Packets of all outcomes together.
outcome_sum() {
	bpftool map dump pinned "$LAB_PINS/larch_outcomes" |
		awk '$1 == "\"packets\":" { sum += $2 } END { print sum + 0 }'
}

# Packets of some outcomes, by their numbers in include/larch/outcome.h.
outcomes() {
	bpftool map dump pinned "$LAB_PINS/larch_outcomes" | awk -v numbers=" $* " '
		$1 == "\"key\":" { ours = index(numbers, " " $2 + 0 " ") }
		$1 == "\"packets\":" && ours { sum += $2 }
		END { print sum + 0 }'
}

# json PATH... -- COMMAND...: what stands at the path in a command's JSON.
json() {
	local path=()
	while [ "$1" != -- ]; do
		path+=("$1")
		shift
	done
	shift
	lab_ctl -o json "$@" | "$BUILD/jsonget" "${path[@]}"
}

# New flows steered to a backend so far.
flows_of() {
	counter larch_bck_count "$(backend_id "$1")" flows
}

# flows_within BACKEND SECONDS: that are steered to it from now on.
flows_within() {
	local before
	before=$(flows_of "$1")
	sleep "$2"
	echo $(($(flows_of "$1") - before))
}

new_flows() {
	local backend sum=0
	for backend in $(lab_backend_names); do
		sum=$((sum + $(flows_of "$backend")))
	done
	echo $sum
}

# Where a service's generation stands, e.g. "7 1234567890": number and digest.
generation() {
	local service=${1:-0} bank
	bank=$(lookup larch_active "$service" | awk '$1 == "\"bank\":" { print $2 + 0 }')
	lookup larch_plans $((service * 3 + bank)) | awk '
		$1 == "\"generation\":" { number = $2 + 0 }
		$1 == "\"digest\":" { sub(",", "", $2); print number, $2; exit }'
}

generation_number() {
	local both
	both=$(generation "$@")
	echo "${both% *}"
}

# "id tunnel ready address-word-0 address-word-1" of each entry in use.
backend_entries() {
	bpftool map dump pinned "$LAB_PINS/larch_backends" | tr -d '\[,' | awk '
		$1 == "\"key\":" { key = $2 }
		$1 == "\"tunnel\":" { tunnel = $2 }
		$1 == "\"ready\":" { ready = $2 }
		$1 == "\"outer_destination\":" && tunnel { print key, tunnel, ready, $2 }'
}

# What stands in outer_destination for a backend: the first words of bpftool's output without
# commas, in the byte order of this host.
backend_words() {
	local n=${1#b}
	if [ "$n" = "$LAB_BACKENDS" ]; then
		echo "$((0x500000fd))$((n << 8))0$((2 << 24))"
	else
		echo "$((10 | 50 << 8 | n << 16 | 2 << 24))000"
	fi
}

backend_id() {
	backend_entries | awk -v words="$(backend_words "$1")" '$4 == words { print $1; exit }'
}

backend_ready() {
	backend_entries | awk -v words="$(backend_words "$1")" '
		$4 == words { ready = $3 } END { exit !(ready > 0) }'
}

backend_not_ready() {
	! backend_ready "$1"
}

all_ready() {
	local backend
	for backend in $(sed -n 's/^ *- {name: \([^,]*\),.*/\1/p' "$LAB_DIR/larch.yaml" | sort -u); do
		backend_ready "$backend" || return
	done
}

# The id of the XDP program on the balancer's interface; nothing: none.
program_id() {
	lab_in balancer ip link show dev eth0 | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'
}

# --- labs of the tools -----------------------------------------------------------------------

# A tool's lab is named like ours, with more behind it; TMPDIR is the test file's own.
tool_namespaces() {
	ip netns list | grep "^$LAB_ID-"
}

tool_left_nothing() {
	[ -z "$(tool_namespaces; ls -A "$TMPDIR"; ls -d /sys/fs/bpf/"$LAB_ID"* 2>/dev/null)" ]
}

expect_nothing_left() {
	lab_wait 10 tool_left_nothing || fail "left: $(tool_namespaces) $(ls -A "$TMPDIR")"
}

# --- clients ---------------------------------------------------------------------------------

sha256() {
	sha256sum "$1" | cut -d ' ' -f 1
}

# get SOURCE URL [CURL_OPTION...]
get() {
	local source=$1 url=$2
	shift 2
	lab_in client curl -sS -m 20 --connect-timeout 8 --interface "$source" "$@" "$url"
}

vip_answers() {
	get 10.1.0.7 "http://$LAB_VIP4/" -m 2 -o /dev/null &&
		get fd00:1::7 "http://[$LAB_VIP6]/" -m 2 -o /dev/null
}

# load_start NAME OPTION...: loadgen from all client prefixes, in the background.
load_start() {
	local prefix sources=()
	LOAD=$LAB_DIR/load-$1
	shift
	for prefix in $LAB_CLIENTS4; do
		sources+=(--source "$prefix")
	done
	for prefix in $LAB_CLIENTS6; do
		sources+=(--source "${prefix%/48}/64")
	done
	lab_start client "${LOAD##*/}" "$BUILD/loadgen" --target "$LAB_VIP4:80" \
		--target "[$LAB_VIP6]:80" "${sources[@]}" --log "$LOAD.log" "$@"
	LOAD_PID=$LAB_PID
}

# Ends the load now, if it has not ended by itself.
load_stop() {
	lab_kill INT "$LOAD_PID"
	load_wait
}

load_wait() {
	wait "$LOAD_PID" || fail "loadgen failed: $(tail -n 1 "$LOAD" | head -c 300)"
}

# load_get PATH_ELEMENT...: of the summary.
load_get() {
	tail -n 1 "$LOAD" | "$BUILD/jsonget" summary "$@"
}

# The load has ended, all was answered and nothing was broken.
load_unbroken() {
	check "requests" "$(load_get requests) > 0" &&
		check "not started" "$(load_get not_started) == 0" || return
	same "broken flows" "$(load_get broken total)" 0 ||
		fail "$(load_get broken)" || return
	tail -n 1 "$LOAD" | grep -q '"long"' || return 0
	same "broken long flows" "$(load_get long broken total)" 0 ||
		fail "$(load_get long broken)"
}

# Requests in the load's log that a backend answered; further awk conditions: $1 time, $2 source.
# load_count BACKEND [CONDITION]
load_count() {
	awk -v backend="$1" "\$9 == backend && (${2:-1}) { n++ } END { print n + 0 }" "$LOAD.log"
}
