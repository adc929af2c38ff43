#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The ways in and out of the kernel: ip link, larchd, pins, replacement; and what bpftool shows.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	larchd_remove
	rm -rf "$LAB_PINS-behind"
	[ -z "${LAB_IP_LINK:-}" ] || rm -f /sys/fs/bpf/tc/globals/larch_*
	lab_forget_iproute_pins
}

# The program by ip link. That pins its maps for the whole host; if another lab is doing so right
# now, its pins go to a bpffs of their own, and LAB_IP_LINK stays empty.
ip_link() {
	lab_ip_link 2>/dev/null && return
	LAB_IP_LINK=
	lab_in balancer unshare -m --propagation unchanged sh -c "mount --make-rprivate /sys && mount -t bpf bpf /sys/fs/bpf &&
		ip link set dev eth0 xdpdrv obj $BUILD/larch.bpf.o sec xdp"
}

test_program_of_ip_link_passes_all_packets_before_larchd_comes() {
	ip_link || fail "ip link" || return
	refused 7 "connect to" get 10.1.0.7 "http://10.60.0.2:81/" &&
		refused 7 "connect to" get fd00:1::7 "http://[fd00:60::2]:81/"
}

test_larchd_adopts_program_and_maps_of_ip_link() {
	local program
	ip_link || fail "ip link" || return
	program=$(program_id)
	larch_config >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 20 "service" vip_answers || return
	log_has "adopting the program that runs there \(id $program\)" || fail "log: adopting" || return
	log_has "left in place" || fail "log: left in place" || return
	same "program" "$(program_id)" "$program" || return
	[ -z "$LAB_IP_LINK" ] || same "larch_flows' id" "$(map_id "$LAB_PINS/larch_flows")" \
		"$(map_id /sys/fs/bpf/tc/globals/larch_flows)"
}

map_id() {
	bpftool map show pinned "$1" | sed -n '1s/:.*//p'
}

test_flows_survive_when_larchd_joins_ip_link_twice() {
	ip_link || fail "ip link" || return
	larch_config >"$LAB_DIR/larch.yaml"
	larchd_start && eventually 20 "service" vip_answers || return
	load_start join --rate 200 --duration 4 --long 20 --long-interval-ms 100
	sleep 1
	larchd_stop KILL
	rm -rf "$LAB_PINS" # all that is left are the running program and its maps
	larchd_start && load_wait && load_unbroken
}

test_larchd_loads_by_itself_when_nothing_is_there() {
	larch_config | larchd_fresh || return
	log_has "eth0: program attached" || fail "log" || return
	[ -n "$(program_id)" ] || fail "no program" || return
	eventually 20 "service" vip_answers || return
	[ -e "$LAB_PINS/larch" ] && [ -e "$LAB_PINS/larch_flows" ] || fail "not pinned"
}

# Loads another version of the program over the same maps, in place of what runs, and pins it.
run_variant() {
	local map arguments=()
	mkdir -p "$LAB_DIR/variant"
	cp bpf/* "$LAB_DIR/variant"
	sed -i 's/define IDLE_STAMPS 35/define IDLE_STAMPS 34/' "$LAB_DIR/variant/flow.h"
	# Else bpftool pins what it is given once more, where it likes.
	sed -i '/LIBBPF_PIN_BY_NAME/d' "$LAB_DIR/variant/maps.h"
	clang -g -O2 -target bpf -mcpu=v3 -Wall -Wno-missing-declarations -Ivmlinux -Iinclude \
		-c "$LAB_DIR/variant/larch.bpf.c" -o "$LAB_DIR/variant.o" || return
	for map in "$LAB_PINS"/larch_*; do
		arguments+=(map name "${map##*/}" pinned "$map")
	done
	bpftool prog load "$LAB_DIR/variant.o" "$LAB_PINS/variant" type xdp "${arguments[@]}" || return
	lab_in balancer ip -force link set dev eth0 xdpdrv pinned "$LAB_PINS/variant" || return
	rm "$LAB_PINS/variant"
}

test_older_program_is_replaced_under_load_without_a_break() {
	local variant
	larch_config | larchd_fresh || return
	load_start replace --rate 300 --duration 6 --long 30 --long-interval-ms 50
	for _ in 1 2; do
		sleep 0.7
		larchd_stop KILL
		run_variant || fail "the variant cannot be loaded" || return
		variant=$(program_id)
		sleep 0.5
		larchd_start || return
		log_has "replaced without a gap" || fail "log" || return
		check "program" "$(program_id) != $variant" || return
	done
	load_wait && load_unbroken
}

