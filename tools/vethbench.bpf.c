/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sends packets through balancers behind veth links, and counts what comes back. veth_generate is
 * run with BPF_F_TEST_XDP_LIVE_FRAMES: it writes every header of each frame and redirects it into
 * the link whose turn it is. veth_sink stands on the near end of each link, counts and drops.
 *
 * Generator, balancer and sink follow one another on one CPU, so the time of a turn is what its
 * packets cost altogether. Paths that take turns see the same machine: compare them turn by turn.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench_frame.h"
#include "vethbench.h"

struct veth_run veth_run;

static __always_inline __u16 ipv4_checksum(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

	for (__u32 i = 0; i < IPV4_BYTES / sizeof(*word); i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline void begin_turn(struct veth_run *run, __u64 now)
{
	run->began = now;
	run->received_then = run->received;
}

/* A turn that a call of the kernel left unfinished is forgotten. */
static __always_inline void end_turn(struct veth_run *run)
{
	__u64 now = bpf_ktime_get_ns();

	if (run->sent && now - run->began < VETH_TURN_NS)
		return;
	if (run->sent) {
		struct veth_turn *turn = &run->turn[run->turns++ % VETH_TURNS];

		turn->ns = now - run->began;
		turn->received = run->received - run->received_then;
	}
	begin_turn(run, now);
}

static __always_inline struct veth_path *next_path(struct veth_run *run)
{
	if (run->sent % VETH_BATCH == 0)
		end_turn(run);
	run->sent++;
	return &run->path[run->paths == VETH_PATHS && run->turns % VETH_PATHS];
}

SEC("xdp")
int veth_generate(struct xdp_md *context)
{
	struct veth_path *path = next_path(&veth_run);
	struct next next = next_packet(&path->walk);
	void *at = (void *)(long)context->data;
	struct iphdr *ip;

	if (at + ETHERNET + IPV4_BYTES + TCP_BYTES > (void *)(long)context->data_end)
		return XDP_ABORTED;
	ip = write_ethernet(at, ETH_P_IP);
	at = write_ipv4(ip, next.flow, BENCH_VIP_IPV4, IPPROTO_TCP, TCP_BYTES);
	ip->check = ipv4_checksum(ip);
	write_tcp(at, next.flow, veth_run.tcp_flags, 1, veth_run.tcp_flags & TCP_ACK ? 1 : 0);
	return bpf_redirect(path->ifindex, 0);
}

/* Counts packets that went where they should have gone; of tunnels the outer header says it. */
SEC("xdp")
int veth_sink(struct xdp_md *context)
{
	struct ethhdr *ethernet = (void *)(long)context->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	__u32 network;

	if ((void *)(ip + 1) > (void *)(long)context->data_end)
		return XDP_PASS;
	if (ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	network = bpf_ntohl(ip->daddr) >> 8;
	if (network == veth_run.path[0].network || network == veth_run.path[1].network)
		veth_run.received++;
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
