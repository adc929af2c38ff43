/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one list of what can happen to a packet. Every packet that the balancer or the agent
 * receives ends in exactly one outcome, so the sum of the counters equals the packets received.
 * Counters, metrics, command line and documentation come from these lists.
 *
 * Entries: X(NAME, number, verdict, "what it means"). A number, once given, is never reused.
 * Verdicts: FORWARD (as the packet's way asks for: transmitted, redirected, or passed to this host
 * as its backend), PASS to the host's own network stack, REPLY out of the interface it came by,
 * DROP.
 */
#pragma once

#include "types.h"

#define LARCH_OUTCOMES(X)                                                                          \
	X(FORWARD_FLOW, 0, FORWARD, "sent to the backend that the flow table remembers")           \
	X(FORWARD_NEW, 1, FORWARD, "a new flow, steered and remembered")                           \
	X(FORWARD_UNTRACKED, 2, FORWARD, "steered, but the flow table had no room to remember it") \
	X(FORWARD_UNKNOWN, 3, FORWARD, "mid-flow packet of a flow nobody knew, sent by the ring")  \
	X(FORWARD_STATELESS, 4, FORWARD, "sent by the ring alone: no state is kept of its flow")   \
	X(FORWARD_QUIC, 5, FORWARD, "sent to the backend that the QUIC connection id names")       \
	X(FORWARD_FRAGMENT, 6, FORWARD, "a later fragment, sent where the first one went")         \
	X(FORWARD_ICMP, 7, FORWARD, "an ICMP error, sent to the backend of the flow it is about")  \
	X(PASS_NOT_IP, 8, PASS, "neither IPv4 nor IPv6")                                           \
	X(PASS_NOT_OURS, 9, PASS, "its destination is no service")                                 \
	X(PASS_NOT_TRANSPORT, 10, PASS, "to a service's address, but neither TCP nor UDP")         \
	X(PASS_MALFORMED, 11, PASS, "broken below the transport header; left to the host")         \
	X(PASS_TTL_ENDS, 12, PASS,                                                                 \
	  "by NAT, but its TTL ends here, which the host tells its sender")                        \
	X(DROP_TRUNCATED, 16, DROP, "to a service's address, transport header cut off or invalid") \
	X(DROP_FRAGMENT, 17, DROP, "a later fragment whose first one was not seen")                \
	X(DROP_NO_PLAN, 18, DROP, "the service has no published generation yet")                   \
	X(DROP_NO_BACKEND, 19, DROP, "no backend of the service can take the flow")                \
	X(DROP_NO_NEXTHOP, 20, DROP, "the way to the backend is not known (route or neighbour)")   \
	X(DROP_TOO_BIG, 21, DROP, "does not fit the way to the backend with the tunnel's header")  \
	X(DROP_NO_HEADROOM, 22, DROP, "the driver left no room for the tunnel's header")           \
	X(DROP_INTERNAL, 23, DROP, "a map has not the shape that the program expects")             \
	X(DROP_DENIED, 24, DROP, "the service's access list denies the source")                    \
	X(DROP_SOURCE_RATE, 25, DROP, "the source opens more new flows than the service allows")   \
	X(DROP_ECHO_RATE, 26, DROP, "ICMP echo request beyond the rate limit")                     \
	X(DROP_BAD_TOKEN, 27, DROP,                                                                \
	  "answer of an agent that is forged, expired or of a known flow")                         \
	X(REPLY_ECHO, 32, REPLY, "ICMP echo request to a service's address, answered")             \
	X(REPLY_TOO_BIG, 33, REPLY, "did not fit the way to the backend; its sender was told so")  \
	X(RETURN_NAT, 36, FORWARD, "answer of a NAT backend, on its way to the client")            \
	X(RETURN_HOST, 37, PASS, "answer of a NAT backend, left to the host's routing")            \
	X(CHANCE_ASKED, 40, FORWARD, "mid-flow packet of a flow nobody knew: a backend is asked")  \
	X(CHANCE_NEXT, 41, FORWARD, "a backend does not have the flow: the next one is asked")     \
	X(CHANCE_CLAIMED, 42, FORWARD, "a backend has the flow: remembered, and sent there")       \
	X(CHANCE_LOST, 43, FORWARD, "no backend has the flow: sent by the ring, for a reset")      \
	X(FORWARD_AGAIN, 44, FORWARD, "a SYN that nobody answered, sent to another candidate")

#define LARCH_AGENT_OUTCOMES(X)                                                                    \
	X(DECAPSULATED, 0, PASS, "tunnel header removed, packet passed to the host")               \
	X(NOT_TUNNELLED, 1, PASS, "no tunnel header; passed untouched")                            \
	X(MALFORMED, 2, DROP, "tunnel header present, inner packet broken")                        \
	X(FRAGMENTED, 3, DROP, "the tunnel packet itself is a fragment")                           \
	X(NO_ROOM, 4, DROP, "the tunnel header could not be removed")                              \
	X(ANSWERED_MINE, 5, REPLY, "asked for a flow that has a socket here: said so")             \
	X(ANSWERED_OTHERS, 6, REPLY, "asked for a flow that has no socket here: said so")

enum larch_outcome {
#define X(name, number, verdict, text) LARCH_##name = number,
	LARCH_OUTCOMES(X)
#undef X
		LARCH_OUTCOME_COUNT = 48,
};

enum larch_agent_outcome {
#define X(name, number, verdict, text) LARCH_AGENT_##name = number,
	LARCH_AGENT_OUTCOMES(X)
#undef X
		LARCH_AGENT_OUTCOME_COUNT = 8,
};

/* Per-CPU counters of one outcome. Bytes are of the frame as received. */
struct larch_counter {
	__u64 packets;
	__u64 bytes;
};

/* Per-CPU counters of one service, backend or leaf; of a leaf, only new flows are counted. */
struct larch_traffic {
	__u64 packets; /* forwarded */
	__u64 bytes;   /* of the frames as received */
	__u64 flows;   /* new flows steered here */
	__u64 evicted; /* live flows that lost their place in the flow table */
};
