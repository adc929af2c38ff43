#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon may fail in every way, and its files, disk and clocks, too: traffic is unaffected, and
# what went wrong is said. Under real load; counted by the packet path and by the clients.
# Environment: LARCH_KILLS (40), LARCH_SOAK: seconds of the soak (20), LARCH_FIGURES: a file to
# which what was measured is added.
set -u
. "$(dirname "$0")/lib.sh"

LONG=10000 # connections that live over all kills

setup() {
	ulimit -c 0 # crashes are ordered here
	lab_up && start_servers || return
	learning=on entries=131072 larch_config | larchd_fresh
}

cleanup() {
	lab_kill CONT "$LAB_LARCHD"
	lab_kill KILL "${LOAD_PID:-}" "${BUSY_PID:-}"
	larchd_stop KILL
	rm -f "$LAB_DIR"/state.json*
	learning=on entries=131072 larch_config >"$LAB_DIR/larch.yaml"
	larchd_start
}

# figure TEXT...: what was measured.
figure() {
	echo "$*" | tee -a "${LARCH_FIGURES:-/dev/null}"
}

# --- counting --------------------------------------------------------------------------------

# XDP's own counters of the balancer's interface: xdp packets, xdp_tx, ...
xdp_counter() {
	lab_in balancer ethtool -S eth0 | awk -v name="_$1:" '
		substr($1, length($1) - length(name) + 1) == name { sum += $2 } END { print sum + 0 }'
}

# Packets of all outcomes whose names begin so.
outcome_like() {
	lab_ctl status --all | awk -v prefix="^$1" '$1 ~ prefix && $2 ~ /^[0-9]+$/ { sum += $2 }
		END { print sum + 0 }'
}

# Arrived at the program, less counted by it; sent back by it, less counted as forwarded. Both count
# from somewhere: they must stay as they are.
gaps() {
	echo "$(($(xdp_counter xdp_packets) - $(outcome_sum))) $(($(xdp_counter xdp_tx) - $(outcome_like forward_)))"
}

gaps_are() {
	[ "$(gaps)" = "$1" ]
}

open_flows() {
	lab_ctl -o json status | "$BUILD/jsonget" flow_table open
}

has_long_flows() {
	[ "$(open_flows)" -ge $LONG ]
}

# --- a daemon that ends and comes back ---------------------------------------------------------

# Before the neighbours on this machine, where that is allowed: what they do is not measured.
first() {
	if chrt -f 1 true 2>/dev/null; then chrt -f 1 "$@"; else "$@"; fi
}

# Begins larchd and waits until it answers. Sets BACK_MS.
back() {
	local began=${EPOCHREALTIME/./}
	larchd_begin "$@"
	! chrt -f 1 true 2>/dev/null || chrt -f -p 1 "$LAB_LARCHD"
	first timeout 30 sh -c "until $BUILD/larchctl -s $LAB_DIR/larchd.sock status >/dev/null 2>&1; do
			kill -0 $LAB_LARCHD 2>/dev/null || exit 1; sleep 0.01; done" ||
		fail "larchd did not come back: $(tail -n 2 "$LARCHD_LOG")" || return
	BACK_MS=$(((${EPOCHREALTIME/./} - began) / 1000))
}

test_many_kills_break_no_connection_and_lose_no_packet() {
	local before drops errors i program packets
	packets=$(outcome_sum)
	before=$(gaps) drops=$(outcome_like drop_) errors=$(xdp_counter xdp_tx_errors)
	program=$(program_id)
	# All of them ask at once, every 20 s: a slow answer is none that Larch has broken.
	load_start kills --rate 50 --requests 2 --duration 900 --body 200 --max-open 20000 --timeout-ms 60000 \
		--long $LONG --long-interval-ms 20000
	eventually 60 "the long connections" has_long_flows || return
	for i in $(seq "${LARCH_KILLS:-40}"); do
		larchd_stop KILL
		back || return
		echo "$BACK_MS"
		sleep "0.$((i % 3))" # in another moment of the tick each time
	done >"$LAB_DIR/back"
	sleep 1
	load_stop && load_unbroken || return
	check "long connections" "$(load_get long flows) >= $LONG" || return
	eventually 5 "every packet counted once: $before, $(gaps)" gaps_are "$before" || return
	same "packets dropped" "$(outcome_like drop_)" "$drops" &&
		same "packets that could not be sent" "$(xdp_counter xdp_tx_errors)" "$errors" &&
		same "program" "$(program_id)" "$program" || return
	figure "kills: $(load_get long flows) connections, $(load_get long requests) requests of theirs, 0 broken;" \
		"$(($(outcome_sum) - packets)) packets, 0 lost; back after ms (median, most):" \
		"$(sort -n "$LAB_DIR/back" | awk '{ at[NR] = $1 } END { print at[int(NR / 2) + 1], at[NR] }')"
	check "ms until it was back" "$(sort -n "$LAB_DIR/back" | tail -n 1) <= 1000"
}

