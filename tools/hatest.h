// SPDX-License-Identifier: BSD-2-Clause
// What the files of the high-availability test share.
#ifndef TOOLS_HATEST_H
#define TOOLS_HATEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"
#include "lib/address.h"

#define HATEST_BACKENDS	  16
#define HATEST_EVENTS	  32
#define HATEST_ACTIONS	  1024 /* of a run's timeline */
#define HATEST_GROUPS	  3    /* of clients in the lab */
#define HATEST_TEXT_SIZE  512
#define HATEST_BALANCERS  4
#define HATEST_THRESHOLDS 16

// ---- what is to be done: a scenario --------------------------------------------------------

struct hatest_lab {
	uint32_t backends;	  // b1, b2 ...
	uint32_t members;	  // those in service at first, a bit each: 1 is b1
	uint32_t workers;	  // requests that a backend serves at once
	double service_s, jitter; // time of a request; its relative deviation
	bool learning;		  // larch's; the static weights beside it never learn
	uint32_t nodes;		  // balancers
	json_t *larchd, *web;	  // further keys of larchd's configuration and of its service
	double distance[HATEST_GROUPS][HATEST_BACKENDS]; // s from each group of clients
};

struct hatest_load {
	double rate;	   // new connections a second
	uint32_t requests; // of each
	double gap_s;	   // between them
	uint32_t body;
	uint32_t longs; // connections that live for the whole run
	double long_interval_s;
	double in_time_s; // an answer that takes longer is none
	double timeout_s;
	double warm_s, duration_s;   // what is not counted, what is
	char path[HATEST_TEXT_SIZE]; // --target: what to ask for
};

enum hatest_do {
	HATEST_SLOW,
	HATEST_PAUSE,
	HATEST_KILL,
	HATEST_START,
	HATEST_DRAIN,
	HATEST_ACTIVATE,
	HATEST_RELOAD,
	HATEST_RESTART_LARCHD,
	HATEST_UPGRADE,
	HATEST_LINK_DOWN,
	HATEST_LINK_UP,
	HATEST_KILL_NODE,
	HATEST_FLOOD,
	HATEST_CROWD,
	HATEST_RUN,
	HATEST_DO_COUNT,
};

struct hatest_event {
	enum hatest_do what;
	double at_s,
		for_s;	  // from the begin of what counts; for_s 0: it stays so, or is over at once
	double every_s;	  // repeated so often,
	uint32_t times;	  // so many times altogether
	uint32_t targets; // backends, links or nodes; repeats take one after the other
	uint8_t target[HATEST_BACKENDS]; // from 1; 0: the balancer's link
	uint32_t members;		 // reload: from now on, a bit each; 0: as before
	double number;			 // slow, crowd: factor; flood: SYNs a second
	char command[HATEST_TEXT_SIZE];
};

// What must be met; NAN: nothing is asked. Times in s.
struct hatest_thresholds {
	double availability; // at least; all others at most
	double p99_ratio;    // during over before
	double p99_over_static;
	double broken, broken_long, refused, lost;
	double detect, recover;
};

struct hatest_scenario {
	char name[CONFIG_NAME_MAX];
	char title[HATEST_TEXT_SIZE], about[HATEST_TEXT_SIZE];
	struct hatest_lab lab;
	struct hatest_load load;
	size_t events;
	struct hatest_event event[HATEST_EVENTS];
	struct hatest_thresholds thresholds;
};

// hatest_scenario.c: 0; -EINVAL: *errors says why; another -errno. *out is to be freed if 0.
int hatest_scenario_parse(const char *text, size_t length, struct hatest_scenario *out,
			  struct config_errors *errors);
void hatest_scenario_free(struct hatest_scenario *scenario);
// A few seconds of it: times of load and events shrink alike. False: it is as short already.
bool hatest_scenario_shorten(struct hatest_scenario *scenario);

