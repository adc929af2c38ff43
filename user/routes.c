// SPDX-License-Identifier: BSD-2-Clause
/* Announced or not: see routes.h. */
#include "routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ORDERED	 "withdrawn by the operator"
#define UNSERVED "no backend can serve it"
#define WAITING	 "waits for a backend that can serve it"

static int compare_vips(const void *a, const void *b)
{
	const struct routes_vip *one = a, *other = b;

	return memcmp(&one->address, &other->address, sizeof(one->address));
}

static int compare_routes(const void *key, const void *item)
{
	const struct route *route = item;

	return memcmp(key, &route->address, sizeof(route->address));
}

struct route *routes_find(const struct routes *routes, const struct in6_addr *address)
{
	if (!routes->count)
		return NULL;
	return bsearch(address, routes->route, routes->count, sizeof(*routes->route),
		       compare_routes);
}

int routes_make(struct routes *out, const struct routes *before, struct routes_vip *vip,
		size_t count)
{
	struct route *list = calloc(count + 1, sizeof(*list));
	size_t used = 0;

	*out = (struct routes){};
	if (!list)
		return -ENOMEM;
	qsort(vip, count, sizeof(*vip), compare_vips);
	for (size_t i = 0; i < count; i++) {
		const struct route *known = routes_find(before, &vip[i].address);

		if (i == 0 || compare_vips(&vip[i - 1], &vip[i]) != 0) {
			struct route *next = &list[used++];

			if (known)
				*next = *known;
			next->address = vip[i].address;
			next->services = 0;
		}
		list[used - 1].services |= 1ull << vip[i].service;
	}
	*out = (struct routes){.route = list, .count = used};
	return 0;
}

void routes_free(struct routes *routes)
{
	free(routes->route);
	*routes = (struct routes){};
}

/* Of an address that the operator would have announced, and that packets can come to. */
static bool without_backend(struct route *route, const struct routes_facts *facts,
			    const char **reason)
{
	bool patient;

	if (!route->unserved_ns)
		route->unserved_ns = facts->now_ns;
	patient = facts->now_ns - route->unserved_ns < ROUTES_PATIENCE_NS;
	*reason = UNSERVED;
	if (!patient)
		return !facts->needs_backends;
	if (route->announced)
		*reason = "";
	else if (!facts->needs_backends)
		*reason = WAITING;
	return route->announced;
}

static bool is_announced(struct route *route, const struct routes_facts *facts, const char **reason)
{
	uint64_t meant = route->services & ~facts->ordered;

	*reason = "";
	if (!(meant & facts->served) && meant && !facts->dead)
		return without_backend(route, facts, reason);
	route->unserved_ns = 0;
	if (!meant)
		*reason = ORDERED;
	else if (facts->dead)
		*reason = facts->dead;
	return !**reason;
}

bool routes_decide(struct route *route, const struct routes_facts *facts)
{
	const char *reason;
	bool announced = is_announced(route, facts, &reason);
	bool same = announced == route->announced &&
		    strncmp(reason, route->reason, sizeof(route->reason) - 1) == 0;

	route->announced = announced;
	if (!same)
		strncpy(route->reason, reason, sizeof(route->reason) - 1);
	return !same;
}
