// SPDX-License-Identifier: BSD-2-Clause
// Spoils what larchd publishes, as a learner that is wrong would: in every leaf of every new
// generation of service 0, ring and costs of the first member become those of the last one, and so
// on. The control ring and the global one stay. In: the folder of the pins. Runs until it is ended.
#include <bpf/bpf.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "larch/plan.h"
#include "larch/types.h"

#define POLL_US 1000

static void *map_memory(const char *folder, const char *name, size_t size)
{
	char path[4096];
	void *memory;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		err(1, "%s", path);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		err(1, "%s", path);
	return memory;
}

static __u8 inverted(__u8 member, __u32 members)
{
	return member < members ? (__u8)(members - 1 - member) : member;
}

static void invert(struct larch_ring *ring, struct larch_costs *costs, __u32 members)
{
	struct larch_costs before = *costs;

	for (size_t i = 0; i < LARCH_RING_SLOTS; i++) {
		ring->slot[i].primary = inverted(ring->slot[i].primary, members);
		ring->slot[i].secondary = inverted(ring->slot[i].secondary, members);
	}
	for (__u32 i = 0; i < members; i++)
		costs->member[i] = before.member[members - 1 - i];
}

int main(int argc, char **argv)
{
	volatile struct larch_active *active;
	struct larch_plan *plans;
	struct larch_ring *rings;
	struct larch_costs *costs;
	__u32 seen = 0;

	if (argc != 2)
		errx(2, "usage: invert_plan FOLDER");
	active = map_memory(argv[1], "larch_active", sizeof(*active));
	plans = map_memory(argv[1], "larch_plans", LARCH_BANKS * sizeof(*plans));
	rings = map_memory(argv[1], "larch_rings", LARCH_BANKS * LARCH_RINGS * sizeof(*rings));
	costs = map_memory(argv[1], "larch_costs", LARCH_BANKS * LARCH_MAX_LEAVES * sizeof(*costs));
	for (;; usleep(POLL_US)) {
		__u32 bank = active->bank;

		if (active->generation == seen || bank >= LARCH_BANKS)
			continue;
		seen = active->generation;
		for (__u32 leaf = 0; leaf < plans[bank].tree.leaves; leaf++)
			invert(&rings[larch_ring_index(0, bank, LARCH_RING_LEAF + leaf)],
			       &costs[larch_costs_index(0, bank, leaf)], plans[bank].members);
	}
}
