// SPDX-License-Identifier: BSD-2-Clause
/*
 * Do a service's backends run the agent at all? Questions that nobody answers are packets lost: a
 * flow that nobody remembers would never come to its server. So when questions have gone out for a
 * while and not one was answered, they are given up, and tried again with back-off, since agents
 * may come later. Any answer shows that agents are there, also "not mine": in a flood of packets
 * that belong to nobody, agents do answer. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define AGENTS_PATIENCE_MS 3000	 /* how long questions go unanswered before they are given up */
#define AGENTS_LEAST	   3	 /* and how many of them at least */
#define AGENTS_FIRST_PAUSE 30000 /* ms until they are tried again; doubled each time, up to */
#define AGENTS_LAST_PAUSE  300000

/* All zero at first: the counters of the first step are what it begins with. */
struct agents {
	bool begun;
	bool silent;	   /* questions are off */
	uint32_t asked;	   /* counted when the last answer came, or since questions are on */
	uint32_t settled;  /* counted at the last step: answers to these have had their time */
	uint32_t answered; /* counted at the last step */
	uint64_t since_ms; /* of the first unanswered question; 0: there is none */
	uint64_t until_ms; /* silent: when questions are tried again */
	uint32_t pause_ms; /* the last one; 0: none since an answer came */
};

/* What a step has changed. */
enum agents_news {
	AGENTS_SAME,
	AGENTS_SILENT,	 /* questions are off from now on */
	AGENTS_TRIED,	 /* they are on again, to see whether somebody answers now */
	AGENTS_ANSWERED, /* somebody does, after a silence */
};

/* Takes in the service's counters of questions and of answers; both may wrap. now_ms: not 0. */
enum agents_news agents_step(struct agents *agents, uint64_t now_ms, uint32_t asked,
			     uint32_t answered);
