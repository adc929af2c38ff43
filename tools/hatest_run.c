// SPDX-License-Identifier: BSD-2-Clause
// One scenario, behind all balancers side by side: the same load and the same trouble at the same
// moments, and what else disturbs this host disturbs all alike.
//
// In: a scenario. Out: a result, with samples and metrics of each balancer.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "hatest.h"

#define BEGIN_S	    120
#define ORDER_S	    30
#define TELL_S	    0.5 // between two lines of progress
#define GROUP_HOSTS 64
#define LATE_MS	    25 // more, at the 99th percentile, and what is measured is this host

// A scenario while it runs.
struct play {
	const struct hatest_options *options;
	struct hatest_result *result;
	size_t number, of;
	struct hatest_process lab[HATEST_BALANCERS];
	char dir[HATEST_BALANCERS][256];
	size_t labs;
	uint64_t zero_ns; // begin of what counts
};

static double now_s(const struct play *play)
{
	return ((double)clock_now() - (double)play->zero_ns) / 1e9;
}

static int fail(struct play *play, int error, const char *what)
{
	char *out = play->result->error;

	if (error == -EINTR)
		return error;
	for (size_t i = 0; i < play->labs; i++) {
		if (*play->lab[i].failure) {
			snprintf(out, HATEST_TEXT_SIZE, "%s: %.400s", play->result->run[i].balancer,
				 play->lab[i].failure);
			return error;
		}
	}
	snprintf(out, HATEST_TEXT_SIZE, "%s: %s", what, strerror(-error));
	return error;
}

// To all labs. They obey one order after the other.
static int send_all(struct play *play, const char *command)
{
	for (size_t i = 0; i < play->labs; i++) {
		int error = hatest_lab_send(&play->lab[i], command);

		if (error)
			return fail(play, error, command);
	}
	return 0;
}

static int order_all(struct play *play, const char *command, double seconds)
{
	int error = send_all(play, command);

	if (!error)
		error = hatest_labs_settle(play->lab, play->labs, seconds);
	return error ? fail(play, error, command) : 0;
}

// ---- begin ---------------------------------------------------------------------------------

static int begin(struct play *play)
{
	const struct hatest_scenario *scenario = &play->result->scenario;
	int error;

	hatest_progress_now("[%zu/%zu] %s: builds %zu labs", play->number, play->of, scenario->name,
			    play->result->runs);
	for (size_t i = 0; i < play->result->runs; i++, play->labs++) {
		error = hatest_lab_start(&play->lab[i], play->options, scenario,
					 play->result->run[i].balancer);
		if (error)
			return fail(play, error, "a lab");
	}
	error = order_all(play, "begin", BEGIN_S);
	for (size_t i = 0; i < play->labs && !error; i++)
		snprintf(play->dir[i], sizeof(play->dir[i]), "%.255s", play->lab[i].line);
	return error;
}

static void write_place(const struct play *play, FILE *out)
{
	const struct hatest_options *options = play->options;
	const struct hatest_load *load = &play->result->scenario.load;

	if (!options->has_target) {
		fputs("--target 10.99.0.1:80", out);
		for (int group = 1; group <= HATEST_GROUPS; group++)
			fprintf(out, " --source 10.%d.0.0/24#%d", group, GROUP_HOSTS);
		return;
	}
	fprintf(out, "--target %s --source %s", options->target_text, options->source);
	if (*load->path)
		fprintf(out, " --path %s", load->path);
	if (options->host)
		fprintf(out, " --host %s", options->host);
}

static int begin_load(struct play *play)
{
	const struct hatest_load *load = &play->result->scenario.load;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int error;

	if (!out)
		return -ENOMEM;
	fputs("load load ", out);
	write_place(play, out);
	fprintf(out,
		" --rate %g --requests %u --gap-ms %g --duration %.3f --body %u --long %u "
		"--long-interval-ms %g --timeout-ms %g --interval-ms 500 --seed %llu",
		load->rate, load->requests, load->gap_s * 1000, load->warm_s + load->duration_s,
		load->body, load->longs, load->long_interval_s * 1000, load->timeout_s * 1000,
		(unsigned long long)play->options->seed);
	error = fclose(out) ? -ENOMEM : order_all(play, text, ORDER_S);
	free(text);
	play->zero_ns = clock_now() + (uint64_t)(load->warm_s * 1e9);
	return error;
}

// ---- meanwhile -----------------------------------------------------------------------------

