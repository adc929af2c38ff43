#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Active health checks, on the way that clients' packets take, with real servers: b1 to b3 are
# reached by tunnels over IPv4, b4 by IPv6; b9 is on a link of its own, without an agent.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	local backend
	lab_up && lan_up || return
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$LAB_DIR/key" -out "$LAB_DIR/crt" -days 2 \
		-subj /CN=web.test -addext subjectAltName=DNS:web.test 2>/dev/null || return
	for backend in b1 b2 b3 b4 b9; do
		serve $backend || return
	done
	check="$TCP" health_config | larchd_fresh
}

cleanup() {
	local backend
	for backend in b1 b2 b3 b4 b9; do
		[ -d "/proc/${NGINX[$backend]}" ] || serve $backend
		rm -f "$LAB_DIR/$backend/files/"{sick,empty}
	done
	for backend in b1 b2; do
		lab_in $backend ip link set dev eth0 xdpdrv obj "$BUILD/agent.bpf.o" sec xdp 2>/dev/null
	done
	lab_in balancer sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth1/rp_filter; ip route replace default via 10.60.0.1'
	lab_kill CONT "$LAB_LARCHD"
	lab_kill KILL "${LOAD_PID:-}"
	[ -d "/proc/${LAB_LARCHD:-none}" ] || larchd_start
}

TCP='{type: tcp, interval: 200ms, timeout: 150ms}'
declare -A NGINX

# b9: a neighbour of the balancer, on its eth1.
lan_up() {
	lab_node b9 || return
	ip link add eth1 mtu 1600 netns "$LAB_ID-balancer" type veth peer name eth0 mtu 1600 \
		netns "$LAB_ID-b9" || return
	lab_in balancer sh -c 'ip addr add 10.50.9.1/24 dev eth1
		ip -6 addr add fd00:50:9::1/64 dev eth1 nodad
		ip link set eth1 up'
	lab_in b9 sh -c "ip addr add 10.50.9.2/24 dev eth0
		ip -6 addr add fd00:50:9::2/64 dev eth0 nodad
		ip link set eth0 up
		ethtool -K eth0 tx off >/dev/null
		ip route add default via 10.50.9.1
		ip -6 route add default via fd00:50:9::1
		ip addr add $LAB_VIP4/32 dev lo
		ip -6 addr add $LAB_VIP6/128 dev lo nodad"
}

# serve BACKEND: nginx on 8080, on 8081 as well, and on 8443 by TLS. /health says 503 while the
# file `sick` is there, and nothing while `empty` is.
serve() {
	local dir=$LAB_DIR/$1
	mkdir -p "$dir/files"
	nginx_config "$1" | sed -E "
		s|listen .*\]:8080;|listen [::]:8080; listen [::]:8081; listen [::]:8443 ssl;|
		s|listen [0-9.]+:8080;|listen 8080; listen 8081; listen 8443 ssl;|
		s|root |ssl_certificate $LAB_DIR/crt; ssl_certificate_key $LAB_DIR/key; root |
		s|location /name|location /health { include $dir/health.conf; } &|" >"$dir/nginx.conf"
	cat >"$dir/health.conf" <<-END
		if (-f $dir/files/sick) { return 503; }
		if (-f $dir/files/empty) { add_header X-Ready no; return 200; }
		add_header X-Ready yes always;
		return 200 "all is well";
	END
	lab_start "$1" "$1/log" nginx -p "$dir" -e stderr -c "$dir/nginx.conf"
	NGINX[$1]=$LAB_PID
	lab_wait 20 lab_in "$1" curl -sS -m 2 "http://$LAB_VIP4:8080/name" ||
		fail "nginx of $1: $(tail -3 "$dir/log")"
}

unserve() {
	lab_stop "${NGINX[$1]}" KILL
}

