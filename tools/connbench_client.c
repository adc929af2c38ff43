// SPDX-License-Identifier: BSD-2-Clause
/* One client process: its share of the connections of every turn. See connbench.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "connbench.h"
#include "lib/container.h"
#include "lib/dial.h"
#include "lib/loop.h"

#define REQUEST	 "GET / HTTP/1.0\r\n\r\n"
#define GOOD	 "HTTP/1.1 200 "
#define PAUSE_NS (20 * NS_PER_MS) /* between turns, for what is on its way */

struct connection {
	struct watch watch;
	bool asked, answered;
};

static struct {
	const struct plan *plan;
	struct loop loop;
	struct timer turn_ends;
	struct tally *own;
	size_t target_now, round_now; /* whose turn it is */
	uint64_t opened;
	struct connection *connection;
	int error;
} client;

static void connection_open(struct connection *connection);

static void turn_over(struct timer *timer)
{
	(void)timer;
	loop_stop(&client.loop);
}

static void give_up(int error)
{
	client.error = error;
	loop_stop(&client.loop);
}

static void connection_again(struct watch *watch)
{
	if (!client.loop.stopped)
		connection_open(container_of(watch, struct connection, watch));
}

static void connection_end(struct connection *connection, bool good)
{
	if (good)
		client.own->done[client.target_now][client.round_now]++;
	else
		client.own->failed[client.target_now]++;
	loop_retire(&client.loop, &connection->watch, connection_again);
}

static void connection_read(struct connection *connection)
{
	char answer[4096];
	ssize_t bytes;

	while ((bytes = read(connection->watch.fd, answer, sizeof(answer))) > 0) {
		if (!connection->answered && ((size_t)bytes < sizeof(GOOD) - 1 ||
					      memcmp(answer, GOOD, sizeof(GOOD) - 1) != 0))
			break;
		connection->answered = true;
	}
	if (bytes >= 0 || errno != EAGAIN)
		connection_end(connection, bytes == 0 && connection->answered);
}

static void connection_ready(struct watch *watch, uint32_t events)
{
	struct connection *connection = container_of(watch, struct connection, watch);

	if (!connection->asked && events & EPOLLOUT) {
		connection->asked = true;
		if (write(watch->fd, REQUEST, sizeof(REQUEST) - 1) != sizeof(REQUEST) - 1) {
			connection_end(connection, false);
			return;
		}
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		connection_read(connection);
}

static void connection_open(struct connection *connection)
{
	uint32_t hosts = prefix_hosts(&client.plan->sources);
	struct address from =
		prefix_host(&client.plan->sources, (uint32_t)(client.opened++ % hosts), hosts);
	const struct target *target = &client.plan->target[client.target_now];
	int fd = dial_from(&from, &target->address, target->length), error;

	*connection = (struct connection){.watch = {.fd = fd, .ready = connection_ready}};
	if (fd < 0) {
		give_up(fd);
		return;
	}
	error = loop_watch(&client.loop, &connection->watch, EPOLLIN | EPOLLOUT | EPOLLET);
	if (error)
		give_up(error);
}

/* Of this process. */
static size_t connections(void)
{
	return (client.plan->parallel + client.plan->clients - 1) / client.plan->clients;
}

/* What is open when a turn ends is dropped, by RST, and does not count. */
static void drop_open(void)
{
	struct linger at_once = {.l_onoff = 1};

	for (size_t i = 0; i < connections(); i++) {
		struct watch *watch = &client.connection[i].watch;

		if (watch->fd < 0)
			continue;
		setsockopt(watch->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(watch->fd);
		watch->fd = -1;
	}
}

static void wait_until(uint64_t ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* The turn has its time, whatever became of the one before. */
static int run_turn(size_t number)
{
	uint64_t turn_ns = clock_from_ms(1000 * client.plan->turn_s);
	uint64_t begin = client.plan->start_ns + number * (turn_ns + PAUSE_NS);
	int error = loop_open(&client.loop);

	if (error)
		return error;
	client.turn_ends = (struct timer){.fire = turn_over};
	error = timers_arm(&client.loop.timers, &client.turn_ends, begin + turn_ns);
	for (size_t i = 0; i < connections(); i++)
		client.connection[i].watch.fd = -1;
	wait_until(begin);
	for (size_t i = 0; !error && !client.error && i < connections(); i++)
		connection_open(&client.connection[i]);
	if (!error)
		error = client.error ?: loop_run(&client.loop) ?: client.error;
	drop_open();
	loop_close(&client.loop);
	return error;
}

/* Round 0 is for caches and pools to fill, and counts as no other. */
int client_run(const struct plan *plan, size_t number)
{
	size_t turn = 0;
	int error = 0;

	client.plan = plan;
	client.connection = calloc(connections(), sizeof(*client.connection));
	if (!client.connection)
		return -ENOMEM;
	client.own = &plan->tally[number];
	client.opened = number * (prefix_hosts(&client.plan->sources) / client.plan->clients);
	for (client.round_now = 0; !error && client.round_now <= client.plan->rounds;
	     client.round_now++) {
		for (size_t i = 0; !error && i < client.plan->targets; i++) {
			client.target_now = (i + client.round_now) % client.plan->targets;
			error = run_turn(turn++);
		}
	}
	free(client.connection);
	if (error)
		fprintf(stderr, "connbench: %s: %s\n", client.plan->target[client.target_now].name,
			strerror(-error));
	return error;
}
