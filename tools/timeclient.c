// SPDX-License-Identifier: BSD-2-Clause
// Clients that look at their own clock: each has a network (IPv4 /24) of its own, opens a
// connection, and asks so many times for an answer, which begins with the first byte that it reads.
// So whoever measures the same from outside, by networks, can be compared request by request.
//
// In: options. Out: a line per connection: "ADDRESS PORT CONNECT_US REQUESTS RESPONSE_US", times by
// the application's clock, RESPONSE_US all requests together. Exit status 1: something failed.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "lib/dial.h"
#include "lib/http.h"
#include "lib/options.h"

#define MOST_AT_ONCE 256
#define PATIENCE_MS  20000

static struct endpoint target;
static struct prefix sources;
static uint64_t connections = 100, requests = 1, at_once = 1, body = 100, post;
static double gap_ms = 5, pause_ms;
static atomic_uint_fast64_t next_connection;
static atomic_bool failed;

static int option_target(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!endpoint_parse(text, &target) && target.port)
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be like 10.0.0.1:80");
	return -EINVAL;
}

static int option_sources(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!prefix_parse(text, &sources) && sources.base.family == AF_INET && sources.length <= 24)
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be an IPv4 prefix, /24 or shorter");
	return -EINVAL;
}

static const struct option_row rows[] = {
	{"target", "ADDR:PORT", "where to connect", option_target, NULL, 0, 0},
	{"sources", "CIDR", "a /24 of it for each connection", option_sources, NULL, 0, 0},
	{"connections", "N", "one after the other (100)", option_count, &connections, 1, 65536},
	{"at-once", "N", "so many of them side by side (1)", option_count, &at_once, 1,
	 MOST_AT_ONCE},
	{"requests", "K", "of a connection (1)", option_count, &requests, 1, 1e6},
	{"gap-ms", "G", "before each request but the first (5)", option_real, &gap_ms, 0, 1e5},
	{"body", "BYTES", "of each answer (100)", option_count, &body, 0, 1 << 30},
	{"post", "BYTES", "send as many, rather than GET", option_count, &post, 0, 1 << 30},
	{"pause-ms", "P", "between head and body of a POST (0)", option_real, &pause_ms, 0, 1e5},
	{0},
};

static void wait_ms(double ms)
{
	uint64_t ns = clock_from_ms(ms);
	struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_S),
				.tv_nsec = (long)(ns % NS_PER_S)};

	nanosleep(&time, NULL);
}

static int wait_for(int fd, short events)
{
	struct pollfd watched = {.fd = fd, .events = events};
	int error = 0;
	socklen_t length = sizeof(error);

	if (poll(&watched, 1, PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return -error;
}

static int send_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return -errno;
		if (sent < 0 && wait_for(fd, POLLOUT))
			return -ETIMEDOUT;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

// The clock that counts is read right before the last piece is sent.
static int send_request(int fd, uint64_t *sent_ns)
{
	static const char zeros[65536];
	char head[160];
	uint64_t left = post;
	int length, error;

	if (post)
		length = snprintf(head, sizeof(head),
				  "POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: %llu\r\n\r\n",
				  (unsigned long long)post);
	else
		length = snprintf(head, sizeof(head), "GET /v/1/%llu HTTP/1.1\r\nHost: lab\r\n\r\n",
				  (unsigned long long)body);
	*sent_ns = clock_now();
	error = send_all(fd, head, (size_t)length);
	if (pause_ms > 0 && post)
		wait_ms(pause_ms);
	while (left && !error) {
		size_t piece = left < sizeof(zeros) ? left : sizeof(zeros);

		*sent_ns = clock_now();
		error = send_all(fd, zeros, piece);
		left -= piece;
	}
	return error;
}

// Reads one answer to its end. began_ns: when its first byte could be read.
static int read_answer(int fd, uint64_t *began_ns)
{
	char bytes[65536];
	size_t have = 0;
	uint64_t end = 0;
	*began_ns = 0;

	do {
		size_t room = end ? sizeof(bytes) : sizeof(bytes) - have;
		ssize_t got = recv(fd, end ? bytes : bytes + have, room, 0);
		struct http_answer answer;
		int head;

		if (got < 0 && errno == EAGAIN && !wait_for(fd, POLLIN))
			continue;
		if (got <= 0)
			return got ? -errno : -ECONNRESET;
		if (!*began_ns)
			*began_ns = clock_now();
		have += (size_t)got;
		if (end)
			continue;
		head = http_head_length(bytes, have);
		if (head < 0 || (head && http_parse_answer(bytes, (size_t)head, &answer)))
			return -EBADMSG;
		if (head)
			end = (uint64_t)head + answer.content_length;
	} while (!end || have < end);
	return 0;
}

static int converse(int fd, uint64_t *sum_ns)
{
	int error = 0, on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (uint64_t i = 0; i < requests && !error; i++) {
		uint64_t sent_ns, began_ns;

		if (i)
			wait_ms(gap_ms);
		error = send_request(fd, &sent_ns);
		if (!error)
			error = read_answer(fd, &began_ns);
		if (!error)
			*sum_ns += began_ns - sent_ns;
	}
	return error;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	getsockname(fd, (struct sockaddr *)&address, &length);
	return endpoint_from_sockaddr(&address).port;
}

static int connection(uint64_t number)
{
	struct address client = {.bits = sources.base.bits + (number << 8) + 1, .family = AF_INET};
	uint64_t began_ns = clock_now(), connect_ns, sum_ns = 0;
	struct sockaddr_storage to;
	socklen_t length = endpoint_to_sockaddr(&target, &to);
	char text[ADDRESS_TEXT_SIZE];
	int fd = dial_from(&client, &to, length), error;

	if (fd < 0)
		return fd;
	error = wait_for(fd, POLLOUT);
	connect_ns = clock_now() - began_ns;
	if (!error)
		error = converse(fd, &sum_ns);
	if (!error)
		printf("%s %u %.3f %llu %.3f\n", address_text(&client, text), port_of(fd),
		       (double)connect_ns / 1000, (unsigned long long)requests,
		       (double)sum_ns / 1000);
	close(fd);
	return error;
}

static void *clients(void *none)
{
	uint64_t number;

	(void)none;
	while ((number = next_connection++) < connections) {
		int error = connection(number);

		if (error) {
			fprintf(stderr, "timeclient: connection %llu: %s\n",
				(unsigned long long)number, strerror(-error));
			failed = true;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const char usage[] = "usage: timeclient --target ADDR:PORT --sources CIDR [options]";
	int rest = options_parse(rows, usage, argc, argv);
	pthread_t thread[MOST_AT_ONCE];

	if (rest <= 0)
		return rest ? 2 : 0;
	if (!target.port || !sources.length) {
		fprintf(stderr, "timeclient: --target and --sources are needed\n");
		return 2;
	}
	for (uint64_t i = 0; i < at_once; i++)
		if (pthread_create(&thread[i], NULL, clients, NULL))
			return 1;
	for (uint64_t i = 0; i < at_once; i++)
		pthread_join(thread[i], NULL);
	return failed ? 1 : 0;
}
