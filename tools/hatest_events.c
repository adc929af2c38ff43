// SPDX-License-Identifier: BSD-2-Clause
// Reads the events of a scenario. Each row of `kinds` says what an event needs and may have. Pure.
#include <string.h>

#include "hatest.h"
#include "setting.h"

enum need { NOTHING, BACKEND, LINK, NODE };

// What an event is made of.
static const struct kind {
	const char *word;
	enum need target;
	bool must_last, may_last; // `for`
	const char *number;	  // its key; NULL: none
	double least, most, usual;
} kinds[HATEST_DO_COUNT] = {
	[HATEST_SLOW] = {"slow", BACKEND, false, true, "factor", 1, 1000, 5},
	[HATEST_PAUSE] = {"pause", BACKEND, true, true, NULL, 0, 0, 0},
	[HATEST_KILL] = {"kill", BACKEND, false, true, NULL, 0, 0, 0},
	[HATEST_START] = {"start", BACKEND, false, false, NULL, 0, 0, 0},
	[HATEST_DRAIN] = {"drain", BACKEND, false, true, NULL, 0, 0, 0},
	[HATEST_ACTIVATE] = {"activate", BACKEND, false, false, NULL, 0, 0, 0},
	[HATEST_RELOAD] = {"reload", NOTHING, false, false, NULL, 0, 0, 0},
	[HATEST_RESTART_LARCHD] = {"restart-larchd", NOTHING, false, true, NULL, 0, 0, 0},
	[HATEST_UPGRADE] = {"upgrade", NOTHING, false, false, NULL, 0, 0, 0},
	[HATEST_LINK_DOWN] = {"link-down", LINK, false, true, NULL, 0, 0, 0},
	[HATEST_LINK_UP] = {"link-up", LINK, false, false, NULL, 0, 0, 0},
	[HATEST_KILL_NODE] = {"kill-node", NODE, false, true, NULL, 0, 0, 0},
	[HATEST_FLOOD] = {"flood", NOTHING, true, true, "rate", 1, 100000, 10000},
	[HATEST_CROWD] = {"crowd", NOTHING, true, true, "factor", 1, 100, 10},
	[HATEST_RUN] = {"run", NOTHING, false, false, NULL, 0, 0, 0},
};

const char *hatest_do_text(enum hatest_do what)
{
	return kinds[what].word;
}

bool hatest_do_needs_lab(enum hatest_do what)
{
	return what != HATEST_RUN && what != HATEST_CROWD;
}

// The words of all kinds, with NULL at the end.
static const char *const *words(void)
{
	static const char *all[HATEST_DO_COUNT + 1];

	for (size_t i = 0; i < HATEST_DO_COUNT; i++)
		all[i] = kinds[i].word;
	return all;
}

// setting_choice() would list all of them in a line that is too long.
static bool read_what(const struct setting *item, int *out)
{
	struct setting setting;
	const char *text;

	if (!setting_require(item, "do", &setting))
		return false;
	text = setting_text(&setting);
	for (int i = 0; text && words()[i]; i++) {
		if (strcmp(text, words()[i]) == 0) {
			*out = i;
			return true;
		}
	}
	setting_expect(&setting, "slow, pause, kill, start, drain, activate, reload, "
				 "restart-larchd, upgrade, link-down, link-up, kill-node, flood, "
				 "crowd or run");
	return false;
}

// "b3": 3. 0: it is none of these.
static uint32_t backend_number(const char *text, uint32_t backends)
{
	for (uint32_t i = 1; text && i <= backends; i++) {
		char name[8];

		snprintf(name, sizeof(name), "b%u", i);
		if (strcmp(text, name) == 0)
			return i;
	}
	return 0;
}

static bool read_backend(const struct setting *setting, uint32_t backends, uint32_t *out)
{
	*out = backend_number(setting_text(setting), backends);
	if (!*out)
		setting_expect(setting, "a backend of the lab, b1 to b%u", backends);
	return *out;
}

static void read_targets(const struct setting *list, const struct hatest_lab *lab, bool link,
			 struct hatest_event *out)
{
	if (json_is_array(list->value) && !setting_list(list))
		return;
	if (setting_count(list) >= HATEST_BACKENDS) {
		setting_fail(list, "more than %d backends", HATEST_BACKENDS - 1);
		return;
	}
	for (size_t i = 0; i < setting_count(list); i++) {
		struct setting item = setting_item(list, i);
		const char *text = setting_text(&item);
		uint32_t number = 0;

		if (!(link && text && strcmp(text, "balancer") == 0) &&
		    !read_backend(&item, lab->backends, &number))
			return;
		out->target[out->targets++] = (uint8_t)number;
	}
}

static void read_node(const struct setting *item, const struct hatest_lab *lab,
		      struct hatest_event *out)
{
	struct setting setting;
	uint32_t number;

	if (lab->nodes < 2)
		setting_fail(item, "kill-node needs a lab of two nodes, see 'lab.nodes'");
	else if (setting_require(item, "node", &setting) &&
		 setting_whole(&setting, 1, lab->nodes, &number))
		out->target[out->targets++] = (uint8_t)number;
}

