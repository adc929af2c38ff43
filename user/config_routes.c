// SPDX-License-Identifier: BSD-2-Clause
/* What announces the services' addresses: see config_routes.h. */
#include "config_routes.h"

#include <linux/rtnetlink.h>

#define TABLE	       4242
#define PROTOCOL       77
#define LEAST_PROTOCOL 20 /* below are the kernel's own, and those of well-known programs */

/* Who uses a number above these: two that use one number remove each other's routes. */
static const struct {
	uint8_t protocol;
	const char *name;
} known[] = {
	{RTPROT_BABEL, "Babel"},  {84, "OVN"},
	{RTPROT_OPENR, "Open/R"}, {RTPROT_BGP, "BGP"},
	{RTPROT_ISIS, "IS-IS"},	  {RTPROT_OSPF, "OSPF"},
	{RTPROT_RIP, "RIP"},	  {RTPROT_EIGRP, "EIGRP"},
};

/* By these tables hosts route. A blackhole there would keep the host from answering. */
static void read_table(const struct setting *mapping, uint32_t *table)
{
	struct setting setting;
	uint32_t number;

	if (!setting_get(mapping, "table", &setting) ||
	    !setting_whole(&setting, 1, UINT32_MAX, &number))
		return;
	if (number >= RT_TABLE_DEFAULT && number <= RT_TABLE_LOCAL)
		setting_expect(&setting, "a table that the host does not route by itself: not 253, "
					 "254 or 255");
	else
		*table = number;
}

static void read_protocol(const struct setting *mapping, uint8_t *protocol)
{
	struct setting setting;
	uint32_t number;

	if (!setting_get(mapping, "protocol", &setting) ||
	    !setting_whole(&setting, LEAST_PROTOCOL, UINT8_MAX, &number))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].protocol == number)
			setting_expect(&setting, "a number that nobody else uses: this is %s's",
				       known[i].name);
	}
	*protocol = (uint8_t)number;
}

void config_routes_read(struct config_routes *routes, const struct setting *root)
{
	static const char *const keys[] = {"table", "protocol", "metric",
					   "withdraw_without_backends", NULL};
	struct setting mapping, setting;

	if (!setting_get(root, "routes", &mapping) || !setting_mapping(&mapping, keys))
		return;
	routes->table = TABLE;
	routes->protocol = PROTOCOL;
	read_table(&mapping, &routes->table);
	read_protocol(&mapping, &routes->protocol);
	if (setting_get(&mapping, "metric", &setting))
		setting_whole(&setting, 1, UINT32_MAX, &routes->metric);
	if (setting_get(&mapping, "withdraw_without_backends", &setting))
		setting_truth(&setting, &routes->without_backends);
}
