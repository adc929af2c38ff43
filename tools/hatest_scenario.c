// SPDX-License-Identifier: BSD-2-Clause
// Reads a scenario of the high-availability test: a YAML file, as strictly as larchd reads its own.
// In: a text. Out: the scenario, complete with defaults, or what is wrong with it and where. Pure.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "config_text.h"
#include "config_yaml.h"
#include "hatest.h"
#include "setting.h"

#define LONGEST_S 3600

// From three groups of clients to b1, b2, b3, b4, and again to those after them; s.
static const double distances[HATEST_GROUPS][4] = {
	{0.010, 0.010, 0.060, 0.040},
	{0.060, 0.010, 0.010, 0.040},
	{0.010, 0.060, 0.010, 0.040},
};

static void read_text(const struct setting *mapping, const char *key, char *out)
{
	struct setting setting;
	const char *text;

	if (!setting_get(mapping, key, &setting))
		return;
	text = setting_text(&setting);
	if (!text || !*text || strlen(text) >= HATEST_TEXT_SIZE)
		setting_expect(&setting, "a text of at most %d bytes", HATEST_TEXT_SIZE - 1);
	else
		strcpy(out, text);
}

static void read_whole(const struct setting *mapping, const char *key, uint32_t least,
		       uint32_t most, uint32_t *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_whole(&setting, least, most, out);
}

static void read_decimal(const struct setting *mapping, const char *key, double least, double most,
			 double *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_decimal(&setting, least, most, out);
}

static void read_duration(const struct setting *mapping, const char *key, double least, double most,
			  double *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_duration(&setting, least, most, out);
}

// A mapping that becomes part of larchd's configuration, which checks it; but what the lab sets
// itself is not for others to set.
static json_t *read_further(const struct setting *mapping, const char *key,
			    const char *const *taken)
{
	struct setting setting;

	if (!setting_get(mapping, key, &setting))
		return NULL;
	if (!json_is_object(setting.value)) {
		setting_expect(&setting, "a mapping of keys of larchd's configuration");
		return NULL;
	}
	for (; *taken; taken++)
		if (json_object_get(setting.value, *taken))
			setting_fail(&setting, "the lab itself sets '%s'", *taken);
	return json_incref(setting.value);
}

static void read_distance_row(const struct setting *row, double out[HATEST_BACKENDS],
			      uint32_t backends)
{
	if (!json_is_array(row->value) || setting_count(row) != backends) {
		setting_expect(row, "a list of %u times, one for each backend", backends);
		return;
	}
	for (size_t i = 0; i < backends; i++) {
		struct setting item = setting_item(row, i);

		setting_duration(&item, 0, 1, &out[i]);
	}
}

static void read_distance(const struct setting *mapping, struct hatest_lab *out)
{
	struct setting setting;

	for (size_t group = 0; group < HATEST_GROUPS; group++)
		for (size_t i = 0; i < HATEST_BACKENDS; i++)
			out->distance[group][i] = distances[group][i % 4];
	if (!setting_get(mapping, "distance", &setting))
		return;
	if (!json_is_array(setting.value) || setting_count(&setting) != HATEST_GROUPS) {
		setting_expect(&setting, "a list of %d lists, one for each group of clients",
			       HATEST_GROUPS);
		return;
	}
	for (size_t i = 0; i < HATEST_GROUPS; i++) {
		struct setting row = setting_item(&setting, i);

		read_distance_row(&row, out->distance[i], out->backends);
	}
}

static void read_members(const struct setting *mapping, struct hatest_lab *out)
{
	uint32_t count = out->backends;

	out->members = 0;
	read_whole(mapping, "members", 1, out->backends, &count);
	for (uint32_t i = 1; i <= count; i++)
		out->members |= 1u << i;
}

