/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies packets for `larchctl capture`, behind everything else, so that they are seen as they
 * leave. Packets come here only while somebody captures.
 */
#pragma once

#include "maps.h"
#include "packet.h"

/* Do the first bits of two addresses agree? */
static __always_inline bool capture_same(const __be32 *one, const __be32 *other, __u32 bits)
{
	__u32 differ = 0;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < 4; i++) {
		__u32 here = bits < 32 * i ? 0 : bits - 32 * i;
		__u32 mask = here >= 32 ? ~0u : ~(~0u >> here);

		differ |= (one[i] ^ other[i]) & bpf_htonl(mask);
	}
	return !differ;
}

static __always_inline bool capture_wants(const struct larch_capture *capture,
					  const struct packet *packet, __u32 outcome)
{
	const struct larch_tuple *tuple = &packet->tuple;

	if (!(capture->outcomes >> (outcome & 63) & 1))
		return false;
	if (capture->port && capture->port != tuple->source_port &&
	    capture->port != tuple->destination_port)
		return false;
	return !capture->prefix || capture_same(tuple->source, capture->address, capture->prefix) ||
	       capture_same(tuple->destination, capture->address, capture->prefix);
}

static __always_inline void capture_copy(struct xdp_md *context, const struct packet *packet,
					 struct larch_capture *capture, __u32 outcome, __u64 now)
{
	struct larch_captured *record = bpf_ringbuf_reserve(&larch_captured, sizeof(*record), 0);
	__u32 bytes;

	if (!record) {
		__sync_fetch_and_add(&capture->lost, 1);
		return;
	}
	record->time = now;
	record->outcome = outcome;
	record->interface = packet->ingress;
	record->tuple = packet->tuple;
	record->bytes = bpf_xdp_get_buff_len(context);
	bytes = capture->snap < record->bytes ? capture->snap : record->bytes;
	if (bytes > LARCH_CAPTURE_BYTES)
		bytes = LARCH_CAPTURE_BYTES;
	record->captured = bytes;
	if (bytes) {
		/* 1 to 256, in a form that Linux 6.1 can see, and that the compiler leaves alone.
		 */
		asm volatile("" : "+r"(bytes));
		bytes = ((bytes - 1) & (LARCH_CAPTURE_BYTES - 1)) + 1;
		if (bpf_xdp_load_bytes(context, 0, record->data, bytes))
			record->captured = 0;
	}
	bpf_ringbuf_submit(record, 0);
}

/* Whoever captured and is gone has left the flag: it is taken back. */
STAGE int capture(struct xdp_md *context, struct packet *packet, __u32 outcome)
{
	__u32 zero = 0;
	struct larch_capture *capture = bpf_map_lookup_elem(&larch_capture, &zero);
	struct larch_settings *settings = bpf_map_lookup_elem(&larch_settings, &zero);
	__u64 now;

	if (!packet || !capture || !settings)
		return 0;
	now = bpf_ktime_get_ns();
	if (now >= READ_ONCE(capture->until))
		__sync_fetch_and_and(&settings->flags, ~LARCH_CAPTURE);
	else if (capture_wants(capture, packet, outcome))
		capture_copy(context, packet, capture, outcome, now);
	return 0;
}
