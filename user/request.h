// SPDX-License-Identifier: BSD-2-Clause
/*
 * A request to the daemon, from its text to the text of the answer: {"command":"status", ...}.
 * What cannot be answered gets {"error":"why","kind":"..."}; kinds as in report.h.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct controller;

/* The answer, with a line end; free() it. NULL: no memory. Any bytes may be in `text`. */
char *request_answer(struct controller *controller, const char *text, size_t length);

/* The answer to a request that is not even read. */
char *request_refuse(const char *why);

/* The operator's orders: see request_order.c. */
json_t *request_drain(struct controller *controller, const json_t *request);
json_t *request_maintenance(struct controller *controller, const json_t *request);
json_t *request_activate(struct controller *controller, const json_t *request);
