#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Well-known clients and servers as Debian ships them, each through a service of its own with two
# backends: DNS, PostgreSQL, Redis. What the servers hold afterwards must be what the clients did.
set -u
LAB_BACKENDS=2 # IPv4 clients and IPv6 clients, each by a tunnel of IPv4 and of IPv6
. "$(dirname "$0")/lib.sh"

VIPS="$LAB_VIP4 $LAB_VIP6"
SERVERS=() # of the test that runs
STOP=TERM  # the signal that ends them
PG_BIN=$(compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1)

setup() {
	lab_up || return
	{
		larch_config_head
		larch_config_service dns 53 udp off
		larch_config_service dns-tcp 53 tcp on
		larch_config_service postgres 5432 tcp on
		larch_config_service redis 6379 tcp on
		printf '...\n'
	} | larchd_fresh
}

cleanup() {
	local pid
	for pid in "${SERVERS[@]}"; do
		lab_stop "$pid" $STOP
	done
	SERVERS=() STOP=TERM
}

# serve BACKEND COMMAND...: in the background, as a user without rights, with a /tmp of its own that
# goes with it.
serve() {
	local backend=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	lab_start "$backend" "$backend.log" unshare --mount --ipc bash -c '
		mount -t tmpfs -o mode=1777 tmpfs /tmp && cd /tmp &&
			exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"' - "$@"
	SERVERS+=("$LAB_PID")
}

# serving WHAT COMMAND...: each backend answers, asked in its own namespace.
serving() {
	local what=$1 backend
	shift
	for backend in $(lab_backend_names); do
		eventually 20 "$what of $backend ($(tail -n 1 "$LAB_DIR/$backend.log"))" \
			lab_in "$backend" "$@" || return
	done
}

sum() {
	awk '{ sum += $1 } END { print sum + 0 }'
}

# --- DNS -------------------------------------------------------------------------------------

# Names: name.test, the backend's own; large.test, of 3000 bytes.
start_dns() {
	local backend chunk large
	chunk=$(printf 'x%.0s' $(seq 250))
	large=$(printf ",%s" $chunk{,,,,,,,,,,,})
	for backend in $(lab_backend_names); do
		lab_start "$backend" "$backend.log" dnsmasq --keep-in-foreground --conf-file=/dev/null \
			--pid-file= --no-resolv --no-hosts --bind-interfaces --user=nobody \
			--listen-address=$LAB_VIP4,$LAB_VIP6 --edns-packet-max=4096 \
			--txt-record=name.test,"$backend" --txt-record=large.test"$large"
		SERVERS+=("$LAB_PID")
	done
	serving dnsmasq dig @$LAB_VIP4 +tries=1 +time=1 name.test TXT
}

# ask SOURCE VIP DIG_ARGUMENT...
ask() {
	local source=$1 vip=$2
	shift 2
	lab_in client dig -b "$source" "@$vip" +tries=3 +time=2 "$@"
}

test_dns_queries_are_answered_by_both_backends() {
	start_dns || return
	yes 'name.test TXT' | head -n 60 >"$LAB_DIR/queries"
	same "IPv4" "$(ask 10.1.0.9 $LAB_VIP4 +short -f "$LAB_DIR/queries" | sort -u | tr '\n' ' ')" \
		'"b1" "b2" ' &&
		same "IPv6" "$(ask fd00:1::9 $LAB_VIP6 +short -f "$LAB_DIR/queries" | sort -u |
			tr '\n' ' ')" '"b1" "b2" ' &&
		same "answers" "$(ask 10.2.0.9 $LAB_VIP4 +short -f "$LAB_DIR/queries" | grep -c '"b[12]"')" 60
}

# What dig says of an answer: transport, bytes, how many bytes of text.
answered() {
	ask "$@" large.test TXT | awk '
		/^large.test/ { text = gsub("x", "") }
		/^;; SERVER/ { transport = $NF }
		/^;; MSG SIZE/ { bytes = $NF }
		END { print transport, (bytes > 3000), text }'
}

# With IPv6 the first fragments are as large as the server's link: it must be told of the client's.
test_dns_answer_in_fragments_arrives() {
	start_dns || return
	same "IPv4" "$(answered 10.1.0.9 $LAB_VIP4 +bufsize=4096 +ignore)" "(UDP) 1 3000" &&
		same "IPv6" "$(answered fd00:1::9 $LAB_VIP6 +bufsize=4096 +ignore)" "(UDP) 1 3000"
}

test_dns_answer_that_is_cut_off_is_fetched_by_tcp() {
	start_dns || return
	same "IPv4" "$(answered 10.1.0.9 $LAB_VIP4 +bufsize=1232)" "(TCP) 1 3000" &&
		same "IPv6" "$(answered fd00:1::9 $LAB_VIP6 +bufsize=1232)" "(TCP) 1 3000"
}

# --- PostgreSQL ------------------------------------------------------------------------------

start_postgres() {
	local backend
	STOP=INT # without waiting for clients
	for backend in $(lab_backend_names); do
		# shellcheck disable=SC2016 # for the inner shell
		serve "$backend" bash -c '
			"$1/initdb" -D data -N -A trust --no-locale -U bench >initdb.log 2>&1 || exit
			echo "host all all all trust" >>data/pg_hba.conf
			exec "$1/postgres" -D data -c fsync=off -c unix_socket_directories= \
				-c "listen_addresses=$2" -c "cluster_name=$3" -c max_connections=50' \
			- "$PG_BIN" "${VIPS// /,}" "$backend"
	done
	export PGUSER=bench PGDATABASE=postgres PGCONNECT_TIMEOUT=5
	serving postgres "$PG_BIN/pg_isready" -q -h $LAB_VIP4
}

