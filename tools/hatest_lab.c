// SPDX-License-Identifier: BSD-2-Clause
// The labs' processes (tools/hatest/lab): begun, spoken to, waited for, ended. Each is in a process
// group of its own, so that what a terminal sends comes to larch-hatest alone; and when that dies,
// each reads the end of its input and cleans up.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "hatest.h"

#define CLEAN_UP_S 30
#define HANGS_S	   3

volatile int hatest_interrupted;

// ---- its environment -----------------------------------------------------------------------

static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		_exit(127);
}

static void set_number(const char *name, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%g", value);
	set(name, text);
}

// Each key and its value on a line: JSON is YAML.
static void set_lines(const char *name, const json_t *mapping)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *key;
	json_t *value;

	if (!out)
		_exit(127);
	json_object_foreach ((json_t *)mapping, key, value) {
		char *dump = json_dumps(value, JSON_ENCODE_ANY);

		fprintf(out, "%s\"%s\": %s", ftell(out) ? "\n" : "", key, dump ? dump : "");
		free(dump);
	}
	if (fclose(out))
		_exit(127);
	set(name, text);
	free(text);
}

static void set_members(const struct hatest_lab *lab)
{
	char text[HATEST_BACKENDS * 4] = "";
	size_t at = 0;

	for (unsigned i = 1; i < HATEST_BACKENDS; i++)
		if (lab->members & 1u << i)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "b%u ", i);
	set("MEMBERS", text);
}

// "1 10 10 60;2 ..." in ms; empty if there is no distance at all.
static void set_distances(const struct hatest_lab *lab)
{
	char text[HATEST_GROUPS * HATEST_BACKENDS * 8] = "";
	double most = 0;
	size_t at = 0;

	for (size_t group = 0; group < HATEST_GROUPS; group++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%zu", group ? ";" : "",
				       group + 1);
		for (size_t i = 0; i < lab->backends; i++) {
			most = fmax(most, lab->distance[group][i]);
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %g",
					       round(lab->distance[group][i] * 1000));
		}
	}
	set("DISTANCES", most > 0 ? text : "");
}

// The programs are in the folder of the scripts (installed), or in the one above (built).
static void set_build(const char *parts)
{
	char path[4096], *build;

	snprintf(path, sizeof(path), "%s/loadgen", parts);
	if (access(path, X_OK))
		snprintf(path, sizeof(path), "%s/..", parts);
	else
		snprintf(path, sizeof(path), "%s", parts);
	build = realpath(path, NULL);
	set("BUILD", build ? build : parts);
	free(build);
}

static void set_all(const struct hatest_options *options, const struct hatest_scenario *scenario,
		    const char *balancer)
{
	const struct hatest_lab *lab = &scenario->lab;
	const char *prefix = getenv("LAB_ID");
	char id[128];

	if (prefix)
		snprintf(id, sizeof(id), "%.100s-%s", prefix, balancer);
	else
		snprintf(id, sizeof(id), "larch-ha-%d-%s", (int)getppid(), balancer);
	set("LAB_ID", id);
	set("KIND", strcmp(balancer, "larch") == 0 && !lab->learning ? "static" : balancer);
	set_number("LAB_BACKENDS", lab->backends);
	set_number("LAB_NODES", lab->nodes);
	set_number("WORKERS", lab->workers);
	set_number("SERVICE_MS", lab->service_s * 1000);
	set_number("JITTER", lab->jitter);
	set_members(lab);
	set_distances(lab);
	set_lines("LARCHD", lab->larchd);
	set_lines("WEB", lab->web);
	set_build(options->parts);
}

// ---- it itself -----------------------------------------------------------------------------

static void become(const struct hatest_options *options, const struct hatest_scenario *scenario,
		   const char *balancer, int in, int out)
{
	char path[4096];
	int errors;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM); // also while it waits for a command that does not end
	signal(SIGPIPE, SIG_DFL);
	set_all(options, scenario, balancer);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	errors = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!getenv("HATEST_DEBUG") && errors >= 0)
		dup2(errors, STDERR_FILENO); // a lab says what matters in its answers
	snprintf(path, sizeof(path), "%s/lab", options->parts);
	execl(path, path, (char *)NULL);
	_exit(127);
}

int hatest_lab_start(struct hatest_process *lab, const struct hatest_options *options,
		     const struct hatest_scenario *scenario, const char *balancer)
{
	int to[2], from[2], error;

	memset(lab, 0, sizeof(*lab));
	if (pipe2(to, O_CLOEXEC))
		return -errno;
	if (pipe2(from, O_CLOEXEC)) {
		error = -errno;
		goto close_to;
	}
	lab->pid = fork();
	if (lab->pid == 0)
		become(options, scenario, balancer, to[0], from[1]);
	if (lab->pid < 0) {
		error = -errno;
		lab->pid = 0;
		goto close_from;
	}
	close(to[0]);
	close(from[1]);
	lab->in = to[1];
	lab->out = from[0];
	return 0;
close_from:
	close(from[0]);
	close(from[1]);
close_to:
	close(to[0]);
	close(to[1]);
	return error;
}

