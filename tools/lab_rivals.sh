# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2086,SC2015 # variables of lab.sh
# The lab's balancers, each of which can stand at the VIP: Larch, and proxies in its place. To be
# sourced after lab.sh; rival_start NAME and rival_stop NAME, in the lab that LAB_ID names.
#
# A proxy is made to see the same distances as Larch. It takes the client's address for its own
# connections (transparent proxying), so that what backends answer is delayed by their distance to
# the client, and only then comes to the proxy. By Larch a request takes two ways from the backend:
# one for the connect and one for the answer. By a proxy the same two: one for its own connect, one
# for the answer; the client's connect ends at the proxy and takes none.

RIVALS_PORT=80
RIVALS_CONCURRENCY=${RIVALS_CONCURRENCY:-4} # requests that a backend serves at once
RIVALS_CONNECT=${RIVALS_CONNECT:-10s}	     # how long proxies wait for a backend
RIVALS_MASTER=${RIVALS_MASTER:-off}	     # on: nginx takes a changed configuration by SIGHUP
RIVALS_STREAM=/usr/lib/nginx/modules/ngx_stream_module.so

rival_larch() {
	lab_config $RIVALS_PORT "$1" | sed "s/concurrency: [0-9]*/concurrency: $RIVALS_CONCURRENCY/" \
		>"$LAB_DIR/larch.yaml"
	# shellcheck disable=SC2119 # no further options
	lab_larchd && LAB_PID=$LAB_LARCHD
}

# One process counts the connections of all: several would each see a part of them. Further options
# are passed on.
rival_haproxy() {
	cat >"$LAB_DIR/haproxy.cfg" <<-END
		global
			maxconn 4096
			nbthread 1
		defaults
			mode tcp
			option redispatch 1
			timeout connect $RIVALS_CONNECT
			timeout client 60s
			timeout server 60s
		frontend in
			bind $LAB_VIP4:$RIVALS_PORT backlog 4096
			default_backend out
		backend out
			balance leastconn
			source 0.0.0.0 usesrc clientip
		$(rival_servers | awk '{ print "\tserver b" NR, $0 }')
	END
	lab_start balancer haproxy.log haproxy -db -f "$LAB_DIR/haproxy.cfg" "$@"
}

rival_nginx_config() {
	cat <<-END
		load_module $RIVALS_STREAM;
		daemon off;
		master_process $RIVALS_MASTER;
		pid $LAB_DIR/stream.pid;
		error_log stderr crit;
		user root;
		events { worker_connections 8192; }
		stream {
			access_log off;
			upstream out {
				least_conn;
		$(rival_servers | sed 's/.*/		server &;/')
			}
			server {
				listen $LAB_VIP4:$RIVALS_PORT backlog=4096;
				proxy_bind \$remote_addr transparent;
				proxy_connect_timeout $RIVALS_CONNECT;
				proxy_pass out;
			}
		}
	END
}

rival_nginx() {
	rival_nginx_config >"$LAB_DIR/stream.conf"
	lab_start balancer nginx.log nginx -p "$LAB_DIR" -e stderr -c "$LAB_DIR/stream.conf"
}

# Each server as "ADDRESS:PORT", with the balancer's own options behind it, if any.
rival_servers() {
	local n
	for n in $(seq 1 "$LAB_BACKENDS"); do
		echo "10.50.$n.2:$RIVALS_PORT"
	done
}

# Says what is missing, if anything.
rivals_check() {
	command -v haproxy >/dev/null || lab_fail "haproxy is missing (package haproxy)" || return
	command -v nginx >/dev/null || lab_fail "nginx is missing (package nginx-light)" || return
	[ -e $RIVALS_STREAM ] || lab_fail "nginx has no stream module (package libnginx-mod-stream)"
}

# Once a lab, for proxies: the VIP is the balancer's, and so are packets to clients that arrive there.
# What comes out of the links $1N... goes there and not to the client.
rival_place_proxy() {
	local link n prefix
	lab_in balancer ip addr add $LAB_VIP4/32 dev lo &&
		lab_in balancer ip rule add iif eth0 lookup 100 &&
		lab_in balancer sh -c 'echo "1024 65535" > /proc/sys/net/ipv4/ip_local_port_range' || return
	for prefix in $LAB_CLIENTS4; do
		lab_in balancer ip route add local "$prefix" dev lo table 100
	done
	lab_in router ip route add default via 10.60.0.2 table 200
	for link in "$@"; do
		for n in $(seq 1 "$LAB_BACKENDS"); do
			lab_in router ip rule add iif "$link$n" lookup 200 || return
		done
	done
}

rival_answers() {
	lab_in client curl -sS -m 1 -o "$LAB_DIR/probe" --interface 10.1.0.9 "http://$LAB_VIP4:$RIVALS_PORT/"
}

# Sets LAB_PID.
rival_start() {
	case $1 in
	larch) rival_larch on ;;
	larch_off) rival_larch off ;;
	*) "rival_$1" ;;
	esac && lab_wait 10 rival_answers ||
		lab_fail "$1 does not answer: $(tail -q -n 2 "$LAB_DIR/${1%%_*}"*.log "$LAB_DIR/larchd.log" 2>/dev/null)"
}

# rival_stop NAME PID: with all that it knew.
rival_stop() {
	lab_stop "$2" KILL
	case $1 in
	larch*)
		lab_in balancer ip link set dev eth0 xdp off 2>/dev/null
		rm -rf "$LAB_PINS" "$LAB_DIR/larchd.sock"
		;;
	esac
}
