// SPDX-License-Identifier: BSD-2-Clause
/* From YAML to a scenario: see sim_scenario.h. The reader and its errors are larchd's own. */
#include "sim_scenario.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "config_yaml.h"
#include "larch/cell.h"
#include "setting.h"

#define SHORTEST 1e-6 /* s */
#define LONGEST	 600

/* What is being read, and where the list of classes and the default distances are. */
struct reading {
	struct sim_scenario *out;
	struct sim_net net;
	size_t net_backends; /* length of the list of fixed distances; 0: none */
};

static void read_decimal(const struct setting *mapping, const char *key, double least, double most,
			 double *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_decimal(&setting, least, most, out);
}

static void read_whole(const struct setting *mapping, const char *key, uint32_t least,
		       uint32_t most, uint32_t *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_whole(&setting, least, most, out);
}

static void read_duration(const struct setting *mapping, const char *key, double least, double *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_duration(&setting, least, LONGEST, out);
}

static void read_phases(const struct setting *root, const char *key, struct sim_phases *out)
{
	static const char *const keys[] = {"every", "length", "factor", NULL};
	struct setting mapping, setting;

	if (!setting_get(root, key, &mapping) || !setting_mapping(&mapping, keys))
		return;
	out->factor = 1;
	if (setting_require(&mapping, "every", &setting))
		setting_duration(&setting, 1e-3, LONGEST, &out->every);
	if (setting_require(&mapping, "length", &setting))
		setting_duration(&setting, SHORTEST, LONGEST, &out->length);
	read_decimal(&mapping, "factor", 1, 1000, &out->factor);
}

/* A pair of times, the second not before the first. */
static bool read_pair(const struct setting *setting, double *low, double *high)
{
	struct setting first = setting_item(setting, 0), second = setting_item(setting, 1);

	if (!setting_list(setting))
		return false;
	if (setting_count(setting) != 2) {
		setting_expect(setting, "two times, such as [1ms, 5ms]");
		return false;
	}
	if (!setting_duration(&first, 0, LONGEST, low) ||
	    !setting_duration(&second, 0, LONGEST, high))
		return false;
	if (*high <= *low)
		setting_fail(&second, "the second time must be after the first");
	return *high > *low;
}

static void read_net_list(struct reading *reading, const struct setting *setting,
			  struct sim_net *out)
{
	if (setting_count(setting) != reading->out->backends) {
		setting_fail(setting, "%zu times, but %zu backends", setting_count(setting),
			     reading->out->backends);
		return;
	}
	for (size_t i = 0; i < reading->out->backends; i++) {
		struct setting item = setting_item(setting, i);

		setting_duration(&item, SHORTEST, LONGEST, &out->fixed[i]);
	}
}

static void read_net_drawn(const struct setting *setting, struct sim_net *out)
{
	static const char *const keys[] = {"near", "far", "part", NULL};
	struct setting range;

	if (!setting_mapping(setting, keys))
		return;
	memset(out->fixed, 0, sizeof(out->fixed));
	if (setting_require(setting, "near", &range))
		read_pair(&range, &out->near.low, &out->near.high);
	if (setting_require(setting, "far", &range))
		read_pair(&range, &out->far.low, &out->far.high);
	read_decimal(setting, "part", 0, 1, &out->part);
}

/* One time, a list of one for each backend, or how they are drawn. */
static void read_net(struct reading *reading, const struct setting *mapping, struct sim_net *out)
{
	struct setting setting;
	double all;

	if (!setting_get(mapping, "net", &setting))
		return;
	if (json_is_object(setting.value)) {
		read_net_drawn(&setting, out);
	} else if (json_is_array(setting.value)) {
		read_net_list(reading, &setting, out);
	} else if (setting_duration(&setting, SHORTEST, LONGEST, &all)) {
		for (size_t i = 0; i < SIM_BACKENDS; i++)
			out->fixed[i] = all;
	}
}

static void read_backend(struct sim_scenario *out, const struct setting *item)
{
	static const char *const keys[] = {"count",  "workers",	   "speed",
					   "weight", "discipline", NULL};
	static const char *const disciplines[] = {"fcfs", "ps", NULL};
	struct sim_backend backend = {.workers = 4, .weight = 1, .speed = 1};
	struct setting setting;
	uint32_t count = 1;
	int discipline = 0;

	if (!setting_mapping(item, keys))
		return;
	read_whole(item, "count", 1, SIM_BACKENDS, &count);
	read_whole(item, "workers", 1, 1000, &backend.workers);
	read_whole(item, "weight", 1, 65535, &backend.weight);
	read_decimal(item, "speed", 0.01, 100, &backend.speed);
	if (setting_get(item, "discipline", &setting))
		setting_choice(&setting, disciplines, &discipline);
	backend.sharing = discipline == 1;
	if (out->backends + count > SIM_BACKENDS) {
		setting_fail(item, "more than %d backends", SIM_BACKENDS);
		return;
	}
	while (count--)
		out->backend[out->backends++] = backend;
}

