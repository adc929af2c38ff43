// SPDX-License-Identifier: BSD-2-Clause
/*
 * A snapshot: the generations of all services of one node, as other nodes can take them over. The
 * nodes number their backends, services and generations each in its own way: here backends are
 * addresses, in ascending order, and services names. Pure.
 *
 * The text is one line that begins with SNAPSHOT_MAGIC and has the digest of all that follows, and
 * one line of JSON (so that people and their tools can read it; equal snapshots are equal bytes):
 *
 *   {"node":"lb1","written_ms":1700000000000,"seed":"0123456789abcdef","services":[
 *     {"service":"web","generation":17,"digest":"0123456789abcdef","learned":true,
 *      "members":["10.0.0.11","10.0.0.12"],
 *      "tree":{"depth":1,"leaves":2,"nodes":[[0,655359]],"leaf":[0,1]},
 *      "demand":[12.5,3],
 *      "costs":[[[1000,2000],[900,2000]],[[1000,2000],[5000,2000]]],
 *      "rings":["0001...","0100...","0001...","0001..."]}]}
 *
 * seed: what tells seeds apart (seed.h). nodes: [feature (enum larch_feature), threshold] of each
 * inner node in heap order; leaf: of each end of the walk. demand: requests a second, by leaf.
 * costs: [net us, service us], by leaf and member. rings: the control ring, the global one, those
 * of the leaves; two bytes a slot, first and second member, in hexadecimal.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "generation.h"

#define SNAPSHOT_MAGIC "larch-generations 1 "
#define SNAPSHOT_MOST  (64u << 20) /* bytes of a text */
#define SNAPSHOT_NODE  64

struct snapshot_service {
	char name[CONFIG_NAME_MAX];
	struct generation *generation;		    /* member i is backend i */
	struct in6_addr address[LARCH_MAX_MEMBERS]; /* of member i, ascending */
	uint64_t digest; /* of both: the same on all nodes that steer alike */
};

struct snapshot {
	char node[SNAPSHOT_NODE]; /* who wrote it */
	uint64_t written_ms;	  /* since 1970; each one of a node is later than the last */
	uint64_t seed;		  /* the mark of the seed that the node hashes by */
	size_t services;
	struct snapshot_service service[LARCH_MAX_SERVICES];
};

/* An empty one, or NULL. */
struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot);

/*
 * Adds a service's generation; address[] are those of its members, which differ. -ENOSPC: as many
 * services as there can be are there; -ENOMEM.
 */
int snapshot_add(struct snapshot *snapshot, const char *name, const struct generation *generation,
		 const struct in6_addr *address);

/* The service of this name; NULL: there is none. */
const struct snapshot_service *snapshot_find(const struct snapshot *snapshot, const char *name);

/*
 * A service's generation for a node whose members have these addresses and ids. A member that the
 * snapshot does not have takes no flows. -ENOENT: one of the snapshot's, number *missing, is none
 * of the node's.
 */
int snapshot_place(const struct snapshot_service *service, const struct in6_addr *address,
		   const uint16_t *backend, size_t members, struct generation **out,
		   size_t *missing);

/* Of a generation whose members are in ascending order of their addresses. */
uint64_t snapshot_digest(const struct generation *generation, const struct in6_addr *address);

/* The same of one in any order; 0: no memory. */
uint64_t snapshot_digest_of(const struct generation *generation, const struct in6_addr *address);

/* The text, released with free(). 0 or -ENOMEM. */
int snapshot_write_text(const struct snapshot *snapshot, char **text, size_t *length);

/* 0: *out is whole and makes sense. Else -EINVAL or -ENOMEM, and why[] says what is wrong. */
int snapshot_read_text(const char *text, size_t length, struct snapshot **out, char *why,
		       size_t size);
