/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage 3: who may use a service, and how many new flows it takes. A source may be denied, or open
 * no more new flows; beyond what the service is meant for, new flows are sent by the ring alone.
 */
#pragma once

#include "maps.h"
#include "packet.h"

#define ACCESS_BITS 160 /* of the service and the whole address */
#define NS_PER_S    1000000000ull
#define TRIES	    4 /* to take a token, while other CPUs take theirs */

static __always_inline bool guard_has(const struct packet *packet, __u32 flags)
{
	return packet->policy.flags & flags;
}

/* Does the access list let the source in? The longest prefix decides. */
STAGE int guard_access(const struct packet *packet)
{
	struct larch_access key = {.prefix = ACCESS_BITS};
	const __u32 *verdict;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	key.service = bpf_htonl(packet->service);
	__builtin_memcpy(key.address, packet->tuple.source, sizeof(key.address));
	verdict = bpf_map_lookup_elem(&larch_access, &key);
	if (verdict)
		return *verdict == LARCH_ACCESS_ALLOW ? GO : LARCH_DROP_DENIED;
	return guard_has(packet, LARCH_SERVICE_CLOSED) ? LARCH_DROP_DENIED : GO;
}

static __always_inline const struct larch_service *guard_service(const struct packet *packet)
{
	__u32 service = packet->service;

	return bpf_map_lookup_elem(&larch_services, &service);
}

/* Takes a token of a source that is known. */
static __always_inline bool guard_take(struct larch_allowance *allowance, __u64 now, __u64 interval,
				       __u64 burst)
{
	__u64 before, begin;

	/* Unrolled: Linux 6.1 refuses a loop whose first instruction follows a helper call. */
#pragma clang loop unroll(full)
	for (int i = 0; i < TRIES; i++) {
		before = READ_ONCE(allowance->full);
		begin = before > now ? before : now;
		if (begin - now + interval > burst * interval)
			return false;
		if (__sync_val_compare_and_swap(&allowance->full, before, begin + interval) ==
		    before)
			return true;
	}
	return false; /* it opens flows on many CPUs in the same instant */
}

/* May the source open a new flow? */
static __always_inline bool guard_source(struct packet *packet)
{
	const struct larch_service *service = guard_service(packet);
	struct larch_source key = {.service = packet->service};
	struct larch_allowance first, *allowance;
	__u64 now = packet_now(packet), interval;

	if (!service || !service->source_flows)
		return true;
	interval = NS_PER_S / service->source_flows;
	__builtin_memcpy(key.address, packet->tuple.source, sizeof(key.address));
	if (packet->tuple.ipv6)
		key.address[2] = key.address[3] = 0;
	allowance = bpf_map_lookup_elem(&larch_sources, &key);
	if (allowance)
		return guard_take(allowance, now, interval, service->source_burst ?: 1);
	first.full = now + interval;
	bpf_map_update_elem(&larch_sources, &key, &first, BPF_NOEXIST);
	return true;
}

/* The window that is present now, for a service with a limit. */
struct guard_window {
	struct larch_pressure *pressure; /* NULL: no limit */
	__u64 ticks;
	__u32 shift;
	__u32 number;
	__u32 hz;
	__u64 most;
};

/* A window that another CPU has begun meanwhile is as good. */
static __always_inline bool guard_is_present(union larch_window window, __u32 number)
{
	return window.number == number || window.number == number + 1;
}

/* One more in the present window; returns how many these are. */
static __always_inline __u32 guard_count(union larch_window *window, __u32 number)
{
	union larch_window before = {.word = READ_ONCE(window->word)};
	union larch_window begun = {.number = number};

	if (!guard_is_present(before, number))
		__sync_val_compare_and_swap(&window->word, before.word, begun.word);
	return (__u32)__sync_fetch_and_add(&window->word, 1) + 1;
}

/* Who begins a window settles the one before: is the flood over? */
static __always_inline void guard_settle(const struct guard_window *window)
{
	struct larch_pressure *pressure = window->pressure;
	union larch_window before = {.word = READ_ONCE(pressure->flows.word)};
	union larch_window begun = {.number = window->number};

	if (guard_is_present(before, window->number) ||
	    __sync_val_compare_and_swap(&pressure->flows.word, before.word, begun.word) !=
		    before.word)
		return;
	pressure->total += before.count;
	if (!pressure->flooded || (before.number + 1 == window->number &&
				   !larch_window_calm(before.count, window->most, window->hz)))
		return;
	pressure->until = (__u64)(before.number + 1) << window->shift;
	pressure->lasted += pressure->until - pressure->since;
	WRITE_ONCE(pressure->flooded, 0);
}

