// SPDX-License-Identifier: BSD-2-Clause
/* Ranges of client prefixes to CIDR blocks. See cidr.h. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cidr.h"

#define IPV4_BITS 24
#define IPV6_BITS 48

struct cover {
	struct cidr *out;
	size_t limit, count;
};

bool cidr_is_ipv6(uint64_t source)
{
	return source >= LARCH_SOURCE_IPV6;
}

static void add(struct cover *cover, uint64_t source, unsigned length)
{
	if (cover->count < cover->limit)
		cover->out[cover->count] = (struct cidr){.source = source, .length = length};
	cover->count++;
}

/* One family: sources base + low .. base + high, each of `bits` bits. The largest block first. */
static void cover_family(struct cover *cover, uint64_t base, unsigned bits, uint64_t low,
			 uint64_t high)
{
	while (low <= high) {
		unsigned free = 0;

		while (free < bits && !(low >> free & 1) && low + (2ull << free) - 1 <= high)
			free++;
		add(cover, base + low, bits - free);
		low += 1ull << free;
	}
}

size_t cidr_cover(uint64_t low, uint64_t high, struct cidr *out, size_t limit)
{
	struct cover cover = {.out = out, .limit = limit};

	if (low > high)
		return 0;
	if (low <= CIDR_IPV4_LAST)
		cover_family(&cover, 0, IPV4_BITS, low,
			     high < CIDR_IPV4_LAST ? high : CIDR_IPV4_LAST);
	if (high >= LARCH_SOURCE_IPV6 && low <= CIDR_IPV6_LAST) {
		high = high < CIDR_IPV6_LAST ? high : CIDR_IPV6_LAST;
		low = low > LARCH_SOURCE_IPV6 ? low : LARCH_SOURCE_IPV6;
		cover_family(&cover, LARCH_SOURCE_IPV6, IPV6_BITS, low - LARCH_SOURCE_IPV6,
			     high - LARCH_SOURCE_IPV6);
	}
	return cover.count;
}

const char *cidr_text(const struct cidr *cidr, char out[CIDR_TEXT])
{
	char address[INET6_ADDRSTRLEN] = "?";
	uint8_t bytes[16] = {};

	if (cidr_is_ipv6(cidr->source)) {
		for (unsigned i = 0; i < IPV6_BITS / 8; i++)
			bytes[i] = (uint8_t)(cidr->source >> (IPV6_BITS - 8 - 8 * i));
		inet_ntop(AF_INET6, bytes, address, sizeof(address));
	} else {
		for (unsigned i = 0; i < IPV4_BITS / 8; i++)
			bytes[i] = (uint8_t)(cidr->source >> (IPV4_BITS - 8 - 8 * i));
		inet_ntop(AF_INET, bytes, address, sizeof(address));
	}
	snprintf(out, CIDR_TEXT, "%s/%u", address, cidr->length);
	return out;
}

const char *cidr_source_text(uint64_t source, char out[CIDR_TEXT])
{
	const struct cidr cidr = {
		.source = source,
		.length = cidr_is_ipv6(source) ? IPV6_BITS : IPV4_BITS,
	};

	return cidr_text(&cidr, out);
}
