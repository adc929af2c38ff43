// SPDX-License-Identifier: BSD-2-Clause
// What the files of the load generator share.
#ifndef TOOLS_LOADGEN_H
#define TOOLS_LOADGEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/address.h"
#include "lib/histogram.h"
#include "lib/loop.h"
#include "lib/prng.h"

#define MAX_SOURCES  256
#define MAX_TARGETS  64
#define MAX_BACKENDS 256
#define HEAD_SIZE    1024 // of an answer
#define REQUEST_WORD 512  // bytes of a request's path or host

// How a request ended. From OUTCOME_REFUSED on, its flow is broken.
enum outcome {
	OUTCOME_OK,
	OUTCOME_REJECTED, // a whole answer with another status than 200: the flow goes on
	OUTCOME_REFUSED,
	OUTCOME_CONNECT_TIMEOUT,
	OUTCOME_UNREACHABLE,
	OUTCOME_LOCAL, // this host could not even try: no port, no descriptor
	OUTCOME_RESET,
	OUTCOME_EOF,
	OUTCOME_TIMEOUT,
	OUTCOME_MISMATCH, // other bytes than the pattern, or no proper head
	OUTCOME_BACKEND_CHANGED,
	OUTCOME_COUNT,
};

// What is counted of a source's flows, or of all the long ones.
struct tally {
	uint64_t flows;
	uint64_t requests; // answered with 200 and verified
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t abandoned; // requests never sent because their flow broke
	uint64_t bytes;	    // verified
	uint64_t answers[MAX_BACKENDS];
	struct histogram first; // latency of the first requests, which includes the connect
	struct histogram all;
};

// Events are counted in `now`, which each report adds to `total` and clears.
struct tallies {
	struct tally now;
	struct tally total;
};

struct source {
	struct prefix prefix;
	double weight;
	uint32_t count; // addresses in use
	char text[ADDRESS_TEXT_SIZE];
	struct tallies *tallies;
};

struct target {
	struct endpoint endpoint;
	struct sockaddr_storage address;
	socklen_t length;
};

struct loadgen_options {
	struct target targets[MAX_TARGETS];
	struct source sources[MAX_SOURCES];
	size_t target_count, source_count;
	double rate;
	double gap_ms;
	double duration_s;
	double timeout_ms;
	double interval_ms;
	double long_interval_ms;
	uint64_t requests;
	uint64_t body;
	uint64_t seed;
	uint64_t max_open;
	uint64_t long_count;
	bool even;
	const char *log;
	const char *path; // asked for instead of a pattern; any body will do
	const char *host;
};

struct loadgen {
	struct loop loop;
	struct loadgen_options options;
	uint64_t start_ns, end_ns; // intended times lie between them
	bool stopping;		   // no new flows, long ones close
	bool interrupted;
	struct flow *flows;
	uint64_t open, long_open;
	uint64_t flow_number;
	uint64_t not_started;
	uint64_t unfinished;
	struct tallies *long_tallies;
	struct histogram *late; // how late flows were begun: what the generator itself adds
	const char *backends[MAX_BACKENDS];
	size_t backend_count;
	FILE *log;
};

// loadgen_args.c: the index of the first word that is no option, 0 after the help, or -EINVAL.
int loadgen_parse(struct loadgen_options *options, int argc, char **argv);

// loadgen_arrivals.c: begins the flows in time, from start_ns to end_ns. 0 or -errno.
int arrivals_start(struct loadgen *g);
void arrivals_stop(struct loadgen *g);
bool arrivals_done(void);

// loadgen_flow.c
struct flow_plan {
	struct source *source;
	const struct target *target;
	struct address client;
	uint64_t due_ns; // intended time of the first request
	bool is_long;
};
void flow_start(struct loadgen *g, const struct flow_plan *plan);
void flows_close_idle_long(struct loadgen *g);
void flows_abort(struct loadgen *g); // counts them as unfinished

// loadgen_socket.c: opens a connection. Returns the descriptor or -errno; *port is the local port,
// found only if asked for.
int socket_connect(const struct address *client, const struct target *target, uint16_t *port);
// Says on stderr which source address cannot be used and what to do; 0 or -errno.
int sources_probe(const struct loadgen_options *options);

// loadgen.c: ends the run if nothing is left to do.
void loadgen_check_done(struct loadgen *g);

// loadgen_tally.c
int tallies_open(struct loadgen *g);
void tallies_close(struct loadgen *g);
void tallies_turn(struct tallies *t); // adds now to total and clears it
void tally_add(struct tally *into, const struct tally *from);
uint64_t tally_broken(const struct tally *t);
uint64_t tally_connect_failed(const struct tally *t);
const char *outcome_name(enum outcome outcome);
// Index of a backend's name; the last index stands for all names when there are too many.
int backend_index(struct loadgen *g, const char *name, size_t length);

// loadgen_report.c: NDJSON on stdout. 0 or -errno.
int report_start(const struct loadgen *g);
int report_interval(struct loadgen *g);
int report_summary(struct loadgen *g);

// loadgen_log.c: one line of text per request.
struct log_entry {
	const struct flow_plan *plan;
	uint16_t port;
	uint64_t due_ns;
	uint64_t index;
	uint64_t connect_ns;
	uint64_t latency_ns;
	const char *backend;
	enum outcome outcome;
};
int log_open(struct loadgen *g);
void log_write(struct loadgen *g, const struct log_entry *entry);
int log_close(struct loadgen *g);

#endif
