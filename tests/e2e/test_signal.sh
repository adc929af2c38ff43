#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `signal: auto`: what is timed of a service follows from what its clients and servers do. Clients are
# 20 ms away; servers are Debian's nginx (HTTP/2, pipelining, streams) and aiosmtpd, and our own.
set -u
LAB_BACKENDS=2
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && lab_delay 20 && start_servers --service-ms 5 --workers 64 || return
	# What binds to no address comes from a client's, too.
	lab_in client ip route add $LAB_VIP4 via 10.70.0.1 src 10.1.0.7
	start_frontends && start_mail
}

# nginx in front of each backend's own server: HTTP/1.1 on port 8080, HTTP/2 on port 8443.
start_frontends() {
	local backend
	for backend in $(lab_backend_names); do
		mkdir -p "$LAB_DIR/$backend/files"
		nginx_config "$backend" | sed "
			s|listen \[.*||
			s|listen $LAB_VIP4:8080;|& listen $LAB_VIP4:8443 http2; keepalive_requests 1000000;|
			s|location / {.*|location /up/ { dav_methods PUT; create_full_put_path on; }\n& |
			s|{ dav_methods PUT; } |{ proxy_pass http://$LAB_VIP4:80; proxy_http_version 1.1; }|
		" >"$LAB_DIR/$backend/nginx.conf"
		lab_start "$backend" "$backend/log" nginx -p "$LAB_DIR/$backend" -e stderr \
			-c "$LAB_DIR/$backend/nginx.conf"
		lab_wait 20 lab_in "$backend" curl -sS -m 2 "http://$LAB_VIP4:8080/name" ||
			fail "nginx of $backend did not start: $(tail -3 "$LAB_DIR/$backend/log")" || return
	done
}

start_mail() {
	local backend
	# Without a resolver it would ask for its own name in vain.
	local serve='import socket, sys; socket.getfqdn = lambda *name: "mail"
from aiosmtpd.main import main; main(sys.argv[1:])'
	for backend in $(lab_backend_names); do
		lab_start "$backend" "$backend.mail" /usr/bin/python3 -c "$serve" -n -l "$LAB_VIP4:25" \
			-c aiosmtpd.handlers.Sink
		lab_wait 20 lab_in "$backend" curl -sS -m 2 "smtp://$LAB_VIP4" -X NOOP ||
			fail "aiosmtpd of $backend did not start: $(tail -3 "$LAB_DIR/$backend.mail")" || return
	done
}

# A larchd that knows nothing yet.
fresh() {
	{
		larch_config_head
		larch_config_service web 80 tcp on
		larch_config_service front 8080 tcp on
		larch_config_service h2 8443 tcp on
		larch_config_service mail 25 tcp on
		printf '...\n'
	} | larchd_fresh
}

cleanup() {
	local pid
	lab_kill KILL "${LOAD_PID:-}"
	for pid in "${STARTED[@]}"; do
		lab_stop "$pid" KILL
	done
	STARTED=()
	rm -f "$LAB_DIR/on"
}
STARTED=()

# go SCRIPT: in the background, at the client, while the file $1 of the script is there.
go() {
	touch "$LAB_DIR/on"
	lab_start client go.log bash -c "$1" - "$LAB_DIR/on" "$LAB_VIP4"
	STARTED+=("$LAB_PID")
}

# The signal of a service as the status shows it: * where it has fallen back.
signal() {
	lab_ctl status | awk -v service="$1" '$1 == service { print $6; exit }'
}

signal_is() {
	[ "$(signal "$1")" = "$2" ]
}

# policy SERVICE_ID: what the packet path does: enum larch_signal.
policy() {
	lookup larch_services "$1" | awk '$1 == "\"signal\":" { print $2 + 0; exit }'
}

# "FIELD COUNT" of each kind of evidence, summed over CPUs; or the count of one: evidence SERVICE_ID [FIELD]
evidence() {
	lookup larch_evidence "$1" | tr -d '",:' | awk -v only="${2:-}" '
		NF == 2 && $1 !~ /^(cpu|key|values?)$/ { sum[$1] += $2 }
		END {
			if (only) print sum[only] + 0
			else for (field in sum) printf "%s %d ", field, sum[field]
		}'
}

# falls SERVICE ID REASON
falls() {
	eventually 30 "the fall of $1 ($(evidence "$2"))" signal_is "$1" 'connect*' || fail "$(evidence "$2")" || return
	same "the packet path's signal of $1" "$(policy "$2")" 1 &&
		log_has "$1: $3: timed by connect from now on" || fail "log" || return
	lab_ctl list | grep -qE "signal auto has fallen back to connect: $3" || fail "larchctl list" || return
	lab_ctl status | grep -qE "^\* $1: signal auto has fallen back to connect: $3" || fail "larchctl status"
}

test_requests_and_answers_in_turn_are_timed_by_response() {
	fresh || return
	load_start turn --rate 100 --duration 6 --requests 4
	# And uploads, whose heads and bodies are sent apart.
	# shellcheck disable=SC2016 # for the inner shell
	go 'head -c 60000 /dev/zero >"$1.body"
		while [ -e "$1" ]; do
			curl -sS -o /dev/null --interface 10.2.0.9 -H Expect: --data-binary "@$1.body" \
				"http://$2/" "http://$2/" "http://$2/"
		done'
	load_wait && load_unbroken || return
	same "signal" "$(signal web)" response && same "the packet path's" "$(policy 0)" 2 || return
	check "requests seen" "$(evidence 0 requests) > 1000" || return
	! log_has 'timed by connect' || fail "log"
}

test_http2_with_many_streams_falls_back_to_connect() {
	fresh || return
	# shellcheck disable=SC2016
	go 'h2load -c 8 -m 20 -D 30 "http://$2:8443/v/1/3000"'
	falls h2 2 '(requests do not wait for answers|answers come sooner than their requests can have arrived)' &&
		same "signal of another service" "$(signal web)" response
}

test_pipelined_requests_fall_back_to_connect() {
	fresh || return
	# shellcheck disable=SC2016
	go 'h2load --h1 -c 8 -m 8 -D 30 "http://$2:8080/v/1/3000"'
	falls front 1 '(requests do not wait for answers|answers come sooner than their requests can have arrived)'
}

test_streams_fall_back_to_connect() {
	fresh || return
	# shellcheck disable=SC2016
	go 'one() {
			while [ -e "$1" ]; do
				for i in 1 2 3 4 5; do echo some words of a stream; read -rt 0.1 <> <(:); done |
					curl -sS -o /dev/null -T - -H Expect: "http://$2:8080/up/$3"
			done
		}
		for n in 1 2 3 4 5 6 7 8; do one "$@" $n & done; wait'
	falls front 1 'requests do not wait for answers'
}

test_a_server_that_speaks_first_falls_back_to_connect_and_is_watched_after_a_restart() {
	fresh || return
	# shellcheck disable=SC2016
	go 'one() { while [ -e "$1" ]; do curl -sS "smtp://$2" -X NOOP; done; }
		for i in 1 2 3 4 5 6 7 8; do one "$@" & done; wait'
	falls mail 3 'the server speaks first' || return
	larchd_stop && larchd_start || return
	same "signal after a restart" "$(signal mail)" 'connect*' && eventually 20 "the second fall" \
		log_has 'mail: the server speaks first: timed by connect from now on'
}

test_a_signal_that_was_chosen_stays() {
	fresh || return
	sed 's/name: h2/&\n    signal: response/' "$LAB_DIR/larch.yaml" | larchd_reload || return
	# shellcheck disable=SC2016
	go 'h2load -c 8 -m 20 -D 30 "http://$2:8443/v/1/3000"'
	eventually 20 "requests" requests_seen 2 1000 && same "signal" "$(signal h2)" response
}

requests_seen() {
	[ "$(evidence "$1" requests)" -gt "$2" ]
}

run_tests "$@"