test_program_with_maps_that_nobody_fills_gives_way() {
	local program
	larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	load_start other --long 20 --long-interval-ms 100 --duration 5
	sleep 1
	# The same program once more, with maps of its own that nobody fills.
	lab_in balancer unshare -m --propagation unchanged sh -c "mount --make-rprivate /sys && mount -t bpf bpf /sys/fs/bpf &&
		ip -force link set dev eth0 xdpdrv obj $BUILD/larch.bpf.o sec xdp" || fail "ip link" || return
	program=$(program_id)
	eventually 10 "replacement" log_has "eth0: program replaced without a gap" || return
	check "program" "$(program_id) != $program" && load_wait &&
		check "requests" "$(load_get long requests) > 0" || return
	same "broken long flows" "$(load_get long broken total)" 0
}

test_restart_prefers_pinned_maps_in_use_to_empty_ones() {
	local map
	larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	map=$(map_id "$LAB_PINS/larch_flows")
	larchd_stop KILL
	lab_in balancer unshare -m --propagation unchanged sh -c "mount --make-rprivate /sys && mount -t bpf bpf /sys/fs/bpf &&
		ip -force link set dev eth0 xdpdrv obj $BUILD/larch.bpf.o sec xdp" || fail "ip link" || return
	larchd_start || return
	log_has "maps of its own that were never in use" || fail "log" || return
	same "larch_flows' id" "$(map_id "$LAB_PINS/larch_flows")" "$map" && vip_answers
}

test_foreign_program_is_refused_with_the_remedy() {
	local program
	lab_in balancer ip link set dev eth0 xdpdrv obj "$BUILD/pass.bpf.o" sec xdp || return
	program=$(program_id)
	larch_config >"$LAB_DIR/larch.yaml"
	refused 1 "another XDP program is attached .'pass', id $program.*ip link set dev eth0 xdp off" \
		lab_in balancer timeout 20 "$BUILD/larchd" -c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" \
		-s "$LAB_DIR/larchd.sock" || return
	same "program" "$(program_id)" "$program" || return
	[ ! -e "$LAB_PINS" ] || fail "pins of the refused larchd are left"
}

# pins_are_refused: larchd will have nothing to do with the folder that stands there.
pins_are_refused() {
	refused 1 "$LAB_PINS: other users could put maps .*rm -r $LAB_PINS" \
		lab_in balancer timeout 20 "$BUILD/larchd" -c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" \
		-s "$LAB_DIR/larchd.sock" || return
	same "program" "$(program_id)" ""
}

# Anybody may make a folder on the bpffs beforehand, and put maps there.
test_pins_that_others_can_write_to_are_refused() {
	larch_config >"$LAB_DIR/larch.yaml"
	mkdir -m 755 "$LAB_PINS" && chown nobody "$LAB_PINS" && pins_are_refused || return
	chown root "$LAB_PINS" && chmod 1777 "$LAB_PINS" && pins_are_refused || return
	chmod 770 "$LAB_PINS" && pins_are_refused || return
	mv "$LAB_PINS" "$LAB_PINS-behind" && ln -s "$LAB_PINS-behind" "$LAB_PINS" || return
	chmod 700 "$LAB_PINS-behind"
	pins_are_refused || return
	rm "$LAB_PINS" && mv "$LAB_PINS-behind" "$LAB_PINS" && chmod 755 "$LAB_PINS" || return
	larchd_start && eventually 20 "service" vip_answers
}

test_interface_that_does_not_exist_is_refused_by_name() {
	larch_config | sed 's/name: eth0/name: eth7/' >"$LAB_DIR/larch.yaml"
	refused 1 "eth7" lab_in balancer timeout 20 "$BUILD/larchd" -c "$LAB_DIR/larch.yaml" \
		-p "$LAB_PINS" -s "$LAB_DIR/larchd.sock"
}

is_attached() {
	[ -n "$(program_id)" ]
}

# The link between router and balancer, as the lab makes it.
link_again() {
	lab_link balancer balancer 10.60.0 fd00:60 $((LAB_MTU + 100)) || return
	lab_in router sh -c "ip route add $LAB_VIP4 via 10.60.0.2
		ip -6 route add $LAB_VIP6 via fd00:60::2
		ethtool -K balancer tx off >/dev/null
		ip link set dev balancer xdpdrv obj $BUILD/pass$LAB_FRAGS.bpf.o sec xdp$LAB_FRAGS"
}

