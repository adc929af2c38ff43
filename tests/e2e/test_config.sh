#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a configuration may say, and what happens when it changes while traffic runs.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
}

# --- larchd -t -------------------------------------------------------------------------------

# A valid file, with one sed command that spoils it. bad SED PATTERN
bad() {
	larch_config | sed -e "$1" >"$E2E_WORK/bad.yaml"
	refused 1 "^$E2E_WORK/bad.yaml:$2" "$BUILD/larchd" -t -c "$E2E_WORK/bad.yaml"
}

test_check_accepts_what_is_valid() {
	larch_config >"$E2E_WORK/good.yaml"
	refused 0 "valid: 2 services, 4 backends" "$BUILD/larchd" -t -c "$E2E_WORK/good.yaml"
}

test_check_accepts_the_example() {
	refused 0 "valid" "$BUILD/larchd" -t -c tools/examples/larch.yaml
}

test_check_refuses_mistakes_with_line_column_and_what_was_expected() {
	bad 's/^flow_table:/flow_tabel:/' "3:1: flow_tabel: unknown key .*did you mean 'flow_table'" &&
		bad '3a flow_table: {entries: 2048}' "4:1: .*'flow_table' is given twice; first in line 3" &&
		bad 's/weight: 100/weight: 10x/' "13:50: .*'10x'; expected a whole number" &&
		bad 's/weight: 100/weight: 70000/' "13:50: .*'70000'; expected .* to 65535" &&
		bad 's/10.50.2.2/10.50.1.2/' '14:29: .*has that backend already.*line 13' &&
		bad 's/{name: b1,/{name: b2,/' '14:16: .*services\[0\].backends\[1\].name' &&
		bad 's/\[80, 8080\]/[80, 0]/' "8:16: .*port\[1\] is '0'; expected" &&
		bad 's/protocol: tcp/protocol: sctp/' "9:15: .*'sctp'; expected tcp or udp" &&
		bad 's/interval: 250ms/interval: 250/' "4:22: .*'250'; expected a time" &&
		bad 's/learning: off/learning: of/' "10:15: .*'of'; expected off, shadow or on" &&
		bad 's/"10.50.1.2"/10.50.1/' "13:29: .*'10.50.1'; expected an IPv4 or IPv6 address"
}

test_check_refuses_a_service_without_backends() {
	bad '/^      - {name: b/d' '12:14: services\[0\].backends: backends is empty; expected a list'
}

test_check_refuses_every_truncated_file() {
	local size cut
	larch_config >"$E2E_WORK/good.yaml"
	size=$(($(stat -c %s "$E2E_WORK/good.yaml") - 2)) # from "..." on nothing is missing
	for cut in 0 1 50 200 400 $((size / 2)) $((size - 100)) $((size - 9)) $((size - 3)); do
		head -c "$cut" "$E2E_WORK/good.yaml" >"$E2E_WORK/cut.yaml"
		refused 1 "^$E2E_WORK/cut.yaml" "$BUILD/larchd" -t -c "$E2E_WORK/cut.yaml" || return
	done
}

test_check_says_what_is_wrong_with_a_file_that_cannot_be_read() {
	refused 1 "No such file" "$BUILD/larchd" -t -c "$E2E_WORK/none.yaml" &&
		refused 2 "no log level" "$BUILD/larchd" -l loud &&
		refused 2 "help" "$BUILD/larchd" --nonsense
}

test_start_with_a_bad_file_is_refused_and_touches_nothing() {
	local program
	program=$(program_id)
	larch_config | sed 's/weight: 100/weight: 10x/' >"$E2E_WORK/bad.yaml"
	refused 1 "$E2E_WORK/bad.yaml:[0-9]+:[0-9]+: " lab_in balancer timeout 20 "$BUILD/larchd" \
		-c "$E2E_WORK/bad.yaml" -p "$LAB_PINS" -s "$E2E_WORK/socket" --state "$E2E_WORK/state.json" &&
		same "program" "$(program_id)" "$program" && vip_answers
}

test_start_without_a_socket_leaves_nothing() {
	local pins=$LAB_PINS-none
	larch_config | sed '/^interfaces/,/eth0/d' >"$E2E_WORK/alone.yaml"
	refused 1 "cannot listen" lab_in router timeout 20 "$BUILD/larchd" \
		-c "$E2E_WORK/alone.yaml" -p "$pins" -s "$E2E_WORK/no/such/folder/socket" || return
	[ ! -e "$pins" ] || fail "pins were left in $pins"
}

test_start_without_the_right_to_do_so_leaves_nothing() {
	local pins=$LAB_PINS-none
	larch_config >"$E2E_WORK/alone.yaml"
	refused 1 "larchd needs root" lab_in router setpriv --bounding-set=-all --inh-caps=-all timeout 20 \
		"$BUILD/larchd" -c "$E2E_WORK/alone.yaml" -p "$pins" -s "$E2E_WORK/socket" || return
	[ ! -e "$pins" ] || { rmdir "$pins"; fail "the folder of pins was left"; }
}

# --- reload ----------------------------------------------------------------------------------

test_added_backend_gets_flows_within_a_tick() {
	local before
	backends="b1 b2" larch_config | larchd_reload || return
	load_start add --rate 300 --duration 4 --long 20 --long-interval-ms 100
	sleep 1
	before=$(flows_of b1)
	backends="b1 b2 b3" larch_config | larchd_reload || return
	sleep 1
	check "flows of b1" "$(flows_of b1) > $before" && check "flows of b3" "$(flows_of b3) > 30" &&
		load_wait && load_unbroken
}

