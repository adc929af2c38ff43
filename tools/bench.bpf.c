/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wrapper of `make bench`. Run again and again over one buffer, each of its programs undoes
 * what the balancer did to the buffer, writes a packet of the next flow into it, and tail-calls
 * whatever stands in bench_target: the balancer, or one of the floors, bench_empty and
 * bench_tunnel. What a run costs less what the floor costs in the same wrapper is the balancer's.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench_frame.h"
#include "frame.h"

#define REQUEST 64	 /* bytes of payload */
#define ANSWER	3000	 /* bytes that the client acknowledges: more than a segment */
#define ELSE	0x10000u /* 10.1.0.0: sources that a list denies */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_target SEC(".maps");

struct bench_walk bench_walk;

/* Moves the head back to where it was; always, so that every target's floor contains it. */
static __always_inline void *restore(struct xdp_md *context, __u32 bytes)
{
	__s64 moved = context->data_end - context->data - BENCH_FRAME;

	if (bpf_xdp_adjust_head(context, (int)moved))
		return NULL;
	if ((void *)(long)context->data + ETHERNET + bytes > (void *)(long)context->data_end)
		return NULL;
	return (void *)(long)context->data;
}

/* Hands the packet over. Comes back only if no program stands in bench_target. */
static __always_inline int run(struct xdp_md *context)
{
	bpf_tail_call(context, &bench_target, 0);
	return XDP_ABORTED;
}

/* A packet that has been written, but not yet handed over: its IP header, or NULL. */
static __always_inline struct iphdr *put_tcp4(struct xdp_md *context, __u32 flow, __u8 flags,
					      __u16 payload, __u32 sequence, __u32 acknowledged)
{
	void *at = restore(context, IPV4_BYTES + TCP_BYTES);
	struct iphdr *ip;

	if (!at)
		return NULL;
	ip = write_ethernet(at, ETH_P_IP);
	at = write_ipv4(ip, flow, BENCH_VIP_IPV4, IPPROTO_TCP, TCP_BYTES + payload);
	write_tcp(at, flow, flags, sequence, acknowledged);
	return ip;
}

static __always_inline struct ipv6hdr *put_tcp6(struct xdp_md *context, __u32 flow, __u8 flags,
						__u16 payload)
{
	void *at = restore(context, IPV6_BYTES + TCP_BYTES);
	struct ipv6hdr *ip;

	if (!at)
		return NULL;
	ip = write_ethernet(at, ETH_P_IPV6);
	write_tcp(write_ipv6(ip, flow, IPPROTO_TCP, TCP_BYTES + payload), flow, flags, 1, 1);
	return ip;
}

/* UDP with a payload; `least` bytes of it are about to be written. */
static __always_inline struct iphdr *put_udp4(struct xdp_md *context, __u32 flow, __u32 least)
{
	void *at = restore(context, IPV4_BYTES + UDP_BYTES + least);
	struct iphdr *ip;

	if (!at)
		return NULL;
	ip = write_ethernet(at, ETH_P_IP);
	at = write_ipv4(ip, flow, BENCH_VIP_IPV4, IPPROTO_UDP, UDP_BYTES + REQUEST);
	write_udp(at, flow, REQUEST);
	return ip;
}

static __always_inline struct ipv6hdr *put_udp6(struct xdp_md *context, __u32 flow, __u32 least)
{
	void *at = restore(context, IPV6_BYTES + UDP_BYTES + least);
	struct ipv6hdr *ip;

	if (!at)
		return NULL;
	ip = write_ethernet(at, ETH_P_IPV6);
	write_udp(write_ipv6(ip, flow, IPPROTO_UDP, UDP_BYTES + REQUEST), flow, REQUEST);
	return ip;
}

static __always_inline int run_tcp4(struct xdp_md *context, struct next next, __u8 flags,
				    __u16 payload, __u32 sequence, __u32 acknowledged)
{
	return put_tcp4(context, next.flow, flags, payload, sequence, acknowledged) ? run(context)
										    : XDP_ABORTED;
}

SEC(FRAME_SECTION)
int bench_syn_tcp4(struct xdp_md *context)
{
	return run_tcp4(context, next_packet(&bench_walk), TCP_SYN, 0, 0, 0);
}

SEC(FRAME_SECTION)
int bench_ack_tcp4(struct xdp_md *context)
{
	return run_tcp4(context, next_packet(&bench_walk), TCP_ACK, 0, 1, 1);
}

