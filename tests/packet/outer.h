// SPDX-License-Identifier: BSD-2-Clause
/*
 * What should leave for the backends of arrange_backend(), put together here from the RFCs (768,
 * 791, 2003, 2473, 4213), and what is in front of the packet in that.
 */
#pragma once

#include "builder.h"

#define GUE_BYTES 4

/* The headers in front of a packet: an IP header, and what the test writes behind it. */
struct outer {
	bool bare; /* none of them: an Ethernet header alone */
	bool ipv6;
	uint8_t protocol; /* of what follows the IP header */
	size_t shim;	  /* bytes between IP header and packet, left zero */
};

/* The frame for a backend that `in`, built from `spec`, should become. */
struct frame outer_frame(const struct spec *spec, const struct frame *in, const struct outer *outer,
			 uint32_t backend);

/* The Internet checksum over UDP in a frame, with its pseudo header: 0 if the frame's is valid. */
uint16_t outer_udp_checksum(const struct frame *frame);

/* Fails at the first byte that differs. */
void frame_expect(const struct frame *got, const struct frame *want);
