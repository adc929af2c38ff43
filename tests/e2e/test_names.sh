#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Backends that DNS names stand for: addresses come and go while connections live, and a name server
# that is silent or wrong takes nothing away.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

DNS=10.60.0.1 # the router's end of the balancer's link
NAME=app.example.net

setup() {
	lab_up && start_servers || return
	# Where no file says what a name stands for, nobody else is asked.
	: >"$LAB_DIR/hosts"
	dns_start
}

cleanup() {
	kill -CONT "$DNS_PID" 2>/dev/null
	lab_kill KILL "${LOAD_PID:-}"
	larchd_remove
}

dns_start() {
	lab_start router dns.log dnsmasq --keep-in-foreground --no-resolv --no-hosts --user=root \
		--conf-file=/dev/null --pid-file --log-queries --log-facility=- --local-ttl=1 --local=/example.net/ \
		--bind-interfaces --listen-address=$DNS --port=5353 --addn-hosts="$LAB_DIR/hosts"
	DNS_PID=$LAB_PID
	eventually 10 "the name server" dns_knows probe.example.net || fail "$(tail -2 "$LAB_DIR/dns.log")"
}

# dns_knows HOST: it answers at all.
dns_knows() {
	lab_in balancer dig +time=1 +tries=1 -p 5353 @$DNS "$1" >/dev/null
}

# dns ADDRESS...: what the name stands for from now on; "NAME=ADDRESS" for another name.
dns() {
	local entry name
	for entry in "$@"; do
		name=$NAME
		[[ $entry != *=* ]] || name=${entry%%=*}
		echo "${entry#*=} $name"
	done >"$LAB_DIR/hosts"
	kill -HUP "$DNS_PID"
}

# The configuration, with these lines as its list of backends.
names_config() {
	larch_config_head
	cat <<-END
		  - name: web
		    address: [$LAB_VIP4, "$LAB_VIP6"]
		    port: [80, 8080]
		    protocol: tcp
		    learning: off
		    backends:
		$(printf '      - %s\n' "$@")
		resolver: {servers: ["$DNS:5353"], ttl_least: 1s}
		...
	END
}

begin() {
	names_config "$@" >"$LAB_DIR/larch.yaml"
	larchd_remove
	larchd_start
}

members() {
	lab_ctl list -o json | "$BUILD/jsonget" services 0 backends |
		grep -o '"backend": *"[^"]*"' | sed 's/.*: *"\(.*\)"/\1/' | sort | paste -sd ' '
}

members_are() {
	[ "$(members)" = "$1" ]
}

expect_members() {
	eventually "${2:-10}" "members $1" members_are "$1" || fail "they are $(members)"
}

test_a_name_becomes_its_addresses_of_both_families() {
	dns 10.50.1.2 10.50.2.2 fd00:50:4::2
	begin "{host: $NAME, weight: 50}" || return
	same "members" "$(members)" "$NAME/10.50.1.2 $NAME/10.50.2.2 $NAME/fd00:50:4::2" || return
	eventually 20 "service" vip_answers
}

# The long connections of a removed address go on where they are.
test_addresses_come_and_go_while_connections_live() {
	local before
	dns 10.50.1.2 10.50.2.2
	begin "{host: $NAME, name: app}" && eventually 20 "service" vip_answers || return
	load_start names --rate 200 --duration 3600 --long 40 --long-interval-ms 50
	sleep 1
	dns 10.50.1.2 10.50.2.2 10.50.3.2
	expect_members "app/10.50.1.2 app/10.50.2.2 app/10.50.3.2" || return
	log_has "$NAME: 3 addresses now: \+10.50.3.2" || fail "log: added" || return
	dns 10.50.2.2 10.50.3.2
	expect_members "app/10.50.2.2 app/10.50.3.2" || return
	log_has "$NAME: 2 addresses now: -10.50.1.2" || fail "log: removed" || return
	# Short connections that were open have ended soon, and no others begin there.
	eventually 20 "no new flows to the address that went" is_left_alone b1 || return
	before=$(load_count b1 '$10 == "long"')
	sleep 0.5
	check "long connections there go on" "$(load_count b1 '$10 == "long"') > $before" || return
	dns 10.50.1.2 10.50.2.2 10.50.3.2
	expect_members "app/10.50.1.2 app/10.50.2.2 app/10.50.3.2" || return
	sleep 1
	load_stop
	load_unbroken
}

# is_left_alone BACKEND: for a second it has had requests of long connections alone.
is_left_alone() {
	local before
	before=$(load_count "$1" '$10 != "long"')
	sleep 1
	[ "$(load_count "$1" '$10 != "long"')" = "$before" ]
}

