// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads routing netlink messages: see netlink_message.h. No I/O. One small callback per attribute
 * level; attributes of an unexpected length make the message malformed, unknown ones are skipped.
 */
#include "netlink_message.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

int netlink_message_family(const struct in6_addr *address)
{
	return IN6_IS_ADDR_V4MAPPED(address) ? AF_INET : AF_INET6;
}

const void *netlink_message_bytes(const struct in6_addr *address, size_t *length)
{
	size_t skip = IN6_IS_ADDR_V4MAPPED(address) ? sizeof(mapped_prefix) : 0;

	*length = sizeof(*address) - skip;
	return address->s6_addr + skip;
}

static int read_address(int family, const void *bytes, size_t length, struct in6_addr *out)
{
	size_t skip = family == AF_INET ? sizeof(mapped_prefix) : 0;

	if ((family != AF_INET && family != AF_INET6) || length != sizeof(*out) - skip)
		return -EBADMSG;
	memcpy(out->s6_addr, mapped_prefix, skip);
	memcpy(out->s6_addr + skip, bytes, length);
	return 0;
}

/* An attribute that holds an address of this family. Returns what a libmnl callback returns. */
static int take_address(const struct nlattr *attribute, int family, struct in6_addr *out)
{
	int error = read_address(family, mnl_attr_get_payload(attribute),
				 mnl_attr_get_payload_len(attribute), out);

	return error ? MNL_CB_ERROR : MNL_CB_OK;
}

static int take_u32(const struct nlattr *attribute, uint32_t *out)
{
	if (mnl_attr_get_payload_len(attribute) != sizeof(*out))
		return MNL_CB_ERROR;
	*out = mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

/* Addresses of another length belong to links that are not Ethernet: no MAC. */
static void take_mac(const struct nlattr *attribute, uint8_t mac[6], bool *has_mac)
{
	*has_mac = mnl_attr_get_payload_len(attribute) == 6;
	if (*has_mac)
		memcpy(mac, mnl_attr_get_payload(attribute), 6);
}

static bool has_header(const struct nlmsghdr *message, size_t size)
{
	return mnl_nlmsg_get_payload_len(message) >= size;
}

static int link_kind_attribute(const struct nlattr *attribute, void *context)
{
	static const char vlan[] = "vlan";
	struct netlink_link *link = context;

	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
		link->vlan = mnl_attr_get_payload_len(attribute) == sizeof(vlan) &&
			     !memcmp(mnl_attr_get_payload(attribute), vlan, sizeof(vlan));
	return MNL_CB_OK;
}

static int link_attribute(const struct nlattr *attribute, void *context)
{
	struct netlink_link *link = context;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_ADDRESS:
		take_mac(attribute, link->mac, &link->has_mac);
		return MNL_CB_OK;
	case IFLA_MTU:
		return take_u32(attribute, &link->mtu);
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attribute, link_kind_attribute, link);
	default:
		return MNL_CB_OK;
	}
}

int netlink_message_link(const struct nlmsghdr *message, struct netlink_link *out)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

	/* A bridge's port leaving it is told as "link deleted" in the bridge's family. */
	if (!has_header(message, sizeof(*header)) || header->ifi_family != AF_UNSPEC)
		return -EBADMSG;
	*out = (struct netlink_link){
		.ifindex = header->ifi_index,
		.flags = header->ifi_flags,
		.type = header->ifi_type,
	};
	if (mnl_attr_parse(message, sizeof(*header), link_attribute, out) == MNL_CB_ERROR)
		return -EBADMSG;
	return 0;
}

struct neighbour_parse {
	int family;
	bool has_address;
	struct netlink_neighbour *out;
};

static int neighbour_attribute(const struct nlattr *attribute, void *context)
{
	struct neighbour_parse *parse = context;
	uint32_t flags;

	switch (mnl_attr_get_type(attribute)) {
	case NDA_DST:
		parse->has_address = true;
		return take_address(attribute, parse->family, &parse->out->address);
	case NDA_LLADDR:
		take_mac(attribute, parse->out->mac, &parse->out->has_mac);
		return MNL_CB_OK;
	case NDA_FLAGS_EXT:
		if (take_u32(attribute, &flags) == MNL_CB_ERROR)
			return MNL_CB_ERROR;
		parse->out->foreign |= (flags & NTF_EXT_MANAGED) != 0;
		return MNL_CB_OK;
	default:
		return MNL_CB_OK;
	}
}

