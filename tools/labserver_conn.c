// SPDX-License-Identifier: BSD-2-Clause
// Connections of the lab server. A connection reads a request, hands it to the station, holds the
// answer for its client's distance, sends it, and reads on. Descriptors are watched edge by edge:
// whoever stops reading remembers in `readable` that there may be more.
//
// In: bytes from anyone. Out: answers; 4xx or 5xx and the end for what makes no sense.
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labserver.h"
#include "clock.h"
#include "lib/container.h"
#include "lib/pattern.h"

#define INPUT_SIZE	 16384
#define MAX_HEAD	 8192
#define SEND_PER_TURN	 (1 << 20)
#define ACCEPTS_PER_TURN 64
#define LINGER_NS	 NS_PER_S

enum conn_state {
	CONN_HEAD,   // reads a request's head
	CONN_BODY,   // reads its body
	CONN_WAIT,   // the request is queued, in service, or its answer under way
	CONN_SEND,   // writes the answer
	CONN_LINGER, // has said its last word and waits for the client to close
	CONN_CLOSED, // has no descriptor; stays until the worker is done with its job
};

struct conn {
	struct watch watch;
	struct server *server;
	struct conn *prev, *next;
	struct job job;
	struct timer timer; // distance, turn to send, linger: never two at once
	enum conn_state state;
	struct address client;
	bool readable;
	bool fin_seen; // a short read does not mean that there is nothing more to read
	char *input;
	size_t input_length;
	enum http_method method;
	bool found;
	uint64_t body_length, body_left, digest; // of the request
	uint64_t distance_ns;
	struct answer answer;
};

static void conn_advance(struct conn *c);

static void conn_release(struct watch *watch)
{
	struct conn *c = container_of(watch, struct conn, watch);

	if (c->prev)
		c->prev->next = c->next;
	else
		c->server->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c->input);
	free(c);
}

static void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	c->server->stats.connections--;
	timers_disarm(&c->server->loop.timers, &c->timer);
	if (station_withdraw(&c->server->station, &c->job)) {
		loop_retire(&c->server->loop, &c->watch, conn_release);
	} else {
		close(c->watch.fd);
		c->watch.fd = -1;
	}
}

static void conn_at(struct conn *c, uint64_t due_ns, void (*fire)(struct timer *timer))
{
	c->timer.fire = fire;
	if (timers_arm(&c->server->loop.timers, &c->timer, due_ns))
		conn_close(c);
}

static void conn_time_up(struct timer *timer)
{
	conn_close(container_of(timer, struct conn, timer));
}

static void conn_drain(struct conn *c)
{
	char waste[4096];
	ssize_t got;

	do
		got = recv(c->watch.fd, waste, sizeof(waste), 0);
	while (got > 0);
	if (got == 0 || errno != EAGAIN)
		conn_close(c);
}

// Closing with unread input would reset the connection, and the answer might be lost with it.
static void conn_linger(struct conn *c)
{
	shutdown(c->watch.fd, SHUT_WR);
	c->state = CONN_LINGER;
	conn_at(c, c->server->loop.now_ns + LINGER_NS, conn_time_up);
	if (c->state == CONN_LINGER)
		conn_drain(c);
}

static void conn_sent(struct conn *c)
{
	c->server->stats.requests++;
	if (c->answer.close)
		conn_linger(c);
	else
		c->state = CONN_HEAD;
}

static void conn_send_on(struct timer *timer);

// Leaves CONN_SEND when all is sent or the client is gone.
static void conn_send(struct conn *c)
{
	size_t turn = 0;

	while (answer_left(&c->answer)) {
		ssize_t sent = answer_write(&c->answer, c->watch.fd, c->server->options.corruption);

		if (sent == -EAGAIN)
			return;
		if (sent < 0 || c->server->options.corruption == CORRUPT_SHORT) {
			conn_close(c);
			return;
		}
		c->server->stats.bytes_out += (uint64_t)sent;
		turn += (size_t)sent;
		if (turn >= SEND_PER_TURN) {
			conn_at(c, c->server->loop.now_ns, conn_send_on);
			return;
		}
	}
	conn_sent(c);
}

