// SPDX-License-Identifier: BSD-2-Clause
// Classes of clients: what a request from a prefix costs, the longest prefix first. No I/O.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "labserver.h"
#include "clock.h"
#include "lib/number.h"
#include "lib/options.h"

#define MAX_MS 3600000.0

static int parse_ms(const char *text, uint64_t *ns, char *why)
{
	double ms;

	if (number_parse_real(text, 0, MAX_MS, &ms)) {
		snprintf(why, OPTION_WHY_SIZE, "'%.40s' is no time in ms from 0 to %.0f", text,
			 MAX_MS);
		return -EINVAL;
	}
	*ns = clock_from_ms(ms);
	return 0;
}

int class_parse(const char *text, struct client_class *out, char *why)
{
	char copy[2 * ADDRESS_TEXT_SIZE], *service, *distance;
	int err;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy) ||
	    !(service = strchr(copy, '='))) {
		snprintf(why, OPTION_WHY_SIZE, "a class is PREFIX=SERVICE_MS[+DISTANCE_MS]");
		return -EINVAL;
	}
	*service++ = '\0';
	if (prefix_parse(copy, &out->prefix)) {
		snprintf(why, OPTION_WHY_SIZE, "'%.60s' is no prefix (host bits must be 0)", copy);
		return -EINVAL;
	}
	distance = strchr(service, '+');
	if (distance)
		*distance++ = '\0';
	err = parse_ms(service, &out->service_ns, why);
	out->distance_ns = 0;
	if (!err && distance)
		err = parse_ms(distance, &out->distance_ns, why);
	return err;
}

int class_add(struct class_table *table, const struct client_class *row)
{
	size_t place = 0;

	while (place < table->count && table->rows[place].prefix.length >= row->prefix.length) {
		if (prefix_equal(&table->rows[place].prefix, &row->prefix)) {
			table->rows[place] = *row;
			return 0;
		}
		place++;
	}
	if (table->count == MAX_CLASSES)
		return -ENOSPC;
	memmove(&table->rows[place + 1], &table->rows[place],
		(table->count - place) * sizeof(*row));
	table->rows[place] = *row;
	table->count++;
	return 0;
}

const struct client_class *class_find(const struct class_table *table, const struct address *client)
{
	for (size_t i = 0; i < table->count; i++)
		if (prefix_contains(&table->rows[i].prefix, client))
			return &table->rows[i];
	return NULL;
}