static void read_lab(const struct setting *root, struct hatest_lab *out)
{
	static const char *const keys[] = {"backends", "members",  "workers", "service",
					   "jitter",   "learning", "nodes",   "distance",
					   "larchd",   "web",	   NULL};
	static const char *const off_on[] = {"off", "on", NULL};
	static const char *const top[] = {"interfaces", "services", NULL};
	static const char *const service[] = {"name",	  "address",  "port", "protocol",
					      "learning", "backends", NULL};
	struct setting lab, setting;
	int learning = 1;

	if (setting_get(root, "lab", &lab) && setting_mapping(&lab, keys)) {
		read_whole(&lab, "backends", 2, HATEST_BACKENDS - 1, &out->backends);
		read_whole(&lab, "workers", 1, 64, &out->workers);
		read_whole(&lab, "nodes", 1, 2, &out->nodes);
		read_duration(&lab, "service", 0, 1, &out->service_s);
		read_decimal(&lab, "jitter", 0, 2, &out->jitter);
		if (setting_get(&lab, "learning", &setting))
			setting_choice(&setting, off_on, &learning);
		out->larchd = read_further(&lab, "larchd", top);
		out->web = read_further(&lab, "web", service);
		read_distance(&lab, out);
		read_members(&lab, out);
	} else {
		struct setting none = {.tree = root->tree, .parent = root, .value = json_object()};

		read_distance(&none, out);
		read_members(&none, out);
		json_decref(none.value);
	}
	out->learning = learning == 1;
}

// It goes into a request's first line.
static bool is_path(const char *text)
{
	bool good = *text == '/';

	for (; *text; text++)
		good &= *text > ' ' && *text <= '~';
	return good;
}

static void read_load(const struct setting *root, struct hatest_load *out)
{
	static const char *const keys[] = {"rate", "requests",	    "gap",     "body",
					   "long", "long_interval", "in_time", "timeout",
					   "warm", "duration",	    "path",    NULL};
	struct setting load;

	if (!setting_get(root, "load", &load) || !setting_mapping(&load, keys))
		return;
	read_decimal(&load, "rate", 1, 100000, &out->rate);
	read_whole(&load, "requests", 1, 1000, &out->requests);
	read_duration(&load, "gap", 0, 60, &out->gap_s);
	read_whole(&load, "body", 0, 1 << 20, &out->body);
	read_whole(&load, "long", 0, 10000, &out->longs);
	read_duration(&load, "long_interval", 0.01, 60, &out->long_interval_s);
	read_duration(&load, "in_time", 0.001, 60, &out->in_time_s);
	read_duration(&load, "timeout", 0.001, 60, &out->timeout_s);
	read_duration(&load, "warm", 0, LONGEST_S, &out->warm_s);
	read_duration(&load, "duration", 2, LONGEST_S, &out->duration_s);
	read_text(&load, "path", out->path);
	if (out->timeout_s < out->in_time_s)
		setting_fail(&load, "timeout is less than in_time (%g s): no answer could be late",
			     out->in_time_s);
	if (*out->path && !is_path(out->path))
		setting_fail(&load, "path is '%s'; expected to begin with '/', without spaces",
			     out->path);
}

static void read_thresholds(const struct setting *root, struct hatest_thresholds *out)
{
	static const char *const keys[] = {
		"availability", "p99_ratio", "p99_over_static", "broken",  "broken_long",
		"refused",	"lost",	     "detect",		"recover", NULL};
	struct setting all;

	if (!setting_get(root, "thresholds", &all) || !setting_mapping(&all, keys))
		return;
	read_decimal(&all, "availability", 0, 1, &out->availability);
	read_decimal(&all, "p99_ratio", 0, 1000, &out->p99_ratio);
	read_decimal(&all, "p99_over_static", 0, 1000, &out->p99_over_static);
	read_decimal(&all, "broken", 0, 1e9, &out->broken);
	read_decimal(&all, "broken_long", 0, 1e9, &out->broken_long);
	read_decimal(&all, "refused", 0, 1e9, &out->refused);
	read_decimal(&all, "lost", 0, 1e9, &out->lost);
	read_duration(&all, "detect", 0, LONGEST_S, &out->detect);
	read_duration(&all, "recover", 0, LONGEST_S, &out->recover);
}

