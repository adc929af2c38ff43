#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Frames of 9000 bytes, which drivers put into several buffers: the program for them by larchd and
# by ip link, large transfers, and the change from one program to the other.
set -u
LAB_MTU=9000
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers && start_nginx || return
	head -c 20000000 /dev/urandom >"$LAB_DIR/large"
	SUM=$(sha256 "$LAB_DIR/large")
	for backend in $(lab_backend_names); do
		ln "$LAB_DIR/large" "$LAB_DIR/$backend/files/large"
	done
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	larchd_remove
	larger_mtu
	[ -z "${LAB_IP_LINK:-}" ] || rm -f /sys/fs/bpf/tc/globals/larch_*
	lab_forget_iproute_pins
}

# larch_config with `frags` of the interface.
config() {
	larch_config | sed "s/^  - name: eth0/&\n    frags: $1/"
}

# The balancer's link, at both ends: veth looks at the other one's MTU.
link_mtu() {
	lab_in balancer ip link set dev eth0 mtu "$1" && lab_in router ip link set dev balancer mtu "$1"
}

smaller_mtu() {
	link_mtu 1600
}

larger_mtu() {
	link_mtu 9100
}

# The balancer's driver has handed over packets of more than a page: by the mean of what went to a
# backend meanwhile.
transfer() {
	local packets bytes id
	backends=$1 config auto | larchd_fresh || return
	id=$(backend_id "$1")
	get "$2" "http://$3:8080/large" -o "$LAB_DIR/down" -D "$LAB_DIR/head" || fail "GET" || return
	grep -q "X-Backend: $1" "$LAB_DIR/head" || fail "not answered by $1" || return
	same "downloaded" "$(sha256 "$LAB_DIR/down")" "$SUM" || return
	packets=$(counter larch_bck_count "$id" packets) bytes=$(counter larch_bck_count "$id" bytes)
	get "$2" "http://$3:8080/up" -T "$LAB_DIR/large" -f -o /dev/null || fail "PUT" || return
	same "uploaded" "$(sha256 "$LAB_DIR/$1/files/up")" "$SUM" || return
	rm "$LAB_DIR/$1/files/up"
	packets=$(($(counter larch_bck_count "$id" packets) - packets))
	bytes=$(($(counter larch_bck_count "$id" bytes) - bytes))
	check "bytes a packet" "$bytes / $packets > 4200"
}

test_20_mb_down_and_up_ipv4_in_ipv4() {
	transfer b1 10.1.0.9 $LAB_VIP4 || return
	log_has "eth0: program for jumbo frames attached" || fail "log"
}

test_20_mb_down_and_up_ipv6_in_ipv4() {
	transfer b2 fd00:2::9 "[$LAB_VIP6]"
}

test_20_mb_down_and_up_ipv4_in_ipv6() {
	forward=gue transfer b4 10.3.0.9 $LAB_VIP4
}

test_20_mb_down_and_up_ipv6_in_ipv6() {
	forward=gue transfer b4 fd00:1::9 "[$LAB_VIP6]"
}

test_without_frags_the_mtu_is_refused_with_the_remedy() {
	config off >"$LAB_DIR/larch.yaml"
	refused 1 "eth0: cannot attach: .*frags at auto" lab_in balancer timeout 20 "$BUILD/larchd" --strict \
		-c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" -s "$LAB_DIR/larchd.sock"
}

# As lab_ip_link; if another lab pins right now, on a bpffs of its own.
ip_link_frags() {
	if ! compgen -G "/sys/fs/bpf/tc/globals/larch_*" >/dev/null; then
		LAB_IP_LINK=1
		lab_in balancer ip link set dev eth0 xdpdrv obj "$BUILD/larch.frags.bpf.o" sec xdp.frags
		return
	fi
	lab_in balancer unshare -m --propagation unchanged sh -c "mount --make-rprivate /sys && mount -t bpf bpf /sys/fs/bpf &&
		ip link set dev eth0 xdpdrv obj $BUILD/larch.frags.bpf.o sec xdp.frags"
}

test_larchd_adopts_program_and_maps_of_ip_link() {
	local program
	ip_link_frags || fail "ip link" || return
	program=$(program_id)
	config auto >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 20 "service" vip_answers || return
	log_has "adopting the program that runs there \(id $program\)" || fail "log: adopting" || return
	log_has "left in place" || fail "log: left in place" || return
	same "program" "$(program_id)" "$program" || return
	load_start join --rate 200 --duration 4 --long 20 --long-interval-ms 100
	sleep 1
	larchd_stop KILL
	rm -rf "$LAB_PINS" # all that is left are the running program and its maps
	larchd_start && load_wait && load_unbroken && same "program" "$(program_id)" "$program"
}

test_ip_link_attaches_what_larchd_pinned() {
	config auto | larchd_fresh && eventually 20 "service" vip_answers || return
	larchd_stop KILL
	lab_in balancer ip link set dev eth0 xdp off
	lab_in balancer ip link set dev eth0 xdpdrv pinned "$LAB_PINS/larch-frags" || fail "ip link" || return
	eventually 20 "service" vip_answers
}

test_restart_leaves_the_program_in_place() {
	local program
	config auto | larchd_fresh && eventually 20 "service" vip_answers || return
	program=$(program_id)
	larchd_stop KILL
	larchd_start || return
	log_has "left in place" || fail "log" || return
	same "program" "$(program_id)" "$program"
}

test_frags_on_and_off_replace_the_program_under_load_without_a_break() {
	local plain frags
	smaller_mtu || fail "MTU" || return
	config auto | larchd_fresh && eventually 20 "service" vip_answers || return
	log_has "eth0: program attached" || fail "log" || return
	plain=$(program_id)
	load_start replace --rate 200 --duration 6 --long 20 --long-interval-ms 50
	sleep 0.7
	config on | larchd_reload || return
	log_has "program for jumbo frames replaces another without a gap" || fail "log: on" || return
	frags=$(program_id)
	check "program" "$frags != $plain" || return
	sleep 0.7
	config auto | larchd_reload || return
	same "program with auto" "$(program_id)" "$frags" || return
	config off | larchd_reload || return
	log_has "program replaced without a gap" || fail "log: off" || return
	same "program with off" "$(program_id)" "$plain" || return
	load_wait && load_unbroken
}

test_frags_on_lets_the_mtu_be_raised_later() {
	smaller_mtu || fail "MTU" || return
	config on | larchd_fresh && eventually 20 "service" vip_answers || return
	larger_mtu || fail "the MTU cannot be raised" || return
	eventually 10 "the service" vip_answers || return
	get 10.1.0.9 "http://$LAB_VIP4:8080/up" -T "$LAB_DIR/large" -f -o /dev/null || fail "PUT"
}

test_detach_removes_program_and_pins() {
	config auto >"$LAB_DIR/larch.yaml"
	larchd_start --detach && eventually 20 "service" vip_answers || return
	larchd_stop TERM
	same "program" "$(program_id)" "" || return
	[ ! -e "$LAB_PINS" ] || fail "pins: $(ls "$LAB_PINS")"
}

run_tests "$@"