static void read_backends(struct sim_scenario *out, const struct setting *root)
{
	struct setting list;

	if (!setting_require(root, "backends", &list) || !setting_list(&list))
		return;
	for (size_t i = 0; i < setting_count(&list); i++) {
		struct setting item = setting_item(&list, i);

		read_backend(out, &item);
	}
}

static void refuse_again(const struct sim_scenario *scenario, const struct setting *setting,
			 const char *name)
{
	for (size_t i = 0; i < scenario->classes; i++) {
		if (strcmp(scenario->class[i].name, name) == 0)
			setting_fail(setting, "there is a class '%s' before", name);
	}
}

static void read_class(struct reading *reading, const struct setting *item)
{
	static const char *const keys[] = {"name",  "source", "prefixes", "port", "hops",
					   "share", "work",   "net",	  NULL};
	struct sim_class *class = &reading->out->class[reading->out->classes];
	uint32_t port = 443, hops = 8;
	struct setting setting;
	struct in6_addr source;

	*class = (struct sim_class){.prefixes = 1, .share = 1, .work = 1, .net = reading->net};
	if (!setting_mapping(item, keys))
		return;
	if (setting_require(item, "name", &setting) && setting_name(&setting, class->name))
		refuse_again(reading->out, &setting, class->name);
	if (setting_require(item, "source", &setting) &&
	    setting_address(&setting, AF_INET, &source))
		class->source = (uint32_t)larch_source_ipv4(ntohl(source.s6_addr32[3]));
	read_whole(item, "prefixes", 1, 256, &class->prefixes);
	read_whole(item, "port", 1, 65535, &port);
	read_whole(item, "hops", 0, 63, &hops);
	class->port = (uint16_t)port;
	class->hops = (uint8_t)hops;
	read_decimal(item, "share", 0.001, 1000, &class->share);
	read_decimal(item, "work", 0.001, 1000, &class->work);
	read_net(reading, item, &class->net);
	if (!class->net.fixed[0] && !(class->net.far.high > 0))
		setting_fail(item, "no 'net' here, and none for all classes");
	reading->out->classes++;
}

static void read_classes(struct reading *reading, const struct setting *root)
{
	struct setting list;

	if (!setting_require(root, "classes", &list) || !setting_list(&list))
		return;
	if (setting_count(&list) > SIM_CLASSES) {
		setting_fail(&list, "more than %d classes", SIM_CLASSES);
		return;
	}
	for (size_t i = 0; i < setting_count(&list); i++) {
		struct setting item = setting_item(&list, i);

		read_class(reading, &item);
	}
}

static bool read_event_class(const struct sim_scenario *scenario, const struct setting *item,
			     size_t *out)
{
	struct setting setting;
	const char *name;

	if (!setting_require(item, "class", &setting))
		return false;
	name = setting_text(&setting);
	for (size_t i = 0; name && i < scenario->classes; i++) {
		if (strcmp(scenario->class[i].name, name) == 0) {
			*out = i;
			return true;
		}
	}
	setting_expect(&setting, "the name of a class");
	return false;
}

static bool read_event_backend(const struct sim_scenario *scenario, const struct setting *item,
			       size_t *out)
{
	struct setting setting;
	uint32_t number;

	if (!setting_require(item, "backend", &setting) ||
	    !setting_whole(&setting, 0, (uint32_t)scenario->backends - 1, &number))
		return false;
	*out = number;
	return true;
}

/* true; an event that does not happen is a mistake. */
static bool read_happens(const struct setting *setting)
{
	bool truth;

	if (!setting_truth(setting, &truth))
		return false;
	if (!truth)
		setting_expect(setting, "true, or no such event");
	return truth;
}

static bool is_one_kind(const struct setting *item)
{
	static const char *const kinds[] = {"slow", "dead", "move", "net"};
	struct setting setting;
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		count += setting_get(item, kinds[i], &setting);
	if (count > 1)
		setting_fail(item, "one of slow, dead, move, net is an event, not %u of them",
			     count);
	return count <= 1;
}

static bool read_event_kind(const struct sim_scenario *scenario, const struct setting *item,
			    struct sim_event *out)
{
	struct setting setting;

