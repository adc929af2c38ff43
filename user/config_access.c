// SPDX-License-Identifier: BSD-2-Clause
/* Access lists of a service: see config_service.h. Sorted, so that long lists are checked fast. */
#include "config_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const list_words[] = {"allow", "deny"};

/* A network, and where it stands: number of the list, and of its item. */
struct line {
	struct config_network network;
	size_t list, item;
};

struct lines {
	struct setting list[2]; /* value NULL: it is not given */
	struct line *line;
	size_t count;
};

static int compare_networks(const struct config_network *one, const struct config_network *other)
{
	int order = memcmp(&one->address, &other->address, sizeof(one->address));

	return order ? order : (int)one->bits - (int)other->bits;
}

/* By network, then as they stand in the file. */
static int compare(const void *a, const void *b)
{
	const struct line *one = a, *other = b;
	int order = compare_networks(&one->network, &other->network);

	if (order)
		return order;
	if (one->list != other->list)
		return one->list < other->list ? -1 : 1;
	return one->item < other->item ? -1 : one->item > other->item;
}

static void read_list(struct lines *lines, size_t list)
{
	static const uint8_t verdict[] = {LARCH_ACCESS_ALLOW, LARCH_ACCESS_DENY};
	size_t count = setting_count(&lines->list[list]);

	for (size_t i = 0; i < count; i++) {
		struct setting item = setting_item(&lines->list[list], i);
		struct line *line = &lines->line[lines->count];

		*line = (struct line){.network.verdict = verdict[list], .list = list, .item = i};
		if (setting_network(&item, &line->network.address, &line->network.bits))
			lines->count++;
	}
}

/* Complains of networks that are there already. The lines are sorted. */
static void check_twice(const struct lines *lines)
{
	for (size_t i = 1; i < lines->count; i++) {
		const struct line *first = &lines->line[i - 1], *second = &lines->line[i];
		struct setting there = setting_item(&lines->list[first->list], first->item);
		struct setting here = setting_item(&lines->list[second->list], second->item);
		char place[SETTING_PLACE_SIZE];

		if (compare_networks(&first->network, &second->network) != 0)
			continue;
		if (first->list == second->list)
			setting_fail(&here, "this network is in the list already");
		else
			setting_fail(&here, "this network is allowed and denied; first at %s",
				     setting_place(&there, place));
	}
}

/* Reads both lists into room for all of their items. */
static int take(struct config_service *service, struct lines *lines, size_t room)
{
	lines->line = calloc(room, sizeof(*lines->line));
	service->networks = calloc(room, sizeof(*service->networks));
	if (!lines->line || !service->networks)
		return -ENOMEM;
	for (size_t list = 0; list < 2; list++) {
		if (lines->list[list].value)
			read_list(lines, list);
	}
	qsort(lines->line, lines->count, sizeof(*lines->line), compare);
	check_twice(lines);
	for (size_t i = 0; i < lines->count; i++)
		service->networks[i] = lines->line[i].network;
	service->network_count = lines->count;
	return 0;
}

int config_access_read(struct config_reading *reading, const struct setting *mapping, size_t index)
{
	size_t left = CONFIG_MAX_NETWORKS - reading->networks, room = 0;
	struct lines lines = {};
	int error;

	for (size_t list = 0; list < 2; list++) {
		size_t count;

		if (!setting_get(mapping, list_words[list], &lines.list[list]))
			continue;
		count = setting_count(&lines.list[list]);
		if (!count)
			setting_list(&lines.list[list]);
		if (count > left - room) {
			setting_fail(&lines.list[list],
				     "more than %u networks in the access lists of all services",
				     CONFIG_MAX_NETWORKS);
			return 0;
		}
		room += count;
	}
	reading->networks += room;
	if (!room)
		return 0;
	error = take(&reading->config->services[index], &lines, room);
	free(lines.line);
	return error;
}
