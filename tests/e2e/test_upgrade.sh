#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Another version of larchd and of the program takes over, and the first one comes back: nothing is
# lost, broken or forgotten. Versions that do not fit each other say so, and change nothing.
# LARCH_LONG=1: 50 upgrades rather than 8.
set -u
. "$(dirname "$0")/lib.sh"

OURS=$BUILD/larchd
ROUNDS=8
[ -z "${LARCH_LONG:-}" ] || ROUNDS=50

# Other versions are built from these sources, with what a later or earlier one may differ in.
setup() {
	lab_up && start_servers || return
	# All that the router sends to the balancer, counted before any driver.
	lab_in router tc qdisc replace dev balancer root pfifo limit 10000 || return
	build next 9.1.0 build_next && build abi_above 9.2.0 build_abi_above &&
		build abi_below 0.0.9 build_abi_below
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}" "${MONITOR:-}"
	larchd_remove
	[ -z "${LAB_IP_LINK:-}" ] || rm -f /sys/fs/bpf/tc/globals/larch_*
	lab_forget_iproute_pins
}

# build NAME VERSION EDIT: $LAB_DIR/NAME/build/larchd, after EDIT has changed a copy of the sources.
build() {
	local name=$1 version=$2 edit=$3 path
	mkdir "$LAB_DIR/$name" && cp -r Makefile bpf include user "$LAB_DIR/$name" || return
	for path in tests tools vmlinux; do
		ln -s "$PWD/$path" "$LAB_DIR/$name/$path"
	done
	(cd "$LAB_DIR/$name" && "$edit") || fail "$name: nothing to change" || return
	make -C "$LAB_DIR/$name" -j2 BUILD="$LAB_DIR/$name/build" VERSION="$version" CFLAGS=-O0 \
		"$LAB_DIR/$name/build/larchd" "$LAB_DIR/$name/build/larch.bpf.o" >"$LAB_DIR/$name.log" 2>&1 ||
		fail "$name cannot be built: $(tail -n 3 "$LAB_DIR/$name.log")"
}

# change FILE EXPRESSION: sed must find something to do.
change() {
	sed -i.before "$2" "$1" && ! cmp -s "$1" "$1.before" && rm "$1.before"
}

# The same maps and one more, that its other program uses.
build_next() {
	change bpf/flow.h 's/define IDLE_STAMPS 35/define IDLE_STAMPS 34/' || return
	cat >>bpf/maps.h <<-END || return

		struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u64);
			__uint(pinning, LIBBPF_PIN_BY_NAME);
		} larch_next SEC(".maps");
	END
	change bpf/larch.bpf.c 's/^	int outcome = balance(context, &packet);/	__u32 zero = 0;\
	__u64 *next = bpf_map_lookup_elem(\&larch_next, \&zero);\
&\n\
	if (next)\
		__sync_fetch_and_add(next, 1);/'
}

# Settings that are larger than this version's.
build_abi_above() {
	local abi
	abi=$(sed -n 's/^#define LARCH_ABI //p' include/larch/types.h)
	change include/larch/types.h "s/^#define LARCH_ABI .*/#define LARCH_ABI $((abi + 1))/" &&
		change include/larch/service.h 's/^	__u64 filter\[LARCH_FILTER_WORDS\];/&\n	__u64 more[512];/' &&
		change include/larch/service.h 's/^_Static_assert(sizeof(struct larch_settings) == 128 +/&  4096 +/'
}

# Maps of the same shape.
build_abi_below() {
	local abi
	abi=$(sed -n 's/^#define LARCH_ABI //p' include/larch/types.h)
	change include/larch/types.h "s/^#define LARCH_ABI .*/#define LARCH_ABI $((abi - 1))/"
}

# version NAME COMMAND...: with this version's build in place of ours.
version() {
	local name=$1 ours=$BUILD status
	shift
	[ "$name" = ours ] || BUILD=$LAB_DIR/$name/build
	"$@"
	status=$?
	BUILD=$ours
	return $status
}

# What the router has sent to the balancer, and what it had to throw away.
sent() {
	lab_in router tc -s qdisc show dev balancer | awk '$1 == "Sent" { print $4 }'
}

dropped() {
	lab_in router tc -s qdisc show dev balancer |
		awk '$1 == "Sent" { sub(",", "", $7); print $7 }'
}

# Packets that were sent to the balancer since `sent` and `outcome_sum` were $1 and $2, and have
# come to no outcome.
lost() {
	echo $(($(sent) - $1 - ($(outcome_sum) - $2)))
}