// hatest_events.c: reads the list of events into *out, whose lab and load are known.
struct setting;
void hatest_events_read(const struct setting *root, struct hatest_scenario *out);
const char *hatest_do_text(enum hatest_do what);
// The lab orders nothing of a host that is not its own.
bool hatest_do_needs_lab(enum hatest_do what);

// A command to the lab at its time, and when what it began ends.
struct hatest_action {
	double at_s, end_s; // end_s: of its effect; at_s if it has none that lasts
	bool undoes;	    // the end of an earlier one
	uint32_t affects;   // backends that should get no new flows from now to end_s, a bit each
	char command[HATEST_TEXT_SIZE + 64];
	char label[96]; // for people
};

// hatest_timeline.c: the backends, a bit each, that a good balancer sends nobody to while this
// occurrence of an event lasts. `members` are those in service.
uint32_t hatest_affected(const struct hatest_event *event, uint32_t turn, uint32_t members);
// All events in the order of time; how many. `out` has HATEST_ACTIONS places.
size_t hatest_timeline(const struct hatest_scenario *scenario, struct hatest_action *out);

// ---- what happened: samples and what they say ----------------------------------------------

enum hatest_status {
	HATEST_OK,
	HATEST_REJECTED, // another status than 200
	HATEST_REFUSED,	 // no connection
	HATEST_TIMEOUT,	 // the connection broke: no answer within the timeout
	HATEST_BROKEN,	 // the connection broke: reset, cut, other bytes, another backend
};

// A request, by the client's clock.
struct hatest_sample {
	double at_s; // intended time, from the begin of what counts; below 0: warming up
	float latency_ms, connect_ms;
	uint8_t backend; // from 1; 0: not known
	uint8_t status;
	bool first, is_long;
	uint16_t abandoned; // further requests of its connection that were never sent
};

struct hatest_samples {
	struct hatest_sample *sample; // by at_s once sorted
	size_t count;
};

// hatest_samples.c: 0 or -errno.
int hatest_samples_line(struct hatest_samples *samples, const char *line, double offset_s,
			uint32_t requests);
int hatest_samples_read(struct hatest_samples *samples, const char *log, double offset_s,
			uint32_t requests);
void hatest_samples_sort(struct hatest_samples *samples);
void hatest_samples_free(struct hatest_samples *samples);

struct hatest_quantiles {
	uint64_t count;
	double p50, p99, p999; // ms; NAN: there were none
};

// A part of the run. begin_s == end_s: there is none.
struct hatest_span {
	double begin_s, end_s;
};

struct hatest_metrics {
	uint64_t meant;	  // requests that should have been answered
	uint64_t in_time; // with 200 within in_time_s
	uint64_t late, rejected, refused, broken, broken_long, abandoned;
	double availability;
	struct hatest_span span[3]; // before, during, after what happens
	struct hatest_quantiles part[3];
	double detect_s, recover_s; // NAN: nothing to be detected; INFINITY: never
	double impaired_s;	    // of the windows that were not as before
	double imbalance;	    // the most requests of a member over the mean; NAN
	double lost;		    // segments sent again; NAN: not known
};

// hatest_metrics.c
void hatest_measure(const struct hatest_samples *samples, const struct hatest_scenario *scenario,
		    const struct hatest_action *actions, size_t count, struct hatest_metrics *out);
// p99 of answers and share of requests that failed or were late, in a window; NAN: none.
double hatest_window_p99(const struct hatest_samples *samples, double begin_s, double end_s);
double hatest_window_failed(const struct hatest_samples *samples, double in_time_s, double begin_s,
			    double end_s);
double hatest_window_share(const struct hatest_samples *samples, unsigned backend, double begin_s,
			   double end_s);

struct hatest_verdict {
	const char *name;
	double bound, value;
	bool least;  // bound is the least that will do
	bool judged; // not if the run was too short for it
	bool met;
};

