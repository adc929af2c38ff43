// SPDX-License-Identifier: BSD-2-Clause
/*
 * ICMP in the packet tests: requests and errors to send, and whether what the balancer sends back
 * by itself is whole, told from bytes alone.
 */
#pragma once

#include "builder.h"

#define NEXT_ICMP	1
#define ICMP_BYTES	8
#define TOO_BIG_QUOTED	504
#define ECHO_REQUEST	8
#define ECHO_REPLY	0
#define UNREACHABLE	3
#define FRAGMENTATION	4 /* code of UNREACHABLE */
#define TIME_EXCEEDED	11
#define ECHO_REQUEST_V6 128
#define ECHO_REPLY_V6	129
#define TOO_BIG_V6	2

/* An ICMP message of this type to the service; protocol and checksum are seen to. */
struct frame icmp_frame(const struct spec *spec, uint8_t type, uint8_t code);

#define ICMP(type, code, ...) icmp_frame(&(struct spec){__VA_ARGS__}, type, code)

struct frame echo_request(const struct spec *spec);

#define ECHO(...) echo_request(&(struct spec){__VA_ARGS__})

/*
 * An error from `outer` about the answer that the service sent to the client of `flow`, of which it
 * quotes `quoted` bytes.
 */
struct frame icmp_error_about(const struct spec *outer, uint8_t type, uint8_t code,
			      const struct spec *flow, size_t quoted);

/* The checksum of an ICMP message, of which frame->transport says where it is: 0 if it is right. */
uint16_t icmp_checksum(const struct frame *frame);

/* Puts the right one there. */
void icmp_set_checksum(struct frame *frame);

/* Is `out` an answer to `in`, back to where that came from? NULL, or what is wrong. */
const char *reply_wrong(const struct frame *in, const struct frame *out);
