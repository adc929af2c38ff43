// SPDX-License-Identifier: BSD-2-Clause
/* Addresses and networks: see setting.h. One spelling each of IPv4, none that is mapped to IPv6. */
#include <arpa/inet.h>
#include <string.h>

#include "endpoint.h"
#include "setting.h"

/* Why an IPv4 address is not that of one host that others can reach; NULL: it may be. */
static const char *objection_ipv4(uint32_t address)
{
	if (address == INADDR_ANY)
		return "the unspecified address";
	if (address == INADDR_BROADCAST)
		return "the broadcast address";
	if (address >> 24 == IN_LOOPBACKNET)
		return "a loopback address";
	return IN_MULTICAST(address) ? "a multicast address" : NULL;
}

static const char *objection_ipv6(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		return "an IPv4-mapped address (IPv4 is written a.b.c.d)";
	if (IN6_IS_ADDR_UNSPECIFIED(address))
		return "the unspecified address";
	if (IN6_IS_ADDR_LOOPBACK(address))
		return "a loopback address";
	if (IN6_IS_ADDR_LINKLOCAL(address))
		return "a link-local address";
	return IN6_IS_ADDR_MULTICAST(address) ? "a multicast address" : NULL;
}

const char *setting_objection(const struct in6_addr *address)
{
	return IN6_IS_ADDR_V4MAPPED(address) ? objection_ipv4(ntohl(address->s6_addr32[3]))
					     : objection_ipv6(address);
}

bool setting_address(const struct setting *setting, int family, struct in6_addr *out)
{
	const char *text = setting_text(setting), *why;
	const char *kind = family == AF_INET	? "an IPv4 address"
			   : family == AF_INET6 ? "an IPv6 address"
						: "an IPv4 or IPv6 address";
	struct in6_addr address;

	if (!text || !endpoint_address(text, family, &address)) {
		setting_expect(setting, "%s", kind);
		return false;
	}
	why = strchr(text, ':') ? objection_ipv6(&address)
				: objection_ipv4(ntohl(address.s6_addr32[3]));
	if (why) {
		setting_expect(setting, "%s of one host; this is %s", kind, why);
		return false;
	}
	*out = address;
	return true;
}

/* ---- networks ---- */

#define IPV4_BITS   32
#define IPV6_BITS   128
#define MAPPED_BITS (IPV6_BITS - IPV4_BITS) /* in front of an IPv4 address */

/* Clears the bits beyond the first ones. Were they all 0? */
static bool clear_host(struct in6_addr *address, int bits)
{
	struct in6_addr before = *address;

	for (int i = bits; i < IPV6_BITS; i++)
		address->s6_addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return memcmp(&before, address, sizeof(before)) == 0;
}

bool setting_network(const struct setting *setting, struct in6_addr *out, uint8_t *out_bits)
{
	const char *text = setting_text(setting);
	char network[INET6_ADDRSTRLEN];
	struct in6_addr address;
	int bits;

	if (!text || !endpoint_network(text, &address, &bits)) {
		setting_expect(setting, "a network such as 192.0.2.0/24 or 2001:db8::/32, or an "
					"address");
		return false;
	}
	if (!clear_host(&address, bits)) {
		setting_expect(setting, "a network without bits of its hosts, such as %s/%d",
			       endpoint_address_text(&address, network),
			       IN6_IS_ADDR_V4MAPPED(&address) ? bits - MAPPED_BITS : bits);
		return false;
	}
	*out = address;
	*out_bits = (uint8_t)bits;
	return true;
}