/* Segment after segment, no answer. */
SEC(FRAME_SECTION)
int bench_upload_tcp4(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);

	return run_tcp4(context, next, TCP_ACK | TCP_PSH, REQUEST, 1 + (__u32)next.round * REQUEST,
			1);
}

/* Even rounds: a request on each flow. Odd ones: the acknowledgment of its answer. */
SEC(FRAME_SECTION)
int bench_request_tcp4(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);
	__u32 answers = (__u32)(next.round + 1) / 2, requests = (__u32)next.round / 2;
	bool asks = next.round % 2 == 0;

	return run_tcp4(context, next, asks ? TCP_ACK | TCP_PSH : TCP_ACK, asks ? REQUEST : 0,
			1 + (asks ? requests : answers) * REQUEST, 1 + answers * ANSWER);
}

SEC(FRAME_SECTION)
int bench_syn_tcp6(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);

	return put_tcp6(context, next.flow, TCP_SYN, 0) ? run(context) : XDP_ABORTED;
}

SEC(FRAME_SECTION)
int bench_ack_tcp6(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);

	return put_tcp6(context, next.flow, TCP_ACK, 0) ? run(context) : XDP_ABORTED;
}

SEC(FRAME_SECTION)
int bench_udp4(struct xdp_md *context)
{
	return put_udp4(context, next_packet(&bench_walk).flow, 0) ? run(context) : XDP_ABORTED;
}

SEC(FRAME_SECTION)
int bench_udp6(struct xdp_md *context)
{
	return put_udp6(context, next_packet(&bench_walk).flow, 0) ? run(context) : XDP_ABORTED;
}

/* ---- not for us, or not let in ---- */

SEC(FRAME_SECTION)
int bench_other_tcp4(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);
	struct iphdr *ip = put_tcp4(context, next.flow, TCP_ACK, 0, 1, 1);

	if (!ip)
		return XDP_ABORTED;
	ip->daddr = bpf_htonl(BENCH_ELSEWHERE | next.flow);
	return run(context);
}

SEC(FRAME_SECTION)
int bench_other_tcp6(struct xdp_md *context)
{
	struct next next = next_packet(&bench_walk);
	struct ipv6hdr *ip = put_tcp6(context, next.flow, TCP_ACK, 0);

	if (!ip)
		return XDP_ABORTED;
	ip->daddr.in6_u.u6_addr32[2] = bpf_htonl(BENCH_ELSEWHERE | next.flow);
	return run(context);
}

SEC(FRAME_SECTION)
int bench_denied_tcp4(struct xdp_md *context)
{
	struct iphdr *ip = put_tcp4(context, next_packet(&bench_walk).flow, TCP_ACK, 0, 1, 1);

	if (!ip)
		return XDP_ABORTED;
	ip->saddr |= bpf_htonl(ELSE);
	return run(context);
}

SEC(FRAME_SECTION)
int bench_not_ip(struct xdp_md *context)
{
	void *at = restore(context, 0);

	next_packet(&bench_walk);
	if (!at)
		return XDP_ABORTED;
	write_ethernet(at, 0x0806);
	return run(context);
}

#include "bench_special.h"

/* Floor: a program that does nothing. */
SEC(FRAME_SECTION)
int bench_empty(struct xdp_md *context)
{
	(void)context;
	return XDP_TX;
}

/* Floor: the least that a tunnel costs, an outer header of constants. */
static __always_inline int tunnel(struct xdp_md *context, __u32 outer, __u16 ethertype)
{
	__u32 *word;
	void *at;

	if (bpf_xdp_adjust_head(context, -(int)outer))
		return XDP_ABORTED;
	at = (void *)(long)context->data;
	if (at + ETHERNET + outer > (void *)(long)context->data_end)
		return XDP_ABORTED;
	word = write_ethernet(at, ethertype);
	for (__u32 i = 0; i < outer / sizeof(*word); i++)
		word[i] = bpf_htonl(0x45000054u + i);
	return XDP_TX;
}

SEC(FRAME_SECTION)
int bench_tunnel4(struct xdp_md *context)
{
	return tunnel(context, IPV4_BYTES, ETH_P_IP);
}

SEC(FRAME_SECTION)
int bench_tunnel6(struct xdp_md *context)
{
	return tunnel(context, IPV6_BYTES, ETH_P_IPV6);
}

char _license[] SEC("license") = "GPL";