test_a_stopped_daemon_holds_up_nobody() {
	local flows
	load_start stop --rate 200 --duration 60 --long 100 --long-interval-ms 200
	sleep 1
	kill -STOP "$LAB_LARCHD"
	flows=$(new_flows)
	sleep 3
	check "new flows meanwhile" "$(new_flows) - $flows > 300" || return
	lab_kill CONT "$LAB_LARCHD"
	eventually 10 "an answer" lab_ctl status || return
	load_stop && load_unbroken
}

# crash POINT[:N]: larchd aborts there, by itself or when it reloads; the next one is whole.
crash() {
	local n=0
	larchd_stop KILL
	LARCH_FAULT=abort@$1 larchd_begin
	until larchd_has_ended; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "$1: it does not crash" || return
		backends="b1=$((50 + n % 2)) b2 b3 b4" learning=on entries=131072 larch_config >"$LAB_DIR/larch.yaml"
		lab_ctl reload >/dev/null 2>&1
		sleep 0.2
	done
	log_has "LARCH_FAULT: at ${1%:*}" || fail "$1: it ended elsewhere: $(tail -n 1 "$LARCHD_LOG")" || return
	back || return
	! log_has "damaged" || fail "$1: something was damaged"
}

# A generation of which one half is new must not be taken for one that is whole.
test_a_crash_at_any_step_leaves_something_whole() {
	local point number=0
	load_start crash --rate 200 --requests 2 --duration 300 --long 200 --long-interval-ms 200
	sleep 3
	for point in read:3 judge:3 train shares rings publish bank switch walk vips policy policy:5 apply \
		apply:2 save save:2; do
		crash $point || return
		check "$point: generation" "$(generation_number) >= $number" || return
		number=$(generation_number)
	done
	load_stop && load_unbroken
}

# --- files -----------------------------------------------------------------------------------

a_state() {
	python3 - "$1" <<-'END'
		import json, sys, zlib
		sections = {"orders": {"b1": "x" * 2000}}
		text = json.dumps(sections, separators=(",", ":"), sort_keys=True)
		json.dump({"version": 1, "check": "%08x" % zlib.crc32(text.encode()), "sections": sections},
		    open(sys.argv[1], "w"))
	END
}

# state_is_refused WHAT REASON: the file that stands there now.
state_is_refused() {
	local file=$LAB_DIR/state.json
	rm -f "$file.corrupt" && cp -r "$file" "$LAB_DIR/given"
	back || return
	log_has "error: $file: REFUSED: $2.*; it is kept as $file.corrupt, and larchd starts without it" ||
		fail "$1: log" || return
	cmp "$LAB_DIR/given" "$file.corrupt" || fail "$1: it was not put aside" || return
	refused 0 "^WARNING: $file was refused at the start: $2" lab_ctl status &&
		refused 0 "^WARNING: $file was refused" lab_ctl list &&
		same "$1: JSON" "$(lab_ctl -o json status | "$BUILD/jsonget" state ok)" false && vip_answers || return
	larchd_stop KILL
}

test_a_damaged_state_file_is_put_aside_and_said() {
	local file=$LAB_DIR/state.json
	load_start state --rate 100 --duration 300 --long 100 --long-interval-ms 200
	larchd_stop KILL
	a_state "$file" && back || return
	! log_has REFUSED || fail "a good one was refused" || return
	larchd_stop KILL
	a_state "$file" && sed -i 's/xxx/xyx/' "$file" && state_is_refused "flipped" "its check sum is wrong" || return
	a_state "$file" && truncate -s 1000 "$file" && state_is_refused "cut" "line 1, column" || return
	: >"$file" && state_is_refused "empty" "line 1, column 0" || return
	head -c 3000 /dev/urandom >"$file" && state_is_refused "noise" "" || return
	a_state "$file" && sed -i 's/"version": 1/"version": 7/' "$file" &&
		state_is_refused "version" "it has version 7, and this larchd knows version 1" || return
	rm -f "$file" "$file.corrupt"
	back || return
	! log_has REFUSED || fail "none was there" || return
	load_stop && load_unbroken
}

