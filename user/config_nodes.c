// SPDX-License-Identifier: BSD-2-Clause
/* What a node of several needs: see config_nodes.h. */
#include "config_nodes.h"

#include "config_places.h"

#define LEAST_SILENT 1 /* s */
#define MOST_SILENT  3600

/* What it holds is read later: by config_load(), not for a text in memory. */
static void read_seed(const struct setting *root, struct config_seed *seed)
{
	struct config_place place;
	struct setting file;

	if (!setting_get(root, "seed_file", &file) || !setting_file(&file, seed->file))
		return;
	place = config_places_get(file.tree->places, file.value);
	seed->line = place.line;
	seed->column = place.column;
}

static void read_generations(const struct setting *mapping, struct config_generations *generations)
{
	struct setting write, follow, silent;
	bool writes = setting_get(mapping, "write", &write);
	bool follows = setting_get(mapping, "follow", &follow);

	if (writes)
		setting_file(&write, generations->write);
	if (follows)
		setting_file(&follow, generations->follow);
	if (writes == follows)
		setting_fail(mapping, "expected either 'write', at the one node that learns, or "
				      "'follow', at each other one");
	if (!setting_get(mapping, "silent", &silent))
		return;
	if (writes && !follows)
		setting_fail(&silent, "silent is of the leader that a node follows; expected "
				      "'follow', too, or no 'silent'");
	else
		setting_duration(&silent, LEAST_SILENT, MOST_SILENT, &generations->silent);
}

void config_nodes_read(const struct setting *root, struct larch_config *config)
{
	static const char *const keys[] = {"write", "follow", "silent", NULL};
	struct setting mapping, seed;

	read_seed(root, &config->seed);
	if (!setting_get(root, "generations", &mapping) || !setting_mapping(&mapping, keys))
		return;
	read_generations(&mapping, &config->generations);
	if (!setting_get(root, "seed_file", &seed))
		setting_fail(&mapping,
			     "the same generations on nodes that hash by different seeds are "
			     "worth nothing; expected 'seed_file', too, with the same file on all");
}
