// SPDX-License-Identifier: BSD-2-Clause
// Which XDP verdicts go with an outcome, by the list of outcomes: for packet tests and fuzzer
// alike.
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "larch/outcome.h"

#define PASS verdict == XDP_PASS
#define DROP verdict == XDP_DROP
#define X(name, number, right, text)                                                               \
	case number:                                                                               \
		return right;

/* Of the balancer. To this host as a backend, a packet is forwarded by being passed. */
#define FORWARD verdict == XDP_TX || verdict == XDP_REDIRECT || verdict == XDP_PASS
#define REPLY	verdict == XDP_TX
static inline bool verdict_is_right(uint32_t outcome, int verdict)
{
	switch (outcome) {
		LARCH_OUTCOMES(X)
	default:
		return false;
	}
}
#undef FORWARD

/* Of the backends' agent. */
static inline bool agent_verdict_is_right(uint32_t outcome, int verdict)
{
	switch (outcome) {
		LARCH_AGENT_OUTCOMES(X)
	default:
		return false;
	}
}

#undef REPLY
#undef X
#undef DROP
#undef PASS
