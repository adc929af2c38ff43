// SPDX-License-Identifier: BSD-2-Clause
// From a scenario's events to the commands that a lab gets, in the order of time. Pure.
//
// The commands are lines of words, which tools/hatest/lab obeys.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hatest.h"

// A daemon or a node that dies is away for this long if nothing else is said.
#define AWAY_S 0.5

static void name_target(uint8_t number, char out[16])
{
	if (number)
		snprintf(out, 16, "b%u", number);
	else
		snprintf(out, 16, "balancer");
}

static void write_members(uint32_t members, char *out, size_t size)
{
	size_t at = strlen(out);

	for (unsigned i = 1; i < HATEST_BACKENDS && at < size; i++)
		if (members & 1u << i)
			at += (size_t)snprintf(out + at, size - at, " b%u", i);
}

// Begin and end of an occurrence. An empty end: it needs none.
struct orders {
	char begin[sizeof(((struct hatest_action *)0)->command)];
	char end[HATEST_TEXT_SIZE];
	char label[96];
};

static void order_load(const struct hatest_scenario *scenario, const struct hatest_event *event,
		       struct orders *out)
{
	double rate = scenario->load.rate * (event->number - 1);

	if (event->what == HATEST_FLOOD) {
		snprintf(out->begin, sizeof(out->begin), "flood %.0f %.3f", event->number,
			 event->for_s);
		snprintf(out->label, sizeof(out->label), "%.0f SYNs a second", event->number);
	} else {
		snprintf(out->begin, sizeof(out->begin), "crowd %.3f %.3f", fmax(rate, 0.001),
			 event->for_s);
		snprintf(out->label, sizeof(out->label), "%g times the load", event->number);
	}
}

static void order_balancer(const struct hatest_event *event, struct orders *out)
{
	strcpy(out->label, hatest_do_text(event->what));
	switch (event->what) {
	case HATEST_RESTART_LARCHD:
		strcpy(out->begin, "daemon kill");
		strcpy(out->end, "daemon start");
		break;
	case HATEST_UPGRADE:
		strcpy(out->begin, "upgrade");
		break;
	case HATEST_RELOAD:
		strcpy(out->begin, "reload");
		write_members(event->members, out->begin, sizeof(out->begin));
		if (event->members)
			snprintf(out->label, sizeof(out->label), "reload:%s",
				 out->begin + strlen("reload"));
		break;
	default:
		snprintf(out->begin, sizeof(out->begin), "run %s", event->command);
		snprintf(out->label, sizeof(out->label), "run %.60s", event->command);
	}
}

static void order_target(const struct hatest_event *event, uint8_t number, struct orders *out)
{
	static const char *const begin[HATEST_DO_COUNT] = {
		[HATEST_KILL] = "kill",	     [HATEST_START] = "start",
		[HATEST_DRAIN] = "drain",    [HATEST_ACTIVATE] = "activate",
		[HATEST_LINK_DOWN] = "down", [HATEST_LINK_UP] = "up",
	};
	static const char *const end[HATEST_DO_COUNT] = {
		[HATEST_KILL] = "start",
		[HATEST_DRAIN] = "activate",
		[HATEST_LINK_DOWN] = "up",
	};
	const char *word = hatest_do_text(event->what);
	char name[16];

	name_target(number, name);
	snprintf(out->label, sizeof(out->label), "%s %s", word, name);
	switch (event->what) {
	case HATEST_SLOW:
		snprintf(out->begin, sizeof(out->begin), "tell %s speed %.4f", name,
			 1 / event->number);
		snprintf(out->end, sizeof(out->end), "tell %s speed 1", name);
		snprintf(out->label, sizeof(out->label), "%s %g times slower", name, event->number);
		break;
	case HATEST_PAUSE:
		snprintf(out->begin, sizeof(out->begin), "tell %s pause %.0f", name,
			 1000 * event->for_s);
		break;
	case HATEST_KILL_NODE:
		snprintf(out->begin, sizeof(out->begin), "node kill %u", number);
		snprintf(out->end, sizeof(out->end), "node start %u", number);
		snprintf(out->label, sizeof(out->label), "node %u dies", number);
		break;
	default:
		snprintf(out->begin, sizeof(out->begin), "%s %s", begin[event->what], name);
		if (end[event->what])
			snprintf(out->end, sizeof(out->end), "%s %s", end[event->what], name);
	}
}