// The last whole line of a report that is one of an interval; NULL: there is none yet.
static json_t *last_line(const char *file)
{
	char buffer[16384], *line = NULL, *end;
	FILE *in = fopen(file, "re");
	json_t *out = NULL;
	size_t got;

	if (!in)
		return NULL;
	if (fseek(in, 1 - (long)sizeof(buffer), SEEK_END))
		rewind(in);
	got = fread(buffer, 1, sizeof(buffer) - 1, in);
	fclose(in);
	buffer[got] = '\0';
	end = strrchr(buffer, '\n');
	if (end) {
		*end = '\0';
		line = strrchr(buffer, '\n');
		out = json_loads(line ? line + 1 : buffer, 0, NULL);
	}
	if (out && !json_object_get(out, "prefixes")) {
		json_decref(out);
		return NULL;
	}
	return out;
}

static void tell_balancer(const struct play *play, size_t number, FILE *out)
{
	char file[300];
	json_t *line, *prefix;
	const char *name;
	double p99 = 0, broken = 0;

	snprintf(file, sizeof(file), "%s/load.report", play->dir[number]);
	line = last_line(file);
	json_object_foreach (json_object_get(line, "prefixes"), name, prefix) {
		p99 = fmax(p99, json_number_value(json_object_get(prefix, "p99_ms")));
		broken += json_number_value(json_object_get(prefix, "broken"));
	}
	broken += json_number_value(json_object_get(json_object_get(line, "long"), "broken"));
	json_decref(line);
	fprintf(out, "  %s %.0f ms", play->result->run[number].balancer, p99);
	if (broken > 0)
		fprintf(out, " %.0f failed", broken);
}

static void tell(const struct play *play, const char *doing)
{
	const struct hatest_scenario *scenario = &play->result->scenario;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	for (size_t i = 0; i < play->labs; i++)
		tell_balancer(play, i, out);
	if (!fclose(out))
		hatest_progress_line("[%zu/%zu] %s %5.1f/%.0f s  p99:%s  %s", play->number,
				     play->of, scenario->name, now_s(play),
				     scenario->load.duration_s, text, doing);
	free(text);
}

static int wait_until(struct play *play, double at_s, const char *doing)
{
	int error = 0;

	while (!error && now_s(play) < at_s) {
		error = hatest_labs_sleep(play->lab, play->labs, fmin(TELL_S, at_s - now_s(play)));
		tell(play, doing);
	}
	return error ? fail(play, error, "waiting") : 0;
}

static int take_lost(struct play *play, double sign)
{
	int error;

	if (play->options->has_target)
		return 0;
	error = order_all(play, "lost", ORDER_S);
	for (size_t i = 0; i < play->labs && !error; i++)
		play->result->run[i].metrics.lost += sign * strtod(play->lab[i].line, NULL);
	return error;
}

static int act(struct play *play)
{
	struct hatest_result *result = play->result;
	const char *doing = "";
	int error = 0;

	for (size_t i = 0; i < result->actions && !error; i++) {
		struct hatest_action *action = &result->action[i];
		double late;

		error = wait_until(play, action->at_s, doing);
		late = fmax(0, now_s(play) - action->at_s);
		// What is measured counts from when it was really ordered.
		action->at_s += late;
		action->end_s = fmax(action->end_s, action->at_s);
		doing = action->label;
		if (!error)
			error = send_all(play, action->command);
	}
	return error ? error : wait_until(play, result->scenario.load.duration_s, doing);
}

// ---- end -----------------------------------------------------------------------------------

// When a load began, by its own report; and, if it has ended, how late its generator was, and how
// many connections it could not even begin.
static double began_s(const struct play *play, size_t number, const char *name, double *late_ms,
		      json_int_t *not_started)
{
	char file[300];
	json_t *line, *start, *summary;
	double at_s = NAN;
	FILE *in;

	snprintf(file, sizeof(file), "%s/%s.report", play->dir[number], name);
	in = fopen(file, "re");
	while (in && (line = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL))) {
		start = json_object_get(line, "start");
		summary = json_object_get(line, "summary");
		if (start)
			at_s = (json_number_value(json_object_get(start, "monotonic_ns")) -
				(double)play->zero_ns) /
			       1e9;
		*not_started += json_integer_value(json_object_get(summary, "not_started"));
		if (summary)
			*late_ms = fmax(*late_ms,
					json_number_value(json_object_get(
						json_object_get(summary, "late_ms"), "p99")));
		json_decref(line);
	}
	if (in)
		fclose(in);
	return at_s;
}

static int read_run(struct play *play, size_t number)
{
	struct hatest_run *run = &play->result->run[number];
	json_int_t not_started = 0;
	int error = 0;

	// The load, and what crowds there were: crowd1, crowd2 ...
	for (size_t i = 0; !error; i++) {
		char log[300], name[32] = "load";
		double at_s;

		if (i > 0)
			snprintf(name, sizeof(name), "crowd%zu", i);
		snprintf(log, sizeof(log), "%s/%s.log", play->dir[number], name);
		if (i > 0 && access(log, F_OK))
			break;
		at_s = began_s(play, number, name, &run->late_p99_ms, &not_started);
		error = isnan(at_s) ? -ENODATA
				    : hatest_samples_read(&run->samples, log, at_s,
							  play->result->scenario.load.requests);
	}
	hatest_samples_sort(&run->samples);
	// Nobody counted them: of what was meant they would be missing.
	if (!error && not_started) {
		snprintf(play->result->error, HATEST_TEXT_SIZE,
			 "%s: too many connections were open to begin %" JSON_INTEGER_FORMAT
			 " others: lower load.rate or load.timeout",
			 run->balancer, not_started);
		error = -EMFILE;
	}
	return error;
}

