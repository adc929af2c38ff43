# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The lab: a whole edge site in network namespaces, for the demo and the end-to-end tests. To be
# sourced. lab_up builds it, lab_down removes every trace; call lab_down from a trap on EXIT.
#
#   client ── router ── balancer (Larch, XDP on its only link)
#                ├───── balancer2 ... (if LAB_NODES says so: the router spreads flows over all)
#                └───── b1 ... bN (agent by XDP, the VIP on lo, answers go straight to the client)
#
#   clients    10.1.0.0/24 10.2.0.0/24 10.3.0.0/24   fd00:1::/48 fd00:2::/48 fd00:3::/48
#   VIP        10.99.0.1  fd00:99::1
#   backends   10.50.N.2  fd00:50:N::2
#   balancer   10.60.0.2  fd00:60::2   balancer2  10.61.0.2  fd00:61::2

BUILD=${BUILD:-build}
LAB_ID=${LAB_ID:-larch-$$}
LAB_BACKENDS=${LAB_BACKENDS:-4}
LAB_NODES=${LAB_NODES:-1} # balancers, at most 9
LAB_MTU=${LAB_MTU:-1500} # the clients'; the others' leaves room for tunnels
LAB_FRAGS=		 # of the names of BPF objects: those for jumbo frames, if they are needed
[ "$LAB_MTU" -le 3000 ] || LAB_FRAGS=.frags
LAB_VIP4=10.99.0.1
LAB_VIP6=fd00:99::1
LAB_CLIENTS4="10.1.0.0/24 10.2.0.0/24 10.3.0.0/24"
LAB_CLIENTS6="fd00:1::/48 fd00:2::/48 fd00:3::/48"
LAB_PINS=/sys/fs/bpf/$LAB_ID
LAB_DIR=

lab_fail() {
	echo "lab: $*" >&2
	return 1
}

# Runs a command in a node's namespace. Not `ip netns exec`: that would hide the bpffs.
lab_in() {
	local node=$1
	shift
	nsenter --net="/run/netns/$LAB_ID-$node" "$@"
}

# Starts a command in a node in the background, where lab_down finds it. Sets LAB_PID.
lab_start() {
	local node=$1 log=$2
	shift 2
	nsenter --net="/run/netns/$LAB_ID-$node" "$@" >"$LAB_DIR/$log" 2>&1 &
	LAB_PID=$!
}

# Is a number that of a child of this shell that has not ended? Where many begin and end, the number
# of one that has ended is soon another's.
lab_runs() {
	local children
	children=$(jobs -pr)
	[ -n "$1" ] && [[ $'\n'$children$'\n' == *$'\n'$1$'\n'* ]]
}

# Sends a signal to those of some processes that lab_runs finds: lab_kill SIGNAL PID...
lab_kill() {
	local signal=$1 pid
	shift
	for pid; do
		! lab_runs "$pid" || kill -"$signal" "$pid"
	done
}

# Ends one process that lab_start began.
lab_stop() {
	lab_kill "${2:-TERM}" "$1"
	wait "$1" 2>/dev/null || :
}

# Waits up to $1 seconds for a command to succeed.
lab_wait() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.05
	done
}

lab_node() {
	local node=$1
	ip netns add "$LAB_ID-$node" || return
	lab_in "$node" sh -c '
		ip link set lo up
		for i in all default; do
			echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter
			echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad
			echo 0 > /proc/sys/net/ipv4/conf/$i/send_redirects
		done'
}

# Addresses and routes of a node's end, which it loses with its link: $2 and $3 the networks.
lab_address() {
	local node=$1 four=$2 six=$3
	lab_in "$node" sh -c "ip addr replace $four.2/24 dev eth0
		ip -6 addr replace $six::2/64 dev eth0 nodad
		ip link set eth0 up
		ip route replace default via $four.1
		ip -6 route replace default via $six::1"
}

# A link between the router and a node: $2 its name at the router, $3 and $4 the networks without
# their last number: the router is 1, the node 2. The node's end is eth0, its default route.
lab_link() {
	local node=$1 name=$2 four=$3 six=$4 mtu=$5
	ip link add "$name" mtu "$mtu" numrxqueues 2 numtxqueues 2 netns "$LAB_ID-router" type veth \
		peer name eth0 mtu "$mtu" numrxqueues 2 numtxqueues 2 netns "$LAB_ID-$node" || return
	lab_in router sh -c "ip addr add $four.1/24 dev $name
		ip -6 addr add $six::1/64 dev $name nodad
		ip link set $name up"
	lab_address "$node" "$four" "$six"
}

lab_backend_names() {
	seq -f b%g 1 "$LAB_BACKENDS"
}

# balancer, balancer2, balancer3 ...
lab_nodes() {
	seq -f balancer%g 1 "$LAB_NODES" | sed 's/^balancer1$/balancer/'
}

