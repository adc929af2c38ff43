#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a service asks of the packet path, and how a reload changes it while traffic runs.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	larch_config | larchd_fresh
}

cleanup() {
	kill -KILL "${LOAD_PID:-}"
	lab_in balancer ip route del 10.50.1.0/24
}

# The configuration with more keys for the service web: with_keys "hash: source" ...
with_keys() {
	local key script=
	for key in "$@"; do
		script+="/name: web/a \\    $key"$'\n'
	done
	larch_config | sed "$script"
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
	local source
	reload_with "hash: source" || return
	log_has "web: hash or state has changed" || fail "log" || return
	load_start sources --rate 400 --duration 3 --requests 1
	load_wait && load_unbroken || return
	check "backends" "$(awk 'NF >= 9 { print $9 }' "$LOAD.log" | sort -u | wc -l) == 4" || return
	same "sources with many backends" "$(sources_of_many)" 0 || return
	refused 0 'hash: source: all that the source sends is one flow' \
		lab_ctl explain "10.1.0.9:4711" "$LAB_VIP4:80/tcp" || return
	# The flow is known by any port once there was one.
	get 10.1.0.9 "http://$LAB_VIP4/" -o /dev/null || return
	for source in 1 999 65535; do
		same "outcome of port $source" "$(lab_ctl -o json explain "10.1.0.9:$source" "$LAB_VIP4:80/tcp" |
			"$BUILD/jsonget" outcome)" forward_flow || return
	done
	reload_with
}

run_tests "$@"
