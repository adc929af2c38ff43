#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The second chance: connections outlive the flow table, whatever has become of rings and weights.
# Mostly waits.
set -u
. "$(dirname "$0")/lib.sh"

setup() {
	lab_up && start_servers
}

cleanup() {
	lab_kill KILL "${LOAD_PID:-}"
	lab_kill KILL "${TALK_PID:-}"
	lab_in router ip link set dev b1 xdp off
	lab_in router ip link set dev b1 xdpdrv obj "$BUILD/pass$LAB_FRAGS.bpf.o" sec "xdp$LAB_FRAGS"
}

# What b1's agent sends back gets no further than its link; what its servers send does.
silence_agent() {
	lab_in router ip link set dev b1 xdp off
}

with_agents() {
	larch_config | sed 's/^    protocol: tcp$/&\n    agent: true/'
}

# Packets with the outcome of this number: see larch/outcome.h.
outcome() {
	counter larch_outcomes "$1" packets
}

# Everything that the kernel remembered is gone, and the rings are others.
forget_all() {
	backends=$1 with_agents | larchd_fresh
}

test_connections_outlive_the_flow_table_and_their_rings() {
	local weights
	with_agents | larchd_fresh || return
	load_start forget --rate 20 --duration 10 --long 60 --long-interval-ms 100
	sleep 1
	for weights in "b1=1 b2=100 b3=1 b4=100" "b1=100 b2=1 b3=100 b4=1" "b1=50 b2=100 b3=1 b4=1"; do
		forget_all "$weights" || return
		sleep 1.5
	done
	load_wait
	same "broken long flows" "$(load_get long broken total)" 0 || fail "$(load_get long broken)" || return
	check "claimed" "$(outcome 42) > 0" && check "next" "$(outcome 41) > 0" &&
		same "refused" "$(outcome 27)" 0
}

# Without agents the same breaks connections: that is what the test above stands on.
test_without_agents_they_do_not() {
	larch_config | larchd_fresh || return
	load_start break --rate 1 --duration 6 --long 60 --long-interval-ms 100
	sleep 1
	backends="b1=1 b2=100 b3=1 b4=100" larch_config | larchd_fresh || return
	load_wait
	check "broken long flows" "$(load_get long broken total) > 0"
}

# A backend without an agent does not lose the connections that the ring still sends to it.
test_where_no_agent_answers_flows_go_by_the_ring_again() {
	backends=b1 with_agents | larchd_fresh || return
	load_start silent --rate 1 --duration 14 --long 20 --long-interval-ms 100
	sleep 1
	silence_agent
	backends=b1 with_agents | larchd_fresh || return
	eventually 10 "questions given up" log_has 'web: no agent answers: for 30 s' || return
	refused 0 'WARNING: web: no agent answers' lab_ctl status &&
		refused 0 'NO AGENT ANSWERS' lab_ctl list || return
	load_wait
	same "broken long flows" "$(load_get long broken total)" 0 || fail "$(load_get long broken)" || return
	check "asked" "$(outcome 40) >= 3" && same "claimed" "$(outcome 42)" 0
}

run_tests "$@"
