#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# larchctl: every command, its JSON, its exit status, and whether what it says is true.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	learning=on larch_config | larchd_fresh || return
	load_start first --rate 300 --duration 3 --requests 2
	load_wait
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	lab_in balancer ip route del unreachable 10.50.2.2
	[ -n "$LAB_LARCHD" ] || larchd_start
}

test_every_command_answers_with_a_table_and_with_json() {
	local command
	for command in status list stat tree benefit history "explain 10.1.0.5:4000 $LAB_VIP4:80/tcp" \
		"explain [fd00:1::5]:4000 [$LAB_VIP6]:80" "list web" "stat web" "tree web" reload; do
		# shellcheck disable=SC2086 # words
		refused 0 . lab_ctl $command || return
		# shellcheck disable=SC2086
		lab_ctl -o json $command >"$E2E_WORK/json" || fail "$command: status $?" || return
		"$BUILD/jsonget" <"$E2E_WORK/json" >/dev/null || fail "$command: JSON is not valid" || return
	done
}

test_other_formats() {
	refused 0 '^# pxname,svname,' lab_ctl -o csv stat &&
		refused 0 '^digraph|^strict digraph' lab_ctl -o dot tree &&
		same "columns" "$(lab_ctl -o csv stat | awk -F, '{ print NF }' | sort -u | wc -l)" 1
}

# The picture is XML, and has as many leaves and bars as the JSON has.
test_tree_as_a_picture_shows_each_leaf() {
	local leaves
	lab_ctl -o svg tree web >"$E2E_WORK/tree.svg" || fail "status $?" || return
	xmllint --noout "$E2E_WORK/tree.svg" 2>"$E2E_WORK/reason" || return
	leaves=$(json services 0 leaves '#' -- tree web)
	same "leaves" "$(xmllint --xpath 'count(//*[@class="leaf"])' "$E2E_WORK/tree.svg")" "$leaves" &&
		same "bars" "$(xmllint --xpath 'count(//*[@class="leaf"]/*[local-name()="rect"])' \
			"$E2E_WORK/tree.svg")" $((4 * leaves))
}

test_usage_errors_have_status_2() {
	refused 2 "no command 'nonsense'" lab_ctl nonsense &&
		refused 2 . lab_ctl &&
		refused 2 . lab_ctl -o xml status &&
		refused 2 'no such output format' lab_ctl -o csv tree &&
		refused 2 'no such output format' lab_ctl -o svg list &&
		refused 2 . lab_ctl --nonsense status &&
		refused 2 "no number" lab_ctl --limit many benefit &&
		refused 2 . lab_ctl explain 10.1.0.5:4000 &&
		refused 2 . lab_ctl explain 10.1.0.5 $LAB_VIP4:80 &&
		refused 2 . lab_ctl explain 10.1.0.5:4000 "[$LAB_VIP6]:80"
}

test_unreachable_daemon_has_status_3() {
	refused 3 "cannot be reached" "$BUILD/larchctl" -s "$E2E_WORK/none" status || return
	larchd_stop KILL
	refused 3 "cannot be reached" lab_ctl status
}

test_what_does_not_exist_has_status_4() {
	refused 4 nosuch lab_ctl list nosuch && refused 4 nosuch lab_ctl tree nosuch &&
		refused 4 "no service" lab_ctl explain 10.1.0.5:4000 10.99.0.77:80
}

test_help_and_version_have_status_0() {
	refused 0 "Exit status" "$BUILD/larchctl" --help &&
		refused 0 "larchctl [0-9]" "$BUILD/larchctl" --version &&
		refused 0 "Usage: larchctl explain" "$BUILD/larchctl" help explain &&
		refused 0 "Exit status" "$BUILD/larchd" --help && refused 0 "larchd [0-9]" "$BUILD/larchd" -V
}

test_stat_shows_the_kernels_counters() {
	sleep 0.3
	same "flows of the service" "$(json rows 0 stot -- stat web)" "$(counter larch_svc_count 0 flows)" &&
		same "packets" "$(json rows 0 packets -- stat web)" "$(counter larch_svc_count 0 packets)" &&
		same "flows of b1" "$(json rows 1 stot -- stat web)" "$(flows_of b1)" &&
		same "name" "$(json rows 1 svname -- stat web)" b1
}

test_status_shows_the_generation_of_the_kernel() {
	learning=off larch_config | larchd_reload || return
	sleep 0.6
	same "generation" "$(json services 0 generation -- status)" "$(generation_number)" &&
		same "digest" "$(json services 0 digest -- status)" \
			"$(printf '%016x' "$(generation | cut -d ' ' -f 2)")" &&
		same "attached" "$(json interfaces 0 attached -- status)" true &&
		same "usable" "$(json services 0 usable -- status)" 4
}

test_list_says_why_a_backend_gets_no_flows() {
	lab_in balancer ip route add unreachable 10.50.2.2
	eventually 10 "b2 not ready" backend_not_ready b2 || return
	same "state" "$(json services 0 backends 1 state -- list web)" down &&
		refused 0 'b2 .*down .*: route is unreachable' lab_ctl list || return
	lab_in balancer ip route del unreachable 10.50.2.2
	eventually 10 "b2 ready" backend_ready b2 && same "state" \
		"$(json services 0 backends 1 state -- list web)" active
}

is_attached() {
	[ "$(json interfaces 0 attached -- status)" = true ]
}

test_foreign_interface_program_is_shown() {
	lab_in balancer ip -force link set dev eth0 xdpdrv obj "$BUILD/pass.bpf.o" sec xdp || return
	same "attached" "$(json interfaces 0 attached -- status)" false &&
		refused 0 "WARNING: eth0: .*ANOTHER XDP PROGRAM is there .'pass', id [0-9]+.*ip link set dev eth0 xdp off" \
			lab_ctl status || return
	lab_in balancer ip link set dev eth0 xdp off
	eventually 5 "the program" is_attached
}

