// SPDX-License-Identifier: BSD-2-Clause
/*
 * The command line's own parts: one request to the daemon and its answer, and one renderer per
 * command that shows an answer to people. Everything that is known comes from the answer.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "columns.h"

#define LARCHCTL_SOCKET "/run/larch/larchd.sock"
#define LARCHCTL_PINS	"/sys/fs/bpf/larch"

enum larchctl_exit {
	LARCHCTL_OK = 0,
	LARCHCTL_FAILED = 1, /* or refused */
	LARCHCTL_USAGE = 2,
	LARCHCTL_UNREACHABLE = 3,
	LARCHCTL_NOT_FOUND = 4,
};

enum larchctl_format {
	LARCHCTL_TABLE = 1,
	LARCHCTL_JSON = 2,
	LARCHCTL_CSV = 4,
	LARCHCTL_DOT = 8,
	LARCHCTL_SVG = 16,
};

/* What `larchctl capture` is asked for, as given; NULL: not. */
struct larchctl_capture {
	const char *file, *pins, *host, *port, *count, *seconds;
	uint64_t outcomes; /* bits; 0: all */
	const char *wrong; /* an outcome that does not exist */
};

struct larchctl {
	const char *socket;
	enum larchctl_format format;
	bool all;
	const char *hops, *size, *interface, *limit, *deadline; /* as given; NULL: not */
	struct larchctl_capture capture;
};

/* Sends a request (taken over) and reads the answer. *out is NULL unless LARCHCTL_OK is returned;
 * what went wrong has been said on stderr. */
enum larchctl_exit larchctl_ask(const struct larchctl *ctl, json_t *request, json_t **out);

/*
 * Adds the number that an option holds, 0 to 65535, to a request; without text (NULL) nothing.
 * False: it is no such number, which has been said on stderr.
 */
bool larchctl_take_number(json_t *request, const char *name, const char *text);

/* The answer's members, with what to take where there is none. */
const char *larchctl_text(const json_t *object, const char *name); /* "-" */
double larchctl_number(const json_t *object, const char *name);	   /* NAN */
bool larchctl_true(const json_t *object, const char *name);	   /* false */
const json_t *larchctl_leaf(const json_t *service, double number); /* NULL */
const char *larchctl_us(const json_t *object, const char *name, char *out);

const char *larchctl_count(const json_t *object, const char *name, char *out);
const char *larchctl_part(const json_t *object, const char *name, char *out);

/* How many requests a backend serves at once: "8", "~8" if that was found out, "8?" if assumed. */
const char *larchctl_concurrency(const json_t *backend, char text[COLUMNS_NUMBER]);

/* Renderers: the answer to people. */
void larchctl_show_status(const struct larchctl *ctl, const json_t *answer);
void larchctl_show_list(const struct larchctl *ctl, const json_t *answer);
void larchctl_show_stat(const struct larchctl *ctl, const json_t *answer);
void larchctl_show_tree(const struct larchctl *ctl, const json_t *answer);
/* The services of `tree` as a picture. */
void larchctl_show_svg(const json_t *services, FILE *to);
/* Both arms over time, as lines of small bars. */
void larchctl_show_series(const json_t *series);
void larchctl_show_benefit(const struct larchctl *ctl, const json_t *answer);
void larchctl_show_history(const struct larchctl *ctl, const json_t *answer);
void larchctl_show_reload(const struct larchctl *ctl, const json_t *answer);

void larchctl_show_ordered(const struct larchctl *ctl, const json_t *answer);

/* The routes of `status`, or of an order. */
void larchctl_show_routes(const json_t *routes);

/* Commands that are more than a request and its answer. */
enum larchctl_exit larchctl_explain(const struct larchctl *ctl, int count, char **arguments);
enum larchctl_exit larchctl_arm(const struct larchctl *ctl, int count, char **arguments);
enum larchctl_exit larchctl_capture(const struct larchctl *ctl, int count, char **arguments);

/* Asks for an order ("drain", ...) to be carried out: arguments are the backend and the service. */
enum larchctl_exit larchctl_order(const struct larchctl *ctl, const char *order, int count,
				  char **arguments);

/* One more outcome to capture, by its name. */
void larchctl_take_outcome(struct larchctl_capture *capture, const char *name);

/* Prints the answer in the format that was asked for; takes it over. */
void larchctl_print(const struct larchctl *ctl, json_t *answer,
		    void (*show)(const struct larchctl *ctl, const json_t *answer));