# A service by IPv4 and one by IPv6, with the variables check, port, forward, backends.
health_config() {
	larch_config_head
	health_service web4 "$LAB_VIP4" "${port:-8080}" "${protocol:-tcp}" "$check"
	health_service web6 "$LAB_VIP6" "${port:-8080}" "${protocol:-tcp}" "$check"
	printf '...\n'
}

# health_service NAME ADDRESS PORT PROTOCOL HEALTH
health_service() {
	local backend
	printf '  - name: %s\n    address: "%s"\n    port: %s\n    protocol: %s\n' "$1" "$2" "$3" "$4"
	printf '    learning: off\n    slow_start: 0s\n    forward: %s\n    health: %s\n    backends:\n' "${forward:-ipip}" "$5"
	for backend in ${backends:-$(lab_backend_names)}; do
		printf '      - {name: %s, address: "%s", concurrency: 8}\n' "$backend" \
			"$(backend_address "$backend")"
	done
}

# Of the list: each backend's state and what its last check came to, "web4 b1 active up REASON".
last_checks() {
	lab_ctl -o json list | python3 -c '
import json, sys
for service in json.load(sys.stdin)["services"]:
    for b in service["backends"]:
        check = b["check"] or {"verdict": "none", "reason": ""}
        print(service["service"], b["backend"], b["state"], check["verdict"], check["reason"])'
}

# checked BACKENDS VERDICT [REASON]: the last checks of these, in all services that have them.
checked() {
	last_checks >"$LAB_DIR/checks"
	awk -v backends=" $1 " -v verdict="$2" -v reason="${3:-}" '
		index(backends, " " $2 " ") { n++; if ($4 != verdict || $0 !~ reason) bad = 1 }
		END { exit bad || !n }' "$LAB_DIR/checks"
}

# becomes BACKENDS VERDICT [REASON]: the same, soon.
becomes() {
	eventually 10 "$* (at last: $(last_checks | tr '\n' ';'))" checked "$@"
}

# taken_out BACKEND, taken_back BACKEND: soon it gets no new flows, or some.
taken_out() {
	eventually 10 "$1 is taken out (at last: $(last_checks | tr '\n' ';'))" has_state "$1" down &&
		same "$1 was met by new flows" "$(met "$1")" 0
}

taken_back() {
	eventually 10 "$1 is taken back (at last: $(last_checks | tr '\n' ';'))" has_state "$1" active &&
		check "$1 is met" "$(met "$1") > 0"
}

