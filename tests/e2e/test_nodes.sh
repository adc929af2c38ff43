#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two balancers behind a router that spreads flows over both: one learns, the other follows its
# generations; either may die. LARCH_LONG=1: 200 generations instead of a few.
set -u
LAB_NODES=2
. "$(dirname "$0")/lib.sh"

declare -A NODE # larchd's processes
SEED=00112233445566778899aabbccddeeff

setup() {
	lab_up && start_servers || return
	mkdir "$LAB_DIR/shared"
	echo $SEED >"$LAB_DIR/seed"
	chmod 600 "$LAB_DIR/seed"
}

cleanup() {
	local node
	lab_kill KILL "${LOAD_PID:-}" "${STAY_PID:-}"
	rm -f "$LAB_DIR/go"
	for node in $(lab_nodes); do
		node_remove "$node"
		lab_node_up "$node"
	done
	# shellcheck disable=SC2046 # names
	lab_route_vips $(lab_nodes)
	rm -f "$LAB_DIR"/shared/*
}

# node_config ROLE: leader or follower; weights and learning as for larch_config.
node_config() {
	local role="write: $LAB_DIR/shared/generations"
	[ "$1" = leader ] || role="follow: $LAB_DIR/shared/generations, silent: 7s"
	with_udp=0 larch_config | sed 's/^    protocol: tcp$/&\n    agent: true/; /^\.\.\.$/d'
	printf 'seed_file: %s\ngenerations: {%s}\n...\n' "$LAB_DIR/seed" "$role"
}

node_runs() {
	grep -q ' runs: ' "$LAB_DIR/$1.log"
}

# node_start NODE: larchd with $LAB_DIR/NODE.yaml.
node_start() {
	mkdir -p "$LAB_PINS"
	lab_start "$1" "$1.log" "$BUILD/larchd" -c "$LAB_DIR/$1.yaml" -p "$LAB_PINS/$1" \
		-s "$LAB_DIR/$1.sock" -l debug
	NODE[$1]=$LAB_PID
	lab_wait 30 node_runs "$1" || fail "$1: $(tail -n 2 "$LAB_DIR/$1.log")"
}

# node_stop NODE [SIGNAL]
node_stop() {
	[ -z "${NODE[$1]:-}" ] || lab_stop "${NODE[$1]}" "${2:-TERM}"
	NODE[$1]=
}

node_remove() {
	node_stop "$1" KILL
	lab_in "$1" ip link set dev eth0 xdp off
	rm -rf "${LAB_PINS:?}/$1" "$LAB_DIR/$1.sock"
}

node_ctl() {
	local node=$1
	shift
	"$BUILD/larchctl" -s "$LAB_DIR/$node.sock" "$@"
}

# status NODE PATH_ELEMENT...
status() {
	local node=$1
	shift
	node_ctl "$node" status -o json | "$BUILD/jsonget" "$@"
}

# Packets of some outcomes at a node, by their numbers in include/larch/outcome.h.
node_outcomes() {
	local node=$1
	shift
	LAB_PINS=$LAB_PINS/$node outcomes "$@"
}

agrees() {
	[ "$(status balancer2 nodes services 0 agrees)" = true ] &&
		[ "$(status balancer2 nodes services 0 digest)" = "$(status balancer nodes services 0 digest)" ]
}

log_says() {
	grep -qE -- "$2" "$LAB_DIR/$1.log"
}

# Other weights at the leader; the follower's configuration stays as it is.
turn=0
reweigh() {
	local n list=
	turn=$((turn + 1))
	for n in $(seq 1 "$LAB_BACKENDS"); do
		list="$list b$n=$((1 + (turn * 37 + n * n * 53) % 100))"
	done
	backends=$list node_config leader >"$LAB_DIR/balancer.yaml"
	[ -z "${NODE[balancer]}" ] || kill -HUP "${NODE[balancer]}"
	sleep 1
}

# reweigh_times N
reweigh_times() {
	local i
	for i in $(seq 1 "$1"); do
		reweigh
	done
}

both_start() {
	node_config leader >"$LAB_DIR/balancer.yaml"
	# Its own order of backends: ids and places differ.
	backends="b3 b1 b4 b2" node_config follower >"$LAB_DIR/balancer2.yaml"
	node_start balancer && node_start balancer2 && eventually 20 "both agree" agrees
}

# Connections from these ports, by whichever node; who answered each of them.
PORTS="40001 40002 40003 40004 40005 40006 40007 40008"

# Connects from each port, asks once and resets: what is remembered of it is the node's alone then.
visit() {
	lab_in client python3 tests/e2e/revisit.py $LAB_VIP4 $PORTS
}

# The same, but the connections stay, and ask once more when the file comes.
stay() {
	lab_start client stay.log python3 tests/e2e/revisit.py --until "$LAB_DIR/go" $LAB_VIP4 $PORTS
	STAY_PID=$LAB_PID
	eventually 10 "connections" grep -q 'all answered' "$LAB_DIR/stay.log"
}

# Neither the death of a node, nor its return, nor generations in between break a connection.
test_nodes_die_and_return_while_weights_change() {
	local generations=2 share
	[ -z "${LARCH_LONG:-}" ] || generations=33
	both_start || return
	# All ports are known to both nodes; then connections from them begin anew at the one alone.
	reweigh
	lab_route_vips balancer && visit && lab_route_vips balancer2 && visit || fail "visits" || return
	reweigh
	lab_route_vips balancer && stay || return
	lab_route_vips balancer balancer2
	load_start die --rate 40 --duration $((6 * generations + 14)) --long 200 --long-interval-ms 200
	reweigh_times "$generations"
	check "flows of the one" "$(node_outcomes balancer 1) > 50" &&
		check "flows of the other" "$(node_outcomes balancer2 1) > 50" || return
	lab_node_down balancer2 && node_stop balancer2 KILL
	reweigh_times "$generations"
	check "flows that the other had" "$(node_outcomes balancer 42) > 50" || return
	lab_node_up balancer2 && node_start balancer2 || return
	reweigh_times "$generations"
	eventually 10 "they agree again" agrees || return
	lab_route_vips balancer2 # the leader's route is withdrawn
	reweigh_times "$generations"
	check "flows that the leader had" "$(node_outcomes balancer2 42) > 20" || return
	lab_route_vips balancer balancer2
	reweigh_times "$generations"
	lab_node_down balancer && node_stop balancer KILL
	share=$(status balancer2 nodes services 0 digest)
	eventually 20 "the leader's silence" log_says balancer2 'the leader .* has been silent for' || return
	same "the last generation" "$(status balancer2 nodes services 0 digest)" "$share" &&
		refused 0 'WARNING: the leader .* silent for .* its last generations stay' \
			node_ctl balancer2 status || return
	lab_node_up balancer && node_start balancer || return
	reweigh_times "$generations"
	eventually 10 "they agree again" agrees || return
	load_wait && load_unbroken || return
	touch "$LAB_DIR/go"
	wait "$STAY_PID" || fail "those that stayed: $(tail -n 3 "$LAB_DIR/stay.log")" || return
	check "asked in vain" "$(node_outcomes balancer 43) + $(node_outcomes balancer2 43) == 0" &&
		check "bad tokens" "$(node_outcomes balancer 27) + $(node_outcomes balancer2 27) == 0"
}

# What was learned by one is in force at both; the follower learns nothing itself.
test_a_follower_steers_by_what_the_leader_has_learned() {
	learning=on both_start || return
	load_start learn --rate 300 --duration 8
	load_wait && load_unbroken || return
	same "state" "$(status balancer2 services 0 state)" follows || return
	eventually 10 "both agree" agrees || return
	check "generations" "$(status balancer2 services 0 generation) > 1"
	same "learned" "$(node_ctl balancer2 list -o json | "$BUILD/jsonget" services 0 learned)" true &&
		refused 0 'they agree' node_ctl balancer2 list &&
		refused 0 "follows $LAB_DIR/shared/generations, of " node_ctl balancer2 status
}

# damaged WORDS: the follower says so, stays as it is, and goes on when a good one comes.
damaged() {
	local digest before
	digest=$(status balancer2 nodes services 0 digest)
	eventually 10 "refusal: $1" log_says balancer2 "generations $1" || return
	refused 0 "WARNING: .*generations $1" node_ctl balancer2 status &&
		same "digest" "$(status balancer2 nodes services 0 digest)" "$digest"
}

test_what_is_no_good_is_refused_and_changes_nothing() {
	local file
	both_start || return
	file=$LAB_DIR/shared/generations
	node_stop balancer
	cp "$file" "$LAB_DIR/good"
	head -c 5000 "$LAB_DIR/good" >"$file"
	damaged 'is truncated or damaged' || return
	printf x | dd of="$LAB_DIR/good" bs=1 seek=3000 conv=notrunc status=none
	cp "$LAB_DIR/good" "$file"
	damaged 'is truncated or damaged' || return
	echo 'something else' >"$file"
	damaged 'is no file of generations' || return
	: >"$file"
	damaged 'is empty' || return
	rm "$file"
	damaged 'cannot be read: No such file' || return
	node_start balancer && eventually 10 "all is well" log_says balancer2 'all is well again' &&
		eventually 10 "both agree" agrees
}

# As on a share whose server has gone: who opens the file waits. Nobody else does.
test_a_file_that_nobody_takes_holds_up_nothing() {
	local before
	both_start || return
	before=$(status balancer services 0 generation)
	mkfifo "$LAB_DIR/shared/generations.new"
	reweigh
	eventually 5 "a generation" generation_is_above "$before" && vip_answers || fail "it stands still" || return
	eventually 20 "a warning" log_says balancer 'cannot be written: its file system does not answer' &&
		refused 0 'WARNING: .*does not answer' node_ctl balancer status || return
	dd if="$LAB_DIR/shared/generations.new" of=/dev/null status=none
	eventually 10 "both agree" agrees && eventually 5 "relief" log_says balancer 'all is well again'
}

test_a_file_that_hangs_the_follower_holds_up_nothing() {
	both_start && node_stop balancer2 && LARCH_FAULT=stall@follow:5 node_start balancer2 || return
	eventually 20 "a warning" log_says balancer2 'cannot be read: its file system does not answer' &&
		refused 0 'WARNING: .*does not answer' node_ctl balancer2 status && vip_answers
}

generation_is_above() {
	[ "$(status balancer services 0 generation)" -gt "$1" ]
}

test_an_older_file_and_a_strangers_are_refused() {
	local file
	both_start || return
	file=$LAB_DIR/shared/generations
	cp "$file" "$LAB_DIR/old"
	reweigh && eventually 10 "both agree" agrees || return
	node_stop balancer
	cp "$LAB_DIR/old" "$file"
	damaged 'is older, by .* s, than what is followed' || return
	# A leader that hashes by another seed: its tables mean nothing here.
	node_remove balancer
	rm "$file"
	cp "$LAB_DIR/balancer.yaml" "$LAB_DIR/before.yaml"
	echo ff$SEED | head -c 32 >"$LAB_DIR/seed2"
	chmod 600 "$LAB_DIR/seed2"
	sed "s/^seed_file: .*/&2/" "$LAB_DIR/before.yaml" >"$LAB_DIR/balancer.yaml"
	node_start balancer || return
	damaged 'is of .*, which hashes by another seed' || return
	# Its tables keep the seed that they were made with, and that is said.
	cp "$LAB_DIR/before.yaml" "$LAB_DIR/balancer.yaml"
	kill -HUP "${NODE[balancer]}"
	eventually 10 "another seed" log_says balancer 'made with another seed' &&
		refused 0 'WARNING: the flow table hashes by another seed' node_ctl balancer status
}

