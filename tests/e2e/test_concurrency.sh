#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How many requests a backend serves at once, found out by what real ones take: b1 and b2 serve one
# in 10 ms, b3 and b4 serve 16 in 80 ms each. The file says nothing of it.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_server b1 --workers 1 --service-ms 10 --jitter 0.5 &&
		start_server b2 --workers 1 --service-ms 10 --jitter 0.5 &&
		start_server b3 --workers 16 --service-ms 80 --jitter 0.5 &&
		start_server b4 --workers 16 --service-ms 80 --jitter 0.5
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
}

# The configuration, with these words for the concurrency of each backend.
config_with() {
	learning=on larch_config | sed "s/, concurrency: 8/$1/"
}

# concurrency BACKEND ""|_from
concurrency() {
	json services 0 backends $((${1#b} - 1)) "concurrency$2" -- list web
}

# Is each of them within a factor of two?
all_found() {
	local n found
	for n in 1 2 3 4; do
		[ "$(concurrency b$n _from)" = fitted ] || return
		found=$(concurrency b$n "")
		if [ $n -le 2 ]; then
			((found <= 2)) || return
		else
			((found >= 8 && found <= 32)) || return
		fi
	done
}

show() {
	lab_ctl list web | grep -- '->'
	grep 'concurrency' "$LARCHD_LOG"
}

test_concurrency_is_found_out_under_load() {
	config_with "" | larchd_fresh || return
	same "before" "$(concurrency b1 "") $(concurrency b1 _from)" "4 assumed" || return
	load_start some --rate 240 --duration 12 --requests 1
	load_wait || return
	load_start more --rate 480 --duration 40 --requests 1
	eventually 38 "each within a factor of two" all_found || {
		show
		return 1
	}
	echo "after $SECONDS s"
	show
	load_stop
	log_has "backend b3: concurrency [0-9]+, which was 4 \(assumed\)" || fail "log"
}

test_what_was_found_out_outlives_the_daemon() {
	local found
	found=$(concurrency b3 "")
	larchd_stop TERM
	larchd_start || return
	same "after the restart" "$(concurrency b3 "") $(concurrency b3 _from)" "$found fitted"
}

test_what_is_configured_stands() {
	config_with ", concurrency: 5" | larchd_reload || return
	same "configured" "$(concurrency b3 "") $(concurrency b3 _from)" "5 configured" || return
	refused 0 "b3 .* 5 " lab_ctl list web
}

run_tests "$@"
