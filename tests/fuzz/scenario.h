// SPDX-License-Identifier: BSD-2-Clause
/*
 * The fuzzer's input: how the world is at first, then up to 16 packets, each with what happens
 * before it arrives. Any bytes are a scenario; what is missing is zero, and zero means "as usual".
 *
 *   state[SCENARIO_STATE] { step, ingress, action, operand, size (2 bytes, low first), bytes[size]
 * }
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SCENARIO_STATE	  64
#define SCENARIO_PACKETS  16
#define SCENARIO_FRAME	  1600 /* bytes of a packet at most */
#define SCENARIO_TO_AGENT 0x80
#define SCENARIO_RECORD	  6 /* bytes before those of a packet */
#define SCENARIO_MOST	  (SCENARIO_STATE + SCENARIO_PACKETS * (SCENARIO_RECORD + SCENARIO_FRAME))

struct scenario_packet {
	uint8_t step;	 /* time that passes: 0: none; else 2^(step % 32 + 10) ns */
	uint8_t ingress; /* interface, less one; or SCENARIO_TO_AGENT */
	uint8_t action;	 /* of the daemon; see world_act() */
	uint8_t operand; /* of the action */
	size_t size;
	uint8_t bytes[SCENARIO_FRAME];
};

struct scenario {
	uint8_t state[SCENARIO_STATE];
	size_t count;
	struct scenario_packet packet[SCENARIO_PACKETS];
};

void scenario_read(struct scenario *scenario, const uint8_t *data, size_t size);

/* Leaves out packets that do not fit. Returns the bytes written. */
size_t scenario_write(const struct scenario *scenario, uint8_t *data, size_t room);