int netlink_message_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct neighbour_parse parse = {.out = out};

	if (!has_header(message, sizeof(*header)) || header->ndm_flags & NTF_PROXY)
		return -EBADMSG;
	parse.family = header->ndm_family;
	*out = (struct netlink_neighbour){
		.ifindex = header->ndm_ifindex,
		.state = header->ndm_state,
		.foreign = header->ndm_flags & NTF_EXT_LEARNED ||
			   header->ndm_state & (NUD_PERMANENT | NUD_NOARP),
	};
	if (mnl_attr_parse(message, sizeof(*header), neighbour_attribute, &parse) == MNL_CB_ERROR)
		return -EBADMSG;
	return parse.has_address ? 0 : -EBADMSG;
}

struct route_parse {
	int family;
	struct netlink_route *out;
};

/* A next hop of another family than the route's: IPv4 by an IPv6 router. */
static int take_via(const struct nlattr *attribute, struct in6_addr *out)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);
	size_t length = mnl_attr_get_payload_len(attribute);

	if (length < sizeof(*via))
		return MNL_CB_ERROR;
	if (read_address(via->rtvia_family, via->rtvia_addr, length - sizeof(*via), out))
		return MNL_CB_ERROR;
	return MNL_CB_OK;
}

static int metric_attribute(const struct nlattr *attribute, void *context)
{
	struct netlink_route *out = context;

	if (mnl_attr_get_type(attribute) == RTAX_MTU)
		return take_u32(attribute, &out->mtu);
	return MNL_CB_OK;
}

static int route_attribute(const struct nlattr *attribute, void *context)
{
	struct route_parse *parse = context;
	uint32_t ifindex;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_OIF:
		if (take_u32(attribute, &ifindex) == MNL_CB_ERROR)
			return MNL_CB_ERROR;
		parse->out->ifindex = (int)ifindex;
		return MNL_CB_OK;
	case RTA_GATEWAY:
		return take_address(attribute, parse->family, &parse->out->next);
	case RTA_VIA:
		return take_via(attribute, &parse->out->next);
	case RTA_PREFSRC:
		return take_address(attribute, parse->family, &parse->out->from);
	case RTA_METRICS:
		return mnl_attr_parse_nested(attribute, metric_attribute, parse->out);
	default:
		return MNL_CB_OK;
	}
}

static const char *route_reason(unsigned char type)
{
	switch (type) {
	case RTN_UNICAST:
	case RTN_LOCAL:
		return NULL;
	case RTN_BLACKHOLE:
		return "route is a blackhole";
	case RTN_UNREACHABLE:
		return "route is unreachable";
	case RTN_PROHIBIT:
		return "route is prohibited";
	default:
		return "address is not unicast";
	}
}

int netlink_message_route(const struct nlmsghdr *message, const struct in6_addr *address,
			  struct netlink_route *out)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct route_parse parse = {.out = out};

	if (!has_header(message, sizeof(*header)))
		return -EBADMSG;
	parse.family = header->rtm_family;
	*out = (struct netlink_route){
		.reason = route_reason(header->rtm_type),
		.local = header->rtm_type == RTN_LOCAL,
		.next = *address,
	};
	if (mnl_attr_parse(message, sizeof(*header), route_attribute, &parse) == MNL_CB_ERROR)
		return -EBADMSG;
	return 0;
}

static int prefix_attribute(const struct nlattr *attribute, void *context)
{
	struct netlink_prefix *prefix = context;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST:
		return take_address(attribute, prefix->ipv4 ? AF_INET : AF_INET6, &prefix->address);
	case RTA_TABLE:
		return take_u32(attribute, &prefix->table);
	case RTA_PRIORITY:
		return take_u32(attribute, &prefix->metric);
	default:
		return MNL_CB_OK;
	}
}

int netlink_message_prefix(const struct nlmsghdr *message, struct netlink_prefix *out)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	unsigned int bits;

	if (!has_header(message, sizeof(*header)))
		return -EBADMSG;
	bits = header->rtm_family == AF_INET ? 32 : 128;
	if ((header->rtm_family != AF_INET && header->rtm_family != AF_INET6) ||
	    header->rtm_dst_len > bits)
		return -EBADMSG;
	*out = (struct netlink_prefix){
		.ipv4 = header->rtm_family == AF_INET,
		.length = 128 - bits + header->rtm_dst_len,
		.blackhole = header->rtm_type == RTN_BLACKHOLE,
		.protocol = header->rtm_protocol,
		.table = header->rtm_table, /* unless an attribute says more than fits here */
	};
	memcpy(&out->address, mapped_prefix, out->ipv4 ? sizeof(mapped_prefix) : 0);
	if (mnl_attr_parse(message, sizeof(*header), prefix_attribute, out) == MNL_CB_ERROR)
		return -EBADMSG;
	return 0;
}
