#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a service asks of the packet path, and how a reload changes it while traffic runs.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	lab_in balancer ip route del 10.50.1.0/24
}

# The configuration with more keys for the service web: with_keys "hash: source" ... With a forward
# of its own, that is for both services.
with_keys() {
	local key forward=ipip
	for key in "$@"; do
		[[ $key != forward:* ]] || forward=${key#forward: }
		[[ $key = forward:* ]] || echo "    $key"
	done >"$E2E_WORK/keys"
	larch_config | sed "/name: web/r $E2E_WORK/keys"
}

# Takes a configuration from stdin over, and fails if it is refused.
reload_accepted() {
	local refused
	refused=$(log_count 'reload refused')
	larchd_reload || return
	same "refusals" "$(log_count 'reload refused')" "$refused" ||
		fail "$(grep 'error: ' "$LARCHD_LOG" | tail -n 2)"
}

# reload_with KEY...
reload_with() {
	with_keys "$@" | reload_accepted
}

# A number of an entry of larch_services: policy FIELD
policy() {
	lookup larch_services 0 | awk -v field="\"$1\":" '$1 == field { print $2 + 0; exit }'
}

setting() {
	lookup larch_settings 0 | awk -v field="\"$1\":" '$1 == field { sub(/^\[/, "", $2); print $2; exit }'
}

# "last-word-of-address port service backend" of each entry of a kind in the table in force.
vips_of_kind() {
	bpftool map dump pinned "$LAB_PINS/larch_vips" | tr '[,' '  ' |
		awk -v kind="$1" -v table=$(($(setting vips | tr -d ,) % 2)) '
			$1 == "\"key\":" { here = ($2 >= 32768) == table }
			$1 == "\"address\":" { address = $5 }
			$1 == "\"port\":" { port = $2 }
			$1 == "\"kind\":" { found = here && $2 == kind }
			$1 == "\"service\":" { service = $2 }
			$1 == "\"backend\":" && found { print address, port, service, $2 }'
}

# An IPv4 address as bpftool shows a word of the host's byte order.
word() {
	local a b c d
	IFS=. read -r a b c d <<<"$1"
	echo $((a | b << 8 | c << 16 | d << 24))
}

# --- keys and entries ------------------------------------------------------------------------

test_every_key_reaches_the_kernel_and_the_list() {
	reload_with "forward: gue" "agent: true" "new_flows: 20000" "source_rate: 50" "source_burst: 70" || return
	same "flags" "$(policy flags)" $((16 | 64 | 128)) && same "mode" "$(policy mode)" 1 &&
		same "new flows" "$(policy new_flows)" 20000 &&
		same "of a source" "$(policy source_flows)" 50 &&
		same "at once" "$(policy source_burst)" 70 || return
	refused 0 'forward gue, agent, new_flows 20.0 k/s, source_rate 50/s \(70 at once\)' lab_ctl list || return
	same "burst in JSON" "$(lab_ctl -o json list | "$BUILD/jsonget" services 0 policy source_burst)" 70 || return
	reload_with || return
	same "flags" "$(policy flags)" 0 && same "mode" "$(policy mode)" 0 &&
		same "new flows" "$(policy new_flows)" 0 && refused 0 '^  forward ipip$' lab_ctl list
}

test_limits_follow_the_configuration() {
	same "limits" "$(setting limit)" "1000,1000,10000,0" || return
	larch_config | sed '1i limits: {echo: 0, too_big: 7, second_chance: 0}' | reload_accepted || return
	same "limits" "$(setting limit)" "0,7,0,0" && same "flags" "$(setting flags)" "9," || return
	larchd_stop TERM
	larchd_start || return
	same "flags after a restart" "$(setting flags)" "9," || return
	larch_config | reload_accepted && same "flags" "$(setting flags)" "1,"
}

test_idle_time_out_is_that_of_datagrams() {
	larch_config | sed '/name: echo/a \    idle_timeout: 10s' | reload_accepted || return
	# A stamp is 6.8 to 10.3 s: 1 or 2 of them, and one more.
	check "idle" "$(lookup larch_services 1 | awk '$1 == "\"idle\":" { print $2 + 0 }') ~ /^[23]$/" &&
		check "idle of tcp" "$(policy idle) == 0"
}

test_agents_answer_to_where_tunnels_leave_from() {
	local port=$((6080 >> 8 | (6080 & 255) << 8))
	same "ends of tunnels" "$(vips_of_kind 4)" "" || return
	reload_with "agent: true" "forward: gue" || return
	vips_of_kind 4 | grep -q "^$(word 10.60.0.2) $port " || fail "none of the route: $(vips_of_kind 4)" || return
	lab_in balancer ip addr add 10.60.0.78/24 dev eth0
	lab_in balancer ip route add 10.50.1.0/24 via 10.60.0.1 src 10.60.0.78
	eventually 10 "another route's source" eval "vips_of_kind 4 | grep -q '^$(word 10.60.0.78) $port '" || return
	with_keys "agent: true" | sed '1i source: {ipv4: 10.60.0.77}' | reload_accepted || return
	vips_of_kind 4 | grep -q "^$(word 10.60.0.77) $port " || fail "none of the source: $(vips_of_kind 4)" || return
	vips_of_kind 4 | grep -qE "^($(word 10.60.0.78)|$(word 10.60.0.2)) " && fail "old ones stay" && return 1
	reload_with && same "ends of tunnels" "$(vips_of_kind 4)" "" && vip_answers
}

# "address port" of each entry for answers of NAT, with addresses as words.
returns() {
	vips_of_kind 3 | cut -d ' ' -f 1,2 | sort
}

# "backend" of each connection id of QUIC.
named_by_quic() {
	bpftool map dump pinned "$LAB_PINS/larch_quic" | awk '$1 == "\"value\":" && $2 != "{" { print $2 + 0 }' | sort
}

# with_nat_and_quic SED: two services besides the others, of b1 and b2; a sed command may change it.
with_nat_and_quic() {
	larch_config | sed '$d'
	cat <<-END
		  - {name: nat, address: 10.99.0.77, port: 80, protocol: tcp, forward: nat, backend_port: 8080, backends: [
		      {name: b1, address: 10.50.1.2, concurrency: 8},
		      {name: b2, address: 10.50.2.2, concurrency: 8}]}
		  - {name: h3, address: 10.99.0.78, port: 443, protocol: udp, quic: {server_id_bytes: 2}, backends: [
		      {name: b1, address: 10.50.1.2, concurrency: 8, quic_id: 0a01},
		      {name: b2, address: 10.50.2.2, concurrency: 8, quic_id: 0a02}]}
		...
	END
}

test_a_backend_that_has_left_keeps_answers_of_nat_and_quic_while_it_may_have_flows() {
	local port=$((8080 >> 8 | (8080 & 255) << 8)) b1 b2 both ids
	b1=$(word 10.50.1.2) b2=$(word 10.50.2.2)
	both=$(printf '%s\n' "$b1 $port" "$b2 $port" | sort)
	ids=$(printf '%s\n' "$(backend_id b1)" "$(backend_id b2)" | sort)
	same "flags" "$(setting flags)" "1," || return
	with_nat_and_quic | reload_accepted || return
	same "flags" "$(setting flags)" "3," && same "answers" "$(returns)" "$both" &&
		same "named by QUIC" "$(named_by_quic)" "$ids" || return
	# b2 leaves all services, but a flow may be left.
	with_nat_and_quic | sed '/{name: b2,.*]}$/ { s/{.*}]/]/ }; /{name: b2,/d' | reload_accepted || return
	same "answers" "$(returns)" "$both" && same "named by QUIC" "$(named_by_quic)" "$ids" || return
	eventually 60 "b2 forgotten" log_has 'b2: its last flow has ended' || return
	eventually 10 "its answers" eval '[ "$(returns)" = "'"$b1 $port"'" ]' || return
	same "named by QUIC" "$(named_by_quic)" "$(backend_id b1)" || return
	reload_with && same "answers" "$(returns)" "" && same "flags" "$(setting flags)" "1," &&
		same "named by QUIC" "$(named_by_quic)" ""
}

# --- flows -----------------------------------------------------------------------------------

test_mode_changes_break_nothing() {
	local mode
	reload_with || return
	load_start modes --rate 200 --duration 4 --long 40 --long-interval-ms 50
	for mode in gue ipip gue ipip gue; do
		sleep 0.6
		reload_with "forward: $mode" || return
	done
	load_wait && load_unbroken && check "long requests" "$(load_get long requests) > 1000"
}

# Sources in the load's log that more than one backend has answered.
sources_of_many() {
	awk 'NF >= 9 { print $2, $9 }' "$LOAD.log" | sort -u | cut -d ' ' -f 1 | uniq -d | wc -l
}

test_a_source_stays_on_its_backend_by_whatever_port() {
	local source told
	reload_with "hash: source" || return
	log_has "web: hash or state has changed" || fail "log" || return
	load_start sources --rate 400 --duration 3 --requests 1
	load_wait && load_unbroken || return
	check "backends" "$(awk 'NF >= 9 { print $9 }' "$LOAD.log" | sort -u | wc -l) == 4" || return
	same "sources with many backends" "$(sources_of_many)" 0 || return
	refused 0 'hash: source: all that the source sends is one flow' \
		lab_ctl explain "10.1.0.9:4711" "$LAB_VIP4:80/tcp" || return
	# New flows, and the arms of all, as the packet path sees them: without ports.
	for source in 10.1.0.21 10.1.0.22 10.1.0.23 10.1.0.24 10.1.0.25 10.1.0.26; do
		told=$(lab_ctl -o json explain "$source:1" "$LAB_VIP4:80/tcp" | "$BUILD/jsonget" new backend)
		same "backend of $source" "$(get $source "http://$LAB_VIP4/" -o /dev/null -D - |
			sed -n 's/^X-Backend: \(b[0-9]\).*/\1/p')" "$told" || return
		same "arms of $source" "$(seq -f "$source %g $LAB_VIP4 80 tcp" 1 100 | lab_ctl arm |
			awk '{ print $NF }' | sort -u | wc -l)" 1 || return
	done
	# The flow is known by any port once there was one.
	get 10.1.0.9 "http://$LAB_VIP4/" -o /dev/null || return
	for source in 1 999 65535; do
		same "outcome of port $source" "$(lab_ctl -o json explain "10.1.0.9:$source" "$LAB_VIP4:80/tcp" |
			"$BUILD/jsonget" outcome)" forward_flow || return
	done
	reload_with
}

