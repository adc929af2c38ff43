// SPDX-License-Identifier: BSD-2-Clause
// larch-hatest: what happens to clients while something goes wrong, behind Larch, behind the same
// weights without learning, and behind others. In: scenarios (tools/hatest/*.yaml, or a user's
// own). Out: tables on stdout, a report in HTML and JSON.
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hatest.h"
#include "lib/options.h"

enum { MET, NOT_MET, USAGE, COULD_NOT_RUN };

#define MAX_SCENARIOS 64

static struct hatest_options options = {.seed = 1, .retries = 2};

static const char usage[] =
	"usage: larch-hatest [options] SCENARIO...     (of those listed, a file, or all)\n"
	"       larch-hatest list\n"
	"       larch-hatest check FILE...\n"
	"\n"
	"Runs scenarios in labs of network namespaces, behind Larch, the same weights without\n"
	"learning, and others, side by side; needs root. With --target only the load is ours.\n"
	"Exit status: 0 all thresholds met, 1 some not, 2 usage or a scenario is refused,\n"
	"3 could not run, or this host was too busy to say.";

static int option_target(const struct option_row *row, const char *text, char *why)
{
	struct hatest_options *all = row->target;

	if (endpoint_parse(text, &all->target) || !all->target.port) {
		snprintf(why, OPTION_WHY_SIZE, "must be like 203.0.113.10:80 or [2001:db8::10]:80");
		return -EINVAL;
	}
	endpoint_text(&all->target, all->target_text);
	all->has_target = true;
	return 0;
}

static int option_against(const struct option_row *row, const char *text, char *why)
{
	static const char *const known[] = {"haproxy", "nginx"};
	struct hatest_options *all = row->target;

	for (const char *at = text; *at; at += strcspn(at, ","), at += *at == ',') {
		size_t length = strcspn(at, ","), i = 0;

		while (i < 2 && (strlen(known[i]) != length || strncmp(at, known[i], length) != 0))
			i++;
		if (i == 2) {
			snprintf(why, OPTION_WHY_SIZE, "must be haproxy, nginx or haproxy,nginx");
			return -EINVAL;
		}
		for (size_t j = 0; j < all->balancers; j++)
			if (all->balancer[j] == known[i])
				return 0;
		all->balancer[all->balancers++] = known[i];
	}
	return 0;
}

static const struct option_row rows[] = {
	{"short", NULL, "a few seconds of each scenario: judged by what must never happen",
	 option_flag, &options.is_short, 0, 0},
	{"against", "haproxy,nginx", "the same lab behind these, too", option_against, &options, 0,
	 0},
	{"target", "ADDR:PORT", "no lab: load on this address, and the scenario's commands",
	 option_target, &options, 0, 0},
	{"source", "CIDR", "with --target: clients' addresses, local here (the route's)",
	 option_text, &options.source, 0, 0},
	{"host", "NAME", "with --target: the requests' Host", option_text, &options.host, 0, 0},
	{"json", "FILE", "write all figures", option_text, &options.json, 0, 0},
	{"html", "FILE", "write the report with its plots", option_text, &options.html, 0, 0},
	{"seed", "N", "of the clients' schedule (1)", option_count, &options.seed, 0, 1e15},
	{"retries", "N", "again if not met while this host was too busy (2)", option_count,
	 &options.retries, 0, 100},
	{"parts", "DIR", NULL, option_text, &options.parts, 0, 0},
	{},
};

// ---- where the scenarios are ---------------------------------------------------------------

static bool has_parts(const char *folder)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/lab", folder);
	return access(path, X_OK) == 0;
}

// Beside this program as it was built, or as it was installed.
static const char *find_parts(void)
{
	static const char *const places[] = {"hatest", "../lib/larch/hatest"};
	static char folder[4096 + 64];
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (options.parts)
		return has_parts(options.parts) ? options.parts : NULL;
	self[length > 0 ? length : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(folder, sizeof(folder), "%s/%s", self, places[i]);
		if (has_parts(folder))
			return folder;
	}
	return NULL;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

// Names of those listed, without ".yaml"; how many.
static size_t listed(char *out[MAX_SCENARIOS])
{
	DIR *folder = opendir(options.parts);
	struct dirent *entry;
	size_t count = 0;

	while (folder && count < MAX_SCENARIOS && (entry = readdir(folder))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && strcmp(dot, ".yaml") == 0)
			out[count++] = strndup(entry->d_name, (size_t)(dot - entry->d_name));
	}
	if (folder)
		closedir(folder);
	qsort(out, count, sizeof(*out), by_name);
	return count;
}

// ---- reading -------------------------------------------------------------------------------

