/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Larch's agent: an XDP program on each backend that takes packets out of the balancer's tunnels
 * (IP in IP or GUE, IPv4 or IPv6 in either) and passes them to the host, which owns the service's
 * address on its loopback interface and answers the client directly. What is not tunnelled passes
 * untouched. Asked whether the socket of a flow is here, it answers (see answer.h).
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "cursor.h"
#include "frame.h"
#include "larch/outcome.h"
#include "packet.h"

#include "parse.h"
#include "answer.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_AGENT_OUTCOME_COUNT);
	__type(key, __u32);
	__type(value, struct larch_counter);
} larch_agent SEC(".maps");

/* What the outer headers say. */
struct tunnel {
	__u32 bytes;	/* of these headers, from the IP header on */
	__u32 inner;	/* of what is in them, by their word */
	__u16 fragment; /* IPV4_FRAGMENT's bits; 0: no fragment */
	__u8 protocol;	/* what is in them */
	bool question;	/* the last of these headers is a struct larch_question */
	bool ipv4;	/* the outer IP header is */
};

/* Outer headers with options or extensions are not ours: passed untouched. */
static __always_inline bool tunnel_ipv4(struct cursor *cursor, struct tunnel *tunnel)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 total;

	if (!ip || ip->version != 4 || ip->ihl * 4 != sizeof(*ip))
		return false;
	total = bpf_ntohs(ip->tot_len);
	tunnel->ipv4 = true;
	tunnel->bytes = sizeof(*ip);
	tunnel->inner = total > sizeof(*ip) ? total - sizeof(*ip) : 0;
	tunnel->protocol = ip->protocol;
	tunnel->fragment = bpf_ntohs(ip->frag_off) & IPV4_FRAGMENT;
	return true;
}

static __always_inline bool tunnel_ipv6(struct cursor *cursor, struct tunnel *tunnel)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));

	if (!ip || ip->version != 6)
		return false;
	tunnel->bytes = sizeof(*ip);
	tunnel->inner = bpf_ntohs(ip->payload_len);
	tunnel->protocol = ip->nexthdr;
	return true;
}

/*
 * Not an answer: two agents would send one to and fro for ever, if somebody forged a question from
 * one to the other.
 */
static __always_inline bool tunnel_question(struct cursor *cursor)
{
	struct larch_question *question = cursor_take(cursor, sizeof(*question));

	return question && question->magic == bpf_htonl(LARCH_QUESTION_MAGIC) &&
	       question->answer == LARCH_ANSWER_NONE;
}

/*
 * UDP to our port. Its checksum is not verified: that would take reading the whole packet, which
 * has checksums of its own that the host verifies; and what a damaged GUE header announces would
 * have to follow it. Of a later fragment the port is not known: it is left to the host.
 */
static __always_inline int tunnel_gue(struct cursor *cursor, struct tunnel *tunnel)
{
	__u32 bytes = sizeof(struct udphdr) + sizeof(struct larch_gue);
	struct udphdr *udp = cursor_take(cursor, sizeof(*udp));
	struct larch_gue *gue;
	__u32 said;

	if (!udp || tunnel->fragment & IPV4_OFFSET || udp->dest != bpf_htons(LARCH_GUE_PORT))
		return LARCH_AGENT_NOT_TUNNELLED;
	if (tunnel->fragment)
		return LARCH_AGENT_FRAGMENTED;
	said = bpf_ntohs(udp->len);
	gue = cursor_take(cursor, sizeof(*gue));
	if (!gue || gue->flags || said > tunnel->inner)
		return LARCH_AGENT_MALFORMED;
	if (gue->version == LARCH_QUESTION_WORDS && tunnel_question(cursor))
		tunnel->question = true;
	else if (gue->version)
		return LARCH_AGENT_MALFORMED;
	bytes += gue->version * 4;
	if (said < bytes)
		return LARCH_AGENT_MALFORMED;
	tunnel->bytes += bytes;
	tunnel->inner = said - bytes;
	tunnel->protocol = gue->protocol;
	return GO;
}