# --- access lists ----------------------------------------------------------------------------

# Packets of an outcome so far, by its number in include/larch/outcome.h.
packets_of() {
	counter larch_outcomes "$1" packets
}

DENIED=24 SOURCE_RATE=25 STATELESS=4

answered() {
	get "$1" "http://$LAB_VIP4/" -m 2 -o /dev/null || fail "$1 is not answered"
}

not_answered() {
	get "$1" "http://$LAB_VIP4/" -m 1 -o /dev/null 2>/dev/null || return 0
	fail "$1 is answered"
}

answered6() {
	get "$1" "http://[$LAB_VIP6]/" -m 2 -o /dev/null || fail "$1 is not answered"
}

not_answered6() {
	get "$1" "http://[$LAB_VIP6]/" -m 1 -o /dev/null 2>/dev/null || return 0
	fail "$1 is answered"
}

# Entries of larch_access.
networks() {
	bpftool map dump pinned "$LAB_PINS/larch_access" | grep -c '"prefix"'
}

test_denied_clients_are_cut_off_and_the_others_go_on() {
	local before theirs their_pid
	reload_with || return
	LAB_CLIENTS4=10.2.0.0/24 LAB_CLIENTS6=fd00:2::/48 \
		load_start theirs --rate 1 --duration 4 --long 5 --long-interval-ms 50
	theirs=$LOAD their_pid=$LOAD_PID
	LAB_CLIENTS4=10.1.0.0/24 LAB_CLIENTS6=fd00:1::/48 \
		load_start others --rate 100 --duration 5 --long 20 --long-interval-ms 50
	answered 10.2.0.9 && answered6 fd00:2::9 || return
	before=$(packets_of $DENIED)
	reload_with "deny: [10.2.0.0/16, 'fd00:2::/32']" || return
	not_answered 10.2.0.9 && not_answered6 fd00:2::9 && answered 10.3.0.9 && answered6 fd00:3::9 || return
	check "denied" "$(packets_of $DENIED) > $before" &&
		refused 0 'The access list denies this source \(10.2.0.0/16\)' \
			lab_ctl explain 10.2.0.9:4000 "$LAB_VIP4:80/tcp" &&
		refused 0 'access: 0 allow, 2 deny, others allowed' lab_ctl list || return
	load_wait && load_unbroken || return
	kill -INT "$their_pid"
	wait "$their_pid"
	LOAD=$theirs
	check "their long flows that broke" "$(load_get long broken total) == 5" || return
	reload_with && answered 10.2.0.9 && answered6 fd00:2::9 && same "networks" "$(networks)" 0
}

