#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is what Larch measures what the clients measure? Each connection comes from a network of its own, so
# that its samples have a cell of their own and each can be compared: with the clock of the client's
# kernel, when packets pass its interface, and with that of the application.
#
# A shared machine may put a pause between any two moments; therefore medians are held to a bar, and
# of the worst cases only as much as tells a mistake from a pause. LARCH_FIGURES=FILE: the figures are added to it.
set -u
LAB_BACKENDS=2
. "$(dirname "$0")/lib.sh"

LAB_CLIENTS4="$LAB_CLIENTS4 10.128.0.0/9"

SERIES=127 # 10.SERIES.0.0/16 are the networks of the series of connections that runs

setup() {
	lab_up || return
	# Chosen, so that a series which cannot be timed does not end the timing of those after it.
	with_udp=0 larch_config | sed 's/^    protocol: tcp$/&\n    signal: response/' | larchd_fresh &&
		start_servers --workers 256
}

cleanup() {
	[ -z "${CAPTURE_PID:-}" ] || lab_stop "$CAPTURE_PID" INT
	CAPTURE_PID=
}

# --- three clocks ----------------------------------------------------------------------------

capture_starts() {
	rm -f "$LAB_DIR/capture" # of the series before
	lab_start client capture.log tcpdump -i eth0 -n -B 16384 -s 128 -U --immediate-mode \
		-w "$LAB_DIR/capture" --time-stamp-precision=nano tcp and net "10.$SERIES.0.0/16"
	CAPTURE_PID=$LAB_PID
	eventually 20 "the capture's begin" captures || fail "$(tail -n 3 "$LAB_DIR/capture.log")"
}

# A connection that is not compared with any is in the file: so will be what follows.
captures() {
	get "10.$SERIES.255.1" "http://$LAB_VIP4/" -o /dev/null && [ "$(stat -c %s "$LAB_DIR/capture")" -gt 24 ]
}

# capture_ends CONNECTIONS: once it holds the ends of nearly all. On a busy machine it loses a packet now
# and then; such connections are not compared.
capture_ends() {
	eventually 20 "the capture's end" captured $(($1 * 97 / 100)) && cleanup
}

captured() {
	[ "$(tcpdump -r "$LAB_DIR/capture" -n 'tcp[tcpflags] & tcp-fin != 0 and src net 10.128.0.0/9' 2>/dev/null |
		awk '{ print $3 }' | sort -u | wc -l)" -gt "$1" ]
}

# "SOURCE CONNECT REQUESTS RESPONSE" of each connection, us: at the client's interface. SOURCE is as
# in larch_cells: the number of the /24.
wire() {
	tcpdump -r "$LAB_DIR/capture" -n -ttttt --time-stamp-precision=nano 2>/dev/null | awk '
		function source(end, part) {
			split(end, part, ".")
			return part[1] * 65536 + part[2] * 256 + part[3]
		}
		{
			split($1, at, ":")
			now = (at[1] * 3600 + at[2] * 60 + at[3]) * 1e6
			match($0, /length [0-9]+/)
			bytes = substr($0, RSTART + 7, RLENGTH - 7) + 0
			syn = $7 ~ /S/
		}
		$3 ~ /^10\.1[2-9][0-9]\./ || $3 ~ /^10\.2/ {
			from = source($3)
			if (syn) began[from] = now
			if (bytes) { asked[from] = now; waits[from] = 1 }
			next
		}
		{
			to = source($5)
			if (syn && began[to]) connect[to] = now - began[to]
			if (bytes && waits[to]) {
				response[to] += now - asked[to]
				requests[to]++
				waits[to] = 0
			}
		}
		END { for (i in connect) print i, connect[i], requests[i] + 0, response[i] + 0 }'
}

# The same, as Larch measured it.
in_band() {
	bpftool map dump pinned "$LAB_PINS/larch_cells" | tr -d ',' | awk -v low=$((10 * 65536 + SERIES * 256)) '
		$1 == "\"source\":" { source = $2 }
		$1 == "\"connects\":" { connects = $2 }
		$1 == "\"connect_us\":" { connect = $2 }
		$1 == "\"responses\":" { responses = $2 }
		$1 == "\"response_us\":" && source >= low && source < low + 256 {
			print source, connect, responses, $2
		}'
}

# The same, as the application saw it.
application() {
	awk '{ split($1, part, "."); print part[1] * 65536 + part[2] * 256 + part[3], $3, $4, $5 }' "$LAB_DIR/clients"
}

# --- comparison ------------------------------------------------------------------------------

# quantile Q: of the numbers on stdin.
quantile() {
	sort -g | awk -v q="$1" '{ v[NR] = $1 } END { print NR ? v[int(q * (NR - 1)) + 1] : "nan" }'
}

