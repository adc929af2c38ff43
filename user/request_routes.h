// SPDX-License-Identifier: BSD-2-Clause
/* The commands by which an operator announces and withdraws addresses. */
#pragma once

#include <jansson.h>

struct controller;

/*
 * {"announced":bool,"service":null or name,"routes":{...}}: of the request's "service", or of all;
 * what has become of their addresses, as report_routes() tells it.
 */
json_t *request_announce(struct controller *controller, const json_t *request);
json_t *request_withdraw(struct controller *controller, const json_t *request);