test_a_follower_whose_backends_are_others_says_so() {
	both_start || return
	backends="b1 b2 b3" node_config follower >"$LAB_DIR/balancer2.yaml"
	kill -HUP "${NODE[balancer2]}"
	eventually 10 "a backend is missing" log_says balancer2 'web: the leader has a backend fd00:50:4::2, which this node has not' &&
		refused 0 'NO: the leader has a backend' node_ctl balancer2 status || return
	backends="b4 b3 b2 b1" node_config follower >"$LAB_DIR/balancer2.yaml"
	kill -HUP "${NODE[balancer2]}"
	eventually 10 "both agree" agrees
}

# What an operator does when the leader is lost for good; and then it comes back.
test_a_follower_becomes_the_leader() {
	both_start || return
	refused 1 'give the order to the leader' node_ctl balancer2 drain b1 || return
	load_start swap --rate 40 --duration 12 --long 50 --long-interval-ms 200
	sleep 1
	lab_node_down balancer && node_stop balancer KILL
	node_config leader >"$LAB_DIR/balancer2.yaml"
	node_ctl balancer2 reload && same "role" "$(status balancer2 nodes role)" leader || return
	node_ctl balancer2 drain b1 || return
	backends="b1 b2 b3 b4" node_config follower >"$LAB_DIR/balancer.yaml"
	lab_node_up balancer && node_start balancer || return
	eventually 10 "they agree" agree_swapped || return
	same "b1's part" "$(node_ctl balancer list -o json | "$BUILD/jsonget" services 0 backends 0 share)" 0.0 || return
	load_wait && load_unbroken
}