static void conn_send_on(struct timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	conn_send(c);
	conn_advance(c);
}

static void conn_answer(struct conn *c)
{
	bool head_only = c->method == HTTP_HEAD;
	char text[96];

	c->state = CONN_SEND;
	if (c->method == HTTP_POST || c->method == HTTP_PUT) {
		snprintf(text, sizeof(text), "{\"length\":%llu,\"fnv1a\":\"%016llx\"}\n",
			 (unsigned long long)c->body_length, (unsigned long long)c->digest);
		answer_text(c->server, &c->answer, "200 OK", text, head_only);
	} else if (c->found) {
		answer_pattern(c->server, &c->answer, head_only);
	} else {
		answer_text(c->server, &c->answer, "404 Not Found",
			    "{\"error\":\"paths are / and /v/NONCE/LENGTH\"}\n", head_only);
	}
	conn_send(c);
}

static void conn_distance_passed(struct timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	conn_answer(c);
	conn_advance(c);
}

static void conn_served(struct job *job, uint64_t due_ns)
{
	struct conn *c = container_of(job, struct conn, job);

	if (c->state == CONN_CLOSED) {
		loop_retire(&c->server->loop, &c->watch, conn_release);
	} else if (c->distance_ns) {
		conn_at(c, due_ns + c->distance_ns, conn_distance_passed);
	} else {
		conn_answer(c);
		conn_advance(c);
	}
}

// Answers at once, without a worker. The connection ends, since what follows cannot be trusted.
static void conn_refuse(struct conn *c, const char *status)
{
	c->server->stats.malformed++;
	c->answer.close = true;
	c->state = CONN_SEND;
	answer_text(c->server, &c->answer, status, "{\"error\":\"request not understood\"}\n",
		    false);
	conn_send(c);
}

static void conn_reject(struct conn *c)
{
	c->server->stats.rejected++;
	c->state = CONN_SEND;
	answer_text(c->server, &c->answer, "503 Service Unavailable",
		    "{\"error\":\"queue full\"}\n", c->method == HTTP_HEAD);
	conn_send(c);
}

static void conn_submit(struct conn *c)
{
	struct server *server = c->server;
	const struct client_class *row = class_find(&server->options.classes, &c->client);
	double service_ns =
		row ? (double)row->service_ns : server->options.service_ms * (double)NS_PER_MS;

	if (server->options.jitter > 0)
		service_ns *= prng_lognormal(&server->jitter, server->options.jitter);
	c->distance_ns = row ? row->distance_ns : 0;
	c->job.service_ns = (uint64_t)service_ns;
	c->job.done = conn_served;
	c->state = CONN_WAIT;
	if (station_submit(&server->station, &c->job, server->loop.now_ns))
		conn_reject(c);
}

static void conn_find(struct conn *c, const struct http_request *request)
{
	const char *path = request->path;
	size_t length = request->path_length;

	c->found = !http_parse_pattern_path(path, length, &c->answer.nonce, &c->answer.body_length);
	if (!c->found && path[0] == '/' && (length == 1 || path[1] == '?')) {
		c->found = true;
		c->answer.nonce = pattern_digest(PATTERN_DIGEST_START, path, length);
		c->answer.body_length = c->server->options.body;
	}
}

static void conn_take_head(struct conn *c, size_t length)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http_request request;
	int err = http_parse_request(c->input, length, &request);

	c->method = err ? HTTP_GET : request.method;
	if (err) {
		conn_refuse(c, err == -EOPNOTSUPP	 ? "501 Not Implemented"
			       : err == -EPROTONOSUPPORT ? "505 HTTP Version Not Supported"
							 : "400 Bad Request");
		return;
	}
	c->answer.close = request.close;
	conn_find(c, &request);
	c->body_length = c->body_left = request.content_length;
	c->digest = PATTERN_DIGEST_START;
	c->state = CONN_BODY;
	if (request.expect_continue && c->body_left &&
	    send(c->watch.fd, go_on, sizeof(go_on) - 1, 0) < 0)
		conn_close(c);
}