static bool hits_a_backend(const struct hatest_scenario *scenario)
{
	for (size_t i = 0; i < scenario->events; i++) {
		const struct hatest_event *event = &scenario->event[i];

		for (uint32_t turn = 0; turn < event->times; turn++)
			if (hatest_affected(event, turn, scenario->lab.members))
				return true;
	}
	return false;
}

// A threshold that nothing is measured for would be none.
static void check_thresholds(const struct setting *root, const struct hatest_scenario *scenario)
{
	const struct hatest_thresholds *asked = &scenario->thresholds;
	struct setting all, setting;

	if (root->tree->errors->count || !setting_get(root, "thresholds", &all))
		return;
	if (!isnan(asked->detect) && !hits_a_backend(scenario) &&
	    setting_get(&all, "detect", &setting))
		setting_fail(&setting, "no event hits a backend: there is nothing to detect");
	if (!isnan(asked->recover) && !scenario->events && setting_get(&all, "recover", &setting))
		setting_fail(&setting, "there is no event to recover from");
	if (!isnan(asked->p99_ratio) && !scenario->events &&
	    setting_get(&all, "p99_ratio", &setting))
		setting_fail(&setting, "there is no event, and so no time before and during it");
	if (!isnan(asked->p99_over_static) && !scenario->lab.learning &&
	    setting_get(&all, "p99_over_static", &setting))
		setting_fail(&setting, "with 'learning: off' there are no static weights beside");
}

static void read_root(const struct setting *root, struct hatest_scenario *out)
{
	static const char *const keys[] = {"title",  "about",	   "lab", "load",
					   "events", "thresholds", NULL};
	struct setting setting;

	if (!setting_mapping(root, keys))
		return;
	if (setting_require(root, "title", &setting))
		read_text(root, "title", out->title);
	read_text(root, "about", out->about);
	read_lab(root, &out->lab);
	read_load(root, &out->load);
	read_thresholds(root, &out->thresholds);
	hatest_events_read(root, out);
	check_thresholds(root, out);
}

int hatest_scenario_parse(const char *text, size_t length, struct hatest_scenario *out,
			  struct config_errors *errors)
{
	struct setting_tree all = {.errors = errors};
	struct config_places *places;
	struct setting root;
	json_t *tree;
	int error;

	memset(errors, 0, sizeof(*errors));
	*out = (struct hatest_scenario){
		.lab = {.backends = 4, .workers = 4, .service_s = 0.02, .jitter = 0.5, .nodes = 1},
		.load = {.rate = 150,
			 .requests = 2,
			 .gap_s = 0.15,
			 .body = 2500,
			 .longs = 20,
			 .long_interval_s = 0.25,
			 .in_time_s = 1,
			 .timeout_s = 4,
			 .warm_s = 8,
			 .duration_s = 20},
		.thresholds = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN},
	};
	error = config_text_check(text, length, &length, errors);
	if (!error)
		error = config_yaml_read(text, length, &tree, &places, errors);
	if (error)
		return error;
	all.places = places;
	root = (struct setting){.tree = &all, .value = tree};
	read_root(&root, out);
	json_decref(tree);
	config_places_free(places);
	if (errors->count)
		hatest_scenario_free(out);
	return errors->count ? -EINVAL : 0;
}

void hatest_scenario_free(struct hatest_scenario *scenario)
{
	json_decref(scenario->lab.larchd);
	json_decref(scenario->lab.web);
	scenario->lab.larchd = scenario->lab.web = NULL;
}

#define SHORT_S	     5.0
#define SHORT_WARM_S 1.5

bool hatest_scenario_shorten(struct hatest_scenario *scenario)
{
	double part = SHORT_S / scenario->load.duration_s;

	if (part >= 1)
		return false;
	scenario->load.duration_s *= part;
	scenario->load.warm_s = fmin(scenario->load.warm_s, SHORT_WARM_S);
	for (size_t i = 0; i < scenario->events; i++) {
		scenario->event[i].at_s *= part;
		scenario->event[i].for_s *= part;
		scenario->event[i].every_s *= part;
	}
	return true;
}
