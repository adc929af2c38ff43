// SPDX-License-Identifier: BSD-2-Clause
/*
 * The prober, as larchd sees it: a process of its own that speaks with backends, so that nothing
 * that they say is read by a process with privileges. It is begun when first needed, and again when
 * it dies; it does not outlive its parent. Owner: user/checks.c.
 */
#pragma once

#include "probe.h"

struct prober;

/* `answered` is told of each answer, by prober_process(). 0 or -errno. */
int prober_open(struct prober **out, void (*answered)(void *, const struct probe_answer *),
		void (*died)(void *), void *context);

/* Ends the process. NULL is allowed. */
void prober_close(struct prober *prober);

/* For epoll: readable when there is something to do. */
int prober_fd(const struct prober *prober);

/* Takes answers; begins the process again if it has died (then `died` is called: no answer to what
 * was ordered before will come). */
void prober_process(struct prober *prober);

/* Ends the process, which has hung itself up: it is then taken for one that has died. */
void prober_kill(struct prober *prober);

/*
 * Hands an order over, and the socket (-1: none), which stays the caller's. -EAGAIN: the prober is
 * busy; -EPIPE: there is none at this moment.
 */
int prober_order(struct prober *prober, const struct probe_order *order, int socket);