# larchd with a disk of its own, seen by nobody else, of so many kB. Its state is there.
begin_with_disk() {
	larchd_stop KILL
	mkdir -p "$LAB_DIR/disk"
	LARCHD_STARTS=$((LARCHD_STARTS + 1))
	LARCHD_LOG=$LAB_DIR/larchd-$LARCHD_STARTS.log
	lab_start balancer "larchd-$LARCHD_STARTS.log" unshare -m --propagation private sh -c "
		mount -t tmpfs -o size=$1k larch $LAB_DIR/disk && { $2; } &&
		exec $BUILD/larchd -c $LAB_DIR/larch.yaml -p $LAB_PINS -s $LAB_DIR/larchd.sock \
			--state $LAB_DIR/disk/state.json -l debug"
	LAB_LARCHD=$LAB_PID
	lab_wait 30 larchd_is_up_or_dead
	larchd_is_up || fail "larchd did not start: $(tail -n 2 "$LARCHD_LOG")"
}

on_disk() {
	nsenter --mount="/proc/$LAB_LARCHD/ns/mnt" "$@"
}

not_saved() {
	lab_ctl status | grep -q "^WARNING: not saved: $LAB_DIR/disk/last-good.yaml: $1"
}

# unsaved REASON CURE...: it is said once, all else goes on, and it is written when that is possible.
unsaved() {
	local reason=$1 number
	shift
	eventually 10 "the warning" not_saved "$reason" || return
	load_start disk --rate 200 --requests 2 --duration 60 --long 100 --long-interval-ms 200
	number=$(generation_number)
	backends="b1=50 b2 b3 b4" learning=on larch_config >"$LAB_DIR/larch.yaml"
	refused 0 reloaded lab_ctl reload || return
	sleep 3
	same "times that it was logged" "$(log_count 'last-good.yaml: cannot be written')" 1 &&
		check "generation" "$(generation_number) > $number" || return
	"$@"
	eventually 10 "it is written" on_disk cmp "$LAB_DIR/larch.yaml" "$LAB_DIR/disk/last-good.yaml" &&
		eventually 5 "that is said" log_has "last-good.yaml: can be written again" || return
	! lab_ctl status | grep -q "not saved" || fail "the warning stays" || return
	[ "$(on_disk ls "$LAB_DIR/disk")" = last-good.yaml ] || fail "more is left: $(on_disk ls "$LAB_DIR/disk")" || return
	load_stop && load_unbroken
}

test_a_full_disk_costs_nothing_but_the_file() {
	begin_with_disk 64 "! cat /dev/zero >$LAB_DIR/disk/filler 2>/dev/null" || return
	unsaved "No space left on device" on_disk rm "$LAB_DIR/disk/filler"
}

test_a_disk_that_is_read_only_costs_nothing_but_the_file() {
	begin_with_disk 64 "mount -o remount,ro $LAB_DIR/disk" || return
	unsaved "Read-only file system" on_disk mount -o remount,rw "$LAB_DIR/disk"
}

# The thread that writes stands still; the loop does not.
test_a_disk_that_hangs_holds_up_nobody() {
	larchd_stop KILL
	LARCH_FAULT=stall@save back || return
	eventually 5 "the writer that hangs" log_has 'LARCH_FAULT: at save' || return
	refused 0 reloaded lab_ctl reload && vip_answers || return
	kill -TERM "$LAB_LARCHD"
	eventually 10 "the end" larchd_has_ended
}

# --- clocks ----------------------------------------------------------------------------------

ticks() {
	lab_ctl -o json status | "$BUILD/jsonget" tick ticks
}

wall() {
	echo "$1" >"$LAB_DIR/wall.new" && mv "$LAB_DIR/wall.new" "$LAB_DIR/wall"
}

# Years forth and back under a running daemon; its clients wait no longer, its ticks do not pause.
test_the_wall_clock_may_jump() {
	local library before jump
	library=$(dpkg -L libfaketime | grep MT) || fail "no libfaketime" || return
	larchd_stop KILL
	load_start wall --rate 200 --requests 2 --duration 300 --long 200 --long-interval-ms 200
	wall +0
	LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$LAB_DIR/wall FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
		DONT_FAKE_MONOTONIC=1 back || return
	for jump in +10y -9000d +1h -1h +0; do
		wall "$jump"
		before=$(ticks)
		sleep 2
		check "ticks in 2 s after $jump" "$(ticks) - $before >= 6" || return
		check "uptime after $jump" "$(lab_ctl -o json status | "$BUILD/jsonget" uptime_s) < 60" || return
	done
	! log_has "could not run|error:" || fail "$(grep -E 'could not run|error:' "$LARCHD_LOG" | head -3)" || return
	lab_ctl benefit >/dev/null && lab_ctl history >/dev/null || fail "reports" || return
	load_stop && load_unbroken
}