none_lost() {
	[ "$(lost "$@")" = 0 ]
}

# Names and ids of all pinned maps but those that other versions add.
maps() {
	local path
	for path in "$LAB_PINS"/larch_*; do
		[ "${path##*/}" = larch_next ] || echo "${path##*/} $(bpftool map show pinned "$path" | sed -n '1s/:.*//p')"
	done
}

carrier_changes() {
	lab_in balancer ip -s -s -j link show dev eth0 | "$BUILD/jsonget" 0 stats64 tx carrier_changes
}

open_flows() {
	lab_ctl status -o json | "$BUILD/jsonget" flow_table open
}

# Entries of larch_cells: what was measured of whom.
cells() {
	bpftool map dump pinned "$LAB_PINS/larch_cells" | grep -c '"response_us":'
}

# upgrade NAME: the daemon ends, and the one of that version goes on where it was.
upgrade() {
	local program before ids count cells
	program=$(program_id)
	ids=$(backend_entries | cut -d ' ' -f 1,4)
	count=$(counter larch_svc_count 0 packets)
	[ -z "$LAB_LARCHD" ] || larchd_stop TERM
	before=$(generation) cells=$(cells)
	version "$1" larchd_start || return
	same "generation and digest" "$(generation)" "$before" || return
	log_has "eth0: program .*replace[sd] .*without a gap" || fail "log: not replaced without a gap" || return
	check "program" "$(program_id) != $program" && same "ids" "$(backend_entries | cut -d ' ' -f 1,4)" "$ids" &&
		check "packets" "$(counter larch_svc_count 0 packets) >= $count" &&
		check "cells" "$(cells) >= $cells"
}

# After a load all that was sent has been counted: measured from $1 sent, $2 outcomes, $3 dropped.
all_counted() {
	lab_wait 10 none_lost "$1" "$2"
	same "packets lost" "$(lost "$1" "$2")" 0 && same "dropped" "$(dropped)" "$3"
}

# upgrades ROUNDS: between both versions, under load, beginning with what runs.
upgrades() {
	local rounds=$1 round name=next had carrier counted at_sent at_dropped
	had=$(maps)
	carrier=$(carrier_changes)
	lab_start balancer monitor ip monitor link
	MONITOR=$LAB_PID
	sleep 0.5 # nothing is under way
	at_sent=$(sent) counted=$(outcome_sum) at_dropped=$(dropped)
	# Rather many connections than many requests: a busy machine must not end them by its slowness.
	load_start upgrade --rate 100 --duration 3600 --long 60 --long-interval-ms 200 --timeout-ms 30000
	eventually 20 "flows" check_flows 60 || return
	for round in $(seq "$rounds"); do
		upgrade $name || fail "upgrade $round, to $name" || return
		same "maps" "$(maps)" "$had" || return
		# The daemon counts them every 5 s.
		[ $((round % 4)) != 0 ] || eventually 10 "the flows that were open" check_flows 60 ||
			fail "after upgrade $round, to $name: $(open_flows)" || return
		[ $name = ours ] && name=next || name=ours
	done
	load_stop
	lab_stop "$MONITOR"
	load_unbroken && all_counted "$at_sent" "$counted" "$at_dropped" || return
	same "carrier changes" "$(carrier_changes)" "$carrier" || return
	! grep -E 'NO-CARRIER|state DOWN|Deleted' "$LAB_DIR/monitor" || fail "the link was down" || return
	echo "upgrades: $rounds, packets $(($(sent) - at_sent)), lost $(lost "$at_sent" "$counted"), flows $(load_get flows), broken $(load_get broken total)" >>"${LARCH_FIGURES:-/dev/null}"
}

check_flows() {
	[ "$(open_flows 2>/dev/null || echo 0)" -ge "$1" ]
}

test_upgrades_under_load_lose_no_packet_and_break_no_connection() {
	learning=on larch_config | larchd_fresh && upgrades "$ROUNDS"
}

test_program_of_ip_link_is_upgraded_under_load() {
	version next lab_ip_link 2>/dev/null || {
		skip "maps of another Larch are pinned by ip link"
		return
	}
	learning=on larch_config >"$LAB_DIR/larch.yaml"
	version next larchd_start && eventually 20 "all backends reachable" all_ready || return
	log_has "left in place" || fail "log: left in place" || return
	upgrade ours && upgrades 2
}

test_generic_mode_is_upgraded_under_load_and_kept() {
	lab_in router ethtool -K balancer gro off gso off tso off >/dev/null
	learning=on larch_config | sed "s/^  - name: eth0/&\n    mode: generic/" | larchd_fresh && upgrades 2 || return
	lab_in balancer ip link show dev eth0 | grep -q xdpgeneric || fail "not generic any more"
}