// Packets that Larch dropped, by the outcome's name.
static json_t *read_drops(const struct play *play, size_t number)
{
	char file[300];
	json_t *status, *outcome, *drops = json_object();
	size_t i;

	snprintf(file, sizeof(file), "%s/status.json", play->dir[number]);
	status = json_load_file(file, 0, NULL);
	json_array_foreach (json_object_get(status, "outcomes"), i, outcome) {
		const char *name = json_string_value(json_object_get(outcome, "outcome"));
		json_t *packets = json_object_get(outcome, "packets");

		if (name && strncasecmp(name, "drop_", 5) == 0 && json_integer_value(packets))
			json_object_set(drops, name, packets);
	}
	if (!status) {
		json_decref(drops);
		return NULL;
	}
	json_decref(status);
	return drops;
}

static int finish(struct play *play)
{
	struct hatest_result *result = play->result;
	const struct hatest_load *load = &result->scenario.load;
	int error = order_all(play, "wait", load->timeout_s + ORDER_S);

	if (!error)
		error = take_lost(play, 1);
	if (!error && !play->options->has_target)
		error = order_all(play, "status", ORDER_S);
	for (size_t i = 0; i < play->labs && !error; i++) {
		struct hatest_run *run = &result->run[i];
		double lost = run->metrics.lost;

		error = read_run(play, i);
		run->drops = read_drops(play, i);
		hatest_measure(&run->samples, &result->scenario, result->action, result->actions,
			       &run->metrics);
		run->metrics.lost = play->options->has_target ? NAN : fmax(0, lost);
		if (error && !*result->error)
			fail(play, error, "the log of requests");
	}
	return error;
}

static void judge(struct play *play)
{
	struct hatest_result *result = play->result;
	const struct hatest_metrics *fixed = NULL;

	for (size_t i = 0; i < result->runs; i++)
		if (strcmp(result->run[i].balancer, "static") == 0)
			fixed = &result->run[i].metrics;
	result->verdicts = hatest_judge(&result->scenario, &result->run[0].metrics, fixed,
					result->is_short, result->verdict);
	for (size_t i = 0; i < result->runs; i++)
		result->late_p99_ms = fmax(result->late_p99_ms, result->run[i].late_p99_ms);
	result->met = true;
	for (size_t i = 0; i < result->verdicts; i++)
		if (result->verdict[i].judged && !result->verdict[i].met)
			result->met = false;
	result->disturbed = result->late_p99_ms > LATE_MS && !result->met;
}

void hatest_result_clear(struct hatest_result *result)
{
	for (size_t i = 0; i < result->runs; i++) {
		hatest_samples_free(&result->run[i].samples);
		json_decref(result->run[i].drops);
	}
	memset(&result->actions, 0, sizeof(*result) - offsetof(struct hatest_result, actions));
}

// Static weights beside Larch that does not learn would be the same once more; others than Larch
// have one node.
static void choose_balancers(const struct hatest_options *options, struct hatest_result *result)
{
	const struct hatest_lab *lab = &result->scenario.lab;

	for (size_t i = 0; i < options->balancers; i++) {
		const char *name = options->balancer[i];
		bool rival = strcmp(name, "larch") && strcmp(name, "static");

		if ((strcmp(name, "static") == 0 && !lab->learning) || (rival && lab->nodes > 1))
			continue;
		result->run[result->runs++].balancer = name;
	}
}

int hatest_run(const struct hatest_options *options, size_t number, size_t of,
	       struct hatest_result *result)
{
	struct play play = {.options = options, .result = result, .number = number, .of = of};
	int error;

	hatest_result_clear(result);
	result->actions = hatest_timeline(&result->scenario, result->action);
	choose_balancers(options, result);
	error = begin(&play);
	if (!error)
		error = begin_load(&play);
	if (!error)
		error = wait_until(&play, 0, "warms up");
	if (!error)
		error = take_lost(&play, -1);
	if (!error)
		error = act(&play);
	if (!error)
		error = finish(&play);
	hatest_progress_now("[%zu/%zu] %s: cleans up", number, of, result->scenario.name);
	hatest_labs_stop(play.lab, play.labs);
	if (!error)
		judge(&play);
	return error;
}
