/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The destination becomes the backend's address and port: nat.h for packets of the stack, whose
 * checksums may not be complete yet: the kernel's helpers know of that.
 */
#pragma once

#include "maps.h"
#include "packet.h"

#define NAT_LINK sizeof(struct ethhdr)

/* Where the transport's checksum is. */
static __always_inline __u32 health_nat_checksum(const struct packet *packet, __u32 transport)
{
	return transport + (packet->tuple.protocol == IPPROTO_TCP
				    ? __builtin_offsetof(struct tcphdr, check)
				    : __builtin_offsetof(struct udphdr, check));
}

static __always_inline bool health_nat_word(struct __sk_buff *context, __u32 at, __u32 checksum,
					    __u64 flags, __be32 to)
{
	__be32 from;

	return !bpf_skb_load_bytes(context, at, &from, sizeof(from)) &&
	       !bpf_l4_csum_replace(context, checksum, from, to,
				    flags | BPF_F_PSEUDO_HDR | sizeof(to)) &&
	       !bpf_skb_store_bytes(context, at, &to, sizeof(to), 0);
}

static __always_inline bool health_nat_port(struct __sk_buff *context, __u32 transport,
					    __u32 checksum, __u64 flags, __be16 to)
{
	__u32 at = transport + __builtin_offsetof(struct udphdr, dest);
	__be16 from;

	return !bpf_skb_load_bytes(context, at, &from, sizeof(from)) &&
	       !bpf_l4_csum_replace(context, checksum, from, to, flags | sizeof(to)) &&
	       !bpf_skb_store_bytes(context, at, &to, sizeof(to), 0);
}

static __always_inline bool health_nat_ipv4(struct __sk_buff *context, __u32 checksum, __u64 flags,
					    const struct larch_backend *backend)
{
	__u32 at = NAT_LINK + __builtin_offsetof(struct iphdr, daddr);
	__be32 from, to = backend->outer_destination[0];

	return !bpf_skb_load_bytes(context, at, &from, sizeof(from)) &&
	       !bpf_l3_csum_replace(context, NAT_LINK + __builtin_offsetof(struct iphdr, check),
				    from, to, sizeof(to)) &&
	       health_nat_word(context, at, checksum, flags, to);
}

static __always_inline bool health_nat(struct __sk_buff *context, const struct packet *packet,
				       const struct larch_backend *backend)
{
	bool ipv6 = packet->tuple.ipv6;
	__u32 at = NAT_LINK + __builtin_offsetof(struct ipv6hdr, daddr);
	__u32 transport = NAT_LINK + (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	__u32 checksum = health_nat_checksum(packet, transport);
	__u64 flags = packet->tuple.protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	if (backend->tunnel != (ipv6 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4))
		return false;
	if (!ipv6 && !health_nat_ipv4(context, checksum, flags, backend))
		return false;
	for (int i = 0; ipv6 && i < 4; i++) {
		if (!health_nat_word(context, at + 4 * i, checksum, flags,
				     backend->outer_destination[i]))
			return false;
	}
	return !packet->policy.port ||
	       health_nat_port(context, transport, checksum, flags, packet->policy.port);
}