test_a_list_of_the_allowed_denies_all_others() {
	reload_with "allow: [10.1.0.0/16, 10.2.0.9]" "deny: 10.1.0.8" || return
	answered 10.1.0.9 && answered 10.2.0.9 && not_answered 10.1.0.8 && not_answered 10.2.0.8 &&
		not_answered6 fd00:1::9 || return
	reload_with "allow: [10.1.0.0/16, '::/0']" || return
	answered6 fd00:1::9 && answered 10.1.0.8 && not_answered 10.2.0.9 || return
	reload_with "deny: '::/0'" || return
	not_answered6 fd00:1::9 && answered 10.2.0.9 && same "networks" "$(networks)" 2 || return
	# The other service has no list.
	reload_with && answered6 fd00:1::9
}

# filler N: ", 11.N.0.0/32, ...", so that a change takes a while.
filler() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < 3000; i++) printf ", 11.%d.%d.%d", n, i / 250, i % 250 }'
}

# Whoever may ask by the list before and by the next one must never meet half of a change. All
# clients of the lab may, so that no connection that another test broke is counted here.
test_lists_change_under_load_and_deny_nobody_meanwhile() {
	local i before keys=("allow: [10.0.0.0/8, 'fd00::/16'" "deny: [192.0.2.0/24, '2000::/3'"
		"deny: [192.0.2.0/24" "allow: [0.0.0.0/0, '::/0'" "allow: [10.0.0.0/14, 'fd00::/14'")
	reload_with || return
	before=$(packets_of $DENIED)
	LAB_CLIENTS4=10.1.0.0/24 LAB_CLIENTS6=fd00:1::/48 \
		load_start lists --rate 300 --duration 5 --long 30 --long-interval-ms 20
	for i in $(seq 15); do
		sleep 0.2
		reload_with "${keys[i % 5]}$(filler "$i")]" || return
	done
	reload_with && load_wait && load_unbroken && same "networks" "$(networks)" 0 &&
		same "packets denied" "$(packets_of $DENIED)" "$before"
}

