// SPDX-License-Identifier: BSD-2-Clause
// The control socket: lines in, one line of answer each. Commands are rows of a table.
#define _GNU_SOURCE 1
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "labserver.h"
#include "clock.h"
#include "lib/container.h"
#include "lib/number.h"
#include "lib/options.h"

#define LINE_SIZE   1024
#define ANSWER_SIZE 1024
#define MAX_CLIENTS 16

struct control_client {
	struct watch watch;
	struct server *server; // NULL: the place is free
	size_t used;
	char line[LINE_SIZE];
};

struct command {
	const char *name;
	// Writes one line without its end to answer (ANSWER_SIZE).
	void (*run)(struct server *server, const char *argument, char *answer);
};

static struct listener control = {.watch.fd = -1};
static struct control_client clients[MAX_CLIENTS];

static void command_speed(struct server *server, const char *argument, char *answer)
{
	double speed;

	if (number_parse_real(argument, 0.0001, 10000, &speed)) {
		snprintf(answer, ANSWER_SIZE, "error: speed takes a number from 0.0001 to 10000");
		return;
	}
	station_set_speed(&server->station, speed);
	snprintf(answer, ANSWER_SIZE, "ok");
}

static void command_pause(struct server *server, const char *argument, char *answer)
{
	double ms;

	if (number_parse_real(argument, 0, 3600000, &ms)) {
		snprintf(answer, ANSWER_SIZE, "error: pause takes ms from 0 to 3600000");
		return;
	}
	if (station_pause(&server->station, clock_from_ms(ms), server->loop.now_ns))
		snprintf(answer, ANSWER_SIZE, "error: out of memory");
	else
		snprintf(answer, ANSWER_SIZE, "ok");
}

static void command_class(struct server *server, const char *argument, char *answer)
{
	char why[OPTION_WHY_SIZE];
	struct client_class row;

	if (class_parse(argument, &row, why))
		snprintf(answer, ANSWER_SIZE, "error: %s", why);
	else if (class_add(&server->options.classes, &row))
		snprintf(answer, ANSWER_SIZE, "error: %d classes at most", MAX_CLASSES);
	else
		snprintf(answer, ANSWER_SIZE, "ok");
}

static json_t *stats_json(const struct server *server)
{
	const struct server_stats *stats = &server->stats;
	const struct station *station = &server->station;
	double up_s = (double)(server->loop.now_ns - server->started_ns) / 1e9;
	double busy_s = (double)station_busy_ns(station, server->loop.now_ns) / 1e9;
	double capacity_s = up_s * (double)station->workers;

	return json_pack(
		"{s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, "
		"s:I, s:I, s:I, s:I, s:I}",
		"name", server->options.name, "up_s", up_s, "requests", (json_int_t)stats->requests,
		"rejected", (json_int_t)stats->rejected, "malformed", (json_int_t)stats->malformed,
		"queued", (json_int_t)station->queued.count, "in_service",
		(json_int_t)station->in_service.count, "workers", (json_int_t)station->workers,
		"busy", capacity_s > 0 ? busy_s / capacity_s : 0, "busy_s", busy_s, "speed",
		station->speed, "connections", (json_int_t)stats->connections, "accepted",
		(json_int_t)stats->accepted, "turned_away", (json_int_t)stats->turned_away,
		"bytes_in", (json_int_t)stats->bytes_in, "bytes_out", (json_int_t)stats->bytes_out);
}

static void command_stats(struct server *server, const char *argument, char *answer)
{
	json_t *stats = stats_json(server);
	size_t length = 0;

	(void)argument;
	if (stats)
		length = json_dumpb(stats, answer, ANSWER_SIZE - 1,
				    JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(stats);
	if (length && length < ANSWER_SIZE)
		answer[length] = '\0';
	else
		snprintf(answer, ANSWER_SIZE, "error: no room for the figures");
}

static void command_quit(struct server *server, const char *argument, char *answer)
{
	(void)argument;
	loop_stop(&server->loop);
	snprintf(answer, ANSWER_SIZE, "ok");
}

static const struct command commands[] = {
	{"speed", command_speed}, {"pause", command_pause}, {"class", command_class},
	{"stats", command_stats}, {"quit", command_quit},
};

static void run_line(struct server *server, char *line, char *answer)
{
	char *argument = line + strcspn(line, " \t");

	if (*argument)
		*argument++ = '\0';
	argument += strspn(argument, " \t");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(line, commands[i].name)) {
			commands[i].run(server, argument, answer);
			return;
		}
	}
	snprintf(answer, ANSWER_SIZE,
		 "error: commands are speed F, pause MS, class PREFIX=MS[+MS], stats, quit");
}

static void client_release(struct watch *watch)
{
	container_of(watch, struct control_client, watch)->server = NULL;
}

// Runs every whole line that has arrived. 0, or -errno when the client is to be let go.
static int client_run_lines(struct control_client *client)
{
	char answer[ANSWER_SIZE + 1], *end;

	while ((end = memchr(client->line, '\n', client->used))) {
		size_t length = (size_t)(end - client->line) + 1;

		*end = '\0';
		run_line(client->server, client->line, answer);
		strcat(answer, "\n");
		if (send(client->watch.fd, answer, strlen(answer), MSG_DONTWAIT) < 0)
			return -errno;
		client->used -= length;
		memmove(client->line, end + 1, client->used);
	}
	return client->used == LINE_SIZE ? -EMSGSIZE : 0;
}

static void client_ready(struct watch *watch, uint32_t events)
{
	struct control_client *client = container_of(watch, struct control_client, watch);
	ssize_t got = recv(watch->fd, client->line + client->used, LINE_SIZE - client->used,
			   MSG_DONTWAIT);

	(void)events;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0)
		client->used += (size_t)got;
	if (got <= 0 || client_run_lines(client))
		loop_retire(&client->server->loop, watch, client_release);
}

static struct control_client *client_place(void)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (!clients[i].server)
			return &clients[i];
	return NULL;
}

static void control_accept(struct watch *watch, uint32_t events)
{
	struct server *server = container_of(watch, struct listener, watch)->server;
	struct control_client *client = client_place();
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (!client) {
		close(fd);
		return;
	}
	client->watch = (struct watch){.fd = fd, .ready = client_ready};
	client->server = server;
	client->used = 0;
	if (loop_watch(&server->loop, &client->watch, EPOLLIN))
		loop_retire(&server->loop, &client->watch, client_release);
}

// A socket file that nobody answers was left behind by a server that was killed.
static int remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED && unlink(address->sun_path))
		err = -errno;
	close(fd);
	return err;
}

static int control_bind(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	err = remove_stale(&address);
	if (err)
		return err;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 16))
		return -errno;
	return 0;
}

int control_open(struct server *server, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : control_bind(fd, path);

	if (!err) {
		control.server = server;
		control.watch = (struct watch){.fd = fd, .ready = control_accept};
		err = loop_watch(&server->loop, &control.watch, EPOLLIN);
	}
	if (err) {
		fprintf(stderr, "labserver: --control %s: %s\n", path, strerror(-err));
		if (fd >= 0)
			close(fd);
	}
	return err;
}

void control_close(struct server *server)
{
	if (control.watch.fd < 0)
		return;
	unlink(server->options.control);
	close(control.watch.fd);
	control.watch.fd = -1;
}
