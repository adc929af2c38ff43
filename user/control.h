// SPDX-License-Identifier: BSD-2-Clause
/*
 * The control socket: a Unix stream socket on which larchctl asks. One line of JSON is a request,
 * one JSON document the answer; then the connection is closed. Never blocks: it is driven by an
 * epoll descriptor that nests in the daemon's. Whoever is slow or silent is dropped.
 */
#pragma once

#define CONTROL_CLIENTS	     64
#define CONTROL_REQUEST_MOST (1u << 20) /* bytes of a request */
#define CONTROL_PATIENCE_MS  5000	/* for a request to come, and for its answer to be taken */

struct control;
struct controller;

/*
 * Listens on `path`, with mode 0660. The socket of a daemon that is dead is replaced. -EADDRINUSE:
 * a living one listens there; -EEXIST: there is something else; -ENAMETOOLONG.
 */
int control_open(struct control **out, const char *path, struct controller *controller);

/* For epoll, level-triggered. Owned by the module. */
int control_fd(const struct control *control);

/* Handles what waits: a bounded amount of it. */
void control_process(struct control *control);

/* Drops all clients and removes the socket's file. NULL is allowed. */
void control_close(struct control *control);
