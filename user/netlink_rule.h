// SPDX-License-Identifier: BSD-2-Clause
/*
 * Marked packets go to the loopback interface.
 *
 * Job:     a rule (as `ip rule add fwmark MARK/MASK lookup TABLE`) and the table's one route (`ip
 *          route add local default dev lo table TABLE`), for IPv4 and IPv6.
 * Input:   mark and mask, the number of the table, and the MTU that connections so marked assume.
 * Output:  the kernel's rules and routes. Both survive a daemon that is killed; without somebody
 *          who marks packets they mean nothing.
 * Owner:   user/checks.c.
 */
#pragma once

#include <stdint.h>

struct netlink_rule {
	uint32_t mark, mask;
	uint32_t table; /* its number, and the rule's priority */
	uint32_t mtu;	/* bytes */
};

/* Once more does no harm. 0 or -errno; a family that the host does not have is no error. */
int netlink_rule_add(const struct netlink_rule *rule);

/* Removes them; what is not there is no error. */
int netlink_rule_remove(const struct netlink_rule *rule);
