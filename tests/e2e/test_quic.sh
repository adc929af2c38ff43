#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# QUIC and HTTP/3: ngtcp2's client and server, as Debian ships them, through a UDP service.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && make_certificate && make_files && start_quic || return
	quic_config | larchd_fresh
}

make_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=larch \
		-keyout "$LAB_DIR/key" -out "$LAB_DIR/certificate"
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
			lab_start "$backend" "$backend.$vip" gtlsserver --quiet -d "$LAB_DIR/$backend.files" \
				"$vip" 4433 "$LAB_DIR/key" "$LAB_DIR/certificate"
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
	larch_config_service quic 4433 udp off
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

run_tests "$@"
