// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a generation changed for whom, and why: compares it with the one before. Trees may differ;
 * the same clients are compared, by the rows of the learner's table, weighed by their flows. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "generation.h"
#include "learner.h"
#include "region.h"
#include "table.h"

#define CHANGE_MOVES	   3	/* told of one generation */
#define CHANGE_SHARE	   0.02 /* a share that moved by less has not moved */
#define CHANGE_COST	   0.05 /* relative: a cost that moved by less is no reason */
#define CHANGE_LOAD	   0.2	/* relative: the same for requests per second */
#define CHANGE_SAME	   0.8 /* two leaves are the same clients if they share this part of both */
#define CHANGE_PART	   0.002 /* clients with less of the flows are not told of */
#define CHANGE_EVEN_COST   0.02	 /* relative: backends that cost the same */
#define CHANGE_OTHERS_LOAD 0.02	 /* of a backend's capacity: less does not drive others away */

enum change_reason {
	CHANGE_STEERS,	   /* learning steers from now on */
	CHANGE_STEERS_NOT, /* it does not any more */
	CHANGE_JOINED,	   /* the backend is new to the service */
	CHANGE_LEFT,	   /* it is not of the service any more */
	CHANGE_LOST,	   /* it takes no new flows any more: down, drained */
	CHANGE_FOUND,	   /* it takes new flows again */
	CHANGE_WEIGHT,	   /* its part by configured weights: before, after */
	CHANGE_SPLIT,	   /* these clients are told apart from others now */
	CHANGE_MERGED,	   /* these clients are not told apart from others any more */
	CHANGE_NET,	   /* connect time of the backend for these clients, us */
	CHANGE_SERVICE,	   /* its server time, us */
	CHANGE_DEMAND,	   /* requests per second of the service */
	CHANGE_PRICE,  /* one more request at backend and opposite, by the shares of before, us */
	CHANGE_OTHERS, /* other clients' load of a backend: part of what it can do */
	CHANGE_EVEN,   /* as CHANGE_PRICE, but both are about the same */
	CHANGE_REASONS
};

/* A backend's part of the clients' new flows. */
struct change_share {
	uint16_t backend; /* id; LARCH_NO_BACKEND: none */
	double before, after;
};

struct change_move {
	struct region clients;	      /* of whom */
	double part;		      /* of all flows that they are */
	struct change_share share;    /* the one that moved most */
	struct change_share opposite; /* the one that moved most to the other side */
	enum change_reason reason;
	uint16_t cause;	      /* the backend that the reason speaks of, or none */
	double before, after; /* as the reason says; NAN: it has no numbers */
	double samples;	      /* behind `after`; NAN: not known */
};

struct change {
	size_t count;
	struct change_move move[CHANGE_MOVES]; /* the largest first: flows times share */
};

/*
 * members: those of `now`, in its order. Without rows (NULL, or none) the leaves' demand stands
 * for their flows. Without a generation before, nothing has moved.
 */
void change_find(const struct generation *before, const struct generation *now,
		 const struct learner_member *member, const struct table *table,
		 struct change *out);
