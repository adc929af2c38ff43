// SPDX-License-Identifier: BSD-2-Clause
/* The clients' networks, behind one router at the other end of a veth. See bench_network.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "bench_network.h"

#define ROUTER "lladdr 02:00:00:02:00:01 dev near nud permanent"

static const char *const commands =
	"ip link set lo up && ip link add near type veth peer name far && "
	"ip link set near up && ip link set far up && ip addr add 192.0.2.1/24 dev near && "
	"ip -6 addr add 2001:db8:2::1/64 dev near nodad && "
	"ip neigh add 192.0.2.2 " ROUTER " && ip neigh add 2001:db8:2::2 " ROUTER " && "
	"ip route add 10.0.0.0/8 via 192.0.2.2 && ip route add 2001:db9::/32 via 2001:db8:2::2 && "
	"echo 1 >/proc/sys/net/ipv4/ip_forward && "
	"echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";

int network_open(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		return -errno;
	return system(commands) == 0 ? 0 : -ENETUNREACH;
}