psql_at() {
	local node=$1 vip=$2
	shift 2
	lab_in "$node" "$PG_BIN/psql" -XAt -h "$vip" "$@"
}

test_psql_reaches_both_servers() {
	start_postgres || return
	local vip
	for vip in $VIPS; do
		same "servers by $vip" "$(for _ in $(seq 20); do
			psql_at client "$vip" -c 'SHOW cluster_name' || break
		done | sort | uniq -c | awk '{ n += $1; names = names " " $2 } END { print n names }')" \
			"20 b1 b2" || return
	done
}

# TPC-B keeps the sums of all four tables equal, so each server's books must balance.
books() {
	psql_at "$1" $LAB_VIP4 -c 'SELECT count(*), sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts)
		AND sum(delta) = (SELECT sum(bbalance) FROM pgbench_branches)
		AND sum(delta) = (SELECT sum(tbalance) FROM pgbench_tellers) FROM pgbench_history'
}

# pgbench by a VIP: all transactions processed, none failed. Adds to DONE.
bench() {
	local vip=$1 processed wanted=$2
	shift 2
	lab_in client "$PG_BIN/pgbench" -n -h "$vip" "$@" >"$LAB_DIR/pgbench" 2>&1 ||
		fail "pgbench $*: $(tail -n 3 "$LAB_DIR/pgbench")" || return
	processed=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' \
		"$LAB_DIR/pgbench")
	same "transactions of pgbench $*" "$processed" "$wanted" &&
		grep -q '^number of failed transactions: 0 ' "$LAB_DIR/pgbench" ||
		fail "pgbench $*: $(cat "$LAB_DIR/pgbench")" || return
	DONE=$((DONE + processed))
}

test_pgbench_books_balance_with_lasting_and_with_new_connections() {
	local backend
	start_postgres || return
	for backend in $(lab_backend_names); do
		lab_in "$backend" "$PG_BIN/pgbench" -i -q -h $LAB_VIP4 2>/dev/null || fail "pgbench -i" || return
	done
	DONE=0
	bench $LAB_VIP4 600 -c 6 -t 100 && bench $LAB_VIP6 600 -c 6 -t 100 &&
		bench $LAB_VIP4 90 -C -c 6 -t 15 && bench $LAB_VIP6 90 -C -c 6 -t 15 || return
	for backend in $(lab_backend_names); do
		books "$backend"
	done >"$LAB_DIR/books"
	same "books that balance" "$(grep -c '|t$' "$LAB_DIR/books")" 2 &&
		same "transactions in the books" "$(sum <"$LAB_DIR/books")" "$DONE"
}

# --- Redis -----------------------------------------------------------------------------------

# Debian's redis-check-rdb is the server under another name, and starts no service when installed.
start_redis() {
	local backend
	for backend in $(lab_backend_names); do
		# shellcheck disable=SC2086 # two addresses
		serve "$backend" bash -c 'exec -a redis-server redis-check-rdb "$@"' - --port 6379 \
			--bind $VIPS --protected-mode no --save '' --appendonly no
	done
	serving redis redis-cli -h $LAB_VIP4 PING
}

redis_at() {
	local node=$1 vip=$2
	shift 2
	lab_in "$node" redis-cli -h "$vip" "$@"
}

# bench_redis VIP KEY COUNT OPTION...: counts up a key; both servers together must have COUNT then,
# and neither all of it.
bench_redis() {
	local vip=$1 key=$2 count=$3 backend
	shift 3
	lab_in client redis-benchmark -h "$vip" -q -c 20 -n "$count" "$@" INCR "$key" \
		>"$LAB_DIR/redis-benchmark" 2>&1 || fail "redis-benchmark $*" || return
	for backend in $(lab_backend_names); do
		redis_at "$backend" $LAB_VIP4 GET "$key"
	done >"$LAB_DIR/counted"
	same "counted by $vip $*" "$(sum <"$LAB_DIR/counted")" "$count" &&
		same "servers that counted" "$(grep -c '^[1-9]' "$LAB_DIR/counted")" 2 ||
		fail "$(tr '\n' ' ' <"$LAB_DIR/counted") $(tail -n 2 "$LAB_DIR/redis-benchmark")"
}

test_redis_counts_every_request_of_lasting_and_of_new_connections_once() {
	start_redis || return
	bench_redis $LAB_VIP4 lasting4 20000 && bench_redis $LAB_VIP6 lasting6 20000 &&
		bench_redis $LAB_VIP4 new4 3000 -k 0 && bench_redis $LAB_VIP6 new6 3000 -k 0
}

test_redis_value_of_a_megabyte_returns_as_it_was() {
	start_redis || return
	local vip
	head -c 1000000 /dev/urandom | base64 -w 0 >"$LAB_DIR/value"
	for vip in $VIPS; do
		# One connection, so that both commands meet the same server.
		printf 'SET value %s\r\nGET value\r\n' "$(cat "$LAB_DIR/value")" |
			redis_at client "$vip" >"$LAB_DIR/got" || fail "redis-cli" || return
		printf 'OK\n%s\n' "$(cat "$LAB_DIR/value")" | cmp - "$LAB_DIR/got" || fail "by $vip" || return
	done
}

run_tests "$@"