test_interface_that_goes_and_comes_back_has_the_program_again() {
	larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	lab_in router ip link del balancer
	eventually 10 "a word of it" log_has 'eth0: the interface is gone' || return
	link_again || fail "no link" || return
	eventually 20 "program" is_attached &&
		eventually 20 "all backends reachable" all_ready && eventually 20 "service" vip_answers
}

test_program_that_somebody_takes_off_is_put_back() {
	local began
	larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	began=${EPOCHREALTIME/./}
	lab_in balancer ip link set dev eth0 xdp off
	eventually 10 "program" is_attached || return
	echo "put back after $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
	log_has 'eth0: SOMEBODY HAS TAKEN THE PROGRAM OFF; it is put back' || fail "log" || return
	eventually 10 "service" vip_answers
}

test_detach_removes_program_pins_and_socket() {
	larch_config >"$LAB_DIR/larch.yaml"
	larchd_start --detach && eventually 20 "service" vip_answers || return
	kill -TERM "$LAB_LARCHD"
	wait "$LAB_LARCHD" || fail "exit status $?" || return
	LAB_LARCHD=
	same "program" "$(program_id)" "" || return
	[ ! -e "$LAB_PINS" ] || fail "pins: $(ls "$LAB_PINS")" || return
	[ ! -e "$LAB_DIR/larchd.sock" ] || fail "the socket is left"
}

test_detach_removes_what_ip_link_brought() {
	ip_link || fail "ip link" || return
	larch_config >"$LAB_DIR/larch.yaml"
	larchd_start --detach || return
	larchd_stop TERM
	same "program" "$(program_id)" "" || return
	[ ! -e "$LAB_PINS" ] || fail "pins: $(ls "$LAB_PINS")" || return
	[ -z "$LAB_IP_LINK" ] || same "pins of ip link" "$(ls /sys/fs/bpf/tc/globals)" ""
}

test_ip_link_attaches_what_larchd_pinned() {
	local program
	larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	larchd_stop KILL
	lab_in balancer ip link set dev eth0 xdp off
	vip_answers && fail "the service answers without a program" && return 1
	lab_in balancer ip link set dev eth0 xdpdrv pinned "$LAB_PINS/larch" || fail "ip link" || return
	eventually 20 "service" vip_answers || return
	program=$(program_id)
	larchd_start || return
	same "program" "$(program_id)" "$program" && vip_answers
}

# shows MAP KEY FIELD...: bpftool's dump of the entry has these names.
shows() {
	local map=$1 key=$2 field
	shift 2
	lookup "$map" "$key" >"$LAB_DIR/entry" || fail "$map cannot be read" || return
	for field in "$@"; do
		grep -q "\"$field\":" "$LAB_DIR/entry" || fail "$map: no field $field" || return
	done
}

test_bpftool_shows_every_map_by_field_names() {
	learning=on larch_config | larchd_fresh && eventually 20 "service" vip_answers || return
	shows larch_flows 0 identity tag backend stamp state connect timing start acked phase &&
		shows larch_live 0 in_flight slowdown updated asked concurrency service_us &&
		shows larch_backends 0 tunnel ready mtu destination_mac outer_source outer_destination &&
		shows larch_outcomes 0 packets bytes &&
		shows larch_svc_count 0 packets bytes flows evicted &&
		shows larch_bck_count 0 packets bytes flows evicted &&
		shows larch_active 0 bank generation &&
		shows larch_plans 0 generation digest members tree depth leaves threshold &&
		shows larch_rings 0 slot primary secondary &&
		shows larch_costs 0 member net service &&
		shows larch_settings 0 abi seed bucket_mask filter || return
	bpftool map dump pinned "$LAB_PINS/larch_cells" >"$LAB_DIR/entry"
	grep -q '"response_us":' "$LAB_DIR/entry" && grep -q '"source":' "$LAB_DIR/entry" ||
		fail "larch_cells" || return
	bpftool map dump pinned "$LAB_PINS/larch_services" >"$LAB_DIR/entry"
	grep -q '"signal":' "$LAB_DIR/entry" && grep -q '"address":' "$LAB_DIR/entry" ||
		fail "larch_services"
}

test_every_map_of_larch_is_pinned_under_its_name() {
	local map
	larch_config | larchd_fresh || return
	for map in $(sed -n 's/^} \(larch_[a-z_]*\) SEC(".maps");/\1/p' bpf/maps.h); do
		[ -e "$LAB_PINS/$map" ] || fail "$map is not pinned" || return
	done
}

run_tests "$@"