static void order(const struct hatest_scenario *scenario, const struct hatest_event *event,
		  uint32_t turn, struct orders *out)
{
	memset(out, 0, sizeof(*out));
	switch (event->what) {
	case HATEST_FLOOD:
	case HATEST_CROWD:
		order_load(scenario, event, out);
		break;
	case HATEST_RELOAD:
	case HATEST_RESTART_LARCHD:
	case HATEST_UPGRADE:
	case HATEST_RUN:
		order_balancer(event, out);
		break;
	default:
		order_target(event, event->target[turn % event->targets], out);
	}
}

uint32_t hatest_affected(const struct hatest_event *event, uint32_t turn, uint32_t members)
{
	switch (event->what) {
	case HATEST_SLOW:
	case HATEST_PAUSE:
	case HATEST_KILL:
	case HATEST_DRAIN:
	case HATEST_LINK_DOWN:
		return 1u << event->target[turn % event->targets] & ~1u;
	case HATEST_RELOAD:
		return event->members ? members & ~event->members : 0;
	default:
		return 0;
	}
}

static double away_s(const struct hatest_event *event)
{
	bool dies = event->what == HATEST_RESTART_LARCHD;

	return event->for_s > 0 ? event->for_s : dies ? AWAY_S : 0;
}

static bool lasts(const struct hatest_event *event)
{
	switch (event->what) {
	case HATEST_KILL:
	case HATEST_SLOW:
	case HATEST_DRAIN:
	case HATEST_LINK_DOWN:
	case HATEST_KILL_NODE:
		return true;
	case HATEST_RELOAD:
		return event->members;
	default:
		return false;
	}
}

static size_t add(const struct hatest_scenario *scenario, const struct hatest_event *event,
		  uint32_t turn, struct hatest_action *out)
{
	double at_s = event->at_s + turn * event->every_s, away = away_s(event);
	struct hatest_action begin = {.at_s = at_s, .end_s = at_s + away};
	struct orders orders;

	order(scenario, event, turn, &orders);
	if (!away && lasts(event))
		begin.end_s = scenario->load.duration_s;
	begin.affects = hatest_affected(event, turn, scenario->lab.members);
	snprintf(begin.command, sizeof(begin.command), "%s", orders.begin);
	snprintf(begin.label, sizeof(begin.label), "%s", orders.label);
	out[0] = begin;
	if (!*orders.end || !away)
		return 1;
	out[1] = (struct hatest_action){.at_s = begin.end_s, .end_s = begin.end_s, .undoes = true};
	snprintf(out[1].command, sizeof(out[1].command), "%s", orders.end);
	snprintf(out[1].label, sizeof(out[1].label), "end of: %.80s", begin.label);
	return 2;
}

static int by_time(const void *left, const void *right)
{
	const struct hatest_action *a = left, *b = right;

	if (a->at_s != b->at_s)
		return a->at_s < b->at_s ? -1 : 1;
	return (int)b->undoes - (int)a->undoes;
}

size_t hatest_timeline(const struct hatest_scenario *scenario, struct hatest_action *out)
{
	size_t count = 0;

	for (size_t i = 0; i < scenario->events; i++)
		for (uint32_t turn = 0; turn < scenario->event[i].times; turn++)
			count += add(scenario, &scenario->event[i], turn, &out[count]);
	qsort(out, count, sizeof(*out), by_time);
	return count;
}