static void say_errors(const char *file, const struct config_errors *errors)
{
	char line[600];

	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(file, &errors->error[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
}

static void name_after(const char *file, char name[CONFIG_NAME_MAX])
{
	const char *slash = strrchr(file, '/');

	snprintf(name, CONFIG_NAME_MAX, "%.63s", slash ? slash + 1 : file);
	name[strcspn(name, ".")] = '\0';
}

// What is asked of a host that is not ours must be something that can be asked.
static int check_target(const char *file, const struct hatest_scenario *scenario)
{
	const struct hatest_thresholds *asked = &scenario->thresholds;

	if (options.has_target && (!isnan(asked->lost) || !isnan(asked->p99_over_static))) {
		fprintf(stderr,
			"%s: with --target the thresholds 'lost' and 'p99_over_static' cannot be "
			"measured\n",
			file);
		return -EINVAL;
	}
	for (size_t i = 0; options.has_target && i < scenario->events; i++) {
		if (!hatest_do_needs_lab(scenario->event[i].what))
			continue;
		fprintf(stderr,
			"%s: with --target there is no lab for '%s': use 'do: run' with a command "
			"of yours\n",
			file, hatest_do_text(scenario->event[i].what));
		return -EINVAL;
	}
	return 0;
}

// A scenario of those listed, or a file. 0, or -errno after saying why.
static int load(const char *word, struct hatest_scenario *out)
{
	struct config_errors errors = {};
	char file[8192], *text = NULL;
	size_t length = 0;
	int error;

	if (strchr(word, '/') || strchr(word, '.'))
		snprintf(file, sizeof(file), "%s", word);
	else
		snprintf(file, sizeof(file), "%s/%s.yaml", options.parts, word);
	error = config_read(file, &text, &length);
	if (error)
		fprintf(stderr, "larch-hatest: %s: %s%s\n", word, strerror(-error),
			error == -ENOENT ? "; 'larch-hatest list' shows what there is, and "
					   "'./FILE.yaml' is one of yours"
					 : "");
	else
		error = hatest_scenario_parse(text, length, out, &errors);
	free(text);
	if (error == -EINVAL)
		say_errors(file, &errors);
	if (error)
		return error;
	name_after(file, out->name);
	error = check_target(file, out);
	if (error)
		hatest_scenario_free(out);
	return error;
}

// ---- commands ------------------------------------------------------------------------------

static int command_list(void)
{
	char *name[MAX_SCENARIOS];
	size_t count = listed(name);

	for (size_t i = 0; i < count; i++) {
		struct hatest_scenario scenario;

		if (load(name[i], &scenario))
			return USAGE;
		printf("  %-10s %3.0f s  %s\n", name[i],
		       scenario.load.warm_s + scenario.load.duration_s, scenario.title);
		hatest_scenario_free(&scenario);
		free(name[i]);
	}
	return MET;
}

static int command_check(char **files)
{
	int status = MET;

	if (!*files) {
		fprintf(stderr, "larch-hatest: check needs files\n");
		return USAGE;
	}
	for (; *files; files++) {
		struct hatest_scenario scenario;

		if (load(*files, &scenario)) {
			status = USAGE;
			continue;
		}
		printf("%s: valid\n", *files);
		hatest_scenario_free(&scenario);
	}
	return status;
}

static void interrupt(int number)
{
	hatest_interrupted = number;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int write_json(const struct hatest_result *results, size_t count)
{
	json_t *all = hatest_json(results, count, &options);
	int error = 0;

	if (!all || json_dump_file(all, options.json, JSON_INDENT(1) | JSON_REAL_PRECISION(9)))
		error = -EIO;
	json_decref(all);
	return error;
}

// What there is, also when not all could run.
static int report(const struct hatest_result *results, size_t count)
{
	int error = 0;

	if (options.json && write_json(results, count)) {
		fprintf(stderr, "larch-hatest: cannot write %s\n", options.json);
		error = -EIO;
	}
	if (options.html && hatest_html(results, count, &options, options.html)) {
		fprintf(stderr, "larch-hatest: cannot write %s\n", options.html);
		error = -EIO;
	}
	return error;
}

// Until it can be judged: what is not met while the load itself is late says nothing.
static int run_one(struct hatest_result *result, size_t number, size_t count)
{
	int error = hatest_run(&options, number, count, result);

	for (uint64_t i = 0; i < options.retries && !error && result->disturbed; i++) {
		hatest_progress_now("[%zu/%zu] %s: once more, this host was too busy", number,
				    count, result->scenario.name);
		error = hatest_run(&options, number, count, result);
	}
	if (error && !*result->error)
		snprintf(result->error, sizeof(result->error), "%s", strerror(-error));
	return error;
}

static int run_all(struct hatest_result *results, size_t count)
{
	size_t done = 0, met = 0, failed = 0;
	int error = 0;

	for (; done < count; done++) {
		struct hatest_result *result = &results[done];

		error = run_one(result, done + 1, count);
		if (error == -EINTR)
			break;
		met += !error && result->met;
		failed += error || result->disturbed;
		hatest_progress_table(result);
	}
	if (report(results, done))
		failed++;
	if (error == -EINTR) {
		fprintf(stderr, "\nlarch-hatest: interrupted\n");
		return 128 + hatest_interrupted;
	}
	printf("\nhatest: %zu of %zu scenarios met their thresholds", met, count);
	if (failed)
		printf(", %zu could not run undisturbed", failed);
	printf("\n");
	return failed ? COULD_NOT_RUN : met == count ? MET : NOT_MET;
}

static int load_all(char **words, struct hatest_result *results, size_t *count)
{
	for (; *words; words++) {
		struct hatest_result *result = &results[*count];

		if (*count == MAX_SCENARIOS) {
			fprintf(stderr, "larch-hatest: more than %d scenarios\n", MAX_SCENARIOS);
			return -E2BIG;
		}
		if (load(*words, &result->scenario))
			return -EINVAL;
		(*count)++;
		if (options.is_short)
			result->is_short = hatest_scenario_shorten(&result->scenario);
	}
	return 0;
}

static int command_run(char **words)
{
	struct hatest_result *results = calloc(MAX_SCENARIOS, sizeof(*results));
	char *all[MAX_SCENARIOS + 1] = {0};
	size_t count = 0, names = 0;
	int status = USAGE;

	if (!results)
		return COULD_NOT_RUN;
	if (strcmp(*words, "all") == 0 && !words[1]) {
		names = listed(all);
		words = all;
	}
	if (load_all(words, results, &count))
		goto out;
	status = COULD_NOT_RUN;
	if (geteuid() && !options.has_target) {
		fprintf(stderr, "larch-hatest: a lab needs root\n");
		goto out;
	}
	catch_signals();
	status = run_all(results, count);
out:
	for (size_t i = 0; i < count; i++) {
		hatest_result_clear(&results[i]);
		hatest_scenario_free(&results[i].scenario);
	}
	for (size_t i = 0; i < names; i++)
		free(all[i]);
	free(results);
	return status;
}

// ---- options -------------------------------------------------------------------------------

// The address that this host would use.
static int find_source(void)
{
	static char text[ADDRESS_TEXT_SIZE];
	struct sockaddr_storage to, from;
	socklen_t length = endpoint_to_sockaddr(&options.target, &to), size = sizeof(from);
	struct endpoint own;
	int fd = socket(options.target.address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, length) ||
	    getsockname(fd, (struct sockaddr *)&from, &size))
		error = -errno;
	if (fd >= 0)
		close(fd);
	if (error) {
		fprintf(stderr, "larch-hatest: no way to %s: %s\n", options.target_text,
			strerror(-error));
		return error;
	}
	own = endpoint_from_sockaddr(&from);
	options.source = address_text(&own.address, text);
	return 0;
}

// These become words of an order to the lab.
static int check_word(const char *option, const char *text)
{
	for (const char *at = text; at && *at; at++) {
		if (*at > ' ' && *at <= '~')
			continue;
		fprintf(stderr, "larch-hatest: --%s '%s' has a character that cannot be sent\n",
			option, text);
		return -EINVAL;
	}
	return 0;
}

// A report that cannot be written is better known before the runs than after them.
static int check_writable(const char *file)
{
	FILE *out = file ? fopen(file, "ae") : NULL;

	if (out)
		fclose(out);
	if (!file || out)
		return 0;
	fprintf(stderr, "larch-hatest: cannot write %s: %s\n", file, strerror(errno));
	return -EINVAL;
}

static int complete(void)
{
	static const char *const ours[] = {"larch", "static"};
	size_t others = options.balancers;

	if (options.has_target && others) {
		fprintf(stderr, "larch-hatest: --against needs the lab, which --target has not\n");
		return -EINVAL;
	}
	if (check_word("source", options.source) || check_word("host", options.host) ||
	    check_writable(options.json) || check_writable(options.html))
		return -EINVAL;
	if (!options.has_target && (options.source || options.host)) {
		fprintf(stderr, "larch-hatest: --source and --host go with --target\n");
		return -EINVAL;
	}
	if (options.has_target) {
		options.balancer[0] = "target";
		options.balancers = 1;
		return options.source ? 0 : find_source();
	}
	memmove(&options.balancer[2], &options.balancer[0], others * sizeof(ours[0]));
	memcpy(&options.balancer[0], ours, sizeof(ours));
	options.balancers += 2;
	return 0;
}

int main(int argc, char **argv)
{
	int first = options_parse(rows, usage, argc, argv);

	if (first <= 0)
		return first ? USAGE : MET;
	if (first == argc) {
		fprintf(stderr, "%s\n", usage);
		return USAGE;
	}
	options.parts = find_parts();
	if (!options.parts) {
		fprintf(stderr, "larch-hatest: its lab and scenarios are missing; 'make' or 'make "
				"install' puts them where it looks\n");
		return COULD_NOT_RUN;
	}
	if (strcmp(argv[first], "list") == 0)
		return command_list();
	if (strcmp(argv[first], "check") == 0)
		return command_check(&argv[first + 1]);
	return complete() ? USAGE : command_run(&argv[first]);
}
