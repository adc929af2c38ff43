// SPDX-License-Identifier: BSD-2-Clause
/* Whether anybody answers the questions of a service. See agents.h. */
#include "agents.h"

/* From here on questions are counted anew. */
static void listen_from(struct agents *agents, uint32_t asked, uint32_t answered)
{
	agents->begun = true;
	agents->silent = false;
	agents->asked = agents->settled = asked;
	agents->answered = answered;
	agents->since_ms = 0;
}

static void give_up(struct agents *agents, uint64_t now_ms)
{
	uint32_t pause = agents->pause_ms ? 2 * agents->pause_ms : AGENTS_FIRST_PAUSE;

	agents->pause_ms = pause < AGENTS_LAST_PAUSE ? pause : AGENTS_LAST_PAUSE;
	agents->until_ms = now_ms + agents->pause_ms;
	agents->silent = true;
}

/* Has nobody answered enough questions for long enough? */
static bool is_hopeless(struct agents *agents, uint64_t now_ms, uint32_t asked)
{
	uint32_t unanswered = agents->settled - agents->asked;

	agents->settled = asked;
	if (asked == agents->asked)
		return false;
	if (!agents->since_ms)
		agents->since_ms = now_ms;
	return unanswered >= AGENTS_LEAST && now_ms - agents->since_ms >= AGENTS_PATIENCE_MS;
}

enum agents_news agents_step(struct agents *agents, uint64_t now_ms, uint32_t asked,
			     uint32_t answered)
{
	bool tried = agents->pause_ms;

	if (!agents->begun) {
		listen_from(agents, asked, answered);
		return AGENTS_SAME;
	}
	if (answered != agents->answered) {
		listen_from(agents, asked, answered);
		agents->pause_ms = 0;
		return tried ? AGENTS_ANSWERED : AGENTS_SAME;
	}
	if (agents->silent) {
		if (now_ms < agents->until_ms)
			return AGENTS_SAME;
		listen_from(agents, asked, answered);
		return AGENTS_TRIED;
	}
	if (!is_hopeless(agents, now_ms, asked))
		return AGENTS_SAME;
	give_up(agents, now_ms);
	return AGENTS_SILENT;
}