# The networks between the router and a balancer: "10.61.0 fd00:61".
lab_networks() {
	local n=${1#balancer}
	n=$((60 + ${n:-1} - 1))
	echo "10.$n.0 fd00:$n"
}

# The balancer is gone, as by a cable that was pulled; and is there again.
lab_node_down() {
	lab_in "$1" ip link set eth0 down
}

lab_node_up() {
	# shellcheck disable=SC2046 # two words
	lab_address "$1" $(lab_networks "$1")
}

# What the router sends to the VIPs goes to these balancers alone, by a hash of addresses and ports.
lab_route_vips() {
	local node four=() six=() networks
	for node in "$@"; do
		read -r -a networks <<<"$(lab_networks "$node")"
		four+=(nexthop via "${networks[0]}.2" dev "$node")
		six+=(nexthop via "${networks[1]}::2" dev "$node")
	done
	lab_in router ip route replace $LAB_VIP4 "${four[@]}" &&
		lab_in router ip -6 route replace $LAB_VIP6 "${six[@]}"
}

lab_wire_balancers() {
	local node
	for node in $(lab_nodes); do
		# shellcheck disable=SC2046 # two words
		lab_node "$node" && lab_link "$node" "$node" $(lab_networks "$node") $((LAB_MTU + 100)) || return
		# Without checksum offload: what XDP sees must be what is on the wire.
		lab_in router ethtool -K "$node" tx off >/dev/null
		# Whoever is gone must not have flows any more.
		lab_in router sh -c "for i in all $node; do
			echo 1 > /proc/sys/net/ipv4/conf/\$i/ignore_routes_with_linkdown
			echo 1 > /proc/sys/net/ipv6/conf/\$i/ignore_routes_with_linkdown
		done"
	done
	lab_in router sh -c 'echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy
		echo 1 > /proc/sys/net/ipv6/fib_multipath_hash_policy'
	# shellcheck disable=SC2046 # names
	lab_route_vips $(lab_nodes)
}

lab_wire() {
	local prefix n
	lab_node router && lab_node client || return
	lab_in router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward
		echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
	lab_link client client 10.70.0 fd00:70 "$LAB_MTU" && lab_wire_balancers || return
	for n in $(seq 1 "$LAB_BACKENDS"); do
		lab_node "b$n" && lab_link "b$n" "b$n" "10.50.$n" "fd00:50:$n" $((LAB_MTU + 100)) || return
		lab_in "b$n" ip addr add $LAB_VIP4/32 dev lo
		lab_in "b$n" ip -6 addr add $LAB_VIP6/128 dev lo nodad
	done
	for prefix in $LAB_CLIENTS4; do
		lab_in client ip route add local "$prefix" dev lo
		lab_in router ip route add "$prefix" via 10.70.0.2
	done
	for prefix in $LAB_CLIENTS6; do
		lab_in client ip -6 route add local "$prefix" dev lo
		lab_in router ip -6 route add "$prefix" via fd00:70::2
	done
	lab_in client ethtool -K eth0 tx off >/dev/null
	lab_in client sh -c 'echo "1024 65535" > /proc/sys/net/ipv4/ip_local_port_range
		echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind'
}

lab_programs() {
	local backend node
	for node in $(lab_nodes); do
		lab_in router ip link set dev "$node" xdpdrv obj "$BUILD/pass$LAB_FRAGS.bpf.o" sec "xdp$LAB_FRAGS" ||
			return
	done
	for backend in $(lab_backend_names); do
		lab_in "$backend" ip link set dev eth0 xdpdrv obj "$BUILD/agent$LAB_FRAGS.bpf.o" sec "xdp$LAB_FRAGS" ||
			return
		# What an agent sends back arrives only where XDP runs, as veth goes.
		lab_in router ip link set dev "$backend" xdpdrv obj "$BUILD/pass$LAB_FRAGS.bpf.o" sec "xdp$LAB_FRAGS" ||
			return
	done
}

# Moves the clients $1 ms away: what goes to them takes that long.
lab_delay() {
	local prefix
	lab_start router delayline.log "$BUILD/delayline" --name delay --ms "$1"
	lab_wait 10 lab_in router ip link set dev delay up ||
		lab_fail "no delay: $(cat "$LAB_DIR/delayline.log")" || return
	lab_in router sh -c 'ip route add default dev delay table 100
		ip -6 route add default dev delay table 100'
	for prefix in $LAB_CLIENTS4; do
		lab_in router sh -c "ip rule add to $prefix iif delay lookup main priority 100
			ip rule add to $prefix lookup 100 priority 200"
	done
	for prefix in $LAB_CLIENTS6; do
		lab_in router sh -c "ip -6 rule add to $prefix iif delay lookup main priority 100
			ip -6 rule add to $prefix lookup 100 priority 200"
	done
}

# Rows for lab_distance. In, a line per group of clients: its number and the milliseconds to it from
# b1, b2 ... by the links ${1}1, ${1}2 ...
lab_distance_rows() {
	local link=$1 group ms n
	while read -r group ms; do
		n=0
		for ms in $ms; do
			n=$((n + 1))
			echo "--row $link$n:10.$group.0.0/24=$ms --row $link$n:fd00:$group::/48=$ms"
		done
	done
}

# Distances between backends and clients, as rows say: what a backend sends to clients goes through
# ${1}N, which delays it. That is part of a connect as of an answer.
lab_distance() {
	local link=$1 n
	shift
	lab_start router distance.log "$BUILD/distance" "$@"
	lab_wait 5 grep -q ready "$LAB_DIR/distance.log" ||
		lab_fail "no distances: $(tail -1 "$LAB_DIR/distance.log")" || return
	lab_distance_take "$link" || return
	for n in $(seq 1 "$LAB_BACKENDS"); do
		lab_in router ip rule add iif "b$n" lookup "10$n" &&
			lab_in router ip -6 rule add iif "b$n" lookup "10$n" || return
	done
}

# From now on by the links ${1}N.
lab_distance_take() {
	local link=$1 n
	for n in $(seq 1 "$LAB_BACKENDS"); do
		echo "link set $link$n mtu 1600 up"
		printf "route replace %s dev $link$n table 10$n\n" $LAB_CLIENTS4 $LAB_CLIENTS6
	done | lab_in router ip -batch -
}

# Can the kernel do what the lab needs? Says what is missing.
lab_check() {
	[ "$(id -u)" = 0 ] || lab_fail "needs root" || return
	local tool
	for tool in ip nsenter ethtool; do
		command -v $tool >/dev/null || lab_fail "$tool is missing; 'make deps' installs it" || return
	done
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf ||
		lab_fail "no bpffs at /sys/fs/bpf, and it cannot be mounted"
}

lab_up() {
	lab_check || return
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/larch-lab.XXXXXX") || return
	export STATE_DIRECTORY=$LAB_DIR # no larchd of a lab touches the host's
	lab_wire && lab_programs || lab_fail "cannot build the namespaces"
}

# Ends what runs in a namespace.
lab_end_all() {
	local pids
	pids=$(ip netns pids "$1" 2>/dev/null | tr '\n' ' ')
	# shellcheck disable=SC2086 # numbers
	[ -z "$pids" ] || { kill -9 $pids && wait $pids; } 2>/dev/null
}

# Removes processes, namespaces, pins and files. Safe at any moment, and more than once.
lab_down() {
	local name
	for name in $(ip netns list 2>/dev/null | awk -v id="$LAB_ID-" 'index($1, id) == 1 { print $1 }'); do
		lab_end_all "$name"
		ip netns del "$name"
	done
	rm -rf "$LAB_PINS"
	lab_forget_iproute_pins
	[ -n "$LAB_DIR" ] && rm -rf "$LAB_DIR"
	LAB_DIR=
}

# `ip link` pins maps for the whole host; with the lab gone nobody needs them.
lab_forget_iproute_pins() {
	local link
	[ -n "${LAB_IP_LINK:-}" ] && rm -f /sys/fs/bpf/tc/globals/larch_*
	LAB_IP_LINK=
	# What iproute2 made for itself, if nothing else is in it.
	rmdir /sys/fs/bpf/tc/globals /sys/fs/bpf/tc 2>/dev/null || return 0
	for link in /sys/fs/bpf/ip /sys/fs/bpf/xdp; do
		[ -L $link ] && [ ! -e $link ] && rm -f $link
	done
	return 0
}

# The operator's way: the program by ip link. larchd adopts it.
lab_ip_link() {
	if compgen -G "/sys/fs/bpf/tc/globals/larch_*" >/dev/null; then
		lab_fail "maps of another Larch are pinned in /sys/fs/bpf/tc/globals; remove them first"
		return
	fi
	LAB_IP_LINK=1
	lab_in balancer ip link set dev eth0 xdpdrv obj "$BUILD/larch.bpf.o" sec xdp
}

# A configuration for all backends on stdout: $1 ports (a YAML value), $2 learning: on, shadow, off.
# The last backend is reached by IPv6, so that all four kinds of tunnel are in use.
lab_config() {
	local ports=$1 learning=$2 n address
	printf 'interfaces:\n  - name: eth0\nservices:\n  - name: web\n'
	printf '    address: [%s, "%s"]\n    port: %s\n    protocol: tcp\n    learning: %s\n    backends:\n' \
		$LAB_VIP4 $LAB_VIP6 "$ports" "$learning"
	for n in $(seq 1 "$LAB_BACKENDS"); do
		address=10.50.$n.2
		[ "$n" = "$LAB_BACKENDS" ] && address="\"fd00:50:$n::2\""
		printf '      - {name: b%d, address: %s, weight: 100, concurrency: 8}\n' "$n" "$address"
	done
	printf '...\n'
}

# Starts larchd with $LAB_DIR/larch.yaml; further arguments are passed on. Sets LAB_LARCHD.
lab_larchd() {
	lab_start balancer larchd.log "$BUILD/larchd" -c "$LAB_DIR/larch.yaml" -p "$LAB_PINS" \
		-s "$LAB_DIR/larchd.sock" --state "$LAB_DIR/state.json" "$@"
	LAB_LARCHD=$LAB_PID
	lab_wait 30 test -S "$LAB_DIR/larchd.sock" || lab_fail "larchd did not start: $(tail -3 "$LAB_DIR/larchd.log")"
}

lab_ctl() {
	"$BUILD/larchctl" -s "$LAB_DIR/larchd.sock" "$@"
}