test_explain_knows_where_established_flows_are() {
	local source port backend checked=0
	learning=on larch_config | larchd_reload || return
	load_start open --rate 1 --long 10 --long-interval-ms 50 --duration 4
	sleep 2
	# The log is buffered: sources and ports come from the clients' own table.
	lab_in client ss -Htn state established "dst $LAB_VIP4:80" | awk '{ print $3 }' >"$E2E_WORK/flows"
	while read -r source; do
		echo "$source $(json backend -- explain "$source" "$LAB_VIP4:80/tcp")"
	done <"$E2E_WORK/flows" >"$E2E_WORK/explained"
	load_wait && load_unbroken || return
	while read -r source backend; do
		port=${source##*:}
		same "backend of $source" "$backend" "$(awk -v source="${source%:*}" -v port="$port" \
			'$2 == source && $3 == port { print $9 }' "$LOAD.log" | sort -u)" || return
		checked=$((checked + 1))
	done <"$E2E_WORK/explained"
	check "flows looked at" "$checked >= 4"
}

test_explain_foretells_where_new_flows_go() {
	local port told
	learning=off larch_config | larchd_reload || return
	for port in 3001 3002 3003 3004 3005 3006 3007 3008; do
		told=$(json new backend -- explain "10.1.0.9:$port" "$LAB_VIP4:80/tcp") || return
		same "port $port" "$(get 10.1.0.9 "http://$LAB_VIP4:80/" --local-port $port -o /dev/null -D - |
			sed -n 's/^X-Backend: \(b[0-9]\).*/\1/p')" "$told" || return
		same "port $port afterwards" \
			"$(json backend -- explain "10.1.0.9:$port" "$LAB_VIP4:80/tcp")" "$told" || return
	done
}

test_arm_divides_flows_as_the_kernel_does() {
	local control all
	load_start arms --rate 600 --duration 3 --requests 1
	load_wait || return
	awk '{ print $2, $3, $4, $5, "tcp" }' "$LOAD.log" >"$E2E_WORK/flows"
	lab_ctl arm <"$E2E_WORK/flows" >"$E2E_WORK/arms" || fail "status $?" || return
	all=$(wc -l <"$E2E_WORK/arms")
	control=$(grep -c ' control$' "$E2E_WORK/arms")
	same "lines" "$all" "$(wc -l <"$E2E_WORK/flows")" &&
		check "control share" "$control / $all > 0.03 && $control / $all < 0.1"
}

test_reload_is_honest() {
	local number
	larch_config >"$LAB_DIR/larch.yaml"
	refused 0 "reloaded .*: 2 services, 4 backends" lab_ctl reload || return
	number=$(generation)
	larch_config | sed 's/weight: 100/weight: 10x/' >"$LAB_DIR/larch.yaml"
	refused 1 "larch.yaml:13:50: .*'10x'; expected" lab_ctl reload || return
	same "generation" "$(generation)" "$number" &&
		same "config ok" "$(json config ok -- status)" false || return
	larch_config >"$LAB_DIR/larch.yaml"
	refused 0 reloaded lab_ctl reload && same "config ok" "$(json config ok -- status)" true
}

test_benefit_tells_connect_leaves_and_time() {
	local ticks
	learning=on larch_config | larchd_reload || return
	load_start benefit --rate 400 --duration 3 --requests 2
	load_wait || return
	refused 0 "p95 of response over the last" lab_ctl benefit web || return
	check "connects learned" "$(json services 0 connect learned samples -- benefit web) > 100" &&
		check "connects control" "$(json services 0 connect control samples -- benefit web) > 5" &&
		same "leaves" "$(json services 0 leaves '#' -- benefit web)" \
			"$(json services 0 leaves '#' -- tree web)" || return
	lab_ctl -o json benefit web >"$LAB_DIR/benefit" || return
	ticks=$("$BUILD/jsonget" services 0 series ticks when '#' <"$LAB_DIR/benefit")
	check "ticks" "$ticks > 5" &&
		same "points" "$("$BUILD/jsonget" services 0 series ticks connect control p99_us '#' <"$LAB_DIR/benefit")" "$ticks"
}

test_history_names_the_last_generation() {
	local count
	sleep 0.5
	count=$(json services 0 generations '#' -- history)
	same "generation" "$(json services 0 generations $((count - 1)) generation -- history)" \
		"$(generation_number)"
}

test_history_says_whose_share_moved_and_why() {
	learning=off larch_config | larchd_reload || return
	learning=on larch_config | larchd_reload || return
	lab_in balancer ip route add unreachable 10.50.2.2
	eventually 10 "b2 not ready" backend_not_ready b2 || return
	refused 0 "b2's share for .* fell from [0-9]+ % to 0 %, .*: b2 is down, .+" lab_ctl history &&
		log_has "b2's share for .*: b2 is down" || fail "log"
}

test_socket_is_not_for_everyone() {
	same "mode" "$(stat -c %a "$LAB_DIR/larchd.sock")" 660
}


test_slow_and_silent_clients_do_not_stop_others() {
	local i
	for i in $(seq 70); do
		lab_start client "idle$i" "$BUILD/labserver" --tell "$LAB_DIR/larchd.sock" nonsense
	done
	refused 0 larchd lab_ctl status || return
	vip_answers || fail "the service does not answer"
}

test_larchd_that_is_terminated_takes_its_socket_along() {
	larchd_stop TERM
	[ ! -e "$LAB_DIR/larchd.sock" ] || fail "the socket is left"
}

run_tests "$@"
