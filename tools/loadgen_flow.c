// SPDX-License-Identifier: BSD-2-Clause
// One connection of the load generator: connect, then each request at its intended time or, if
// the answer before is late, right after it; its latency counts from the intended time either way.
//
// In: a plan, the server's bytes. Out: tallies and log entries. Descriptors are watched edge by
// edge.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loadgen.h"
#include "clock.h"
#include "lib/container.h"
#include "lib/http.h"
#include "lib/pattern.h"

#define BUFFER_SIZE (256 * 1024)

enum flow_state {
	FLOW_CONNECT,
	FLOW_IDLE, // until the next request is due
	FLOW_HEAD,
	FLOW_BODY,
	FLOW_CLOSED,
};

struct flow {
	struct watch watch;
	struct loadgen *g;
	struct flow *prev, *next;
	struct timer timer; // the next request is due, or the answer is overdue
	struct flow_plan plan;
	enum flow_state state;
	bool fin_seen;
	uint16_t port;
	uint64_t number;
	uint64_t index; // of the request
	uint64_t due_ns;
	uint64_t connect_began_ns, connect_ns;
	int backend; // -1: not known yet
	bool rejected;
	uint64_t nonce, body_done, body_length;
	size_t head_length;
	char head[HEAD_SIZE];
};

static struct tally *flow_tally(const struct flow *f)
{
	return f->plan.is_long ? &f->g->long_tallies->now : &f->plan.source->tallies->now;
}

static void flow_release(struct watch *watch)
{
	free(container_of(watch, struct flow, watch));
}

static void flow_close(struct flow *f)
{
	struct loadgen *g = f->g;

	f->state = FLOW_CLOSED;
	timers_disarm(&g->loop.timers, &f->timer);
	if (f->prev)
		f->prev->next = f->next;
	else
		g->flows = f->next;
	if (f->next)
		f->next->prev = f->prev;
	g->open--;
	g->long_open -= f->plan.is_long;
	loop_retire(&g->loop, &f->watch, flow_release);
	loadgen_check_done(g);
}

static void flow_log(const struct flow *f, enum outcome outcome, uint64_t latency_ns)
{
	struct log_entry entry = {
		.plan = &f->plan,
		.port = f->port,
		.due_ns = f->due_ns,
		.index = f->index,
		.connect_ns = f->index ? 0 : f->connect_ns,
		.latency_ns = latency_ns,
		.backend = f->backend < 0 ? NULL : f->g->backends[f->backend],
		.outcome = outcome,
	};

	log_write(f->g, &entry);
}

