// SPDX-License-Identifier: BSD-2-Clause
// UDP for the lab. As a server (--listen) it answers each datagram with its name and the same
// bytes, cut off so that answers need no fragments; as a client (--ask) it keeps flows open, asks
// in rounds and says which server answered. Out: one line of JSON on stdout: flows, sent, answered,
// changed (answers of another server than the flow's first one), backends (flows by their first
// server).
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/options.h"

#define MAX_LISTENERS 8
#define MAX_FLOWS     1000
#define MAX_SERVERS   64
#define NAME_SIZE     32
#define MAX_ASKED     8000
#define MAX_ANSWER    1200

static const char *name, *source = "127.0.0.1";
static struct endpoint listener[MAX_LISTENERS], target;
static size_t listeners;
static uint64_t flow_count = 1, rounds = 1, gap_ms = 100, bytes = 32;

static struct server {
	char name[NAME_SIZE];
	uint64_t flows;
} servers[MAX_SERVERS];
static size_t server_count;

static struct flow {
	int fd;
	struct server *server; // of the first answer
} flows[MAX_FLOWS];
static uint64_t sent, answered, changed;

static int parse_listener(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (listeners < MAX_LISTENERS && !endpoint_parse(text, &listener[listeners])) {
		listeners++;
		return 0;
	}
	snprintf(why, OPTION_WHY_SIZE, "must be like 1.2.3.4:53 or [::1]:53, at most %d",
		 MAX_LISTENERS);
	return -EINVAL;
}

static int parse_target(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!endpoint_parse(text, &target))
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be like 1.2.3.4:53 or [::1]:53");
	return -EINVAL;
}

static const struct option_row rows[] = {
	{"listen", "ADDR:PORT", "serve here; may be repeated", parse_listener, NULL, 0, 0},
	{"name", "NAME", "of this server, in its answers", option_text, &name, 0, 0},
	{"ask", "ADDR:PORT", "be a client of this server", parse_target, NULL, 0, 0},
	{"source", "PREFIX", "addresses of the clients", option_text, &source, 0, 0},
	{"flows", "N", "clients (1)", option_count, &flow_count, 1, MAX_FLOWS},
	{"rounds", "R", "datagrams of each (1)", option_count, &rounds, 1, 1000000},
	{"bytes", "B", "of each datagram (32)", option_count, &bytes, 32, MAX_ASKED},
	{"gap-ms", "G", "time for the answers of a round (100)", option_count, &gap_ms, 1, 60000},
	{0},
};

// A socket bound to an address that need not be configured on an interface. -errno on failure.
static int open_socket(const struct endpoint *at)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(at, &address);
	int fd = socket(at->address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, length)) {
		on = -errno;
		close(fd);
		return on;
	}
	return fd;
}

static void answer(int fd)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char text[MAX_ANSWER];
	int used = snprintf(text, sizeof(text), "%s ", name);
	ssize_t got = recvfrom(fd, text + used, sizeof(text) - (size_t)used, 0,
			       (struct sockaddr *)&from, &length);

	if (got >= 0)
		(void)!sendto(fd, text, (size_t)(used + got), 0, (struct sockaddr *)&from, length);
}

static int serve(void)
{
	struct pollfd watched[MAX_LISTENERS];

	for (size_t i = 0; i < listeners; i++) {
		watched[i] = (struct pollfd){.fd = open_socket(&listener[i]), .events = POLLIN};
		if (watched[i].fd < 0) {
			fprintf(stderr, "udpecho: cannot listen: %s\n", strerror(-watched[i].fd));
			return 1;
		}
	}
	for (;;) {
		if (poll(watched, listeners, -1) < 0 && errno != EINTR)
			return 1;
		for (size_t i = 0; i < listeners; i++)
			if (watched[i].revents)
				answer(watched[i].fd);
	}
}

static struct server *find_server(const char *text)
{
	size_t length = strcspn(text, " ");

	if (length >= NAME_SIZE)
		length = NAME_SIZE - 1;
	for (size_t i = 0; i < server_count; i++)
		if (strlen(servers[i].name) == length && !memcmp(servers[i].name, text, length))
			return &servers[i];
	if (server_count == MAX_SERVERS)
		return &servers[MAX_SERVERS - 1];
	memcpy(servers[server_count].name, text, length);
	return &servers[server_count++];
}

static void take(struct flow *flow)
{
	char text[2048];
	ssize_t got;

	while ((got = recv(flow->fd, text, sizeof(text) - 1, MSG_DONTWAIT)) >= 0) {
		struct server *server;

		text[got] = '\0';
		server = find_server(text);
		answered++;
		if (!flow->server) {
			flow->server = server;
			server->flows++;
		}
		changed += flow->server != server;
	}
}

static int open_flows(void)
{
	struct prefix prefix;
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(&target, &address);

	if (prefix_parse(source, &prefix)) {
		fprintf(stderr, "udpecho: --source '%s': must be an address or a prefix\n", source);
		return -EINVAL;
	}
	for (size_t i = 0; i < flow_count; i++) {
		uint32_t hosts = prefix_hosts(&prefix);
		uint32_t count = hosts < flow_count ? hosts : (uint32_t)flow_count;
		struct endpoint from = {.address =
						prefix_host(&prefix, (uint32_t)i % count, count)};

		flows[i].fd = open_socket(&from);
		if (flows[i].fd < 0 || connect(flows[i].fd, (struct sockaddr *)&address, length)) {
			fprintf(stderr, "udpecho: cannot ask: %s\n", strerror(errno));
			return -EIO;
		}
	}
	return 0;
}

static void play_round(uint64_t number)
{
	const struct timespec gap = {.tv_sec = (time_t)(gap_ms / 1000),
				     .tv_nsec = (long)(gap_ms % 1000) * 1000000};
	char text[MAX_ASKED] = "";

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	for (size_t i = 0; i < flow_count; i++)
		sent += send(flows[i].fd, text, bytes, 0) == (ssize_t)bytes;
	nanosleep(&gap, NULL);
	for (size_t i = 0; i < flow_count; i++)
		take(&flows[i]);
}

static int ask(void)
{
	if (open_flows())
		return 1;
	for (uint64_t i = 0; i < rounds; i++)
		play_round(i);
	printf("{\"flows\":%llu,\"sent\":%llu,\"answered\":%llu,\"changed\":%llu,\"backends\":{",
	       (unsigned long long)flow_count, (unsigned long long)sent,
	       (unsigned long long)answered, (unsigned long long)changed);
	for (size_t i = 0; i < server_count; i++)
		printf("%s\"%s\":%llu", i ? "," : "", servers[i].name,
		       (unsigned long long)servers[i].flows);
	puts("}}");
	return 0;
}

int main(int argc, char **argv)
{
	int rest = options_parse(rows,
				 "udpecho --name NAME --listen ADDR:PORT\n"
				 "       udpecho --ask ADDR:PORT --source PREFIX [options]",
				 argc, argv);

	if (rest <= 0)
		return rest ? 2 : 0;
	if (listeners && name)
		return serve();
	if (target.port)
		return ask();
	fputs("udpecho: --listen with --name, or --ask is needed; try --help\n", stderr);
	return 2;
}
