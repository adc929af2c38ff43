// SPDX-License-Identifier: BSD-2-Clause
// What the files of the lab server share.
#ifndef TOOLS_LABSERVER_H
#define TOOLS_LABSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/http.h"
#include "lib/loop.h"
#include "lib/prng.h"
#include "lib/station.h"

#define MAX_LISTENERS	 16
#define MAX_CLASSES	 256
#define ANSWER_HEAD_SIZE 512

// What a request from a prefix costs.
struct client_class {
	struct prefix prefix;
	uint64_t service_ns;  // of a worker
	uint64_t distance_ns; // the answer's way back, when no worker is held any more
};

// Longest prefix first.
struct class_table {
	struct client_class rows[MAX_CLASSES];
	size_t count;
};

// Faults that tests ask for.
enum corruption { CORRUPT_NOTHING, CORRUPT_BYTE, CORRUPT_NAME, CORRUPT_SHORT };

struct server_options {
	const char *name;
	struct endpoint listen[MAX_LISTENERS];
	size_t listen_count;
	uint64_t workers;
	uint64_t queue;
	uint64_t body;
	uint64_t seed;
	double service_ms;
	double jitter;
	const char *control;
	const char *tell;
	enum corruption corruption;
	struct class_table classes;
};

struct server_stats {
	uint64_t requests;    // answered, whatever the answer
	uint64_t rejected;    // of them with 503, the queue being full
	uint64_t malformed;   // of them with 4xx or 5xx because they made no sense
	uint64_t accepted;    // connections since the start
	uint64_t connections; // open now
	uint64_t turned_away; // connections closed for want of descriptors or memory
	uint64_t bytes_in;    // bodies
	uint64_t bytes_out;   // heads and bodies
};

struct server {
	struct loop loop;
	struct station station;
	struct server_options options;
	struct server_stats stats;
	struct prng jitter;
	struct conn *conns;
	uint64_t started_ns;
	int spare_fd; // given up for a moment to turn a client away when there are no others
};

struct listener {
	struct watch watch;
	struct server *server;
};

// An answer: a head (with the body in it, if that is a short text) and a stretch of a pattern.
struct answer {
	char head[ANSWER_HEAD_SIZE];
	size_t head_length;
	uint64_t nonce;
	uint64_t body_length; // of the pattern
	uint64_t sent;	      // of head and pattern together
	bool close;
};

// labserver_class.c: "PREFIX=SERVICE_MS[+DISTANCE_MS]". 0, or -errno with the reason in why
// (OPTION_WHY_SIZE).
int class_parse(const char *text, struct client_class *out, char *why);
// Adds a class or replaces the one of the same prefix. 0 or -ENOSPC.
int class_add(struct class_table *table, const struct client_class *row);
// The class of a client, or NULL.
const struct client_class *class_find(const struct class_table *table,
				      const struct address *client);

// labserver_answer.c
void answer_pattern(const struct server *server, struct answer *answer, bool head_only);
void answer_text(const struct server *server, struct answer *answer, const char *status,
		 const char *text, bool head_only);
// Writes what it can in one call. Returns the bytes written or -errno.
ssize_t answer_write(struct answer *answer, int fd, enum corruption corruption);
uint64_t answer_left(const struct answer *answer);

// labserver_conn.c: the ready callback of listeners; their watch is a struct listener.
void conn_accept(struct watch *watch, uint32_t events);
void conn_free_all(struct server *server);

// labserver_control.c: 0 or -errno, with the reason said.
int control_open(struct server *server, const char *path);
void control_close(struct server *server);

// labserver_tell.c: sends the words, or without any the lines of stdin, and prints the answers.
// Returns the exit status.
int tell(const char *path, int word_count, char **words);

#endif