static uint64_t since(uint64_t then_ns)
{
	uint64_t now_ns = clock_now();

	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static void flow_break(struct flow *f, enum outcome outcome)
{
	struct tally *tally = flow_tally(f);

	tally->outcomes[outcome]++;
	if (!f->plan.is_long)
		tally->abandoned += f->g->options.requests - f->index - 1;
	flow_log(f, outcome, since(f->due_ns));
	flow_close(f);
}

static uint64_t flow_interval_ns(const struct flow *f)
{
	const struct loadgen_options *options = &f->g->options;

	return clock_from_ms(f->plan.is_long ? options->long_interval_ms : options->gap_ms);
}

static void flow_overdue(struct timer *timer)
{
	struct flow *f = container_of(timer, struct flow, timer);

	flow_break(f, f->state == FLOW_CONNECT ? OUTCOME_CONNECT_TIMEOUT : OUTCOME_TIMEOUT);
}

// False if the flow is broken because the timer cannot be armed.
static bool flow_at(struct flow *f, uint64_t due_ns, void (*fire)(struct timer *timer))
{
	f->timer.fire = fire;
	if (!timers_arm(&f->g->loop.timers, &f->timer, due_ns))
		return true;
	flow_break(f, OUTCOME_LOCAL);
	return false;
}

static uint64_t flow_nonce(const struct flow *f)
{
	uint64_t flow_seed = prng_mix(f->g->options.seed + (f->number + 1) * PRNG_STEP);

	return prng_mix(flow_seed + f->index);
}

// A request fits into the empty send buffer of a connection that has nothing under way.
static void flow_request(struct flow *f)
{
	const struct loadgen_options *options = &f->g->options;
	char text[2 * REQUEST_WORD + 128], path[64];
	int length;

	f->nonce = flow_nonce(f);
	f->head_length = 0;
	f->body_done = 0;
	f->state = FLOW_HEAD;
	snprintf(path, sizeof(path), "/v/%016llx/%llu", (unsigned long long)f->nonce,
		 (unsigned long long)options->body);
	length = snprintf(text, sizeof(text),
			  "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadgen\r\n\r\n",
			  options->path ? options->path : path, options->host);
	if (send(f->watch.fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		flow_break(f, OUTCOME_RESET);
	else
		flow_at(f, f->due_ns + clock_from_ms(f->g->options.timeout_ms), flow_overdue);
}

static void flow_due(struct timer *timer)
{
	flow_request(container_of(timer, struct flow, timer));
}

static bool flow_has_more(const struct flow *f)
{
	return f->plan.is_long ? !f->g->stopping : f->index + 1 < f->g->options.requests;
}

static void flow_next(struct flow *f)
{
	if (!flow_has_more(f)) {
		flow_close(f);
		return;
	}
	f->index++;
	f->due_ns += flow_interval_ns(f);
	if (f->due_ns <= clock_now()) {
		flow_request(f);
	} else {
		f->state = FLOW_IDLE;
		flow_at(f, f->due_ns, flow_due);
	}
}

static void flow_answered(struct flow *f)
{
	uint64_t latency_ns = since(f->due_ns);
	struct tally *tally = flow_tally(f);

	if (f->rejected) {
		tally->outcomes[OUTCOME_REJECTED]++;
	} else {
		tally->requests++;
		tally->outcomes[OUTCOME_OK]++;
		tally->answers[f->backend]++;
		histogram_add(&tally->all, latency_ns);
		if (!f->index)
			histogram_add(&tally->first, latency_ns);
	}
	flow_log(f, f->rejected ? OUTCOME_REJECTED : OUTCOME_OK, latency_ns);
	flow_next(f);
}

// OUTCOME_OK, or how the head breaks the flow.
static enum outcome flow_check_head(struct flow *f, size_t length)
{
	struct http_answer answer;
	int backend;

	if (http_parse_answer(f->head, length, &answer) || !answer.has_length)
		return OUTCOME_MISMATCH;
	backend = answer.backend ? backend_index(f->g, answer.backend, answer.backend_length)
				 : backend_index(f->g, "-", 1);
	if (f->backend >= 0 && backend != f->backend)
		return OUTCOME_BACKEND_CHANGED;
	f->backend = backend;
	f->rejected = answer.status != 200;
	f->body_length = answer.content_length;
	if (!f->rejected && !f->g->options.path && f->body_length != f->g->options.body)
		return OUTCOME_MISMATCH;
	f->state = FLOW_BODY;
	return OUTCOME_OK;
}

// Each of the two takes bytes off the front and returns how many; the flow may be broken then.
static size_t flow_take_head(struct flow *f, const char *bytes, size_t length)
{
	size_t before = f->head_length;
	size_t room = sizeof(f->head) - before;
	size_t piece = length < room ? length : room;
	enum outcome outcome = OUTCOME_MISMATCH;
	int end;

	memcpy(f->head + before, bytes, piece);
	f->head_length += piece;
	end = http_head_length(f->head, f->head_length);
	if (!end && f->head_length < sizeof(f->head))
		return piece;
	if (end > 0)
		outcome = flow_check_head(f, (size_t)end);
	if (outcome != OUTCOME_OK)
		flow_break(f, outcome);
	return end > 0 ? (size_t)end - before : piece;
}

static size_t flow_take_body(struct flow *f, const char *bytes, size_t length)
{
	uint64_t left = f->body_length - f->body_done;
	size_t piece = left < length ? (size_t)left : length;

	if (!f->rejected && !f->g->options.path) {
		if (pattern_match(f->nonce, f->body_done, bytes, piece) != piece) {
			flow_break(f, OUTCOME_MISMATCH);
			return piece;
		}
		flow_tally(f)->bytes += piece;
	}
	f->body_done += piece;
	return piece;
}

static void flow_take(struct flow *f, const char *bytes, size_t length)
{
	while (length && f->state != FLOW_CLOSED) {
		size_t used = 0;

		if (f->state == FLOW_HEAD)
			used = flow_take_head(f, bytes, length);
		else if (f->state == FLOW_BODY)
			used = flow_take_body(f, bytes, length);
		else
			flow_break(f, OUTCOME_MISMATCH); // bytes that nobody asked for
		bytes += used;
		length -= used;
		if (f->state != FLOW_BODY || f->body_done < f->body_length)
			continue;
		if (length)
			flow_break(f, OUTCOME_MISMATCH);
		else
			flow_answered(f);
	}
}

static void flow_receive(struct flow *f)
{
	static char buffer[BUFFER_SIZE];
	bool more = true;

	while (more && f->state != FLOW_CLOSED) {
		ssize_t got = recv(f->watch.fd, buffer, sizeof(buffer), 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			flow_break(f, got ? OUTCOME_RESET : OUTCOME_EOF);
			return;
		}
		more = got == (ssize_t)sizeof(buffer) || f->fin_seen;
		flow_take(f, buffer, (size_t)got);
	}
}

static enum outcome connect_outcome(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return OUTCOME_REFUSED;
	case ETIMEDOUT:
		return OUTCOME_CONNECT_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return OUTCOME_UNREACHABLE;
	default:
		return OUTCOME_LOCAL;
	}
}

// A failure of this host spoils the measurement: said once.
static void flow_connect_failed(struct flow *f, int error)
{
	enum outcome outcome = connect_outcome(error);
	static bool said;

	if (outcome == OUTCOME_LOCAL && !said) {
		char text[ADDRESS_TEXT_SIZE];

		said = true;
		fprintf(stderr, "loadgen: cannot connect from %s: %s%s\n",
			address_text(&f->plan.client, text), strerror(error),
			error == EADDRNOTAVAIL ? "; its ports are used up: use more addresses"
			: error == EMFILE      ? "; raise the limit of open files (ulimit -n)"
					       : "");
	}
	flow_break(f, outcome);
}

static void flow_connected(struct flow *f)
{
	socklen_t length = sizeof(int);
	int error = 0;

	f->connect_ns = f->g->loop.now_ns - f->connect_began_ns;
	getsockopt(f->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		flow_connect_failed(f, error);
	else
		flow_request(f);
}

static void flow_ready(struct watch *watch, uint32_t events)
{
	struct flow *f = container_of(watch, struct flow, watch);

	f->fin_seen |= (events & EPOLLRDHUP) != 0;
	if (f->state == FLOW_CONNECT) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			flow_connected(f);
	} else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		flow_receive(f);
	}
}

static struct flow *flow_new(struct loadgen *g, const struct flow_plan *plan)
{
	struct flow *f = malloc(sizeof(*f));

	if (!f)
		return NULL;
	memset(f, 0, offsetof(struct flow, head));
	f->g = g;
	f->plan = *plan;
	f->watch = (struct watch){.fd = -1, .ready = flow_ready};
	f->number = g->flow_number++;
	f->due_ns = plan->due_ns;
	f->backend = -1;
	f->next = g->flows;
	if (f->next)
		f->next->prev = f;
	g->flows = f;
	g->open++;
	g->long_open += plan->is_long;
	return f;
}

void flow_start(struct loadgen *g, const struct flow_plan *plan)
{
	struct flow *f = flow_new(g, plan);
	int err;

	if (!f) {
		g->not_started++;
		return;
	}
	flow_tally(f)->flows++;
	f->connect_began_ns = clock_now();
	f->watch.fd = socket_connect(&plan->client, plan->target, g->log ? &f->port : NULL);
	err = f->watch.fd < 0
		      ? f->watch.fd
		      : loop_watch(&g->loop, &f->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	if (err)
		flow_connect_failed(f, -err);
	else
		flow_at(f, f->due_ns + clock_from_ms(g->options.timeout_ms), flow_overdue);
}

void flows_close_idle_long(struct loadgen *g)
{
	struct flow *next;

	for (struct flow *f = g->flows; f; f = next) {
		next = f->next;
		if (f->plan.is_long && f->state == FLOW_IDLE)
			flow_close(f);
	}
}

void flows_abort(struct loadgen *g)
{
	while (g->flows) {
		g->unfinished++;
		flow_close(g->flows);
	}
}