test_lists_survive_a_restart() {
	reload_with "deny: [10.2.0.0/16, 10.3.0.9]" || return
	larchd_stop KILL
	not_answered 10.2.0.9 && answered 10.1.0.9 || return
	with_keys "deny: [10.3.0.0/16]" >"$LAB_DIR/larch.yaml"
	larchd_start || return
	answered 10.2.0.9 && not_answered 10.3.0.9 && same "networks" "$(networks)" 1 && reload_with
}

# A list of 20000 networks, and then of 20000 others.
test_long_lists_are_taken_over() {
	local half list
	for half in 11 12; do
		list=$(awk -v half=$half 'BEGIN { for (i = 0; i < 20000; i++)
			printf "%s%d.%d.%d.0/24", i ? ", " : "", half, i / 250, i % 250 }')
		reload_with "deny: [$list]" || return
		same "networks" "$(networks)" 20000 && answered 10.1.0.9 || return
	done
	refused 0 'denies this source \(12.0.7.0/24\)' lab_ctl explain 12.0.7.1:1 "$LAB_VIP4:80/tcp" &&
		reload_with && same "networks" "$(networks)" 0
}

# --- limits and state ------------------------------------------------------------------------

test_a_source_is_held_to_its_rate() {
	local before pids=() pid
	reload_with "source_rate: 2" "source_burst: 3" || return
	before=$(packets_of $SOURCE_RATE)
	for _ in $(seq 12); do
		get 10.2.0.9 "http://$LAB_VIP4/" -m 1 -o /dev/null 2>/dev/null &
		pids+=($!)
	done
	answered 10.3.0.9 || return
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	check "dropped" "$(packets_of $SOURCE_RATE) - $before > 3" &&
		refused 0 'source_rate: beyond 2 new flows' lab_ctl explain 10.2.0.9:1 "$LAB_VIP4:80/tcp" &&
		reload_with
}

test_without_state_packets_go_by_the_ring_and_nothing_is_remembered() {
	local before flows
	reload_with "state: false" || return
	before=$(packets_of $STATELESS) flows=$(new_flows)
	load_start stateless --rate 200 --duration 3 --long 20 --long-interval-ms 50
	load_wait && load_unbroken || return
	check "stateless packets" "$(packets_of $STATELESS) - $before > 1000" &&
		refused 0 '^No state is kept' lab_ctl explain 10.1.0.9:4000 "$LAB_VIP4:80/tcp" &&
		refused 0 'forward ipip, no state' lab_ctl list || return
	reload_with
}

test_a_flood_is_a_banner() {
	reload_with "new_flows: 1000" || return
	load_start flood --rate 2000 --duration 3 --requests 1
	eventually 5 "the banner" eval 'lab_ctl status | grep -q "WARNING: web: FLOOD"' || return
	refused 0 'FLOOD for' lab_ctl list web || return
	load_wait && load_unbroken || return
	eventually 10 "its end" eval '! lab_ctl status | grep -q FLOOD' || return
	check "floods" "$(lab_ctl -o json status | "$BUILD/jsonget" services 0 flood floods) > 0" && reload_with
}

# --- all of it at once -----------------------------------------------------------------------

test_policies_change_under_load_and_break_nothing() {
	local i keys=("forward: gue" "agent: true" "new_flows: 50000" "source_rate: 100000"
		"deny: [192.0.2.0/24]" "signal: connect")
	reload_with || return
	load_start storm --rate 200 --duration 6 --long 40 --long-interval-ms 50
	for i in $(seq 18); do
		sleep 0.25
		reload_with "${keys[i % 6]}" "${keys[(i + 1) % 6]}" || return
	done
	reload_with && load_wait && load_unbroken
}

run_tests "$@"