# A host that was restored, or a container: the daemon's clock is days off the packet path's.
test_a_monotonic_clock_of_its_own_breaks_nothing() {
	local offset before
	load_start clock --rate 200 --requests 2 --duration 300 --long 200 --long-interval-ms 200
	for offset in 1000000 -60; do
		larchd_stop KILL
		LARCHD_STARTS=$((LARCHD_STARTS + 1))
		LARCHD_LOG=$LAB_DIR/larchd-$LARCHD_STARTS.log
		lab_start balancer "larchd-$LARCHD_STARTS.log" unshare -T --monotonic $offset "$BUILD/larchd" \
			-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json"
		LAB_LARCHD=$LAB_PID
		eventually 20 "larchd" lab_ctl status || return
		before=$(ticks)
		sleep 7 # the flow table is walked every five
		check "ticks with $offset" "$(ticks) - $before > 15" || return
		check "long connections" "$(open_flows) >= 200" || return
	done
	load_stop && load_unbroken
}

# --- for a long time -------------------------------------------------------------------------

# What a day does to a daemon, faster: reloads of all kinds, questions, clients that go away.
busy() {
	local n=0 command
	while :; do
		n=$((n + 1))
		case $((n % 5)) in
		0) backends="b1 b2 b3" ;;
		1) backends="b1=$((n % 90 + 1)) b2 b3 b4" ;;
		2) echo broken ;;
		*) backends= ;;
		esac >"$LAB_DIR/larch.yaml.part"
		[ $((n % 5)) = 2 ] || learning=on entries=131072 larch_config >"$LAB_DIR/larch.yaml.part"
		mv "$LAB_DIR/larch.yaml.part" "$LAB_DIR/larch.yaml"
		lab_ctl reload
		for command in status list stat tree benefit history; do
			lab_ctl -o json $command
		done
		timeout 0.01 "$BUILD/larchctl" -s "$LAB_DIR/larchd.sock" tree
		sleep 0.1
	done >/dev/null 2>&1
}

# Memory of its own, in kB; what is shared with the kernel's tables is not its.
rss() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$LAB_LARCHD/status"
}

descriptors() {
	find "/proc/$LAB_LARCHD/fd" -mindepth 1 -lname "${1:-*}" | wc -l
}

# What larchd has in the kernel: its pins, the maps of the program on the interface, maps and
# programs that it holds open.
kernel_things() {
	echo "pins $(find "$LAB_PINS" -type f | wc -l) program $(program_id)" \
		"maps $(bpftool -j prog show id "$(program_id)" | grep -o '"map_ids":\[[^]]*' | tr , '\n' | wc -l)" \
		"held $(descriptors '*bpf-map*') $(descriptors '*bpf-prog*')"
}

test_a_soak_takes_no_more_memory_and_leaks_nothing() {
	local seconds=${LARCH_SOAK:-20} memory things fds
	load_start soak --rate 200 --requests 3 --duration $((seconds + 60)) --long 200 --long-interval-ms 200
	busy &
	BUSY_PID=$!
	sleep 15 # all has been done once
	things=$(kernel_things) fds=$(descriptors) memory=$(rss)
	sleep "$seconds"
	kill "$BUSY_PID" && wait "$BUSY_PID" 2>/dev/null
	sleep 1
	figure "soak of $seconds s: memory $memory kB, then $(rss) kB; descriptors $fds, then $(descriptors); $things"
	check "kB more" "$(rss) - $memory <= 1024" || return
	same "in the kernel" "$(kernel_things)" "$things" || return
	check "descriptors" "$(descriptors) <= $fds" || return
	load_stop && load_unbroken
}

# --- a configuration that is damaged on its way -----------------------------------------------

flip() {
	python3 - "$@" <<-'END'
		import random, sys
		good, out, seed = sys.argv[1:]
		text = bytearray(open(good, "rb").read())
		bit = random.Random(int(seed)).randrange(8 * len(text))
		text[bit // 8] ^= 1 << bit % 8
		open(out, "wb").write(text)
	END
}

# What is refused changes nothing. Some flips make another configuration that is valid: 100, 101.
test_a_reload_with_a_flipped_bit_changes_nothing() {
	local seed refused=0 before number
	learning=off larch_config | tee "$LAB_DIR/good.yaml" | larchd_reload || return
	load_start flip --rate 200 --duration 300 --long 100 --long-interval-ms 200
	sleep 1
	before=$(generation)
	for seed in $(seq 150); do
		flip "$LAB_DIR/good.yaml" "$LAB_DIR/larch.yaml" "$seed"
		"$BUILD/larchd" -t -c "$LAB_DIR/larch.yaml" >/dev/null 2>&1 && continue
		refused=$((refused + 1))
		refused 1 refused lab_ctl reload && same "generation, seed $seed" "$(generation)" "$before" || return
	done
	check "flips that were refused" "$refused > 75" && load_stop && load_unbroken
}

run_tests "$@"
