// SPDX-License-Identifier: BSD-2-Clause
/* Made-up samples; see tickbench.h. The same numbers every time. */
#include <errno.h>
#include <stdlib.h>

#include "larch/tuple.h"
#include "lib/prng.h"
#include "tickbench.h"

#define FIRST_SOURCE 0x0a0000
#define RESPONSES    12 /* of a client at a member in a tick, about */

struct truth {
	uint32_t net_us, service_us;
};

/* Between 0 and 1, fixed for each pair. */
static double mixed(size_t first, size_t second)
{
	return (double)(prng_mix(first * 1000003 + second + 1) >> 11) * 0x1p-53;
}

/* What the client's class meets at the member, and some noise of the client's own. */
static struct truth truth_of(const struct scene *scene, size_t client, size_t member)
{
	size_t class = client * SCENE_CLASSES / scene->clients;
	double noise = 0.9 + 0.2 * mixed(client + 77, member);

	return (struct truth){
		.net_us = (uint32_t)(noise * (2000 + 20000 * mixed(class, 9999))),
		.service_us = (uint32_t)(noise * (1000 + 8000 * mixed(class, member))),
	};
}

static struct larch_cell key_of(size_t client, size_t member)
{
	return (struct larch_cell){
		.source = FIRST_SOURCE + client,
		.ingress = 1,
		.backend = (uint16_t)member,
		.port = 80,
		.protocol = 6,
		.hops = (uint8_t)(client % 16),
		.arm = LARCH_ARM_LEARNED,
	};
}

void scene_cell(const struct scene *scene, size_t client, size_t member, unsigned ticks,
		struct larch_cell *key, struct larch_samples *samples)
{
	struct truth truth = truth_of(scene, client, member);
	uint32_t response_us = truth.net_us + truth.service_us;
	uint64_t count = (uint64_t)RESPONSES * ticks;

	*key = key_of(client, member);
	*samples = (struct larch_samples){
		.connects = count,
		.connect_us = count * truth.net_us,
		.responses = count,
		.response_us = count * response_us,
		.server_us = count * truth.service_us,
		.work_us = count * truth.service_us,
	};
	samples->latency[larch_latency_bucket(response_us)] = (uint32_t)count;
}

int scene_table(const struct scene *scene, struct table *out)
{
	struct larch_features *features = calloc(scene->clients, sizeof(*features));
	struct tally *tally = calloc(scene->clients * scene->members, sizeof(*tally));

	*out = (struct table){scene->clients, scene->members, features, tally, 0};
	if (!features || !tally) {
		scene_table_free(out);
		return -ENOMEM;
	}
	for (size_t client = 0; client < scene->clients; client++) {
		struct larch_cell key = key_of(client, 0);

		features[client] = larch_features_of(&key);
		for (size_t member = 0; member < scene->members; member++) {
			struct truth truth = truth_of(scene, client, member);

			tally[client * scene->members + member] = (struct tally){
				.connects = RESPONSES,
				.connect_us = RESPONSES * (double)truth.net_us,
				.responses = RESPONSES,
				.work_us = RESPONSES * (double)truth.service_us,
			};
		}
	}
	return 0;
}

void scene_table_free(struct table *table)
{
	free((void *)table->features);
	free((void *)table->tally);
}
