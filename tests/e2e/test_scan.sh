#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A scan of all ports of the service's address, while clients are served.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers || return
	# The host answers for the address, where no service does.
	lab_in balancer sh -c "ip addr add $LAB_VIP4/32 dev lo
		ip -6 addr add $LAB_VIP6/128 dev lo nodad"
	learning=on larch_config | larchd_fresh
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
}

# scan SOURCE VIP: connects to every port; how many were refused, and which were open.
scan() {
	lab_in client nc -z -n -v -w 3 -s "$1" "$2" 1-65535 2>&1 | awk '
		/refused/ { refused++ }
		/succeeded/ { open = open " " $4 }
		END { print refused + 0, "refused; open:" open }'
}

test_scan_of_all_ports_is_refused_by_the_host_and_drops_nothing() {
	local passed dropped # outcomes: see include/larch/outcome.h
	load_start scan --rate 100 --duration 60 --long 50 --long-interval-ms 100
	passed=$(outcomes 9)
	dropped=$(outcomes {16..23})
	same "IPv4" "$(scan 10.1.0.9 $LAB_VIP4)" "65534 refused; open: 80" &&
		same "IPv6" "$(scan fd00:1::9 $LAB_VIP6)" "65534 refused; open: 80" || return
	load_stop && load_unbroken || return
	# Port 8080 is the service's, and refused by a backend.
	check "passed to the host" "$(outcomes 9) - $passed >= 2 * 65533" &&
		same "dropped" "$(outcomes {16..23})" "$dropped"
}

run_tests "$@"
