/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage 1: from bytes to struct packet. One cursor moves forward; it alone checks bounds. */
#pragma once

#include "cursor.h"
#include "frame.h"
#include "packet.h"

#define MAX_VLAN_TAGS	    2
#define MAX_EXTENSIONS	    6
#define IPV6_FRAGMENT_PART  0xfff9 /* more fragments, or an offset; neither: the whole packet */
#define IPV6_OFFSET	    0xfff8
#define IPV6_HOP_BY_HOP	    0
#define IPV6_ROUTING	    43
#define IPV6_FRAGMENT	    44
#define IPV6_AUTHENTICATION 51
#define IPV6_DESTINATION    60

/* Where a transport header begins at most: all that the verifier needs to know of it. */
#define TRANSPORT_MOST 0x3fff

struct vlan_tag {
	__be16 control;
	__be16 ethertype;
};

/* What any extension header begins with, and what it is in a fragment header. */
struct extension {
	__u8 next;
	__u8 length; /* beyond the first 8 bytes */
	__be16 offset;
	__be32 identification;
};

/* What the extension headers of an IPv6 packet come to. */
struct extensions {
	__u32 bytes;
	__be32 identification;
	__u8 next; /* the protocol behind them */
	__u8 kind; /* enum packet_kind, by the fragment header */
};

/* Ethernet and VLAN tags; *ethertype is of what follows them. */
static __always_inline int parse_link(struct cursor *cursor, struct packet *packet,
				      __be16 *ethertype)
{
	struct ethhdr *ethernet = cursor_take(cursor, sizeof(*ethernet));

	if (!ethernet)
		return LARCH_PASS_NOT_IP;
	*ethertype = ethernet->h_proto;
	packet->link_bytes = sizeof(*ethernet);
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_tag *tag;

		if (*ethertype != bpf_htons(ETH_P_8021Q) && *ethertype != bpf_htons(ETH_P_8021AD))
			break;
		tag = cursor_take(cursor, sizeof(*tag));
		if (!tag)
			return LARCH_PASS_NOT_IP;
		*ethertype = tag->ethertype;
		packet->link_bytes += sizeof(*tag);
	}
	return GO;
}

static __always_inline int parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	__u32 left = packet->frame_bytes - packet->link_bytes;
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 header;

	if (!ip || ip->version != 4)
		return LARCH_PASS_MALFORMED;
	header = ip->ihl * 4;
	packet->bytes = bpf_ntohs(ip->tot_len);
	if (header < sizeof(*ip) || packet->bytes < header || packet->bytes > left)
		return LARCH_PASS_MALFORMED;
	packet->tuple.source[2] = packet->tuple.destination[2] = bpf_htonl(0xffff);
	packet->tuple.source[3] = ip->saddr;
	packet->tuple.destination[3] = ip->daddr;
	packet->tuple.protocol = ip->protocol;
	packet->traffic_class = ip->tos;
	packet->ttl = ip->ttl;
	packet->payload = packet->bytes - header;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT)) {
		packet->kind = ip->frag_off & bpf_htons(IPV4_OFFSET) ? PACKET_LATER : PACKET_FIRST;
		packet->fragment = ip->id;
	}
	if (!cursor_take(cursor, header - sizeof(*ip)))
		return LARCH_PASS_MALFORMED;
	return GO;
}

static __always_inline bool is_extension(__u8 protocol)
{
	return protocol == IPV6_HOP_BY_HOP || protocol == IPV6_ROUTING ||
	       protocol == IPV6_FRAGMENT || protocol == IPV6_AUTHENTICATION ||
	       protocol == IPV6_DESTINATION;
}

/* A fragment header that says "all of it" does not make a fragment (RFC 6946). */
static __always_inline void parse_fragment(const struct extension *header, struct extensions *found)
{
	if (!(header->offset & bpf_htons(IPV6_FRAGMENT_PART)))
		return;
	found->kind = header->offset & bpf_htons(IPV6_OFFSET) ? PACKET_LATER : PACKET_FIRST;
	found->identification = header->identification;
}

/*
 * Steps over the extension headers from found->next on. What follows a later fragment's header is
 * from the middle of the packet: not parsed. False: the frame ends before they do.
 */
static __always_inline bool parse_extensions(struct cursor *cursor, struct extensions *found)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		struct extension *header;
		__u32 size;

		if (!is_extension(found->next) || found->kind == PACKET_LATER)
			return true;
		header = cursor_take(cursor, sizeof(*header));
		if (!header)
			return false;
		size = header->length * 8;
		if (found->next == IPV6_FRAGMENT) {
			parse_fragment(header, found);
			size = 0;
		} else if (found->next == IPV6_AUTHENTICATION) {
			size = header->length * 4;
		}
		if (!cursor_take(cursor, size))
			return false;
		found->bytes += sizeof(*header) + size;
		found->next = header->next;
	}
	return true;
}

/* The extension headers behind an IPv6 header. A function of its own, since few packets have any.
 */
