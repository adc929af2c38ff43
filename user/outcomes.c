// SPDX-License-Identifier: BSD-2-Clause
/* The table of outcomes. See outcomes.h. */
#include "outcomes.h"

#include "larch/outcome.h"

static const struct packet_outcome all[] = {
#define X(name, number, verdict, text) {number, #name, #verdict, text},
	LARCH_OUTCOMES(X)
#undef X
};

#define COUNT (sizeof(all) / sizeof(all[0]))

const struct packet_outcome *outcomes_all(size_t *count)
{
	*count = COUNT;
	return all;
}

const char *outcomes_name(uint32_t number)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (all[i].number == number)
			return all[i].name;
	}
	return "no outcome";
}