static void read_target(const struct setting *item, const struct hatest_lab *lab,
			struct hatest_event *out)
{
	struct setting setting;

	switch (kinds[out->what].target) {
	case BACKEND:
		if (setting_require(item, "backend", &setting))
			read_targets(&setting, lab, false, out);
		break;
	case LINK:
		if (setting_require(item, "link", &setting))
			read_targets(&setting, lab, true, out);
		break;
	case NODE:
		read_node(item, lab, out);
		break;
	case NOTHING:
		out->targets = 1;
	}
}

static void read_members(const struct setting *item, const struct hatest_lab *lab,
			 struct hatest_event *out)
{
	struct setting list;
	uint32_t number;

	if (!setting_get(item, "members", &list))
		return;
	if (out->what != HATEST_RELOAD) {
		setting_fail(&list, "only a reload has members");
		return;
	}
	if (!setting_list(&list))
		return;
	for (size_t i = 0; i < setting_count(&list); i++) {
		struct setting member = setting_item(&list, i);

		if (!read_backend(&member, lab->backends, &number))
			return;
		out->members |= 1u << number;
	}
}

static void read_number(const struct setting *item, struct hatest_event *out)
{
	static const char *const keys[] = {"factor", "rate"};
	const struct kind *kind = &kinds[out->what];
	struct setting setting;

	out->number = kind->usual;
	for (size_t i = 0; i < 2; i++) {
		if (!setting_get(item, keys[i], &setting))
			continue;
		if (kind->number && strcmp(keys[i], kind->number) == 0)
			setting_decimal(&setting, kind->least, kind->most, &out->number);
		else
			setting_fail(&setting, "%s has no %s", kind->word, keys[i]);
	}
}

static void read_command(const struct setting *item, struct hatest_event *out)
{
	struct setting setting;
	const char *text;

	if (out->what != HATEST_RUN) {
		if (setting_get(item, "command", &setting))
			setting_fail(&setting, "only 'do: run' has a command");
		return;
	}
	if (!setting_require(item, "command", &setting))
		return;
	text = setting_text(&setting);
	if (!text || !*text || strchr(text, '\n') || strlen(text) >= sizeof(out->command))
		setting_expect(&setting, "a shell command of one line and at most %zu bytes",
			       sizeof(out->command) - 1);
	else
		strcpy(out->command, text);
}

static void read_times(const struct setting *item, double duration_s, struct hatest_event *out)
{
	const struct kind *kind = &kinds[out->what];
	bool repeats =
		json_object_get(item->value, "every") || json_object_get(item->value, "times");
	struct setting setting;
	double end_s;

	if (setting_require(item, "at", &setting))
		setting_duration(&setting, 0, duration_s, &out->at_s);
	if (setting_get(item, "for", &setting)) {
		if (kind->may_last)
			setting_duration(&setting, 0.01, duration_s, &out->for_s);
		else
			setting_fail(&setting, "%s does not last", kind->word);
	} else if (kind->must_last) {
		setting_fail(item, "%s needs 'for': how long", kind->word);
	}
	if (repeats && setting_require(item, "every", &setting))
		setting_duration(&setting, 0.05, duration_s, &out->every_s);
	if (repeats && setting_require(item, "times", &setting))
		setting_whole(&setting, 2, 200, &out->times);
	if (repeats && out->for_s > out->every_s && out->targets == 1)
		setting_fail(item, "it begins again before it ends: 'for' is more than 'every'");
	end_s = out->at_s + (out->times - 1) * out->every_s + out->for_s;
	if (end_s > duration_s + 1e-9)
		setting_fail(item, "ends at %g s, when the load (%g s) is over", end_s, duration_s);
}

static void read_event(const struct setting *item, struct hatest_scenario *out)
{
	static const char *const keys[] = {"at",      "do",	 "for",	 "every",  "times",
					   "backend", "link",	 "node", "factor", "rate",
					   "members", "command", NULL};
	struct hatest_event event = {.times = 1};
	int what;

	if (!setting_mapping(item, keys) || !read_what(item, &what))
		return;
	event.what = (enum hatest_do)what;
	read_target(item, &out->lab, &event);
	read_members(item, &out->lab, &event);
	read_number(item, &event);
	read_command(item, &event);
	read_times(item, out->load.duration_s, &event);
	out->event[out->events++] = event;
}

void hatest_events_read(const struct setting *root, struct hatest_scenario *out)
{
	struct setting list;
	size_t repeats = 0;

	if (!setting_get(root, "events", &list) || !setting_list(&list))
		return;
	if (setting_count(&list) > HATEST_EVENTS) {
		setting_fail(&list, "more than %d events", HATEST_EVENTS);
		return;
	}
	for (size_t i = 0; i < setting_count(&list); i++) {
		struct setting item = setting_item(&list, i);

		read_event(&item, out);
	}
	for (size_t i = 0; i < out->events; i++)
		repeats += 2 * out->event[i].times;
	if (repeats > HATEST_ACTIONS)
		setting_fail(&list, "more than %d repeats altogether", HATEST_ACTIONS / 2);
}
