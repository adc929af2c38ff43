// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a DNS name stands for, by the answers that came: which of them are believed, and when to ask
 * again. A name that does not resolve keeps the addresses that it had; an answer that takes more
 * than half of them away is believed only if it repeats. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define NAMES_OF_FAMILY 256 /* addresses of one answer that are looked at */
#define NAMES_ADDRESSES (2 * NAMES_OF_FAMILY)

enum names_outcome {
	NAMES_FOUND,  /* with addresses */
	NAMES_NONE,   /* the name has none of the family, or does not exist */
	NAMES_FAILED, /* nobody could say */
};

/* The answer for one family. */
struct names_answer {
	enum names_outcome outcome;
	struct in6_addr address[NAMES_OF_FAMILY]; /* IPv4 as ::ffff:a.b.c.d */
	size_t count;
	double ttl;	 /* s; of NAMES_FOUND */
	const char *why; /* not NAMES_FOUND: a static string */
};

struct names_set {
	struct in6_addr address[NAMES_ADDRESSES]; /* in order */
	size_t count;
};

struct names_state {
	struct names_set now;	 /* what it stands for */
	struct names_set before; /* the same, before the last change */
	struct names_set doubted;
	bool doubts;	     /* `doubted` was answered last */
	bool answered;	     /* has ever been resolved, rather than found in the kernel */
	unsigned failures;   /* in a row */
	const char *trouble; /* why the last one failed; NULL: it did not */
	double ttl;	     /* s, of the last answer that was not a failure */
};

enum names_verdict {
	NAMES_SAME,
	NAMES_CHANGED,
	NAMES_DOUBTED,	/* it takes too much away; believed if it comes again */
	NAMES_TROUBLED, /* it failed: the addresses stay */
};

/* Takes the answers for both families, which may be reordered. */
enum names_verdict names_judge(struct names_state *state, struct names_answer *ipv4,
			       struct names_answer *ipv6);

/* Addresses that it had before anybody was asked. */
void names_seed(struct names_state *state, const struct in6_addr *address, size_t count);

/* Seconds until it is to be asked again. */
double names_wait(const struct names_state *state, double least, double most);

/* How many of `a` are not in `b`. */
size_t names_missing(const struct names_set *a, const struct names_set *b);

/*
 * The name that is asked for at the given attempt, from 0: one with fewer dots than `dots` first in
 * each of the domains, then as it is; any other only as it is. false: there are no more attempts.
 */
bool names_attempt(const char *host, char *const *domain, size_t domains, unsigned dots,
		   size_t attempt, char *out, size_t size);