STAGE int parse_extended(struct xdp_md *context, struct packet *packet)
{
	struct extensions found = {};
	struct cursor cursor;

	if (!packet || packet->link_bytes > PACKET_LINK_MOST)
		return LARCH_DROP_INTERNAL;
	cursor = cursor_begin(context);
	found.next = packet->tuple.protocol;
	if (!cursor_take(&cursor, packet->link_bytes + sizeof(struct ipv6hdr)) ||
	    !parse_extensions(&cursor, &found) || found.bytes > packet->payload)
		return LARCH_PASS_MALFORMED;
	packet->payload -= found.bytes;
	packet->tuple.protocol = found.next;
	packet->kind = found.kind;
	packet->fragment = found.identification;
	return GO;
}

/* Moves the cursor to the transport header, where another function has found it. */
static __always_inline bool parse_skip(struct xdp_md *context, struct cursor *cursor,
				       const struct packet *packet)
{
	__u32 offset = packet->link_bytes + packet->bytes - packet->payload;

	*cursor = cursor_begin(context);
	return offset <= TRANSPORT_MOST && cursor_take(cursor, offset);
}

/* ::ffff:0:0/96 is how IPv4 stands in our tables; on the wire it has no place (RFC 4291). */
static __always_inline bool parse_is_mapped(const struct in6_addr *address)
{
	const __be32 *word = address->in6_u.u6_addr32;

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline int parse_ipv6(struct xdp_md *context, struct cursor *cursor,
				      struct packet *packet)
{
	__u32 left = packet->frame_bytes - packet->link_bytes;
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	int go;

	if (!ip || ip->version != 6)
		return LARCH_PASS_MALFORMED;
	packet->payload = bpf_ntohs(ip->payload_len);
	if (packet->payload + sizeof(*ip) > left)
		return LARCH_PASS_MALFORMED;
	if (parse_is_mapped(&ip->saddr) || parse_is_mapped(&ip->daddr))
		return LARCH_PASS_MALFORMED;
	packet->bytes = packet->payload + sizeof(*ip);
	__builtin_memcpy(packet->tuple.source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(packet->tuple.destination, &ip->daddr, sizeof(ip->daddr));
	packet->tuple.ipv6 = 1;
	packet->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	packet->ttl = ip->hop_limit;
	packet->tuple.protocol = ip->nexthdr;
	if (!is_extension(ip->nexthdr))
		return GO;
	go = parse_extended(context, packet);
	if (go != GO)
		return go;
	return parse_skip(context, cursor, packet) ? GO : LARCH_PASS_MALFORMED;
}

/* Addresses and protocol. What is broken here is not known to be ours: the host may have it. */
static __always_inline int parse_network(struct xdp_md *context, struct cursor *cursor,
					 struct packet *packet)
{
	__be16 ethertype = 0;
	int go = parse_link(cursor, packet, &ethertype);

	if (go != GO)
		return go;
	if (ethertype == bpf_htons(ETH_P_IP))
		return parse_ipv4(cursor, packet);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(context, cursor, packet);
	return LARCH_PASS_NOT_IP;
}

static __always_inline int parse_tcp(struct cursor *cursor, struct packet *packet)
{
	struct tcphdr *tcp = cursor_take(cursor, sizeof(*tcp));
	__u32 header;

	if (!tcp)
		return LARCH_DROP_TRUNCATED;
	header = tcp->doff * 4;
	if (header < sizeof(*tcp) || header > packet->payload)
		return LARCH_DROP_TRUNCATED;
	packet->tuple.source_port = tcp->source;
	packet->tuple.destination_port = tcp->dest;
	packet->tcp_flags = ((__u8 *)tcp)[13];
	packet->sequence = bpf_ntohl(tcp->seq);
	packet->acknowledged = bpf_ntohl(tcp->ack_seq);
	packet->payload -= header;
	return GO;
}

static __always_inline int parse_udp(struct cursor *cursor, struct packet *packet)
{
	struct udphdr *udp = cursor_take(cursor, sizeof(*udp));

	if (!udp || packet->payload < sizeof(*udp))
		return LARCH_DROP_TRUNCATED;
	packet->tuple.source_port = udp->source;
	packet->tuple.destination_port = udp->dest;
	packet->payload -= sizeof(*udp);
	return GO;
}

/* Ports, and what TCP says. */
static __always_inline int parse_transport(struct cursor *cursor, struct packet *packet)
{
	bool tcp = packet->tuple.protocol == IPPROTO_TCP,
	     udp = packet->tuple.protocol == IPPROTO_UDP;

	packet->transport_bytes = packet->bytes - packet->payload;
	/* A fragment with more extension headers to come may be TCP or UDP: nobody can tell. */
	if (!tcp && !udp)
		return packet->kind && is_extension(packet->tuple.protocol)
			       ? LARCH_DROP_FRAGMENT
			       : LARCH_PASS_NOT_TRANSPORT;
	if (packet->kind == PACKET_LATER)
		return LARCH_DROP_FRAGMENT;
	if (tcp)
		return parse_tcp(cursor, packet);
	return parse_udp(cursor, packet);
}

/*
 * All of it. PASS_NOT_IP and PASS_MALFORMED: nothing is known of the packet. Any other outcome but
 * GO: addresses and protocol are known, ports are not.
 */
static __always_inline int parse(struct xdp_md *context, struct packet *packet)
{
	struct cursor cursor = cursor_begin(context);
	int go;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	packet->frame_bytes = frame_bytes(context);
	packet->ingress = context->ingress_ifindex;
	go = parse_network(context, &cursor, packet);
	return go == GO ? parse_transport(&cursor, packet) : go;
}