test_program_for_jumbo_frames_is_upgraded_under_load() {
	learning=on larch_config | sed "s/^  - name: eth0/&\n    frags: on/" | larchd_fresh && upgrades 2
}

# What runs stays in its mode, whatever the configuration says; that is said.
test_mode_of_what_runs_is_kept_and_that_is_said() {
	larch_config | sed "s/^  - name: eth0/&\n    mode: generic/" | larchd_fresh || return
	larch_config >"$LAB_DIR/larch.yaml"
	upgrade next || return
	log_has "eth0: the program runs there in generic mode .* configuration says native.*xdpgeneric off" ||
		fail "log: mode" || return
	lab_in balancer ip link show dev eth0 | grep -q xdpgeneric || fail "not generic any more" || return
	vip_answers || fail "the service does not answer"
}

next_map() {
	bpftool map show pinned "$LAB_PINS/larch_next" | sed -n '1s/:.*//p'
}

next_count() {
	lookup larch_next 0 | awk '$1 == "\"value\":" { print $2 + 0 }'
}

test_map_that_is_new_is_made_beside_the_others_and_kept_over_a_rollback() {
	local map had
	larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	had=$(maps)
	upgrade next || return
	log_has "map larch_next is new with this version" || fail "log: new map" || return
	map=$(next_map)
	[ -n "$map" ] && same "maps" "$(maps)" "$had" && vip_answers && check "uses of it" "$(next_count) > 0" || return
	upgrade ours && same "maps" "$(maps)" "$had" && vip_answers || return
	upgrade next && same "the new map" "$(next_map)" "$map" && same "maps" "$(maps)" "$had" && vip_answers || return
	upgrade ours || return
	# Also a map that this version does not know is removed.
	larchd_stop TERM
	larchd_start --detach && larchd_stop TERM
	[ ! -e "$LAB_PINS" ] || fail "pins are left: $(ls "$LAB_PINS")"
}

# abi_refused RUNNING ABI OTHER ABI: the other version does not touch what the first one left.
abi_refused() {
	local running=$1 other=$3 program had generation
	larch_config >"$LAB_DIR/larch.yaml"
	larchd_remove
	version "$running" larchd_start && eventually 20 "service" vip_answers || return
	load_start "abi-$other" --rate 100 --duration 4 --long 20 --long-interval-ms 50
	sleep 0.5
	larchd_stop TERM
	program=$(program_id) had=$(maps) generation=$(generation)
	version "$other" refused 1 "of ABI $2, this larchd .* is of ABI $4: it changes nothing, and traffic goes on.*xdp off.*rm -rf $LAB_PINS" \
		begin_refused || return
	same "program" "$(program_id)" "$program" && same "maps" "$(maps)" "$had" &&
		same "generation" "$(generation)" "$generation" || return
	# Also where nothing runs: the pins alone.
	load_wait && load_unbroken || return
	lab_in balancer ip link set dev eth0 xdp off
	version "$other" refused 1 "of ABI $2, this larchd .* is of ABI $4" begin_refused || return
	same "program" "$(program_id)" "" && same "maps" "$(maps)" "$had" || return
	# The way back.
	version "$running" larchd_start && eventually 20 "service" vip_answers || return
	same "maps" "$(maps)" "$had"
}

begin_refused() {
	lab_in balancer timeout 20 "$BUILD/larchd" -c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock"
}

abi() {
	version "$1" larchd_abi
}

larchd_abi() {
	"$BUILD/larchd" -V | sed -n 's/.*(ABI \([0-9]*\))$/\1/p'
}

test_larger_abi_is_refused_and_goes_on() {
	abi_refused abi_above "$(abi abi_above)" ours "$(abi ours)"
}

test_smaller_abi_is_refused_and_goes_on() {
	abi_refused abi_below "$(abi abi_below)" ours "$(abi ours)"
}

test_this_abi_is_refused_by_a_larger_one_and_goes_on() {
	abi_refused ours "$(abi ours)" abi_above "$(abi abi_above)"
}

# Nobody's flows are in maps that no daemon has ever worked with.
test_unused_maps_of_another_abi_give_way() {
	version abi_above lab_ip_link 2>/dev/null || {
		skip "maps of another Larch are pinned by ip link"
		return
	}
	larch_config >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 20 "service" vip_answers || return
	log_has "were never in use: they are not adopted" && log_has "replaced without a gap" || fail "log"
}

run_tests "$@"
