// SPDX-License-Identifier: BSD-2-Clause
/*
 * How libFuzzer changes a scenario: whole packets are put in, taken out, moved and said again, the
 * bytes of one are damaged, and the world's state is; so that what is changed stays a sequence of
 * packets. Valid packets of every kind are at hand, with checksums that nobody looks at.
 */
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/prng.h"
#include "../packet/damage.h"
#include "../packet/kinds.h"
#include "scenario.h"

#define CLIENTS	  4
#define TCP_ACKED 11 /* where the last byte of the ACK number is in a TCP header */
#define TCP_FLAGS 13

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
				 size_t other_size, uint8_t *out, size_t max_size, unsigned seed);

static size_t below(struct prng *prng, size_t limit)
{
	return (size_t)prng_below(prng, limit);
}

static struct scenario_packet *any_packet(struct scenario *scenario, struct prng *prng)
{
	return &scenario->packet[below(prng, scenario->count)];
}

/* Makes room for a packet somewhere; NULL: there are enough. */
static struct scenario_packet *new_packet(struct scenario *scenario, struct prng *prng)
{
	size_t at = below(prng, scenario->count + 1);

	if (scenario->count == SCENARIO_PACKETS)
		return NULL;
	memmove(&scenario->packet[at + 1], &scenario->packet[at],
		(scenario->count - at) * sizeof(scenario->packet[0]));
	scenario->count++;
	return &scenario->packet[at];
}

static void put_kind(struct scenario *scenario, struct prng *prng)
{
	struct scenario_packet *packet = new_packet(scenario, prng);
	size_t number = below(prng, kinds_count());
	struct frame frame;

	if (!packet)
		return;
	frame = kinds_build(number, (uint32_t)below(prng, CLIENTS));
	memset(packet, 0, offsetof(struct scenario_packet, bytes));
	packet->ingress = kinds_is_tunnelled(number) ? SCENARIO_TO_AGENT : 0;
	packet->size = frame.size < SCENARIO_FRAME ? frame.size : SCENARIO_FRAME;
	memcpy(packet->bytes, frame.byte, packet->size);
}

/* The same again, or (if it is TCP) another segment of the same connection. */
static void say_again(struct scenario *scenario, struct prng *prng)
{
	static const uint8_t flags[] = {SYN, ACK, ACK | PSH, ACK | FIN, RST, SYN | ACK};
	struct scenario_packet from = *any_packet(scenario, prng);
	struct scenario_packet *packet = new_packet(scenario, prng);
	bool ipv6 = from.size > ETHERNET_BYTES && from.bytes[12] == 0x86;
	size_t tcp = ETHERNET_BYTES + (ipv6 ? IPV6_BYTES : IPV4_BYTES);

	if (!packet)
		return;
	*packet = from;
	if (from.size < tcp + TCP_BYTES || below(prng, 3) == 0)
		return;
	packet->bytes[tcp + TCP_FLAGS] = flags[below(prng, sizeof(flags))];
	packet->bytes[tcp + TCP_ACKED] ^= (uint8_t)below(prng, 256);
}

static void take_out(struct scenario *scenario, struct prng *prng)
{
	size_t at = below(prng, scenario->count);

	scenario->count--;
	memmove(&scenario->packet[at], &scenario->packet[at + 1],
		(scenario->count - at) * sizeof(scenario->packet[0]));
}

static void swap(struct scenario *scenario, struct prng *prng)
{
	struct scenario_packet *a = any_packet(scenario, prng), *b = any_packet(scenario, prng);
	struct scenario_packet kept = *a;

	*a = *b;
	*b = kept;
}

static void damage_one(struct scenario *scenario, struct prng *prng)
{
	struct scenario_packet *packet = any_packet(scenario, prng);

	if (packet->size > 14)
		damage(packet->bytes, &packet->size, SCENARIO_FRAME, prng);
}

static void change_bytes(struct scenario *scenario, struct prng *prng)
{
	struct scenario_packet *packet = any_packet(scenario, prng);

	if (packet->size)
		packet->size = LLVMFuzzerMutate(packet->bytes, packet->size, SCENARIO_FRAME);
}

static void change_circumstances(struct scenario *scenario, struct prng *prng)
{
	struct scenario_packet *packet = any_packet(scenario, prng);
	uint8_t *fields[] = {&packet->step, &packet->step, &packet->ingress, &packet->action,
			     &packet->operand};

	*fields[below(prng, sizeof(fields) / sizeof(fields[0]))] = (uint8_t)below(prng, 256);
}

/* A byte, or the same in a row of them: of flows, say. */
static void change_state(struct scenario *scenario, struct prng *prng)
{
	size_t at = below(prng, SCENARIO_STATE), left = SCENARIO_STATE - at;

	switch (below(prng, 4)) {
	case 0:
		LLVMFuzzerMutate(scenario->state, SCENARIO_STATE, SCENARIO_STATE);
		break;
	case 1:
		memset(&scenario->state[at], (int)below(prng, 256), below(prng, left + 1));
		break;
	case 2:
		scenario->state[at] ^= (uint8_t)(1 << below(prng, 8));
		break;
	default:
		scenario->state[at] = (uint8_t)below(prng, 256);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static void (*const changes[])(struct scenario * scenario, struct prng * prng) = {
		put_kind,     put_kind,	    say_again,	say_again,    take_out,
		swap,	      change_bytes, damage_one, change_bytes, change_circumstances,
		change_state,
	};
	static struct scenario scenario;
	struct prng prng = prng_seed(seed, 0);

	scenario_read(&scenario, data, size);
	if (!scenario.count)
		put_kind(&scenario, &prng);
	for (size_t i = 1 + below(&prng, 3); i > 0 && scenario.count; i--)
		changes[below(&prng, sizeof(changes) / sizeof(changes[0]))](&scenario, &prng);
	return scenario_write(&scenario, data, max_size);
}

/* The world of one, and packets of both. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
				 size_t other_size, uint8_t *out, size_t max_size, unsigned seed)
{
	static struct scenario a, b;
	struct prng prng = prng_seed(seed, 1);
	size_t keep, from;

	scenario_read(&a, one, one_size);
	scenario_read(&b, other, other_size);
	keep = below(&prng, a.count + 1);
	from = below(&prng, b.count + 1);
	for (a.count = keep; from < b.count && a.count < SCENARIO_PACKETS; from++)
		a.packet[a.count++] = b.packet[from];
	return scenario_write(&a, out, max_size);
}
