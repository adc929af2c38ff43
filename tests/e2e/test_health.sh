#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Active health checks, on the way that clients' packets take. b4 is reached by IPv6.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_nginx || return
	check='{type: tcp, interval: 200ms, timeout: 150ms}' health_config | larchd_fresh
}

# health_config: one service by IPv4 on 8080 with the variable `check`, one by IPv6.
health_config() {
	larch_config_head
	health_service web4 $LAB_VIP4 8080 tcp "${check6:-$check}"
	health_service web6 "$LAB_VIP6" 8080 tcp "$check"
	printf '...\n'
}

# health_service NAME ADDRESS PORT PROTOCOL HEALTH
health_service() {
	local backend
	printf '  - name: %s\n    address: "%s"\n    port: %s\n    protocol: %s\n' "$1" "$2" "$3" "$4"
	printf '    learning: off\n    forward: %s\n    health: %s\n    backends:\n' "${forward:-ipip}" "$5"
	for backend in ${backends:-$(lab_backend_names)}; do
		printf '      - {name: %s, address: "%s", concurrency: 8}\n' "$backend" \
			"$(backend_address "$backend")"
	done
}

# checked BACKEND VERDICT [REASON]: in the last check of it, in all services that have it.
checked() {
	lab_ctl -o json list | python3 -c '
import json, re, sys
checks = [b["check"] for s in json.load(sys.stdin)["services"] for b in s["backends"]
          if b["backend"] == sys.argv[1]]
sys.exit(not (checks and all(c and c["verdict"] == sys.argv[2] and
                             re.search(sys.argv[3], c["reason"]) for c in checks)))' \
		"$1" "$2" "${3:-}"
}

all_checked() {
	local backend
	for backend in $(lab_backend_names); do
		checked "$backend" "$@" || return
	done
}

test_x() {
  sleep 3
  lab_ctl list
  lab_in balancer tc filter show dev lo egress
  ps aux | grep larch-prober
  return 1
}
run_tests "$@"
