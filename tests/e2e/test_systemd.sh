#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What systemd hears of larchd: a socket of ours stands for it, and writes down who said what when.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	larch_config >"$LAB_DIR/good.yaml"
	export NOTIFY_SOCKET=$LAB_DIR/notify WATCHDOG_USEC=600000
}

cleanup() {
	lab_kill CONT "$LAB_LARCHD"
	larchd_remove
	lab_stop "$LISTENER" KILL
}

# One line a message: seconds, then what was said, its lines joined by blanks.
listener() {
	cat <<-'END'
		import os, socket, sys, time
		path = sys.argv[1]
		if os.path.exists(path):
		    os.unlink(path)
		ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		ear.bind(path)
		while True:
		    said = ear.recv(4096).decode().replace("\n", " ")
		    print("%.3f %s" % (time.monotonic(), said), flush=True)
	END
}

# A larchd that is listened to; arguments and environment are passed on.
begin() {
	listener >"$LAB_DIR/listen.py"
	NOTIFY_SOCKET='' lab_start client heard python3 "$LAB_DIR/listen.py" "$LAB_DIR/notify"
	LISTENER=$LAB_PID
	lab_wait 10 test -S "$LAB_DIR/notify" || fail "no listener" || return
	cp "$LAB_DIR/good.yaml" "$LAB_DIR/larch.yaml"
	larchd_start "$@"
}

heard() {
	grep -cE -- "$1" "$LAB_DIR/heard"
}

heard_more() {
	[ "$(heard "$2")" -gt "$1" ]
}

has_heard() {
	heard_more 0 "$1"
}

test_ready_when_it_answers_and_stopping_when_it_ends() {
	begin || return
	lab_ctl status >/dev/null || fail "it is not ready" || return
	eventually 5 "READY" has_heard ' READY=1$' &&
		eventually 5 "STATUS" has_heard ' STATUS=2 services, 4 backends$' || return
	larchd_stop TERM
	eventually 5 "STOPPING" has_heard ' STOPPING=1$'
}

test_a_reload_is_announced_and_its_refusal_shows_in_the_status() {
	begin || return
	lab_ctl reload >/dev/null || fail "reload" || return
	eventually 5 "RELOADING" has_heard ' RELOADING=1 MONOTONIC_USEC=[0-9]+$' &&
		eventually 5 "READY again" heard_more 1 ' READY=1$' || return
	echo nonsense >"$LAB_DIR/larch.yaml"
	refused 1 refused lab_ctl reload &&
		eventually 5 "READY all the same" heard_more 2 ' READY=1$' &&
		eventually 5 "STATUS" has_heard ' STATUS=reload refused: .*larch.yaml:'
}

test_the_last_good_configuration_shows_in_the_status() {
	begin && larchd_stop KILL || return
	echo nonsense >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 5 "STATUS" has_heard ' STATUS=LAST GOOD configuration in force: .*larch.yaml:'
}

test_signs_of_life_come_in_time() {
	begin && sleep 3 || return
	# A third of 0.6 s each; the machine may be busy.
	check "signs of life in 3 s" "$(heard ' WATCHDOG=1$') >= 8" || return
	grep ' WATCHDOG=1$' "$LAB_DIR/heard" | awk 'NR > 1 && $1 - last > 0.6 { late++ } { last = $1 }
		END { exit late > 0 }' || fail "a sign of life came later than it must"
}

# No sign of life for longer than systemd would wait; they go on when larchd does.
test_a_stopped_larchd_gives_none() {
	local before
	begin && eventually 5 "signs of life" has_heard ' WATCHDOG=1$' || return
	kill -STOP "$LAB_LARCHD"
	sleep 0.3
	before=$(heard ' WATCHDOG=1$')
	sleep 1.5
	same "signs of life while it stands still" "$(heard ' WATCHDOG=1$')" "$before" && vip_answers || return
	lab_kill CONT "$LAB_LARCHD"
	eventually 5 "signs of life again" heard_more "$before" ' WATCHDOG=1$'
}

test_a_larchd_that_hangs_in_a_tick_gives_none() {
	local before
	LARCH_FAULT=stall@read:8 begin || return
	eventually 10 "the tick that hangs" log_has 'LARCH_FAULT: at read' || return
	sleep 0.3
	before=$(heard ' WATCHDOG=1$')
	check "signs of life before" "$before > 0" || return
	sleep 1.5
	same "signs of life while it hangs" "$(heard ' WATCHDOG=1$')" "$before" && vip_answers
}

# A configuration with a tick each minute must not look dead to a watchdog of less.
test_a_slow_tick_is_no_missing_one() {
	sed -i 's/interval: 250ms/interval: 60s/' "$LAB_DIR/good.yaml"
	begin && sleep 2 || return
	check "signs of life in 2 s" "$(heard ' WATCHDOG=1$') >= 4"
}

test_the_example_unit_fits() {
	local unit=tools/examples/larchd.service
	grep -q '^Type=notify$' $unit && grep -q '^WatchdogSec=' $unit && grep -q '^StateDirectory=larch$' $unit ||
		fail "the unit lacks something" || return
	if ! command -v systemd-analyze >/dev/null; then
		skip "systemd-analyze is missing"
		return
	fi
	sed "s|/usr/local/sbin|$BUILD|" $unit >"$LAB_DIR/larchd.service"
	systemd-analyze verify "$LAB_DIR/larchd.service" 2>&1 | grep -F "$LAB_DIR/larchd.service" >"$LAB_DIR/verified"
	[ ! -s "$LAB_DIR/verified" ] || fail "$(head -c 300 "$LAB_DIR/verified")"
}

run_tests "$@"
