/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of numbered flows, as the benchmarks' BPF programs write them. The flows are visited in
 * a random order, each once a round. The including file brings vmlinux.h and libbpf's headers.
 */
#pragma once

#include "bench.h"
#include "packet.h"

#define TCP_PSH	   0x08
#define IPV4_BYTES sizeof(struct iphdr)
#define IPV6_BYTES sizeof(struct ipv6hdr)
#define TCP_BYTES  sizeof(struct tcphdr)
#define UDP_BYTES  sizeof(struct udphdr)
#define ETHERNET   sizeof(struct ethhdr)

/* A packet to be written: whose it is, and how far its connection has come. */
struct next {
	__u32 flow;
	__u64 round;
};

/* A permutation of the flows for each round: xorshift and odd factors map 2^bits one to one. */
static __always_inline struct next next_packet(struct bench_walk *walk)
{
	__u64 count = walk->count++;
	__u32 bits = walk->bits, mask = (1u << bits) - 1;
	struct next next = {.round = count >> bits};
	__u32 flow = count;

	flow ^= (__u32)next.round * 0x9e3779b1u;
	flow = flow * 0x85ebca6bu & mask;
	flow ^= flow >> (bits + 1) / 2;
	flow = flow * 0xc2b2ae35u & mask;
	flow ^= flow >> (bits + 1) / 2;
	next.flow = flow & mask;
	return next;
}

static __always_inline void *write_ethernet(void *at, __u16 ethertype)
{
	struct ethhdr *ethernet = at;

	*(__u64 *)at = 0x0002010000000002ull;
	*(__u32 *)(at + 8) = 0x01000200;
	ethernet->h_proto = bpf_htons(ethertype);
	return ethernet + 1;
}

static __always_inline void *write_ipv4(struct iphdr *ip, __u32 flow, __u32 destination,
					__u8 protocol, __u16 bytes)
{
	*(__be32 *)ip = bpf_htonl(0x45000000u | (bytes + sizeof(*ip)));
	*((__be32 *)ip + 1) = 0;
	ip->ttl = 57;
	ip->protocol = protocol;
	ip->check = 0; /* nobody looks */
	ip->saddr =
		bpf_htonl(BENCH_CLIENT_IPV4 | (flow % BENCH_PREFIXES) << 8 | (flow >> 8 & 0xff));
	ip->daddr = bpf_htonl(destination);
	return ip + 1;
}

static __always_inline void *write_ipv6(struct ipv6hdr *ip, __u32 flow, __u8 protocol, __u16 bytes)
{
	__be32 *word = (__be32 *)ip;

	word[0] = bpf_htonl(0x60000000u);
	word[1] = bpf_htonl((__u32)bytes << 16 | (__u32)protocol << 8 | 57);
	word[2] = bpf_htonl(BENCH_CLIENT_HIGH);
	word[3] = bpf_htonl((flow % BENCH_PREFIXES) << 16);
	word[4] = 0;
	word[5] = bpf_htonl(flow >> 8 & 0xff);
	word[6] = bpf_htonl(BENCH_VIP_HIGH);
	word[7] = 0;
	word[8] = 0;
	word[9] = bpf_htonl(BENCH_VIP_LOW);
	return ip + 1;
}

/* Makes it a fragment: `place` is the flag of more to come, or an offset. */
static __always_inline void write_fragment(struct iphdr *ip, __u32 flow, __u16 place)
{
	*((__be32 *)ip + 1) = bpf_htonl((flow & 0xffff) << 16 | place);
}

static __always_inline void write_tcp(struct tcphdr *tcp, __u32 flow, __u8 flags, __u32 sequence,
				      __u32 acknowledged)
{
	tcp->source = bpf_htons(1024 + (flow >> 16));
	tcp->dest = bpf_htons(BENCH_PORT);
	tcp->seq = bpf_htonl(sequence);
	tcp->ack_seq = bpf_htonl(acknowledged);
	*(__be16 *)((void *)tcp + 12) = bpf_htons(5 << 12 | flags);
	tcp->window = bpf_htons(0xffff);
}

static __always_inline void write_udp(struct udphdr *udp, __u32 flow, __u16 payload)
{
	udp->source = bpf_htons(1024 + (flow >> 16));
	udp->dest = bpf_htons(BENCH_PORT);
	udp->len = bpf_htons(UDP_BYTES + payload);
	udp->check = 0;
}

/* ICMP's type, code, checksum that nobody looks at, and the word behind. */
static __always_inline void *write_icmp(void *at, __u8 type, __u8 code, __u32 rest)
{
	__be32 *word = at;

	word[0] = bpf_htonl((__u32)type << 24 | (__u32)code << 16);
	word[1] = bpf_htonl(rest);
	return word + 2;
}

/* The begin of a short QUIC header: the first byte, and a connection id that a server chose. */
static __always_inline void write_quic(void *at, __u32 id)
{
	__be16 *word = at;

	word[0] = bpf_htons(0x4000 | BENCH_QUIC_CONFIG << 5);
	word[1] = bpf_htons(id >> 16);
	word[2] = bpf_htons(id);
}
