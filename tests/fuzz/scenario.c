// SPDX-License-Identifier: BSD-2-Clause
/* From bytes to a scenario and back. See scenario.h. */
#include "scenario.h"

#include <string.h>

/* Moves on by `size` bytes at most; returns how many there were. */
static size_t take(const uint8_t **at, const uint8_t *end, void *to, size_t size)
{
	size_t left = (size_t)(end - *at);

	size = size < left ? size : left;
	memcpy(to, *at, size);
	*at += size;
	return size;
}

static void read_packet(struct scenario_packet *packet, const uint8_t **at, const uint8_t *end)
{
	uint8_t record[SCENARIO_RECORD] = {};
	size_t size;

	take(at, end, record, sizeof(record));
	packet->step = record[0];
	packet->ingress = record[1];
	packet->action = record[2];
	packet->operand = record[3];
	size = (size_t)record[4] | (size_t)record[5] << 8;
	packet->size = take(at, end, packet->bytes, size < SCENARIO_FRAME ? size : SCENARIO_FRAME);
}

void scenario_read(struct scenario *scenario, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	memset(scenario->state, 0, sizeof(scenario->state));
	take(&data, end, scenario->state, sizeof(scenario->state));
	for (scenario->count = 0; scenario->count < SCENARIO_PACKETS && data < end;)
		read_packet(&scenario->packet[scenario->count++], &data, end);
}

size_t scenario_write(const struct scenario *scenario, uint8_t *data, size_t room)
{
	size_t size = room < SCENARIO_STATE ? room : SCENARIO_STATE;

	memcpy(data, scenario->state, size);
	for (size_t i = 0; i < scenario->count; i++) {
		const struct scenario_packet *packet = &scenario->packet[i];
		const uint8_t record[SCENARIO_RECORD] = {
			packet->step,	 packet->ingress,	packet->action,
			packet->operand, (uint8_t)packet->size, (uint8_t)(packet->size >> 8),
		};

		if (size + SCENARIO_RECORD + packet->size > room)
			continue;
		memcpy(data + size, record, sizeof(record));
		memcpy(data + size + sizeof(record), packet->bytes, packet->size);
		size += sizeof(record) + packet->size;
	}
	return size;
}
