/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwarding by NAT: the destination of what clients send becomes the backend's address and port,
 * and the source of what backends answer becomes the service's again. Backends run nothing of ours;
 * their way to the clients leads through this host. No state: which service an answer belongs to
 * follows from where it comes from (LARCH_VIP_RETURN). Checksums are changed by the difference
 * (RFC 1624). Like any router, it takes one from the TTL or hop limit of what it sends on, so that
 * nothing goes round for ever.
 */
#pragma once

#include "checksum.h"
#include "cursor.h"
#include "maps.h"
#include "packet.h"

/* Where in a frame the ports that an error quotes begin, at most; a mask. */
#define NAT_QUOTE_MOST 0x7fff

/* One address and port to be replaced, in the source or in the destination of a packet. */
struct nat_end {
	__be32 address[4];
	__be16 port; /* 0: stays */
	__u8 source; /* the source; else the destination */
};

/* TTL of what is not sent on. */
#define NAT_LAST_LIFE 1

/* One hop less to go for a packet without VLAN tags. */
STAGE int nat_live(struct xdp_md *context, const struct packet *packet)
{
	struct cursor cursor;

	if (!packet)
		return false;
	cursor = cursor_begin(context);
	if (!cursor_take(&cursor, sizeof(struct ethhdr)))
		return false;
	if (packet->tuple.ipv6) {
		struct ipv6hdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip)
			return false;
		ip->hop_limit--;
	} else {
		struct iphdr *ip = cursor_take(&cursor, sizeof(*ip));
		__be16 *ttl_and_protocol, before;

		if (!ip)
			return false;
		ttl_and_protocol = (__be16 *)&ip->ttl;
		before = *ttl_and_protocol;
		ip->ttl--;
		ip->check = checksum_change(ip->check, before, *ttl_and_protocol);
	}
	return true;
}

/* Ones' complement sum of what changes: the new words, and the old ones' complement. */
static __always_inline __u32 nat_add(__u32 sum, __be32 before, __be32 after)
{
	sum += (~before & 0xffff) + (~before >> 16);
	return sum + (after & 0xffff) + (after >> 16);
}

static __always_inline __u16 nat_apply(__u16 checksum, __u32 sum)
{
	return checksum_fold((__u16)~checksum + sum);
}

/* Replaces the address; returns what sums over it change by. */
static __always_inline __u32 nat_ipv4(struct iphdr *ip, const struct nat_end *end)
{
	__be32 *address = end->source ? &ip->saddr : &ip->daddr;
	__u32 sum = nat_add(0, *address, end->address[3]);

	*address = end->address[3];
	ip->check = nat_apply(ip->check, sum);
	return sum;
}

static __always_inline __u32 nat_ipv6(struct ipv6hdr *ip, const struct nat_end *end)
{
	__be32 *address = end->source ? ip->saddr.in6_u.u6_addr32 : ip->daddr.in6_u.u6_addr32;
	__u32 sum = 0;

	for (int i = 0; i < 4; i++) {
		sum = nat_add(sum, address[i], end->address[i]);
		address[i] = end->address[i];
	}
	return sum;
}

static __always_inline __u32 nat_port(__be16 *port, __be16 to, __u32 sum)
{
	if (!to)
		return sum;
	sum += (__u16) ~*port + to;
	*port = to;
	return sum;
}

/* Replaces the port; `sum` is what the addresses' change adds to the pseudo header. */
static __always_inline bool nat_tcp(struct cursor *cursor, const struct nat_end *end, __u32 sum)
{
	struct tcphdr *tcp = cursor_take(cursor, sizeof(*tcp));

	if (!tcp)
		return false;
	sum = nat_port(end->source ? &tcp->source : &tcp->dest, end->port, sum);
	tcp->check = nat_apply(tcp->check, sum);
	return true;
}

/* Over IPv4 a checksum of 0 says that there is none. */
static __always_inline bool nat_udp(struct cursor *cursor, const struct nat_end *end, __u32 sum)
{
	struct udphdr *udp = cursor_take(cursor, sizeof(*udp));

	if (!udp)
		return false;
	sum = nat_port(end->source ? &udp->source : &udp->dest, end->port, sum);
	if (udp->check)
		udp->check = nat_apply(udp->check, sum) ?: 0xffff;
	return true;
}

