// SPDX-License-Identifier: BSD-2-Clause
/* Ids of backends that have left: when their silent flows are given up, and whose go first. */
#include <criterion/criterion.h>

#include "registry.h"

#define START 1000ull

static struct registry registry;

/* All ids belong to somebody. */
static void registry_fill(void)
{
	for (uint16_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		struct in6_addr address = {
			.s6_addr = {0xfd, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}};

		cr_assert_eq(registry_take(&registry, &address), i);
		registry.backend[i].configured = true;
	}
}

TestSuite(registry, .init = registry_fill);

/* A backend that has left, with `silent` of four flows. */
static bool count_at(uint16_t id, uint32_t silent, bool in_force, uint64_t now_ns)
{
	registry.backend[id].configured = false;
	return registry_counted(&registry.backend[id], 4, silent, in_force, now_ns);
}

Test(registry, silent_flows_of_a_backend_that_has_left_are_given_up_after_hours)
{
	cr_assert_not(count_at(7, 4, false, START));
	cr_assert_not(count_at(7, 4, false, START + REGISTRY_SILENT_NS - 1));
	cr_assert(count_at(7, 4, false, START + REGISTRY_SILENT_NS));
}

Test(registry, one_flow_that_speaks_begins_the_wait_again)
{
	count_at(7, 4, false, START);
	count_at(7, 3, false, START + 1);
	count_at(7, 4, false, START + 2);
	cr_assert_not(count_at(7, 4, false, START + REGISTRY_SILENT_NS));
	cr_assert(count_at(7, 4, false, START + 2 + REGISTRY_SILENT_NS));
}

Test(registry, who_can_have_new_flows_keeps_the_silent_ones)
{
	cr_assert_not(registry_counted(&registry.backend[3], 4, 4, false, START));
	cr_assert_not(registry_counted(&registry.backend[3], 4, 4, false,
				       START + 2 * REGISTRY_SILENT_NS));
	cr_assert_not(count_at(4, 4, true, START));
	cr_assert_not(count_at(4, 4, true, START + 2 * REGISTRY_SILENT_NS));
	cr_assert_eq(registry_silent(&registry, NULL, 0), LARCH_NO_BACKEND);
}

Test(registry, the_longest_silent_one_that_is_not_wanted_goes_first)
{
	struct config_backend wanted = {};

	count_at(9, 4, false, START);
	count_at(5, 4, false, START + 1);
	count_at(11, 4, false, START + 2);
	count_at(2, 3, false, START);
	cr_assert_eq(registry_silent(&registry, NULL, 0), 9);
	wanted.address = registry.backend[9].address;
	cr_assert_eq(registry_silent(&registry, &wanted, 1), 5);
	registry.backend[5].used = false;
	cr_assert_eq(registry_silent(&registry, &wanted, 1), 11);
	registry.backend[11].configured = true;
	cr_assert_eq(registry_silent(&registry, &wanted, 1), LARCH_NO_BACKEND);
}

Test(registry, who_has_no_flow_left_is_not_silent)
{
	count_at(9, 4, false, START);
	registry_counted(&registry.backend[9], 0, 0, false, START + 1);
	cr_assert_eq(registry.backend[9].idle_walks, 1);
	cr_assert_eq(registry_silent(&registry, NULL, 0), LARCH_NO_BACKEND);
}
