// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the packet path does with a service's packets, from what the configuration says: entries of
 * larch_services and larch_quic. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "larch/service.h"

/* stamp_ns: what a unit of flows' stamps lasts (larch_stamp_ns()); 0: not known. */
void policy_service(const struct config_service *service, uint64_t stamp_ns,
		    struct larch_service *out);

/*
 * A time-out in units of flows' stamps, at least 1: rounded up, and one more, since the unit in
 * which a flow was last seen may have been nearly over.
 */
uint16_t policy_stamps(double seconds, uint64_t stamp_ns);

/* The key by which packets of the service of this id name a member of it. */
struct larch_quic policy_quic(const struct config_member *member, uint16_t service);
