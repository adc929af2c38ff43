// SPDX-License-Identifier: BSD-2-Clause
/*
 * One TCP connection of one client, and what the balancer measures of it. Waiting is not slept but
 * pretended: the start that the flow table remembers is moved into the past.
 */
#pragma once

#include "arrange.h"

#define SEGMENT	      1460
#define SHORT_US      5000  /* a connect, as a rule */
#define LONG_US	      40000 /* a response, as a rule */
#define SLOPPINESS_US 2	    /* of the clock's unit, and of rounding */

/* Client 0, whose flow is in the learned arm and does not explore, unless a test says otherwise. */
extern struct spec client;

/* arrange_web(), and only one backend (the first), so that it is known whom samples are about. */
void conversation_begin(void);

/* The same where the balancer is arranged already, and `client` is set. */
void conversation_go_on(void);

/* Sends one segment of the client. */
struct result say(uint8_t flags, uint32_t sequence, uint32_t acknowledged, uint16_t payload);

/* Lets `us` pass for the request (or the SYN) that the flow waits for. */
void wait_us(uint32_t us);

/* SYN, `us`, ACK. The client's next sequence number is 1, the server's 1. */
void connect_in(uint32_t us);

/* A request at `sequence`; the answer, `us` later, of `answer` bytes. The flow's numbers go on. */
void exchange(uint32_t us, uint16_t request, uint32_t answer);

struct larch_flow *client_flow(void);
struct larch_live *live(void);

/* The server has sent bytes of its own up to this sequence number, which the client has
 * acknowledged. */
void next_answer_is(uint32_t sequence);

/* The cell that the client's samples belong in, and what is in it (zeros if it is not there). */
struct larch_cell client_cell(void);
struct larch_samples samples(void);

/* A connect and an exchange that meets `queue` requests at a backend serving `concurrency` at once;
 * all samples since. */
struct larch_samples exchange_under_load(int32_t queue, uint32_t concurrency);

/* Did it take this long? The test's own time, at most since its begin, may be on top. */
bool took(uint64_t measured_us, uint64_t us);