# ask NAME MS OPTION...: a series of connections to a server that takes MS; further options are
# timeclient's. Leaves lines "connect|response ERROR US ERROR_US APPLICATION_ERROR" in errors-NAME.
ask() {
	local name=$1 ms=$2 backend
	shift 2
	SERIES=$((SERIES + 1))
	for backend in $(lab_backend_names); do
		tell "$backend" class "10.$SERIES.0.0/16=$ms" >/dev/null || return
	done
	capture_starts || return
	lab_in client "$BUILD/timeclient" --target "$LAB_VIP4:80" --sources "10.$SERIES.0.0/16" "$@" \
		>"$LAB_DIR/clients" || fail "$name: the clients failed" || return
	capture_ends "$(wc -l <"$LAB_DIR/clients")" || return
	wire >"$LAB_DIR/wire" && in_band >"$LAB_DIR/in_band" && application >"$LAB_DIR/application"
	awk '
		FILENAME ~ /wire$/ { connect[$1] = $2; requests[$1] = $3; response[$1] = $4; next }
		FILENAME ~ /application$/ { connect_app[$1] = $2; response_app[$1] = $4; next }
		function line(what, ours, theirs, app, n) {
			print what, ours / theirs - 1, theirs / n, (ours - theirs) / n, app ? ours / app - 1 : "nan"
		}
		$1 in connect && $1 in connect_app {
			if ($2) line("connect", $2, connect[$1], connect_app[$1], 1)
			if ($3 && $3 == requests[$1]) line("response", $4, response[$1], response_app[$1], $3)
		}' "$LAB_DIR/wire" "$LAB_DIR/application" "$LAB_DIR/in_band" >"$LAB_DIR/errors-$name"
	show "$name" connect
	show "$name" response
}

# error NAME WHAT COLUMN QUANTILE: of the relative (2), absolute (4) or application (5) errors' sizes.
error() {
	awk -v what="$2" -v column="$3" '$1 == what { e = $column; print e < 0 ? -e : e }' \
		"$LAB_DIR/errors-$1" | quantile "$4"
}

count() {
	grep -c "^$2 " "$LAB_DIR/errors-$1"
}

# Of the connections that are compared.
answers_timed() {
	awk 'NR == FNR { ours[$1] = 1; next } $1 in ours { sum += $3 } END { print sum + 0 }' \
		"$LAB_DIR/application" "$LAB_DIR/in_band"
}

show() {
	[ -n "${LARCH_FIGURES:-}" ] || return 0
	local us
	us=$(awk -v what="$2" '$1 == what { print $3 }' "$LAB_DIR/errors-$1" | quantile 0.5)
	printf '%-22s %-8s n %3d  %10.1f us  median %6.2f %% %7.1f us  p99 %7.2f %% %8.1f us  application %6.2f %% %7.2f %%\n' \
		"$1" "$2" "$(count "$1" "$2")" "$us" \
		"$(awk "BEGIN { print 100 * $(error "$1" "$2" 2 0.5) }")" "$(error "$1" "$2" 4 0.5)" \
		"$(awk "BEGIN { print 100 * $(error "$1" "$2" 2 0.99) }")" "$(error "$1" "$2" 4 0.99)" \
		"$(awk "BEGIN { print 100 * $(error "$1" "$2" 5 0.5) }")" \
		"$(awk "BEGIN { print 100 * $(error "$1" "$2" 5 0.99) }")" >>"${LARCH_FIGURES}"
}

# held NAME WHAT CONNECTIONS US: at least so many were timed; their median error is at most 1 % or so
# many microseconds, which the way through the lab takes them, and nine in ten are within 5 % or ten
# times that.
held() {
	check "$1: connections timed" "$(count "$1" "$2") >= $3" &&
		check "$1: median error of $2" "$(error "$1" "$2" 2 0.5) <= 0.01 || $(error "$1" "$2" 4 0.5) <= $4" &&
		check "$1: p90 of the error of $2" \
			"$(error "$1" "$2" 2 0.9) <= 0.05 || $(error "$1" "$2" 4 0.9) <= 10 * $4"
}

# --- tests -----------------------------------------------------------------------------------

test_answers_of_one_segment() {
	ask 100us 0.1 --connections 200 && held 100us response 180 30 &&
		ask 1ms 1 --connections 200 && held 1ms response 180 30 &&
		ask 10ms 10 --connections 200 --at-once 4 && held 10ms response 180 100 &&
		ask 100ms 100 --connections 200 --at-once 20 && held 100ms response 180 100 &&
		ask 500ms 500 --connections 100 --at-once 25 && held 500ms response 90 100 &&
		held 100us connect 180 30
}

test_longer_answers() {
	ask 10kB 5 --connections 100 --body 10000 && held 10kB response 90 100 &&
		ask 10kB-later 5 --connections 100 --body 10000 --requests 5 &&
		held 10kB-later response 90 100 &&
		ask 1MB 5 --connections 50 --body 1000000 && held 1MB response 45 100
}

# They are timed from their last segment.
test_long_requests() {
	ask post 5 --connections 100 --post 100000 && held post response 80 100
}

# A client may delay the ACK of an answer that fits one segment, once it has received some.
test_later_answers_of_one_segment_are_left_out() {
	ask later 5 --connections 50 --requests 5 || return
	same "connections all of whose answers were timed" "$(count later response)" 0 || return
	same "answers timed" "$(answers_timed)" 50
}

# A request that pauses cannot be told from two.
test_a_request_that_pauses_is_left_out() {
	ask pause 5 --connections 50 --post 400 --pause-ms 20 || return
	same "answers timed" "$(answers_timed)" 0 &&
		check "connects timed" "$(count pause connect) >= 45"
}

test_clients_20_ms_away() {
	lab_delay 20 || return
	ask far-100us 0.1 --connections 200 --at-once 10 && held far-100us connect 180 0 &&
		held far-100us response 180 0 &&
		ask far-10ms 10 --connections 200 --at-once 10 && held far-10ms connect 180 0 &&
		held far-10ms response 180 0 &&
		ask far-1MB 10 --connections 50 --body 1000000 && held far-1MB response 45 0 &&
		ask far-later 10 --connections 100 --at-once 10 --body 10000 --requests 5 &&
		held far-later response 90 0
}

run_tests "$@"