static void conn_drop_input(struct conn *c, size_t length)
{
	c->input_length -= length;
	memmove(c->input, c->input + length, c->input_length);
}

static bool conn_consume_head(struct conn *c)
{
	int length = http_head_length(c->input, c->input_length);

	if (length < 0 || length > MAX_HEAD || (!length && c->input_length >= MAX_HEAD)) {
		conn_refuse(c,
			    length < 0 ? "400 Bad Request" : "431 Request Header Fields Too Large");
		return true;
	}
	if (!length)
		return false;
	conn_take_head(c, (size_t)length);
	conn_drop_input(c, (size_t)length);
	return true;
}

static bool conn_consume_body(struct conn *c)
{
	size_t piece = c->body_left < c->input_length ? (size_t)c->body_left : c->input_length;

	if (c->body_left && !piece)
		return false;
	if (piece) {
		c->digest = pattern_digest(c->digest, c->input, piece);
		c->server->stats.bytes_in += piece;
		c->body_left -= piece;
		conn_drop_input(c, piece);
	}
	if (!c->body_left)
		conn_submit(c);
	return true;
}

// True if something was read.
static bool conn_fill(struct conn *c)
{
	size_t room = INPUT_SIZE - c->input_length;
	ssize_t got;

	if (!c->readable)
		return false;
	if (!c->input && !(c->input = malloc(INPUT_SIZE))) {
		conn_close(c);
		return false;
	}
	got = recv(c->watch.fd, c->input + c->input_length, room, 0);
	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		conn_close(c);
		return false;
	}
	c->readable = got == (ssize_t)room || (got > 0 && c->fin_seen);
	if (got > 0)
		c->input_length += (size_t)got;
	return got > 0;
}

static void conn_advance(struct conn *c)
{
	while (c->state == CONN_HEAD || c->state == CONN_BODY) {
		bool used = c->state == CONN_HEAD ? conn_consume_head(c) : conn_consume_body(c);

		if (!used && !conn_fill(c))
			break;
	}
	// Idle connections hold no buffer.
	if (!c->input_length) {
		free(c->input);
		c->input = NULL;
	}
}

static void conn_ready(struct watch *watch, uint32_t events)
{
	struct conn *c = container_of(watch, struct conn, watch);

	if (events & (EPOLLERR | EPOLLHUP)) {
		conn_close(c);
		return;
	}
	c->readable |= (events & EPOLLIN) != 0;
	c->fin_seen |= (events & EPOLLRDHUP) != 0;
	if (c->state == CONN_LINGER)
		conn_drain(c);
	else if (c->state == CONN_SEND && !timer_armed(&c->timer))
		conn_send(c);
	conn_advance(c);
}

static int conn_open(struct server *server, int fd, const struct sockaddr_storage *from)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->server = server;
	c->watch = (struct watch){.fd = fd, .ready = conn_ready};
	c->client = endpoint_from_sockaddr(from).address;
	if (loop_watch(&server->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
		free(c);
		return -ENOMEM;
	}
	c->next = server->conns;
	if (c->next)
		c->next->prev = c;
	server->conns = c;
	server->stats.accepted++;
	server->stats.connections++;
	return 0;
}

// Out of descriptors: the client is told so by closing, instead of being left to wait.
static void conn_turn_away(struct server *server, int listener)
{
	close(server->spare_fd);
	close(accept(listener, NULL, NULL));
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->stats.turned_away++;
}

void conn_accept(struct watch *watch, uint32_t events)
{
	struct server *server = container_of(watch, struct listener, watch)->server;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		int fd = accept4(watch->fd, (struct sockaddr *)&from, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			conn_turn_away(server, watch->fd);
		if (fd < 0)
			return;
		if (conn_open(server, fd, &from)) {
			server->stats.turned_away++;
			close(fd);
		}
	}
}

void conn_free_all(struct server *server)
{
	while (server->conns) {
		struct conn *c = server->conns;

		if (c->watch.fd >= 0)
			close(c->watch.fd);
		conn_release(&c->watch);
	}
}