// hatest_verdict.c: what the thresholds say; how many. `fixed` may be NULL: static weights.
size_t hatest_judge(const struct hatest_scenario *scenario, const struct hatest_metrics *larch,
		    const struct hatest_metrics *fixed, bool is_short, struct hatest_verdict *out);

// ---- running -------------------------------------------------------------------------------

struct hatest_options {
	const char *json, *html;
	const char *against;
	const char *parts; // folder of the lab's scripts and scenarios
	bool is_short;
	bool has_target;
	struct endpoint target;
	char target_text[ADDRESS_TEXT_SIZE];
	const char *source; // --target: of the requests
	const char *host;
	uint64_t seed;
	uint64_t retries; // of a run that this host disturbed
	const char *balancer[HATEST_BALANCERS];
	size_t balancers;
};

struct hatest_run {
	const char *balancer;
	struct hatest_samples samples;
	struct hatest_metrics metrics;
	double late_p99_ms; // what the generator itself added
	json_t *drops;	    // larch: packets dropped, by outcome; NULL
};

struct hatest_result {
	struct hatest_scenario scenario;
	bool is_short; // it was shortened
	// what follows is of the last run
	size_t actions;
	struct hatest_action action[HATEST_ACTIONS];
	size_t runs;
	struct hatest_run run[HATEST_BALANCERS];
	size_t verdicts;
	struct hatest_verdict verdict[HATEST_THRESHOLDS];
	char error[HATEST_TEXT_SIZE]; // why it could not run; "": it did
	double late_p99_ms;	      // of the generators, the most
	bool disturbed;		      // so late that what is not met says nothing
	bool met;
};

// hatest_run.c: 0, -EINTR, or -errno with the reason in result->error. Whatever a run before left
// in *result, but for the scenario, is released.
int hatest_run(const struct hatest_options *options, size_t number, size_t of,
	       struct hatest_result *result);
void hatest_result_clear(struct hatest_result *result);

// hatest_lab.c: one lab, driven by a process of its own that obeys lines of text.
struct hatest_process {
	int pid; // 0: none
	int in, out;
	size_t pending;			// commands that it has not answered
	char line[4096];		// the last answer, without "ok "
	char failure[HATEST_TEXT_SIZE]; // the first one that was not "ok"
};
int hatest_lab_start(struct hatest_process *lab, const struct hatest_options *options,
		     const struct hatest_scenario *scenario, const char *balancer);
int hatest_lab_send(struct hatest_process *lab, const char *command);
// Takes what answers there are; -EPIPE: it is gone, *failure says why.
int hatest_lab_take(struct hatest_process *lab);
// Waits for all answers of all labs, at most so long, or until a signal: 0, -EIO, -ETIMEDOUT,
// -EINTR.
int hatest_labs_settle(struct hatest_process *labs, size_t count, double seconds);
// Waits so long, taking answers; the same results.
int hatest_labs_sleep(struct hatest_process *labs, size_t count, double seconds);
// Ends it, and waits until everything of it is gone.
void hatest_labs_stop(struct hatest_process *labs, size_t count);
extern volatile int hatest_interrupted; // a signal's number

// hatest_progress.c
void hatest_progress_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hatest_progress_now(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hatest_progress_table(const struct hatest_result *result);

// hatest_json.c, hatest_html.c: 0 or -errno.
json_t *hatest_json(const struct hatest_result *results, size_t count,
		    const struct hatest_options *options);
int hatest_html(const struct hatest_result *results, size_t count,
		const struct hatest_options *options, const char *file);
// hatest_plot.c
void hatest_plot(const struct hatest_result *result, FILE *out);
const char *hatest_colour(size_t run);

// hatest_text.c
const char *hatest_seconds(double seconds, char out[32]); // "0.25 s", "never", "-"
const char *hatest_ms(double ms, char out[32]);
const char *hatest_percent(double share, char out[32]);
const char *hatest_value(const struct hatest_verdict *verdict, double value, char out[32]);

#endif