/* What kind of tunnel is it, and what is in it? */
static __always_inline int tunnel_open(struct cursor *cursor, struct tunnel *tunnel)
{
	switch (tunnel->protocol) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		return GO;
	case IPPROTO_UDP:
		return tunnel_gue(cursor, tunnel);
	default:
		return LARCH_AGENT_NOT_TUNNELLED;
	}
}

/*
 * Does an IP header of the family that the tunnel announces follow, and all that it promises, in a
 * frame of so many bytes?
 */
static __always_inline bool tunnel_holds_packet(struct cursor *cursor, const struct tunnel *tunnel,
						__u32 frame)
{
	__u32 left = frame - sizeof(struct ethhdr) - tunnel->bytes;
	bool ipv6 = tunnel->protocol == IPPROTO_IPV6;
	bool known = ipv6 || tunnel->protocol == IPPROTO_IPIP;
	__u32 header = ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u8 *inner = cursor_take(cursor, header);

	return known && inner && tunnel->inner >= header && tunnel->inner <= left &&
	       *inner >> 4 == (ipv6 ? 6 : 4);
}

/* Moves the Ethernet header over the outer headers. */
static __always_inline int decapsulate(struct xdp_md *context, const struct tunnel *tunnel)
{
	struct cursor cursor = cursor_begin(context);
	struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));
	struct ethhdr kept;

	if (!ethernet)
		return LARCH_AGENT_NO_ROOM;
	kept = *ethernet;
	kept.h_proto = bpf_htons(tunnel->protocol == IPPROTO_IPV6 ? ETH_P_IPV6 : ETH_P_IP);
	if (bpf_xdp_adjust_head(context, (int)tunnel->bytes))
		return LARCH_AGENT_NO_ROOM;
	cursor = cursor_begin(context);
	ethernet = cursor_take(&cursor, sizeof(*ethernet));
	if (!ethernet)
		return LARCH_AGENT_NO_ROOM;
	*ethernet = kept;
	return LARCH_AGENT_DECAPSULATED;
}

static __always_inline int receive(struct xdp_md *context, __u32 bytes)
{
	struct cursor cursor = cursor_begin(context);
	struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));
	struct tunnel tunnel = {};
	bool found = false;
	int go;

	if (ethernet && ethernet->h_proto == bpf_htons(ETH_P_IP))
		found = tunnel_ipv4(&cursor, &tunnel);
	else if (ethernet && ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		found = tunnel_ipv6(&cursor, &tunnel);
	if (!found)
		return LARCH_AGENT_NOT_TUNNELLED;
	go = tunnel_open(&cursor, &tunnel);
	if (go != GO)
		return go;
	if (tunnel.fragment)
		return LARCH_AGENT_FRAGMENTED;
	if (!tunnel_holds_packet(&cursor, &tunnel, bytes))
		return LARCH_AGENT_MALFORMED;
	if (tunnel.question)
		return answer(context,
			      sizeof(*ethernet) + tunnel.bytes - sizeof(struct larch_question),
			      tunnel.ipv4, tunnel.protocol == IPPROTO_IPV6);
	return decapsulate(context, &tunnel);
}

static __always_inline int agent_exit(__u32 outcome, __u32 bytes)
{
	struct larch_counter *counter = bpf_map_lookup_elem(&larch_agent, &outcome);

	if (counter) {
		counter->packets++;
		counter->bytes += bytes;
	}
	switch (outcome) {
#define PASS  XDP_PASS
#define DROP  XDP_DROP
#define REPLY XDP_TX
#define X(name, number, verdict, text)                                                             \
	case number:                                                                               \
		return verdict;
		LARCH_AGENT_OUTCOMES(X)
#undef X
#undef PASS
#undef DROP
#undef REPLY
	default:
		return XDP_ABORTED;
	}
}

SEC(FRAME_SECTION)
int larch_agent_xdp(struct xdp_md *context)
{
	__u32 bytes = frame_bytes(context);
	int outcome = receive(context, bytes);

	return agent_exit(outcome, bytes);
}

char _license[] SEC("license") = "GPL";
