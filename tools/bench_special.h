/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of the wrapper that are more than TCP or UDP from a client: answers of NAT's backends,
 * QUIC, fragments, ICMP, the second chance. Part of bench.bpf.c, behind what these are made from.
 */
#pragma once

#include "larch/chance.h"

#define FRAGMENT_FIRST 0x2000 /* more to come */
#define FRAGMENT_LATER 9      /* behind 72 bytes */
#define QUIC_BYTES     6      /* of what write_quic() writes */
#define ICMP_BYTES     8

/* ---- NAT's answers: data from the backends' port to the flow's client ---- */

static __always_inline void turn_ports(struct tcphdr *tcp)
{
	tcp->dest = tcp->source;
	tcp->source = bpf_htons(BENCH_BACKEND_PORT);
}

SEC(FRAME_SECTION)
int bench_answer_tcp4(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);
	struct iphdr *ip = put_tcp4(context, next.flow, TCP_ACK | TCP_PSH, REQUEST, 1, 1);

	if (!ip)
		return XDP_ABORTED;
	ip->daddr = ip->saddr;
	ip->saddr = bpf_htonl(BENCH_BACKENDS + next.flow % BENCH_MEMBERS);
	turn_ports((struct tcphdr *)(ip + 1));
	return run(context);
}

SEC(FRAME_SECTION)
int bench_answer_tcp6(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);
	struct ipv6hdr *ip = put_tcp6(context, next.flow, TCP_ACK | TCP_PSH, REQUEST / 2);

	if (!ip)
		return XDP_ABORTED;
	ip->daddr = ip->saddr;
	ip->saddr = (struct in6_addr){};
	ip->saddr.in6_u.u6_addr32[0] =
		bpf_htonl(BENCH_BACKENDS + BENCH_MEMBERS + next.flow % BENCH_MEMBERS);
	turn_ports((struct tcphdr *)(ip + 1));
	return run(context);
}

/* ---- QUIC: short headers ---- */

static __always_inline int run_quic4(struct xdp_md *context, struct next next, __u32 id)
{
	struct iphdr *ip = put_udp4(context, next.flow, QUIC_BYTES);

	if (!ip)
		return XDP_ABORTED;
	write_quic((void *)(ip + 1) + UDP_BYTES, id);
	return run(context);
}

SEC(FRAME_SECTION)
int bench_quic_udp4(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);

	return run_quic4(context, next, BENCH_QUIC_ID + next.flow % BENCH_MEMBERS);
}

SEC(FRAME_SECTION)
int bench_quic_udp6(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);
	struct ipv6hdr *ip = put_udp6(context, next.flow, QUIC_BYTES);

	if (!ip)
		return XDP_ABORTED;
	write_quic((void *)(ip + 1) + UDP_BYTES, BENCH_QUIC_ID + next.flow % BENCH_MEMBERS);
	return run(context);
}

/* The id is nobody's. */
SEC(FRAME_SECTION)
int bench_quic_nobody_udp4(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);

	return run_quic4(context, next, ~BENCH_QUIC_ID);
}

/* ---- fragments ---- */

static __always_inline int run_fragment(struct xdp_md *context, __u16 place)
{
	struct next next = next_packet(&bench_walk);
	struct iphdr *ip = put_udp4(context, next.flow, 0);

	if (!ip)
		return XDP_ABORTED;
	write_fragment(ip, next.flow, place);
	return run(context);
}

SEC(FRAME_SECTION)
int bench_first_udp4(struct xdp_md *context)
{
	return run_fragment(context, FRAGMENT_FIRST);
}

SEC(FRAME_SECTION)
int bench_later_udp4(struct xdp_md *context)
{
	return run_fragment(context, FRAGMENT_LATER);
}

/* ---- ICMP ---- */

SEC(FRAME_SECTION)
int bench_echo4(struct xdp_md *context)
{
	void *at = restore(context, IPV4_BYTES + ICMP_BYTES);
	struct next next = next_packet(&bench_walk);

	if (!at)
		return XDP_ABORTED;
	at = write_ipv4(write_ethernet(at, ETH_P_IP), next.flow, BENCH_VIP_IPV4, IPPROTO_ICMP,
			ICMP_BYTES + REQUEST);
	write_icmp(at, 8, 0, next.flow);
	return run(context);
}