has_state() {
	[ "$(last_checks | awk -v backend="$1" -v state="$2" '
		$2 == backend { n++; good += $3 == state } END { print n && n == good }')" = 1 ]
}

# Of 60 connections to each address, how many meet the backend?
met() {
	{
		get 10.1.0.9 "http://$LAB_VIP4:8080/name?[1-60]" -H 'Connection: close'
		get fd00:1::9 "http://\\[$LAB_VIP6\\]:8080/name?[1-60]" -H 'Connection: close'
	} | grep -c "^$1\$"
}

reload() {
	health_config | larchd_reload && log_has 'reloaded '
}

test_tcp_a_server_that_ends_is_down_and_comes_back() {
	check=$TCP reload && becomes "b1 b2 b3 b4" up connected || return
	unserve b2
	becomes b2 down 'connection refused' && becomes "b1 b3 b4" up || return
	taken_out b2 || return
	serve b2 && becomes b2 up && taken_back b2
}

HTTP='{type: http, path: /health, interval: 200ms, timeout: 150ms, rise: 2, fall: 2'

test_http_a_live_server_that_says_503_is_down() {
	check="$HTTP}" reload && becomes "b1 b2 b3 b4" up 'HTTP 200' || return
	touch "$LAB_DIR/b3/files/sick" "$LAB_DIR/b4/files/sick"
	becomes "b3 b4" down 'HTTP 503, expected 200-399' && becomes "b1 b2" up || return
	taken_out b4 || return
	rm "$LAB_DIR/b3/files/sick" "$LAB_DIR/b4/files/sick"
	becomes "b3 b4" up && taken_back b4
}

test_http_what_the_answer_must_have() {
	check="$HTTP, header: 'x-ready: yes', status: '200'}" reload && becomes "b1 b2 b3 b4" up || return
	touch "$LAB_DIR/b1/files/empty"
	becomes b1 down "without the header 'x-ready: yes'" || return
	check="$HTTP, body: is well}" reload && becomes b1 down "without 'is well' in the body" || return
	rm "$LAB_DIR/b1/files/empty"
	becomes "b1 b2 b3 b4" up || return
	check="$HTTP, status: '204'}" reload && becomes "b1 b2 b3 b4" down "HTTP 200, expected 204" || return
	check='{type: http, path: /name, port: 8081, interval: 200ms}' reload &&
		becomes "b1 b2 b3 b4" up 'HTTP 200'
}

HTTPS='{type: https, path: /health, port: 8443, interval: 300ms, timeout: 300ms, host: web.test'

test_https_with_and_without_a_look_at_the_certificate() {
	check="$HTTPS}" reload && becomes "b1 b2 b3 b4" up 'HTTP 200' || return
	check="$HTTPS, verify: true}" reload && becomes "b1 b2 b3 b4" down 'self-signed|certificate'
}

test_dns_servers() {
	local backend
	for backend in b1 b2 b3 b4; do
		lab_start "$backend" "$backend.dns" dnsmasq --keep-in-foreground --conf-file=/dev/null \
			--no-resolv --no-hosts --bind-interfaces --listen-address=$LAB_VIP4,$LAB_VIP6 \
			--address=/name.test/192.0.2.1 --pid-file= --user=root
		declare "dns_$backend=$LAB_PID"
	done
	port=53 protocol=udp check='{type: dns, query: name.test, interval: 200ms, timeout: 150ms}' reload &&
		becomes "b1 b2 b3 b4" up 'answered NOERROR' || return
	lab_stop "${dns_b4?}" KILL
	becomes b4 down && becomes "b1 b2 b3" up 'answered NOERROR' || return
	port=53 protocol=udp check='{type: dns, query: other.test, interval: 200ms}' reload &&
		becomes "b1 b2 b3" down 'answered REFUSED' || return
	port=53 protocol=udp check='{type: dns, interval: 200ms}' reload && becomes "b1 b2 b3" up || return
	for backend in b1 b2 b3; do
		eval "lab_stop \$dns_$backend KILL"
	done
}

test_udp_servers() {
	local backend udp
	for backend in b1 b2 b3 b4; do
		lab_start "$backend" "$backend.udp" "$BUILD/udpecho" --name "$backend" \
			--listen "$LAB_VIP4:5300" --listen "[$LAB_VIP6]:5300"
		declare "udp_$backend=$LAB_PID"
	done
	udp='{type: udp, send: "are you there?", expect: "you the"'
	port=5300 protocol=udp check="$udp, interval: 200ms}" reload &&
		becomes "b1 b2 b3 b4" up answered || return
	lab_stop "${udp_b1?}" KILL
	becomes b1 down 'connection refused' && becomes "b2 b3 b4" up || return
	port=5300 protocol=udp check='{type: udp, send: "hex:6162", expect: "hex:6163", interval: 200ms}' reload &&
		becomes "b2 b3 b4" down 'not what is expected' || return
	port=5300 protocol=udp check='{type: tcp, port: 8080, interval: 200ms}' reload &&
		becomes "b1 b2 b3 b4" up connected || return
	for backend in b2 b3 b4; do
		eval "lab_stop \$udp_$backend KILL"
	done
}

test_a_command_that_knows_whom_it_asks_and_may_do_little() {
	local at folder # whoever asks must be able to come to the command
	cat >"$LAB_DIR/ask" <<-'END'
		#!/bin/sh
		[ "$LARCH_BACKEND_NAME" != b3 ] || sleep 60
		[ "$LARCH_BACKEND_NAME" != b2 ] || { echo "no room left"; exit 3; }
		[ "$(id -u)" != 0 ] && ! setpriv --clear-groups true 2>/dev/null || exit 1
		echo "$LARCH_SERVICE $LARCH_VIP $LARCH_PORT $LARCH_BACKEND $1"
		head -c 300000 /dev/zero # more than a pipe holds
	END
	chmod 755 "$LAB_DIR/ask"
	for ((at = ${#LAB_DIR}; at > 1; at = ${#folder})); do
		folder=${LAB_DIR:0:at}
		chmod o+x "$folder"
		folder=${folder%/*}
	done
	check="{type: command, command: [$LAB_DIR/ask, one], interval: 500ms, timeout: 400ms}" reload || return
	becomes b1 up "exit 0: web[46] ($LAB_VIP4|$LAB_VIP6) 8080 10.50.1.2 one" &&
		becomes b2 down 'exit 3: no room left' && becomes b3 down 'timed out after 400 ms' || return
	check="{type: command, command: [$LAB_DIR/nothing], interval: 500ms}" reload &&
		becomes "b1 b2 b3 b4" unknown 'cannot be run: No such file' || return
	! pgrep -f "$LAB_DIR/ask" || fail "commands are left"
}

test_a_backend_whose_tunnel_ends_nowhere_is_down_though_its_server_lives() {
	check=$TCP reload && becomes "b1 b2 b3 b4" up || return
	lab_in b1 ip link set dev eth0 xdp off
	becomes b1 down 'timed out after 150 ms' && becomes "b2 b3 b4" up || return
	lab_in balancer curl -sS -m 2 -o /dev/null http://10.50.1.2:8080/name ||
		fail "the server itself does not answer" || return
	lab_in b1 ip link set dev eth0 xdpdrv obj "$BUILD/agent.bpf.o" sec xdp
	becomes b1 up
}

test_gue_over_both_families() {
	forward=gue check="$HTTP}" reload && becomes "b1 b2 b3 b4" up 'HTTP 200'
}

# nat_service NAME VIP BACKEND_PORT HEALTH: port 80 of it is b9's other port.
nat_service() {
	local address=10.50.9.2
	[[ $2 = *:* ]] && address=fd00:50:9::2
	printf '  - {name: %s, address: "%s", port: 80, protocol: tcp, forward: nat, backend_port: %s,\n' \
		"$1" "$2" "$3"
	printf '     learning: off, health: %s, backends: [{name: n%s, address: "%s"}]}\n' "$4" "${1#?}" \
		"$address"
}

test_l2_to_a_neighbour_on_another_interface() {
	{
		larch_config_head
		backends=b9 forward=l2 health_service web4 "$LAB_VIP4" 8080 tcp "$HTTP}"
		backends=b9 forward=l2 health_service web6 "$LAB_VIP6" 8080 tcp "$HTTP}"
		printf '...\n'
	} | larchd_reload && becomes b9 up 'HTTP 200' || return
	unserve b9
	becomes b9 down 'connection refused'
}

# The balancer's own way to the service's address is by eth0; the remedy is taken from the warning.
test_strict_rp_filter_that_drops_answers_is_told_with_the_remedy() {
	local strict="web4: rp_filter of eth1 drops answers to health checks that come from $LAB_VIP4, to which this host has another way: 'sysctl -w net.ipv4.conf.eth1.rp_filter=2'"
	serve b9 || return
	lab_in balancer sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth1/rp_filter'
	{
		larch_config_head
		backends=b9 forward=l2 health_service web4 "$LAB_VIP4" 8080 tcp "$HTTP}"
		backends=b9 forward=l2 health_service web6 "$LAB_VIP6" 8080 tcp "$HTTP}"
		printf '...\n'
	} | tee "$LAB_DIR/strict.yaml" | larchd_reload && log_has "warning: $strict" || return
	eventually 5 "web4 is down" log_checks 'web4 b9 down down timed out' && checked_line 'web6 b9 active up' || return
	# So it is at a start, once.
	larchd_stop TERM
	larchd_start && log_has "warning: $strict" || return
	refused 0 "^WARNING: $strict" lab_ctl status || return
	sleep 1
	same "lines" "$(log_count "rp_filter of")" 1 || return
	lab_in balancer sh -c "$(lab_ctl status | sed -n "s/.*'sysctl -w \(.*\)=\([0-9]\)'.*/\1 \2/p" | head -n 1 |
		while read -r name value; do echo "echo $value >/proc/sys/${name//.//}"; done)"
	becomes b9 up 'HTTP 200' && eventually 20 "no warning" not_filtered && log_has 'rp_filter drops no answers any more' || return
	# Without any way to the address loose filtering drops them, too.
	lab_in balancer ip route del default
	eventually 20 "another remedy" filtered "no way: 'sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0'" || return
	lab_in balancer sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth1/rp_filter; ip route add default via 10.60.0.1'
	becomes b9 up 'HTTP 200'
}

filtered() {
	lab_ctl status | grep -q "^WARNING: .*rp_filter .*$1"
}

not_filtered() {
	! filtered ''
}

# The answers come back as the service's; those of another port do not, unless a service has it.
test_nat_to_a_port_of_its_own_and_to_others() {
	local other="{type: http, path: /health, interval: 200ms, port: "
	{
		larch_config_head | sed 's/.*- name: eth0/&\n  - name: eth1/'
		nat_service n4 10.99.0.5 8080 "$HTTP}"
		nat_service n6 fd00:99::5 8080 "$HTTP}"
		nat_service m4 10.99.0.6 8443 "${other}8081}"
		nat_service m6 fd00:99::6 8443 "${other}8080}"
		printf '...\n'
	} | larchd_reload && becomes "n4 n6" up 'HTTP 200' || return
	touch "$LAB_DIR/b9/files/sick"
	becomes "n4 n6" down 'HTTP 503' || return
	lab_in balancer ip link set dev eth1 xdp off
}

# The kernel refuses what comes from an address of its own; that is no backend's fault.
test_a_balancer_that_has_the_address_itself() {
	check=$TCP reload && becomes "b1 b2 b3 b4" up || return
	lab_in balancer ip addr add $LAB_VIP4/32 dev lo
	lab_in balancer ip -6 addr add $LAB_VIP6/128 dev lo nodad
	eventually 20 "IPv4 is refused" log_checks 'web4 b1 active unknown .*accept_local' &&
		checked_line 'web6 b1 active up' || return
	lab_in balancer sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/accept_local'
	becomes "b1 b2 b3 b4" up || return
	lab_in balancer sh -c "echo 0 >/proc/sys/net/ipv4/conf/eth0/accept_local
		ip addr del $LAB_VIP4/32 dev lo; ip -6 addr del $LAB_VIP6/128 dev lo"
}

log_checks() {
	last_checks | grep -qE "$1"
}

checked_line() {
	last_checks | grep -qE "$1" || fail "not '$1': $(last_checks)"
}

# both_service PORTS HEALTH: one service of both addresses.
both_service() {
	larch_config_head
	health_service web "$LAB_VIP4" "$1" tcp "$2" | sed "s/address: \"$LAB_VIP4\"/address: [$LAB_VIP4, \"$LAB_VIP6\"]/"
	printf '...\n'
}

test_a_backend_that_lacks_one_of_the_addresses_is_down() {
	both_service 8080 "$TCP" | larchd_reload && becomes "b1 b2 b3 b4" up || return
	lab_in b2 ip -6 addr del $LAB_VIP6/128 dev lo
	becomes b2 down "^web b2 down down \\[$LAB_VIP6\\]:8080: " && becomes "b1 b3 b4" up connected && taken_out b2 || return
	lab_in b2 ip -6 addr add $LAB_VIP6/128 dev lo nodad
	becomes b2 up && taken_back b2 || return
	lab_in b3 ip addr del $LAB_VIP4/32 dev lo
	becomes b3 down "^web b3 down down $LAB_VIP4:8080: " || return
	# Without that address in the configuration nobody minds.
	health_service web "$LAB_VIP6" 8080 tcp "$TCP" | { larch_config_head; cat; printf '...\n'; } | larchd_reload &&
		becomes "b1 b2 b3 b4" up connected && eventually 5 "b3" has_state b3 active || return
	lab_in b3 ip addr add $LAB_VIP4/32 dev lo
}

# Port 8443 speaks TLS: it is asked for a connection, not for a page.
test_a_backend_that_lacks_one_of_the_ports_is_down() {
	both_service "[8080, 8443]" "$HTTP}" | larchd_reload && becomes "b1 b2 b3 b4" up 'HTTP 200' || return
	sed -i 's/listen [^;]*8443 ssl;//g' "$LAB_DIR/b3/nginx.conf"
	unserve b3
	lab_start b3 b3/log nginx -p "$LAB_DIR/b3" -e stderr -c "$LAB_DIR/b3/nginx.conf"
	NGINX[b3]=$LAB_PID
	becomes b3 down ':8443: connection refused' && becomes "b1 b2 b4" up || return
	unserve b3
	serve b3 && becomes b3 up 'HTTP 200' && eventually 5 "b3 is back" has_state b3 active
}

# Of all services: which id this one has depends on those before it.
generations() {
	local id sum=0
	for id in {0..7}; do
		sum=$((sum + $(generation_number $id)))
	done
	echo $sum
}

# The prober rests until a check of each is under way, larchd until all of them have ended.
test_verdicts_that_come_together_are_one_publication() {
	local before
	{
		larch_config_head
		health_service web4 "$LAB_VIP4" 8080 tcp '{type: tcp, interval: 500ms, timeout: 500ms, fall: 1}'
		printf '...\n'
	} | larchd_reload && becomes "b1 b2 b3 b4" up || return
	before=$(generations)
	kill -STOP "$(prober)"
	lab_in b1 ip link set dev eth0 xdp off
	lab_in b2 ip link set dev eth0 xdp off
	sleep 0.6
	kill -STOP "$LAB_LARCHD"
	kill -CONT "$(prober)"
	sleep 0.8
	lab_kill CONT "$LAB_LARCHD"
	eventually 5 "both are down (at last: $(last_checks | tr '\n' ';'))" both_down || return
	same "generations" "$(generations)" $((before + 1))
}

both_down() {
	has_state b1 down && has_state b2 down
}

prober() {
	pgrep -P "$LAB_LARCHD" -x larch-prober
}

test_the_prober_may_do_nothing() {
	local status
	check=$TCP reload && becomes "b1 b2 b3 b4" up || return
	status=/proc/$(prober)/status
	same "user" "$(awk '$1 == "Uid:" { print ($2 != 0 && $3 != 0 && $4 != 0) }' "$status")" 1 &&
		same "capabilities" "$(awk '$1 ~ /^Cap(Inh|Prm|Eff|Amb):/ && $2 !~ /^0+$/' "$status")" "" &&
		same "new ones" "$(awk '$1 == "NoNewPrivs:" { print $2 }' "$status")" 1 &&
		same "BPF" "$(ls -l "/proc/$(prober)/fd" | grep -c bpf)" 0
}

# prober_after SIGNAL SECONDS WORDS: by then another one does its work, and the log says why.
prober_after() {
	local before
	check=$TCP reload && becomes "b1 b2 b3 b4" up || return
	before=$(prober)
	kill -s "$1" "$before"
	eventually "$2" "another prober" another_prober "$before" || return
	log_has "$3" || fail "nothing was said" || return
	unserve b2
	becomes b2 down 'connection refused' && becomes "b1 b3 b4" up
}

test_a_prober_that_is_killed_is_begun_again() {
	prober_after KILL 10 'the prober has died'
}

# Half an installation, or one in the middle: said of each backend, and mended without a reload.
test_a_prober_that_is_missing_is_said_and_found_later() {
	local built=$BUILD
	mkdir -p "$E2E_WORK/half" && cp "$built/larchd" "$built/larchctl" "$built/jsonget" "$E2E_WORK/half/" || return
	larchd_stop
	BUILD=$E2E_WORK/half
	check=$TCP health_config | larchd_fresh && becomes "b1 b2 b3 b4" unknown 'larch-prober cannot be begun' &&
		cp "$built/larch-prober" "$E2E_WORK/half/" && chmod -R o+rX "$E2E_WORK" && becomes "b1 b2 b3 b4" up
	set -- $?
	larchd_stop
	BUILD=$built
	larchd_start && return "$1"
}

# It is there, and takes orders, but does nothing.
test_a_prober_that_hangs_is_ended_and_begun_again() {
	prober_after STOP 15 'answers nothing any more'
}

# A hostile backend: headers for ever. The prober keeps none of them for long.
test_http_headers_without_end_are_an_answer_that_is_down() {
	unserve b1
	lab_start b1 headers.log python3 -c '
import socket
server = socket.create_server(("'$LAB_VIP4'", 8080))
while True:
    peer = server.accept()[0]
    try:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.sendall(b"X-Y: z\r\n" * 10000)
    except OSError:
        peer.close()'
	set -- "$LAB_PID"
	{
		larch_config_head
		health_service web4 "$LAB_VIP4" 8080 tcp "$HTTP}"
		printf '...\n'
	} | larchd_reload && becomes b1 down 'more than 256 KiB of headers' && becomes "b2 b3 b4" up 'HTTP 200'
	set -- "$1" $?
	lab_stop "$1" KILL
	serve b1
	return "$2"
}

another_prober() {
	[ -n "$(prober)" ] && [ "$(prober)" != "$1" ]
}

# What of checks is in the kernel: rules, routes, filters.
traces() {
	lab_in balancer sh -c 'ip rule; ip -6 rule; ip route show table 19528; ip -6 route show table 19528
		tc filter show dev lo egress' 2>/dev/null | grep -cE '19528|larch_health|^local default'
}

test_nothing_is_left_when_nothing_is_checked() {
	local child
	check=$TCP reload && becomes "b1 b2 b3 b4" up || return
	check "traces" "$(traces) >= 5" || return
	larch_config | larchd_reload && eventually 5 "no prober" no_prober "$(prober)" || return
	same "traces" "$(traces)" 0 || return
	check=$TCP reload && becomes "b1 b2 b3 b4" up || return
	child=$(prober)
	larchd_stop KILL
	eventually 5 "the prober ends with larchd" no_process "$child" || return
	larchd_start && becomes "b1 b2 b3 b4" up || return
	child=$(prober)
	larchd_stop TERM
	eventually 5 "the prober ends with larchd" no_process "$child" && same "traces" "$(traces)" 0
}

no_prober() {
	[ -z "$(prober)" ]
}

no_process() {
	[ ! -d "/proc/$1" ]
}

test_checks_disturb_nobody() {
	start_servers || return
	both_service 80 '{type: http, interval: 100ms}' | larchd_reload || return
	becomes "b1 b2 b3 b4" up 'HTTP 200' || return
	load_start calm --rate 200 --duration 5 --long 20 --long-interval-ms 100
	load_wait && load_unbroken && checked "b1 b2 b3 b4" up || return
	! log_has 'check of b. says down: .*timed' || fail "a backend under load was found down"
}

run_tests "$@"
