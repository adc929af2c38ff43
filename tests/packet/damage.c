// SPDX-License-Identifier: BSD-2-Clause
// Random damage; see damage.h.
#include "damage.h"

#include <string.h>

#define LEAST	14 /* an Ethernet header: the kernel runs no shorter packet */
#define HEADERS 80 /* bytes in which the headers of most packets lie */
#define BLOCK	40 /* bytes at most that are moved, put in or taken out */

struct target {
	uint8_t *bytes;
	size_t *size;
	size_t most;
	struct prng *prng;
};

static size_t below(const struct target *target, size_t limit)
{
	return (size_t)prng_below(target->prng, limit);
}

/* Where to change something: every other time among the headers. */
static size_t place(const struct target *target)
{
	size_t size = *target->size;

	return below(target, below(target, 2) && size > HEADERS ? HEADERS : size);
}

static void set_byte(const struct target *target)
{
	target->bytes[place(target)] = (uint8_t)below(target, 256);
}

static void flip_bit(const struct target *target)
{
	target->bytes[place(target)] ^= (uint8_t)(1 << below(target, 8));
}

/* A length that is just right, just wrong, or far off. */
static void set_number(const struct target *target)
{
	const uint16_t numbers[] = {0,	1,	4,	5,	8,	20,
				    40, 0x3fff, 0x7fff, 0x8000, 0xffff, (uint16_t)*target->size};
	size_t at = below(target, *target->size - 1);
	uint16_t number = numbers[below(target, sizeof(numbers) / sizeof(numbers[0]))];

	number = (uint16_t)(number + below(target, 3) - 1);
	target->bytes[at] = (uint8_t)(number >> 8);
	target->bytes[at + 1] = (uint8_t)number;
}

static void cut(const struct target *target)
{
	*target->size = LEAST + below(target, *target->size - LEAST);
}

static void append(const struct target *target)
{
	size_t count = below(target, BLOCK);

	while (count-- && *target->size < target->most)
		target->bytes[(*target->size)++] = (uint8_t)count;
}

static void take_out(const struct target *target)
{
	size_t at = place(target), count = below(target, BLOCK);

	if (at + count > *target->size || *target->size - count < LEAST)
		return;
	memmove(target->bytes + at, target->bytes + at + count, *target->size - at - count);
	*target->size -= count;
}

static void put_in(const struct target *target)
{
	size_t at = place(target), count = below(target, BLOCK);

	if (*target->size + count > target->most)
		return;
	memmove(target->bytes + at + count, target->bytes + at, *target->size - at);
	*target->size += count;
}

static void copy(const struct target *target)
{
	size_t from = place(target), to = place(target), count = below(target, BLOCK);
	size_t last = from > to ? from : to;

	if (last + count <= *target->size)
		memmove(target->bytes + to, target->bytes + from, count);
}

void damage(uint8_t *bytes, size_t *size, size_t most, struct prng *prng)
{
	static void (*const changes[])(const struct target *target) = {
		set_byte, set_byte, set_byte, flip_bit, flip_bit, set_number,
		cut,	  append,   take_out, put_in,	copy,
	};
	struct target target = {bytes, size, most, prng};

	for (size_t i = 1 + below(&target, 4); i > 0; i--)
		changes[below(&target, sizeof(changes) / sizeof(changes[0]))](&target);
}
