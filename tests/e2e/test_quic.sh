#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# QUIC and HTTP/3: ngtcp2's client and server, as Debian ships them, through a UDP service.
set -u
. "$(dirname "$0")/lib.sh"

cleanup() {
	lab_in router tc qdisc del dev client root
}

setup() {
	lab_up && make_certificate && make_files && start_quic || return
	# IPv6 prefers only addresses that an interface has.
	lab_in client ip -6 addr add fd00:1::7/128 dev lo nodad
	lab_in client ip -6 addr add fd00:2::8/128 dev lo nodad
	quic_config | larchd_fresh
}

make_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=larch \
		-keyout "$LAB_DIR/key" -out "$LAB_DIR/certificate"
	gcc -shared -fPIC -O2 -D_GNU_SOURCE -o "$LAB_DIR/quic_id.so" tests/e2e/quic_id.c
}

# Every backend's file is another one, so what arrives says who sent it.
make_files() {
	local backend
	for backend in $(lab_backend_names); do
		mkdir "$LAB_DIR/$backend.files"
		head -c 20000000 /dev/urandom >"$LAB_DIR/$backend.files/large"
		echo "$backend" >"$LAB_DIR/$backend.files/small"
	done
	sha256sum "$LAB_DIR"/*.files/* | sed 's|  .*/\(.*\).files/.*| \1|' >"$LAB_DIR/sums"
}

start_quic() {
	local backend vip
	for backend in $(lab_backend_names); do
		for vip in $LAB_VIP4 $LAB_VIP6; do
			lab_start "$backend" "$backend.$vip" env LD_PRELOAD="$LAB_DIR/quic_id.so" \
				QUIC_CONFIG=5 QUIC_ID="c0ffee0${backend#b}" gtlsserver --quiet \
				-d "$LAB_DIR/$backend.files" "$vip" 4433 "$LAB_DIR/key" "$LAB_DIR/certificate"
		done
	done
	for backend in $(lab_backend_names); do
		eventually 10 "the servers of $backend" listens "$backend" || return
	done
}

listens() {
	[ "$(lab_in "$1" ss -Huln sport = 4433 | wc -l)" = 2 ]
}

quic_config() {
	larch_config_head
	larch_config_service quic 4433 udp off |
		sed 's/^    protocol: udp$/&\n    quic: {config_id: 5, server_id_bytes: 4}/
			s/{name: b\(.\),/&quic_id: "c0ffee0\1",/'
	printf '...\n'
}

# download VIP FILE OPTION...: by HTTP/3. Sets FROM to the backend whose file arrived.
download() {
	local vip=$1 file=$2 got=$LAB_DIR/download
	shift 2
	rm -rf "$got"
	mkdir "$got"
	lab_in client timeout 15 gtlsclient --exit-on-all-streams-close --no-quic-dump --no-http-dump \
		--download="$got" "$@" "$vip" 4433 "https://larch/$file" >"$LAB_DIR/client" 2>&1
	FROM=$(sha256sum "$got/$file" | awk 'NR == FNR { sum = $1; next } $1 == sum { print $2 }' \
		- "$LAB_DIR/sums")
	[ -n "$FROM" ] || fail "no backend's file: $(wc -c "$got/$file") bytes; $(
		grep -v ' frm \| pkt ' "$LAB_DIR/client" | tail -n 3)"
}

test_http3_downloads_20_mb_over_ipv4() {
	download $LAB_VIP4 large
}

test_http3_downloads_20_mb_over_ipv6() {
	download $LAB_VIP6 large
}

test_http3_reaches_every_backend() {
	for _ in $(seq 40); do
		download $LAB_VIP4 small || return
		echo "$FROM"
	done >"$LAB_DIR/met"
	same "backends" "$(sort -u "$LAB_DIR/met" | tr '\n' ' ')" "b1 b2 b3 b4 "
}

# The preferred source address of what the client sends from now on.
client_sends_from() {
	lab_in client ip route replace default via 10.70.0.1 src "$1" &&
		lab_in client ip -6 route replace default via fd00:70::1 src "$2"
}

# Downloads whose client has another address and port after 250 ms, while most of the file is still
# to come: it takes the next of the connection ids that the server gave it. By its address alone
# three of four such clients would come to another backend, which does not know the connection.
moving_downloads() {
	local vip=$1 mover
	lab_in router tc qdisc replace dev client root tbf rate 200mbit burst 64k latency 50ms
	for _ in 1 2 3; do
		client_sends_from 10.1.0.7 fd00:1::7 || return
		rm -f "$LAB_DIR/client"
		(
			lab_wait 5 grep -q 'Sent packet' "$LAB_DIR/client"
			client_sends_from 10.2.0.8 fd00:2::8
		) &
		mover=$!
		download "$vip" large --change-local-addr=250ms || return
		wait $mover
		check "packets before" "$(packets_of 10.1.0.7 fd00:1::7) > 100" &&
			check "packets after" "$(packets_of 10.2.0.8 fd00:2::8) > 100" || return
	done
}

# Packets that the client received or sent at either of two addresses.
packets_of() {
	grep -cF -e "local=[$1]" -e "local=[$2]" "$LAB_DIR/client"
}

test_http3_download_goes_on_when_an_ipv4_client_moves() {
	moving_downloads $LAB_VIP4 6
}

test_http3_download_goes_on_when_an_ipv6_client_moves() {
	moving_downloads $LAB_VIP6 6
}

run_tests "$@"