/* The client's host says that the service's answer does not fit the way to it. */
SEC(FRAME_SECTION)
int bench_error4(struct xdp_md *context)
{
	void *at = restore(context, 2 * IPV4_BYTES + ICMP_BYTES + TCP_BYTES);
	struct next next = next_packet(&bench_walk);
	struct tcphdr *tcp;
	struct iphdr *ip;

	if (!at)
		return XDP_ABORTED;
	at = write_ipv4(write_ethernet(at, ETH_P_IP), next.flow, BENCH_VIP_IPV4, IPPROTO_ICMP,
			ICMP_BYTES + IPV4_BYTES + TCP_BYTES);
	ip = write_icmp(at, 3, 4, 1400);
	tcp = write_ipv4(ip, next.flow, BENCH_VIP_IPV4, IPPROTO_TCP, TCP_BYTES);
	write_tcp(tcp, next.flow, TCP_ACK, 1, 1);
	ip->daddr = ip->saddr;
	ip->saddr = bpf_htonl(BENCH_VIP_IPV4);
	tcp->dest = tcp->source;
	tcp->source = bpf_htons(BENCH_PORT);
	return run(context);
}

/* ---- the second chance: a backend's answer, with the balancer's own token ---- */

static __always_inline __u64 token(const struct iphdr *ip, const struct tcphdr *tcp, __u32 epoch,
				   __u16 backend)
{
	const __u64 seed[2] = {BENCH_SEED_HIGH, BENCH_SEED_LOW};
	struct larch_tuple tuple = {
		.source = {0, 0, bpf_htonl(0xffff), ip->saddr},
		.destination = {0, 0, bpf_htonl(0xffff), ip->daddr},
		.source_port = tcp->source,
		.destination_port = tcp->dest,
		.protocol = IPPROTO_TCP,
	};

	return larch_token(seed, larch_hash(&tuple, false, seed), epoch, backend, 0);
}

static __always_inline void write_question(void *at, enum larch_answer answer, __u32 epoch,
					   __u16 backend, __u64 token)
{
	struct larch_question *question = at;

	question->magic = bpf_htonl(LARCH_QUESTION_MAGIC);
	question->answer = answer;
	question->hop = 0;
	question->backend = bpf_htons(backend);
	question->epoch = bpf_htonl(epoch);
	question->token[0] = bpf_htonl(token >> 32);
	question->token[1] = bpf_htonl((__u32)token);
}

static __always_inline int run_answer(struct xdp_md *context, enum larch_answer answer)
{
	const __u32 inner = IPV4_BYTES + TCP_BYTES, wrap = 4 + sizeof(struct larch_question);
	__u32 epoch = bpf_jiffies64() >> BENCH_STAMP_SHIFT;
	void *at = restore(context, IPV4_BYTES + UDP_BYTES + wrap + inner);
	struct next next = next_packet(&bench_walk);
	__u16 backend = next.flow % BENCH_MEMBERS;
	struct udphdr *udp;
	struct iphdr *ip;

	if (!at)
		return XDP_ABORTED;
	udp = write_ipv4(write_ethernet(at, ETH_P_IP), next.flow, BENCH_SELF, IPPROTO_UDP,
			 UDP_BYTES + wrap + inner);
	write_udp(udp, next.flow, wrap + inner);
	udp->dest = bpf_htons(LARCH_GUE_PORT);
	at = udp + 1;
	*(__be32 *)at = bpf_htonl(LARCH_QUESTION_WORDS << 24 | IPPROTO_IPIP << 16);
	ip = at + wrap;
	write_tcp(write_ipv4(ip, next.flow, BENCH_VIP_IPV4, IPPROTO_TCP, TCP_BYTES), next.flow,
		  TCP_ACK, 1, 1);
	write_question(at + 4, answer, epoch, backend,
		       token(ip, (struct tcphdr *)(ip + 1), epoch, backend));
	return run(context);
}

SEC(FRAME_SECTION)
int bench_mine_tcp4(struct xdp_md *context)
{
	return run_answer(context, LARCH_ANSWER_MINE);
}

SEC(FRAME_SECTION)
int bench_others_tcp4(struct xdp_md *context)
{
	return run_answer(context, LARCH_ANSWER_OTHERS);
}