	if (!is_one_kind(item))
		return false;
	if (setting_get(item, "slow", &setting)) {
		out->kind = SIM_SLOW;
		return setting_decimal(&setting, 1, 1e6, &out->factor) &&
		       read_event_backend(scenario, item, &out->backend);
	}
	if (setting_get(item, "dead", &setting)) {
		out->kind = SIM_DEAD;
		return read_happens(&setting) && read_event_backend(scenario, item, &out->backend);
	}
	if (setting_get(item, "move", &setting)) {
		out->kind = SIM_MOVE;
		return read_happens(&setting) && read_event_class(scenario, item, &out->class);
	}
	if (setting_get(item, "net", &setting)) {
		out->kind = SIM_DETOUR;
		return setting_duration(&setting, SHORTEST, LONGEST, &out->factor) &&
		       read_event_class(scenario, item, &out->class) &&
		       read_event_backend(scenario, item, &out->backend);
	}
	setting_fail(item, "what happens is missing: one of slow, dead, move, net");
	return false;
}

static void read_event(struct sim_scenario *out, const struct setting *item)
{
	static const char *const keys[] = {"at",   "for",  "backend", "class", "slow",
					   "dead", "move", "net",     NULL};
	struct sim_event event = {};
	struct setting setting;

	if (!setting_mapping(item, keys))
		return;
	if (setting_require(item, "at", &setting))
		setting_duration(&setting, 0, LONGEST, &event.at);
	if (event.at >= out->duration)
		setting_fail(&setting, "the simulation ends before, see 'duration'");
	read_duration(item, "for", SHORTEST, &event.length);
	if (read_event_kind(out, item, &event))
		out->event[out->events++] = event;
}

static void read_events(struct sim_scenario *out, const struct setting *root)
{
	struct setting list;

	if (!setting_get(root, "events", &list) || !setting_list(&list))
		return;
	if (setting_count(&list) > SIM_EVENTS) {
		setting_fail(&list, "more than %d events", SIM_EVENTS);
		return;
	}
	for (size_t i = 0; i < setting_count(&list); i++) {
		struct setting item = setting_item(&list, i);

		read_event(out, &item);
	}
}

static void read_load(struct sim_scenario *out, const struct setting *root)
{
	struct setting setting;

	read_duration(root, "duration", 1, &out->duration);
	out->measured_from = out->duration / 3;
	out->measured_to = out->duration;
	if (setting_get(root, "measure", &setting) &&
	    read_pair(&setting, &out->measured_from, &out->measured_to) &&
	    out->measured_to > out->duration)
		setting_fail(&setting, "the simulation ends before, see 'duration'");
	read_decimal(root, "load", 0.01, 1.5, &out->load);
	read_duration(root, "work", SHORTEST, &out->work);
	read_decimal(root, "deviation", 0, 10, &out->deviation);
	read_decimal(root, "requests", 1, 1000, &out->requests);
	read_duration(root, "think", 0, &out->think);
	read_decimal(root, "jitter", 0, 0.9, &out->jitter);
	read_decimal(root, "one_segment", 0, 1, &out->one_segment);
	read_phases(root, "noise", &out->noise);
	read_phases(root, "pauses", &out->pauses);
	read_phases(root, "bursts", &out->bursts);
}

static void read_root(struct sim_scenario *out, const struct setting *root)
{
	static const char *const keys[] = {
		"duration",    "measure", "load",   "work",	"deviation", "requests",
		"think",       "jitter",  "noise",  "pauses",	"bursts",    "net",
		"one_segment", "classes", "events", "backends", NULL};
	struct reading reading = {.out = out};

	if (!setting_mapping(root, keys))
		return;
	read_load(out, root);
	read_backends(out, root);
	read_net(&reading, root, &reading.net);
	read_classes(&reading, root);
	if (out->backends)
		read_events(out, root);
}

int sim_scenario_parse(const char *text, size_t length, struct sim_scenario *out,
		       struct config_errors *errors)
{
	struct config_places *places;
	json_t *tree;
	int error;

	memset(errors, 0, sizeof(*errors));
	*out = (struct sim_scenario){.duration = 40,
				     .load = 0.6,
				     .work = 2e-3,
				     .deviation = 1.5,
				     .requests = 4,
				     .think = 10e-3};
	error = config_text_check(text, length, &length, errors);
	if (!error)
		error = config_yaml_read(text, length, &tree, &places, errors);
	if (error)
		return error;
	{
		struct setting_tree all = {.places = places, .errors = errors};
		struct setting root = {.tree = &all, .value = tree};

		read_root(out, &root);
	}
	json_decref(tree);
	config_places_free(places);
	return errors->count ? -EINVAL : 0;
}

double sim_scenario_flow_rate(const struct sim_scenario *scenario)
{
	double capacity = 0, share = 0, work = 0;

	for (size_t i = 0; i < scenario->backends; i++)
		capacity += scenario->backend[i].workers * scenario->backend[i].speed;
	for (size_t i = 0; i < scenario->classes; i++) {
		share += scenario->class[i].share;
		work += scenario->class[i].share * scenario->class[i].work;
	}
	work *= scenario->work / share;
	return scenario->load * capacity / work / scenario->requests;
}