# Requests of long connections that a backend answered after a moment: long_after BACKEND SECOND
long_after() {
	load_count "$1" "\$10 == \"long\" && \$1 > $2"
}

test_removed_backend_keeps_its_flows_and_gets_no_new_ones() {
	local id before
	larch_config | larchd_reload || return
	load_start remove --rate 200 --duration 6 --long 60 --long-interval-ms 100
	sleep 1.5
	id=$(backend_id b2)
	backends="b1 b3 b4" larch_config | larchd_reload || return
	sleep 0.3
	before=$(counter larch_bck_count "$id" flows)
	sleep 2
	check "new flows of b2" "$(counter larch_bck_count "$id" flows) == $before" &&
		load_wait && load_unbroken || return
	check "requests of b2's long connections" "$(long_after b2 4) > 20"
}

test_removed_backend_is_forgotten_after_its_last_flow() {
	larch_config | larchd_fresh && load_start few --rate 20 --duration 1 && load_wait || return
	backends="b1 b3 b4" larch_config | larchd_reload || return
	[ -n "$(backend_id b2)" ] || fail "the entry went at once" || return
	eventually 60 "b2 forgotten" log_has 'b2: its last flow has ended' || return
	same "b2's id" "$(backend_id b2)" "" && eventually 5 "service" vip_answers
}

test_weight_zero_means_no_new_flows() {
	local before
	larch_config | larchd_reload || return
	load_start zero --rate 200 --duration 5 --long 60 --long-interval-ms 100
	sleep 1.2
	backends="b1 b2 b3=0 b4" larch_config | larchd_reload || return
	sleep 0.3
	before=$(flows_of b3)
	sleep 1.5
	check "new flows of b3" "$(flows_of b3) == $before" && load_wait && load_unbroken || return
	check "requests of b3's long connections" "$(long_after b3 3) > 20"
}

test_weights_are_shares() {
	local one two
	backends="b1=10 b2=30 b3=0 b4=0" larch_config | larchd_reload || return
	one=$(flows_of b1) two=$(flows_of b2)
	load_start weights --rate 800 --duration 2.5 --requests 1
	load_wait && load_unbroken || return
	one=$(($(flows_of b1) - one)) two=$(($(flows_of b2) - two))
	check "share of b2" "$two / ($one + $two) > 0.69 && $two / ($one + $two) < 0.81"
}

test_bad_file_on_reload_is_refused_and_all_goes_on() {
	local number
	larch_config | larchd_reload || return
	load_start bad --rate 200 --duration 3 --long 20 --long-interval-ms 100
	number=$(generation)
	larch_config | sed 's/weight: 100/wieght: 100/' | larchd_reload || return
	log_has "$LAB_DIR/larch.yaml:[0-9]+:[0-9]+: .*wieght" || fail "log: no place" || return
	log_has "reload refused" || fail "log: not refused" || return
	rm "$LAB_DIR/larch.yaml"
	kill -HUP "$LAB_LARCHD"
	eventually 10 "refusal of a missing file" log_has 'error: .*No such file' || return
	same "generation" "$(generation)" "$number" && load_wait && load_unbroken || return
	larch_config | larchd_reload && log_has "reloaded" || fail "no reload afterwards"
}

test_reload_with_an_interface_that_is_not_there_changes_nothing() {
	local number
	larch_config | larchd_reload || return
	number=$(generation)
	backends="b1" larch_config | sed 's/name: eth0/name: eth7/' | larchd_reload || return
	log_has 'eth7: cannot attach: No such device' && log_has "reload refused" || fail "log" || return
	same "generation" "$(generation)" "$number" || return
	lab_ctl status | grep -q "refused: eth7" || fail "status" || return
	larch_config | larchd_reload && vip_answers
}

test_renamed_service_keeps_its_id_and_generation() {
	local number
	larch_config | larchd_reload || return
	number=$(generation)
	larch_config | sed 's/name: web$/name: shop/' | larchd_reload || return
	same "generation" "$(generation)" "$number" && vip_answers && larch_config | larchd_reload
}

test_service_can_come_and_go() {
	with_udp=0 larch_config | larchd_reload || return
	larch_config | sed 's/port: \[80, 8080\]/port: 81/' | larchd_reload || return
	get 10.1.0.7 "http://$LAB_VIP4:80/" -m 2 -o /dev/null && fail "port 80 still answers" && return 1
	larch_config | larchd_reload && eventually 10 "service" vip_answers
}

test_changed_source_address_is_that_of_the_tunnels() {
	local map=$LAB_PINS/larch_backends
	larch_config | sed '1i source: {ipv4: 10.60.0.77}' | larchd_reload || return
	# 10.60.0.77 as bpftool shows a word of the host's byte order
	bpftool map dump pinned "$map" | tr -d ' \n' | grep -q '"outer_source":\[1291861002,' ||
		fail "no entry has the new source" || return
	vip_answers && larch_config | larchd_reload && vip_answers
}

test_reload_storm_breaks_nothing() {
	local i
	load_start storm --rate 300 --duration 5 --long 30 --long-interval-ms 50
	for i in $(seq 12); do
		sleep 0.25
		if [ $((i % 3)) = 0 ]; then
			backends="b1 b2 b4"
		else
			backends="b1=$((i * 10)) b2 b3=$((200 - i)) b4=1"
		fi
		larch_config >"$LAB_DIR/larch.yaml"
		kill -HUP "$LAB_LARCHD"
	done
	unset backends
	larch_config | larchd_reload && load_wait && load_unbroken
}

run_tests "$@"