test_silent_server_and_unknown_name_keep_the_addresses() {
	local number
	dns 10.50.1.2 10.50.2.2
	begin "{host: $NAME, name: app}" && eventually 20 "service" vip_answers || return
	load_start silent --rate 100 --duration 3600 --long 10 --long-interval-ms 50
	number=$(generation)
	kill -STOP "$DNS_PID"
	eventually 30 "a word of it" log_has "$NAME: does not resolve \(Timeout.*\): its last 2 addresses stay" || return
	lab_ctl status | grep -q "$NAME does not resolve" || fail "status" || return
	kill -CONT "$DNS_PID"
	eventually 30 "a word of it" log_has "$NAME: resolves again" || return
	: >"$LAB_DIR/hosts"
	kill -HUP "$DNS_PID"
	eventually 30 "a word of it" log_has "$NAME: does not resolve \(Domain name not found\): its last 2 addresses stay" || return
	same "members" "$(members)" "app/10.50.1.2 app/10.50.2.2" && same "generation" "$(generation)" "$number" || return
	load_stop
	load_unbroken
}

test_answer_that_takes_most_away_is_believed_when_it_repeats() {
	dns 10.50.1.2 10.50.2.2 10.50.3.2
	begin "{host: $NAME, name: app}" || return
	dns 10.50.3.2
	expect_members "app/10.50.3.2" 20 || return
	log_has "$NAME: the answer takes 2 of 3 addresses away: believed only if it repeats" || fail "log"
}

test_start_without_an_answer_is_loud_and_others_serve() {
	: >"$LAB_DIR/hosts"
	kill -HUP "$DNS_PID"
	begin "{host: $NAME, name: app}" "{address: 10.50.1.2, name: b1}" || return
	log_has "$NAME: does not resolve .*: there is no backend of that name until it does" || fail "log" || return
	same "members" "$(members)" "b1" && eventually 20 "service" vip_answers || return
	dns 10.50.2.2
	expect_members "app/10.50.2.2 b1" 20
}

test_start_with_no_backend_at_all_serves_as_soon_as_there_is_one() {
	: >"$LAB_DIR/hosts"
	kill -HUP "$DNS_PID"
	begin "{host: $NAME, name: app}" || return
	log_has "web: begins without a backend: none of its names resolves" || fail "log" || return
	lab_ctl list >/dev/null && lab_ctl stat >/dev/null && lab_ctl tree >/dev/null && lab_ctl benefit >/dev/null ||
		fail "reports" || return
	lab_ctl status | grep -q "web: none of its names resolves" || fail "status" || return
	sleep 1 # ticks
	dns 10.50.1.2
	expect_members "app/10.50.1.2" 20 && eventually 20 "service" vip_answers
}

# The names of addresses are nowhere in the kernel, but the addresses are.
test_restart_while_the_name_server_is_silent_goes_on() {
	local digest
	dns 10.50.1.2 10.50.2.2
	begin "{host: $NAME, name: app}" "{address: 10.50.3.2, name: b3}" && eventually 20 "service" vip_answers || return
	digest=$(generation | cut -d ' ' -f 2)
	load_start restart --rate 100 --duration 3600 --long 10 --long-interval-ms 50
	kill -STOP "$DNS_PID"
	larchd_stop KILL
	larchd_start || return
	log_has "web: $NAME is not resolved yet: the 2 addresses that packets are steered to go on" || fail "log" || return
	same "members" "$(members)" "app/10.50.1.2 app/10.50.2.2 b3" &&
		same "digest" "$(generation | cut -d ' ' -f 2)" "$digest" || return
	kill -CONT "$DNS_PID"
	dns 10.50.1.2 10.50.2.2 fd00:50:4::2
	expect_members "app/10.50.1.2 app/10.50.2.2 app/fd00:50:4::2 b3" 30 || return
	load_stop
	load_unbroken
}

test_address_of_two_names_is_one_backend_and_what_cannot_be_one_is_left_out() {
	dns 10.50.1.2 10.50.2.2 b.example.net=10.50.2.2 b.example.net=10.50.3.2 b.example.net=$LAB_VIP4
	begin "{host: $NAME, name: app}" "{host: b.example.net, name: b}" || return
	same "members" "$(members)" "app/10.50.1.2 app/10.50.2.2 b/10.50.3.2" || return
	log_has "web: 10.50.2.2, an address of b.example.net, is left out: it is a backend of this service already" &&
		log_has "web: $LAB_VIP4, an address of b.example.net, is left out: it is the address of a service" ||
		fail "log"
}