static __always_inline bool nat_same(const __be32 one[4], const __be32 other[4])
{
	return one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3];
}

/*
 * In the packet that an error quotes, the other end is the one to replace. The error's own end is
 * replaced with it where it is the same host: a router's stays. What changes in an IPv4 header
 * cancels out with its own checksum; ICMPv6 has the addresses in its pseudo header. *addresses:
 * what sums over the quoted addresses change by.
 */
static __always_inline bool nat_error_ipv4(struct cursor outer, struct cursor quoted,
					   const struct nat_end *end, const struct nat_end *other,
					   __u32 *addresses)
{
	struct iphdr *ip = cursor_take(&outer, sizeof(*ip));
	struct iphdr *in = cursor_take(&quoted, sizeof(*in));

	if (!ip || !in)
		return false;
	if (end->source ? ip->saddr == in->daddr : ip->daddr == in->saddr)
		nat_ipv4(ip, end);
	*addresses = nat_ipv4(in, other);
	return true;
}

static __always_inline bool nat_error_ipv6(struct cursor outer, struct cursor quoted,
					   const struct nat_end *end, const struct nat_end *other,
					   __u32 *addresses, __u32 *sum)
{
	struct ipv6hdr *ip = cursor_take(&outer, sizeof(*ip));
	struct ipv6hdr *in = cursor_take(&quoted, sizeof(*in));

	if (!ip || !in)
		return false;
	if (end->source ? nat_same(ip->saddr.in6_u.u6_addr32, in->daddr.in6_u.u6_addr32)
			: nat_same(ip->daddr.in6_u.u6_addr32, in->saddr.in6_u.u6_addr32))
		*sum = nat_ipv6(ip, end);
	*addresses = nat_ipv6(in, other);
	*sum += *addresses;
	return true;
}

/*
 * The port that an error quotes, and the checksum of UDP, which stands in the bytes that every
 * error quotes (that of TCP does not). `at`: where in the frame they begin. Returns what the
 * error's own sum changes by, or -1.
 */
STAGE int nat_error_ports(struct xdp_md *context, const struct packet *packet,
			  const struct nat_end *other, __u32 addresses, __u32 at)
{
	struct cursor cursor;
	__be16 *ports, before;
	__u32 sum;

	if (!packet || !other || at > NAT_QUOTE_MOST)
		return -1;
	cursor = cursor_begin(context);
	if (!cursor_take(&cursor, at & NAT_QUOTE_MOST))
		return -1;
	ports = cursor_take(&cursor, ICMP_QUOTES);
	if (!ports)
		return -1;
	sum = nat_port(other->source ? &ports[0] : &ports[1], other->port, 0);
	before = ports[3];
	if (packet->tuple.protocol != IPPROTO_UDP || !before)
		return sum;
	ports[3] = nat_apply(before, addresses + sum) ?: 0xffff;
	return sum + (__u16)~before + ports[3];
}

/* The same as nat_rewrite() for an ICMP error. */
STAGE int nat_rewrite_error(struct xdp_md *context, const struct packet *packet,
			    const struct nat_end *end)
{
	struct cursor outer, cursor;
	struct larch_tuple flow;
	struct nat_end other;
	struct icmp *icmp;
	__u32 sum = 0, addresses = 0, bytes, link, transport;
	int changed;

	if (!packet || !end)
		return false;
	link = packet->link_bytes;
	transport = packet->transport_bytes;
	if (link > PACKET_LINK_MOST || transport > TRANSPORT_MOST)
		return false;
	outer = cursor_begin(context);
	if (!cursor_take(&outer, link))
		return false;
	cursor = outer;
	if (!cursor_take(&cursor, transport))
		return false;
	icmp = cursor_take(&cursor, sizeof(*icmp));
	if (!icmp)
		return false;
	other = *end;
	other.source = !end->source;
	if (packet->tuple.ipv6 ? !nat_error_ipv6(outer, cursor, end, &other, &addresses, &sum)
			       : !nat_error_ipv4(outer, cursor, end, &other, &addresses))
		return false;
	if (packet->tuple.ipv6 ? !icmp_inner_ipv6(&cursor, &flow, &bytes)
			       : !icmp_inner_ipv4(&cursor, &flow, &bytes))
		return false;
	changed = nat_error_ports(context, packet, &other, addresses,
				  link + transport + sizeof(*icmp) + bytes);
	if (changed < 0)
		return false;
	icmp->checksum = nat_apply(icmp->checksum, sum + changed);
	return true;
}

