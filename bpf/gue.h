/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets in UDP: generic UDP encapsulation (GUE), without a checksum over IPv4. */
#pragma once

#include "checksum.h"
#include "cursor.h"
#include "packet.h"

#define GUE_BYTES (sizeof(struct udphdr) + sizeof(struct larch_gue))

/*
 * Is all that follows the IP header summed up, with a pseudo header, by the transport's own
 * checksum? `bytes` is what the IP header says of its length.
 */
static __always_inline bool gue_is_summed(struct cursor *cursor, __u8 protocol, __be16 bytes)
{
	struct udphdr *udp;

	if (protocol != IPPROTO_UDP)
		return protocol == IPPROTO_TCP || protocol == IPPROTO_ICMPV6;
	udp = cursor_take(cursor, sizeof(*udp));
	return udp && udp->check && udp->len == bytes;
}

/* The header sums to 0xffff, which is nothing; what it holds, to the pseudo header's negative. */
static __always_inline bool gue_sum_ipv4(struct cursor *cursor, __u64 *sum)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__be16 bytes;

	if (!ip || ip->ihl * 4 != sizeof(*ip) || ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return false;
	if (ip->protocol == IPPROTO_ICMP) /* has no pseudo header */
		return true;
	bytes = bpf_htons(bpf_ntohs(ip->tot_len) - sizeof(*ip));
	*sum += checksum_fold_wide((__u64)ip->saddr + ip->daddr + bytes + bpf_htons(ip->protocol));
	return ip->protocol != IPPROTO_ICMPV6 && gue_is_summed(cursor, ip->protocol, bytes);
}

/* Addresses and length are in header and pseudo header: what remains are the other words. */
static __always_inline bool gue_sum_ipv6(struct cursor *cursor, __u64 *sum)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));

	if (!ip)
		return false;
	*sum += *(__be32 *)ip;
	*sum += ((__be16 *)ip)[3] + (__u16)~bpf_htons(ip->nexthdr);
	return gue_is_summed(cursor, ip->nexthdr, ip->payload_len);
}

/*
 * The checksum over UDP, GUE and the packet in them, to which the cursor points: without reading
 * its payload, since the packet's own checksums say what that sums up to (if they are wrong, so is
 * this one). 0, no checksum, if it does not follow from them (fragments, options): tunnels may do
 * so over IPv6 (RFC 6935).
 */
static __always_inline __sum16 gue_checksum(struct cursor cursor, const struct packet *packet,
					    const struct larch_backend *backend,
					    const struct udphdr *udp, const struct larch_gue *gue)
{
	__u64 sum = (__u64)backend->checksum + bpf_htons(IPPROTO_UDP) + udp->source + udp->dest;
	bool known;
	__u16 check;

	sum += 2 * (__u64)udp->len + bpf_htons(gue->protocol);
	known = packet->tuple.ipv6 ? gue_sum_ipv6(&cursor, &sum) : gue_sum_ipv4(&cursor, &sum);
	check = checksum_fold_wide(sum);
	return !known ? 0 : check ?: 0xffff;
}

static __always_inline __be16 gue_source_port(const struct packet *packet)
{
	__u32 bits = packet->hash & ((1u << LARCH_GUE_SOURCE_BITS) - 1);

	return bpf_htons(LARCH_GUE_SOURCE_PORT | bits);
}

/* Writes UDP and GUE headers where the cursor stands, which is right before the packet. */
static __always_inline int gue_write(struct cursor *cursor, const struct packet *packet,
				     const struct larch_backend *backend)
{
	struct udphdr *udp = cursor_take(cursor, sizeof(*udp));
	struct larch_gue *gue = cursor_take(cursor, sizeof(*gue));

	if (!udp || !gue)
		return LARCH_DROP_INTERNAL;
	*gue = (struct larch_gue){.protocol = tunnel_protocol(packet)};
	udp->source = gue_source_port(packet);
	udp->dest = bpf_htons(LARCH_GUE_PORT);
	udp->len = bpf_htons(packet->bytes + GUE_BYTES);
	udp->check = 0;
	if (backend->tunnel == LARCH_TUNNEL_IPV6)
		udp->check = gue_checksum(*cursor, packet, backend, udp, gue);
	return GO;
}

/* Sends the packet to the backend in GUE. */
STAGE int gue_forward(struct xdp_md *context, struct packet *packet,
		      const struct larch_backend *backend)
{
	struct cursor cursor;
	int go;

	if (!packet || !backend)
		return LARCH_DROP_INTERNAL;
	go = link_write(context, packet, backend, tunnel_bytes(backend) + GUE_BYTES,
			backend->ethertype, &cursor);
	if (go == GO)
		go = tunnel_write(&cursor, packet, backend, IPPROTO_UDP, packet->bytes + GUE_BYTES);
	return go == GO ? gue_write(&cursor, packet, backend) : go;
}
