#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Links on which not every packet fits: path-MTU discovery must work through the balancer. A router
# before a small link tells the sender of a packet that does not fit; of what servers send, that is
# the service's address, and the balancer must find the server that sent it.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_nginx || return
	head -c 5000000 /dev/urandom >"$LAB_DIR/large"
	SUM=$(sha256sum <"$LAB_DIR/large")
	for backend in $(lab_backend_names); do
		ln "$LAB_DIR/large" "$LAB_DIR/$backend/files/large"
	done
	small_link 1400 client 0 10.70.0 fd00:70 "$LAB_CLIENTS4 $LAB_CLIENTS6" || return
	small_link 1350 b1 1 10.50.1 fd00:50:1 && small_link 1350 b4 4 10.50.4 fd00:50:4 || return
	larch_config | larchd_fresh
}

cleanup() {
	balancer_link 1600
}

# small_link MTU NODE N FOUR SIX [PREFIXES]: puts a router of its own, smallN, before a node, and a
# small link between both routers. The node sees nothing of that: its link goes to the new one.
small_link() {
	local mtu=$1 node=$2 n=$3 four=$4 six=$5 prefixes=${6:-} prefix
	lab_node "small$n" || return
	lab_in router ip link set dev "$node" netns "$LAB_ID-small$n"
	ip link add "$node" mtu "$mtu" netns "$LAB_ID-router" type veth \
		peer name outer mtu "$mtu" netns "$LAB_ID-small$n" || return
	lab_in "small$n" sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		ip addr add $four.1/24 dev $node
		ip -6 addr add $six::1/64 dev $node nodad
		ip link set $node up
		ip addr add 10.71.$n.2/24 dev outer
		ip -6 addr add fd00:71:$n::2/64 dev outer nodad
		ip link set outer up
		ip route add default via 10.71.$n.1
		ip -6 route add default via fd00:71:$n::1"
	lab_in router sh -c "ip addr add 10.71.$n.1/24 dev $node
		ip -6 addr add fd00:71:$n::1/64 dev $node nodad
		ip link set $node up
		ip route add $four.0/24 via 10.71.$n.2
		ip -6 route add $six::/64 via fd00:71:$n::2"
	for prefix in $prefixes; do
		lab_in router ip route replace "$prefix" via "$(hop 10.71.$n.2 fd00:71:$n::2 "$prefix")"
		lab_in "small$n" ip route add "$prefix" via "$(hop $four.2 $six::2 "$prefix")"
	done
}

# The one of two addresses that is of the family of $3.
hop() {
	if [[ $3 = *:* ]]; then
		echo "$2"
	else
		echo "$1"
	fi
}

# downloads HOST SOURCE...: from every source, whole and in time. Only the first packets from a
# server to a client need to be told; so each source is a new one.
downloads() {
	local host=$1 source
	shift
	for source in "$@"; do
		get "$source" "http://$host:8080/large" -m 8 -o "$LAB_DIR/down" ||
			fail "GET from $source" || return
		same "downloaded" "$(sha256sum <"$LAB_DIR/down")" "$SUM" || return
	done
}

test_download_learns_of_a_small_link_to_the_client_ipv4() {
	backends="b2 b3" larch_config | larchd_reload && downloads $LAB_VIP4 10.1.0.{11..18}
}

test_download_learns_of_a_small_link_to_the_client_ipv6() {
	backends="b2 b3" larch_config | larchd_reload && downloads "[$LAB_VIP6]" fd00:1::{11..18}
}

# What the server sends meets that link first; what it is told comes over it, in a tunnel.
test_download_learns_of_a_small_link_to_the_server_ipv4() {
	backends="b1 b4" larch_config | larchd_reload && downloads $LAB_VIP4 10.2.0.{11..18}
}

test_download_learns_of_a_small_link_to_the_server_ipv6() {
	backends="b1 b4" larch_config | larchd_reload && downloads "[$LAB_VIP6]" fd00:2::{11..18}
}

# The balancer's own link, which takes no tunnel header on top of what clients send.
balancer_link() {
	lab_in balancer ip link set dev eth0 mtu "$1" && lab_in router ip link set dev balancer mtu "$1" &&
		eventually 10 "MTU of $1 in use" tunnels_fit "$1"
}

tunnels_fit() {
	bpftool map dump pinned "$LAB_PINS/larch_backends" | tr -d , | awk -v mtu="$1" '
		$1 == "\"mtu\":" && $2 { used++; wrong += $2 != mtu }
		END { exit !(used >= 4 && !wrong) }'
}

# uploads HOST SOURCE...: to some backend or other, whole and in time.
uploads() {
	local host=$1 source
	shift
	for source in "$@"; do
		rm -f "$LAB_DIR"/b*/files/up
		get "$source" "http://$host:8080/up" -m 8 -f -T "$LAB_DIR/large" -o /dev/null ||
			fail "PUT from $source" || return
		same "uploaded" "$(sha256sum <"$LAB_DIR"/b*/files/up)" "$SUM" || return
	done
}

test_upload_learns_what_fits_into_the_tunnel_ipv4() {
	larch_config | larchd_reload && balancer_link 1350 || return
	uploads $LAB_VIP4 10.3.0.{11..22}
}

test_upload_learns_what_fits_into_the_tunnel_ipv6() {
	larch_config | larchd_reload && balancer_link 1350 || return
	uploads "[$LAB_VIP6]" fd00:3::{11..22}
}

run_tests "$@"