/* Replaces one end of the packet behind its link header. False: the packet is too short. */
STAGE int nat_rewrite(struct xdp_md *context, const struct packet *packet,
		      const struct nat_end *end)
{
	struct cursor cursor, network;
	__u32 sum, link, transport;

	if (!packet || !end)
		return false;
	link = packet->link_bytes;
	transport = packet->transport_bytes;
	if (link > PACKET_LINK_MOST || transport > TRANSPORT_MOST)
		return false;
	cursor = cursor_begin(context);
	if (!cursor_take(&cursor, link))
		return false;
	network = cursor;
	if (packet->tuple.ipv6) {
		struct ipv6hdr *ip = cursor_take(&network, sizeof(*ip));

		if (!ip)
			return false;
		sum = nat_ipv6(ip, end);
	} else {
		struct iphdr *ip = cursor_take(&network, sizeof(*ip));

		if (!ip)
			return false;
		sum = nat_ipv4(ip, end);
	}
	if (packet->kind == PACKET_LATER)
		return true;
	if (!cursor_take(&cursor, transport))
		return false;
	return packet->tuple.protocol == IPPROTO_TCP ? nat_tcp(&cursor, end, sum)
						     : nat_udp(&cursor, end, sum);
}

static __always_inline int nat_change(struct xdp_md *context, const struct packet *packet,
				      const struct nat_end *end)
{
	int done = packet->kind == PACKET_ERROR ? nat_rewrite_error(context, packet, end)
						: nat_rewrite(context, packet, end);

	return done ? GO : LARCH_DROP_INTERNAL;
}

static __always_inline void nat_address(const struct packet *packet,
					const struct larch_backend *backend, __be32 address[4])
{
	if (packet->tuple.ipv6) {
		__builtin_memcpy(address, backend->outer_destination,
				 sizeof(backend->outer_destination));
	} else {
		address[0] = address[1] = 0;
		address[2] = bpf_htonl(0xffff);
		address[3] = backend->outer_destination[0];
	}
}

/* The Ethernet header on the way to the backend, and the only one; and one hop less to go. */
static __always_inline int nat_link(struct xdp_md *context, struct packet *packet,
				    const struct larch_backend *backend)
{
	__u16 ethertype = packet->tuple.ipv6 ? ETH_P_IPV6 : ETH_P_IP;
	struct cursor cursor;
	int go = link_write(context, packet, backend, 0, bpf_htons(ethertype), &cursor);

	if (go != GO)
		return go;
	packet->link_bytes = sizeof(struct ethhdr);
	return nat_live(context, packet) ? GO : LARCH_DROP_INTERNAL;
}

/*
 * To the backend. One that is a client of its own service is its own server: towards it, it looks
 * as if the service itself asked, or its answer would not come here.
 */
STAGE int nat_forward(struct xdp_md *context, struct packet *packet,
		      const struct larch_backend *backend)
{
	struct nat_end end = {};
	int go;

	if (!packet || !backend)
		return LARCH_DROP_INTERNAL;
	if (backend->tunnel != (packet->tuple.ipv6 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4))
		return LARCH_DROP_NO_BACKEND;
	if (packet->ttl <= NAT_LAST_LIFE)
		return LARCH_PASS_TTL_ENDS;
	go = nat_link(context, packet, backend);
	if (go != GO)
		return go;
	nat_address(packet, backend, end.address);
	end.port = packet->policy.port;
	go = nat_change(context, packet, &end);
	if (go != GO || !nat_same(packet->tuple.source, end.address))
		return go;
	__builtin_memcpy(end.address, packet->tuple.destination, sizeof(end.address));
	end.port = 0;
	end.source = true;
	return nat_change(context, packet, &end);
}