# More than fits a datagram: c-ares asks again by TCP.
test_a_hundred_addresses_and_more_than_255() {
	# shellcheck disable=SC2046 # addresses
	dns $(seq -f 10.50.1.%g 2 101)
	begin "{host: $NAME, name: app}" || return
	same "members" "$(members | wc -w)" 100 || return
	# shellcheck disable=SC2046
	dns $(seq -f 10.50.1.%g 2 201) $(seq -f fd00:50:4::%g 2 101)
	eventually 20 "255 members" has_members 255 || fail "$(members | wc -w)" || return
	log_has "is left out: it is one more than the 255 backends" || fail "log"
}

has_members() {
	[ "$(members | wc -w)" = "$1" ]
}

test_reload_to_a_name_and_back() {
	dns 10.50.1.2 10.50.2.2
	begin "{address: 10.50.1.2, name: b1}" "{address: 10.50.2.2, name: b2}" && eventually 20 "service" vip_answers || return
	load_start reload --rate 100 --duration 3600 --long 10 --long-interval-ms 50
	names_config "{host: $NAME, name: app}" | larchd_reload || return
	same "members" "$(members)" "app/10.50.1.2 app/10.50.2.2" || return
	names_config "{host: $NAME}" "{host: nobody.example.net, weight: x}" | larchd_reload || return
	lab_ctl status | grep -q "weight is 'x'" || fail "status" || return
	same "members" "$(members)" "app/10.50.1.2 app/10.50.2.2" || return
	dns 10.50.1.2 10.50.2.2 10.50.3.2
	expect_members "app/10.50.1.2 app/10.50.2.2 app/10.50.3.2" || return
	names_config "{address: 10.50.1.2, name: b1}" | larchd_reload || return
	same "members" "$(members)" "b1" || return
	load_stop
	load_unbroken
}

# A larchd to whom /etc/hosts and /etc/resolv.conf are files of the lab.
begin_with_files() {
	names_config "$@" >"$LAB_DIR/larch.yaml"
	larchd_remove
	LARCHD_LOG=$LAB_DIR/larchd-files.log
	: >"$LARCHD_LOG" # of the one before
	# shellcheck disable=SC2016 # the inner shell's
	lab_start balancer larchd-files.log unshare -m sh -c 'mount --bind "$1/etc-hosts" /etc/hosts &&
		mount --bind "$1/etc-resolv" /etc/resolv.conf && shift && exec "$@"' sh "$LAB_DIR" \
		"$BUILD/larchd" -c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock" \
		--state "$LAB_DIR/state.json" -l debug
	LAB_LARCHD=$LAB_PID
	lab_wait 30 larchd_is_up_or_dead
	larchd_is_up || fail "larchd did not start: $(tail -n 2 "$LARCHD_LOG")"
}

test_etc_hosts_comes_before_name_servers_and_is_followed() {
	dns 10.50.3.2 other.example.net=10.50.2.2
	echo "10.50.1.2 app.example.net alias" >"$LAB_DIR/etc-hosts"
	: >"$LAB_DIR/etc-resolv"
	begin_with_files "{host: $NAME, name: app}" "{host: alias, name: alias}" "{host: other.example.net, name: other}" || return
	same "members" "$(members)" "app/10.50.1.2 other/10.50.2.2" && eventually 20 "service" vip_answers || return
	echo "fd00:50:4::2 app.example.net" >>"$LAB_DIR/etc-hosts"
	expect_members "app/10.50.1.2 app/fd00:50:4::2 other/10.50.2.2" || return
	# Without it there the name servers are asked; what they do not know keeps what it had.
	: >"$LAB_DIR/etc-hosts"
	expect_members "alias/10.50.1.2 app/10.50.3.2 other/10.50.2.2" 20
}

test_a_name_without_a_dot_is_looked_for_in_the_domains_of_search() {
	dns 10.50.1.2 short.second.example.net=10.50.2.2 app.example.net.second.example.net=10.50.4.2
	: >"$LAB_DIR/etc-hosts"
	echo "search first.example.net second.example.net" >"$LAB_DIR/etc-resolv"
	begin_with_files "{host: short}" "{host: $NAME}" || return
	same "members" "$(members)" "$NAME/10.50.1.2 short/10.50.2.2" || return
	# A qualified name is not, even if it does not exist any more.
	dns short.second.example.net=10.50.2.2 short.first.example.net=10.50.3.2 $NAME.second.example.net=10.50.4.2
	expect_members "$NAME/10.50.1.2 short/10.50.3.2" || return
	log_has "$NAME: does not resolve" || fail "log"
}

run_tests "$@"