written() {
	grep -o '"written_ms":[0-9]*' "$LAB_DIR/shared/generations" | tr -dc 0-9
}

# The clock of the one that was lost was an hour ahead, and the file does not outlive it: what the
# next one writes must be newer all the same, or others would not follow it for that hour.
test_a_new_leader_goes_on_from_what_it_followed() {
	local library before
	library=$(dpkg -L faketime libfaketime 2>/dev/null | grep -m 1 'libfaketimeMT')
	[ -n "$library" ] || { skip "no libfaketime"; return; }
	LD_PRELOAD=$library FAKETIME=+1h DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1 both_start || return
	before=$(written)
	check "an hour ahead" "$before > ($(date +%s) + 1800) * 1000" || return
	node_stop balancer KILL
	node_stop balancer2 KILL
	node_start balancer2 && eventually 10 "it follows" log_says balancer2 'follows ' || return
	rm "$LAB_DIR/shared/generations"
	node_config leader >"$LAB_DIR/balancer2.yaml"
	node_ctl balancer2 reload && eventually 10 "a file" test -s "$LAB_DIR/shared/generations" || return
	check "it is newer" "$(written) > $before"
}

agree_swapped() {
	[ "$(status balancer nodes services 0 agrees)" = true ] &&
		[ "$(status balancer nodes services 0 digest)" = "$(status balancer2 nodes services 0 digest)" ]
}

test_configurations_of_nodes_that_cannot_work() {
	node_config leader >"$LAB_DIR/bad.yaml"
	chmod 644 "$LAB_DIR/seed"
	refused 1 'bad.yaml:[0-9]+:12: seed_file: .*/seed: others than its owner may read .*mode 0644' \
		"$BUILD/larchd" -t -c "$LAB_DIR/bad.yaml"
	chmod 600 "$LAB_DIR/seed"
	refused 0 valid "$BUILD/larchd" -t -c "$LAB_DIR/bad.yaml" || return
	sed -i '/^seed_file/d' "$LAB_DIR/bad.yaml"
	refused 1 "generations: .* expected 'seed_file', too" "$BUILD/larchd" -t -c "$LAB_DIR/bad.yaml"
}

run_tests "$@"