int hatest_lab_send(struct hatest_process *lab, const char *command)
{
	char text[sizeof(((struct hatest_action *)0)->command) + 4096];
	int length = snprintf(text, sizeof(text), "%s\n", command);

	if (length >= (int)sizeof(text))
		return -E2BIG;
	if (write(lab->in, text, (size_t)length) != length)
		return -EPIPE;
	lab->pending++;
	return 0;
}

static void take_answer(struct hatest_process *lab, char *line)
{
	bool good = strncmp(line, "ok", 2) == 0;
	char *text = line + strcspn(line, " ");

	text += *text == ' ';
	for (size_t length = strlen(text); length && text[length - 1] == ' '; length--)
		text[length - 1] = '\0';
	if (lab->pending)
		lab->pending--;
	if (!good && !*lab->failure)
		snprintf(lab->failure, sizeof(lab->failure), "%.*s", (int)sizeof(lab->failure) - 1,
			 text);
	strcpy(lab->line, text);
}

int hatest_lab_take(struct hatest_process *lab)
{
	char text[sizeof(lab->line)], byte;
	size_t used = 0;
	ssize_t got;

	// An answer is short, and is written at once: so read to its end.
	while ((got = read(lab->out, &byte, 1)) == 1 && byte != '\n')
		if (used + 1 < sizeof(text))
			text[used++] = byte;
	text[used] = '\0';
	if (got <= 0) {
		if (!*lab->failure)
			strcpy(lab->failure, "the lab ended by itself");
		lab->pending = 0;
		return -EPIPE;
	}
	take_answer(lab, text);
	return 0;
}

static bool settled(const struct hatest_process *labs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (labs[i].pending)
			return false;
	return true;
}

static int check(const struct hatest_process *labs, size_t count)
{
	if (hatest_interrupted)
		return -EINTR;
	for (size_t i = 0; i < count; i++)
		if (*labs[i].failure)
			return -EIO;
	return 0;
}

// Takes what answers come until the deadline, or until none is missing.
static int listen_until(struct hatest_process *labs, size_t count, uint64_t deadline, bool missing)
{
	struct pollfd poll_of[HATEST_BALANCERS];
	uint64_t now = clock_now();
	int error = check(labs, count);

	while (!error && now < deadline && !(missing && settled(labs, count))) {
		int ms = (int)((deadline - now) / NS_PER_MS) + 1;

		for (size_t i = 0; i < count; i++)
			poll_of[i] = (struct pollfd){.fd = labs[i].pending ? labs[i].out : -1,
						     .events = POLLIN};
		poll(poll_of, count, ms);
		for (size_t i = 0; i < count; i++)
			if (poll_of[i].fd >= 0 && poll_of[i].revents)
				hatest_lab_take(&labs[i]);
		error = check(labs, count);
		now = clock_now();
	}
	return error;
}

int hatest_labs_settle(struct hatest_process *labs, size_t count, double seconds)
{
	uint64_t deadline = clock_now() + (uint64_t)(seconds * 1e9);
	int error = listen_until(labs, count, deadline, true);

	return error ? error : settled(labs, count) ? 0 : -ETIMEDOUT;
}

int hatest_labs_sleep(struct hatest_process *labs, size_t count, double seconds)
{
	if (seconds <= 0)
		return check(labs, count);
	return listen_until(labs, count, clock_now() + (uint64_t)(seconds * 1e9), false);
}

// Input that ends is a wish, SIGTERM an order, SIGKILL for one that obeys neither. A lab that waits
// for one of its own is free when that has got a SIGTERM, too; once it cleans up it ignores them.
static void lab_wait_end(struct hatest_process *lab)
{
	uint64_t began = clock_now(), waited;
	struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};
	bool told = false;

	while (waitpid(lab->pid, NULL, WNOHANG) == 0) {
		waited = clock_now() - began;
		if (waited > CLEAN_UP_S * NS_PER_S) {
			kill(-lab->pid, SIGKILL);
		} else if (waited > HANGS_S * NS_PER_S && !told) {
			kill(-lab->pid, SIGTERM);
			told = true;
		}
		nanosleep(&pause, NULL);
	}
}

void hatest_labs_stop(struct hatest_process *labs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!labs[i].pid)
			continue;
		close(labs[i].in);
		kill(labs[i].pid, SIGTERM);
	}
	for (size_t i = 0; i < count; i++) {
		if (!labs[i].pid)
			continue;
		lab_wait_end(&labs[i]);
		close(labs[i].out);
		labs[i].pid = 0;
	}
}
