// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a 5-tuple does not show and the tree may ask for: how far away the client is, how large its
 * first packet, by which interface it comes. Taken from the request, else from the cells that were
 * seen, else the usual; and it is told what was assumed.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "larch/tuple.h"

struct controller;
struct service;

struct report_guess {
	uint32_t hops;
	uint32_t size; /* class */
	uint32_t ingress;
	json_t *assumed; /* array of sentences */
};

/* 0; -EINVAL: the request's own values make no sense, and *why says so. */
int report_guess(const struct controller *controller, struct service *service,
		 const struct larch_tuple *tuple, const json_t *request, struct report_guess *out,
		 const char **why);