static __always_inline struct guard_window guard_window(const struct packet *packet)
{
	__u32 zero = 0, service = packet->service;
	const struct larch_settings *settings = bpf_map_lookup_elem(&larch_settings, &zero);
	const struct larch_service *limits = guard_service(packet);
	struct guard_window window = {};

	if (!settings || !limits)
		return window;
	window.ticks = bpf_jiffies64();
	window.shift = larch_window_shift(settings->stamp_shift);
	window.number = window.ticks >> window.shift;
	window.hz = settings->hz;
	window.most = larch_window_most(limits->new_flows, window.shift);
	window.pressure = bpf_map_lookup_elem(&larch_pressure, &service);
	if (window.pressure)
		guard_settle(&window);
	return window;
}

/*
 * A datagram flow that began in the flood has no entry, and cannot be told from a new one until
 * its first packet behind it: by the ring, it stays where it is.
 */
static __always_inline bool guard_was_flooded(const struct packet *packet,
					      const struct guard_window *window)
{
	__u64 idle = (__u64)flow_idle_limit(packet) << window->shift << LARCH_WINDOW_SHIFT;

	return window->pressure->floods && window->ticks - window->pressure->until < idle;
}

/* Counts a new flow. May it have a place in the flow table? */
static __always_inline bool guard_admit_new(struct packet *packet,
					    const struct guard_window *window)
{
	struct larch_pressure *pressure = window->pressure;
	__u32 count = guard_count(&pressure->flows, window->number);
	bool within = larch_window_within(count, window->most, window->hz);

	if (!within && !READ_ONCE(pressure->flooded) &&
	    !__sync_val_compare_and_swap(&pressure->flooded, 0, 1)) {
		pressure->since = window->ticks;
		pressure->floods++;
	}
	if (READ_ONCE(pressure->flooded) ||
	    (!packet_of_stream(packet) && guard_was_flooded(packet, window)))
		packet->by_ring = 1;
	return within;
}

static __always_inline bool guard_admit(struct packet *packet, const struct guard_window *window,
					bool opens)
{
	if (opens)
		return guard_admit_new(packet, window);
	return larch_window_within(guard_count(&window->pressure->unknown, window->number),
				   window->most, window->hz);
}

/* Would a new flow be admitted now? */
static __always_inline bool guard_admits(const struct guard_window *window)
{
	return larch_window_within(READ_ONCE(window->pressure->flows.count) + 1, window->most,
				   window->hz);
}

/*
 * What the limits say of a packet of a flow that the table does not know, or (`own`) knows to have
 * ended. GO, DROP_SOURCE_RATE, or FORWARD_STATELESS: not to be remembered. `room`: there is a
 * place.
 *
 * In a flood, as many flows a second as the service is meant for are remembered still, by the ring
 * as all others: so those that last get their places, and a datagram flow without a place does not
 * count as a new one with each packet for ever. Mid-flow packets of a stream prove more than a SYN
 * does: they have a count of their own, which no flood of SYNs uses up. After a restart, when all
 * flows are unknown, they neither count as a flood nor for their sources.
 *
 * A datagram that will not be remembered may be of a flow that is long known to its backend: its
 * source is not asked.
 */
STAGE int guard_new(struct packet *packet, bool own, bool room)
{
	struct guard_window window = {};
	bool stream, opens;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	stream = packet_of_stream(packet);
	opens = !stream || packet_opens(packet);
	if (guard_has(packet, LARCH_SERVICE_FLOOD) && !guard_has(packet, LARCH_SERVICE_STATELESS) &&
	    !own)
		window = guard_window(packet);
	if (window.pressure && !stream)
		room = room && guard_admits(&window);
	if (guard_has(packet, LARCH_SERVICE_SOURCES) && opens && (stream || room) &&
	    !guard_source(packet))
		return LARCH_DROP_SOURCE_RATE;
	if (!window.pressure || guard_admit(packet, &window, opens))
		return GO;
	return LARCH_FORWARD_STATELESS;
}
