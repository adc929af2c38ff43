// SPDX-License-Identifier: BSD-2-Clause
/*
 * Several nodes for the same services: the leader writes its generations to a file after each tick,
 * and the others follow it, by whatever way the file gets to them. Owner: the controller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "larch/types.h"
#include "snapshot.h"

struct controller;
struct generation;
struct reader;
struct saver;
struct service;

#define NODES_WHY 256

/* Digest of a service's generation as snapshots have it, for as long as that is in force. */
struct nodes_digest {
	uint32_t generation;
	uint64_t own, common;
};

struct nodes {
	/* the leader */
	uint64_t written_ms; /* of the last snapshot that was to be written; 0: none */
	uint64_t former_ms;  /* of the newest before the configuration changed; 0 */
	uint64_t put_ns;     /* when it was made; 0: never */
	uint64_t written[LARCH_MAX_SERVICES]; /* digests in it; 0: none */
	struct saver *saver;		      /* NULL: nothing has been written yet */
	/* a follower */
	struct snapshot *leader; /* the last good one; NULL: none yet */
	struct reader *reader;	 /* NULL: nothing is followed */
	uint64_t heard_ns;	 /* when the leader last wrote something new; 0: never */
	bool silent;
	char why[LARCH_MAX_SERVICES][120]; /* by service: nodes_why() */
	/* both */
	char trouble[NODES_WHY]; /* what is wrong with the file; "": nothing */
	struct nodes_digest digest[LARCH_MAX_SERVICES];
};

/* Is this one of several nodes? */
bool nodes_are_several(const struct controller *controller);

/* Does this node follow another one? */
bool nodes_follows(const struct controller *controller);

/* Looks whether the leader has written something new. What is no good is said, and changes nothing.
 */
void nodes_look(struct controller *controller);

/* The leader's generation for a service of ours. NULL: there is none, or it cannot be taken over.
 */
struct generation *nodes_generation(struct controller *controller, const struct service *service);

/* What keeps a service of ours from being as the leader has it now; NULL: nothing. */
const char *nodes_why(const struct controller *controller, const struct service *service);

/* Writes what has changed, and something now and then, so that followers see that it lives. */
void nodes_write(struct controller *controller);

/* The digest of the generation in force, the same on all nodes; 0: there is none. */
uint64_t nodes_digest(struct controller *controller, const struct service *service);

/* The same of the leader's; 0: it has none of this service. */
uint64_t nodes_leader_digest(const struct controller *controller, const struct service *service);

/* Seconds since the leader wrote something new; negative: it has never been heard. */
double nodes_heard_s(const struct controller *controller);

/* Seconds since this node's file was written; negative: not yet. */
double nodes_wrote_s(const struct controller *controller);

/*
 * The configuration has changed: another file is looked at as if there had been none. But what this
 * node writes from now on is newer than what it has read or written, whatever its clock says.
 */
void nodes_reset(struct nodes *nodes);
