// SPDX-License-Identifier: BSD-2-Clause
// What the files of the demo's verdict share.
#ifndef TOOLS_VERDICT_H
#define TOOLS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/address.h"

#define MAX_PHASES   8
#define MAX_PREFIXES 64
#define MAX_BACKENDS 64
#define NAME_SIZE    32
#define TITLE_SIZE   96

enum arm { ARM_LEARNED, ARM_CONTROL, ARMS };

// A request of a short flow, by the client's clock.
struct sample {
	double at_s;	  // intended time, from the start of the run
	double flow_s;	  // when its flow began
	float latency_ms; // from the intended time
	uint8_t arm;
	uint8_t prefix;
	uint8_t backend;
	bool first; // of its flow: the latency includes the connect
};

struct phase {
	char name[NAME_SIZE];
	char title[TITLE_SIZE];
	double begin_s, end_s;
};

struct run {
	struct sample *sample; // by at_s
	size_t samples;
	struct phase phase[MAX_PHASES];
	size_t phases;
	struct prefix prefix[MAX_PREFIXES];
	size_t prefixes;
	char backend[MAX_BACKENDS][NAME_SIZE];
	size_t backends;
	double end_s;
	double late_p99_ms; // what the generator itself added
	uint64_t flows;	    // short and long
	uint64_t broken;    // short and long, refused and unfinished ones included
	uint64_t long_requests;
	uint64_t bytes; // verified
};

struct verdict_files {
	const char *report; // NDJSON of loadgen
	const char *log;    // of loadgen
	const char *arms;   // of `larchctl arm`, for the flows of the log
	const char *phases; // lines: time since the epoch, name, title
};

// verdict_read.c: 0, or -errno with the reason on stderr.
int run_read(struct run *run, const struct verdict_files *files);
void run_free(struct run *run);
const struct phase *run_phase(const struct run *run, const char *name); // NULL: none

// Which samples; negative: all.
struct filter {
	int arm, prefix;
	bool first_only;
	bool by_flow; // a sample belongs to the time when its flow began, not to its own
};

// verdict_measure.c: samples from begin_s up to end_s. NAN if there are none.
double run_quantile(const struct run *run, const struct filter *filter, double begin_s,
		    double end_s, double q);

// Learned new flows around the slowing; the definitions are in the file's head.
struct recovery {
	double before_ms; // p99 of first requests before
	double limit_ms;
	double worst_ms;     // of all windows while it was slow
	double recovered_s;  // INFINITY: never
	double share_before; // of the slow backend in new flows
	double avoided_s;    // until a fifth of that; INFINITY: never
	double returned_s;   // from the end of the slowing until half of that; INFINITY: never
};
int run_recovery(const struct run *run, const char *slow_backend, struct recovery *out);

// verdict_svg.c: 0 or -errno.
int svg_write(const struct run *run, const char *path);

#endif
