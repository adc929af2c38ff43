// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the daemon tells about itself, as JSON. Reports read the controller and change nothing; the
 * shapes are described in front of each report's function, in report_*.c. Times are in microseconds
 * ("_us"), shares between 0 and 1; what is not known is null.
 */
#pragma once

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "concurrency.h"
#include "larch/service.h"
#include "lifecycle.h"

struct change;
struct config_service;
struct controller;
struct explain;
struct explain_candidate;
struct generation;
struct instead;
struct larch_tuple;
struct region;
struct series;
struct service;

/* Kinds of errors, for the exit status of larchctl. */
#define REPORT_USAGE	 "usage"
#define REPORT_REFUSED	 "refused"
#define REPORT_FAILED	 "failed"
#define REPORT_NOT_FOUND "not found"

/* One report each; `request` may narrow it down. NULL: no memory. */
json_t *report_status(struct controller *controller, const json_t *request);
json_t *report_list(struct controller *controller, const json_t *request);
json_t *report_stat(struct controller *controller, const json_t *request);
json_t *report_tree(struct controller *controller, const json_t *request);
json_t *report_explain(struct controller *controller, const json_t *request);
json_t *report_benefit(struct controller *controller, const json_t *request);
json_t *report_history(struct controller *controller, const json_t *request);
json_t *report_arm(struct controller *controller, const json_t *request);

/* --- between the reports --- */

/* {"error":"...","kind":"..."} */
json_t *report_error(const char *kind, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* {"services":[...]} with each()'s answer for all services, or for the request's "service". */
typedef json_t *report_service_fn(struct controller *controller, struct service *service,
				  const json_t *request);
json_t *report_each(struct controller *controller, const json_t *request, report_service_fn *each);

/* What is kept on the disk, and how that goes; and what an operator has to know of it. */
json_t *report_saved(const struct controller *controller);
void report_saved_warnings(json_t *list, const struct controller *controller);

/* Why the configuration in force is not the file's; NULL: it is. */
const char *report_config_error(const struct controller *controller);

/* How the daemon is, in a line. */
void report_line(const struct controller *controller, char *out, size_t size);

/* DNS names among the backends, and what is to be said of them. */
json_t *report_names_json(const struct controller *controller);
void report_names_warnings(const struct controller *controller, json_t *list);

/* A number, or null if it is not finite. */
json_t *report_real(double value);

/* Seconds since then; 0 if that is not known. */
json_int_t report_age(time_t since);

/* A string, or null for NULL. */
json_t *report_string(const char *text);

/* "0123456789abcdef" */
json_t *report_digest(uint64_t digest);

/* {"protocol":"tcp","address":"203.0.113.10","port":443} */
json_t *report_vip(const struct larch_vip *vip);

const char *report_state(const struct service *service);

/* Whose packets are these? NULL: no service's. */
struct service *report_service_of(struct controller *controller, const struct larch_tuple *tuple);

/* Name of a backend by its id; never NULL. */
const char *report_backend(const struct controller *controller, uint32_t id);

/* Is there a kernel part whose counters can be read? */
int report_is_live(const struct controller *controller);

/* What lists and tables say of one backend of a service. */
struct report_member {
	const char *name;
	uint16_t backend; /* id */
	uint32_t weight;
	double share;	   /* of the service's new flows that are not of the other arm */
	double net_us;	   /* mean over the clients, NAN: not known */
	double service_us; /* the same */
	uint32_t flows;	   /* in the flow table, of all services */
	int32_t in_flight; /* requests not yet answered */
	double slowdown;   /* 1: as expected */
	uint32_t concurrency;
	enum concurrency_origin concurrency_from;
	enum lifecycle_state state;
	const char *reason; /* NULL: none */
	time_t since;	    /* it is in this state */
};

/* Part of the flows that the control ring sends to a member of the generation. */
double report_control_share(const struct generation *generation, size_t member);

void report_member(const struct controller *controller, const struct service *service, size_t index,
		   struct report_member *out);

/* Are new flows of the learned arm steered by what was learned? */
int report_is_learned(const struct service *service);

/*
 * Name of an interface among those that the program is meant for, or NULL. Its index may be of one
 * that has gone.
 */
const char *report_interface(const struct controller *controller, uint64_t index);

/*
 * {"forward","backend_port","agent","hash","state","idle_timeout_s","new_flows","source_rate",
 *  "source_burst","access":null or {"allow","deny","others"},
 *  "quic":null or {"config_id","server_id_bytes"}}: as configured; null: not limited, or not at all
 */
json_t *report_policy(const struct config_service *service);

/* What the access list says of a source: null or {"verdict":"allow"|"deny","network"}. */
json_t *report_access(const struct config_service *service, const struct in6_addr *source);

/* A service's new flows against its limit. */
struct report_flood {
	bool present;	 /* more come than new_flows: they are not all remembered */
	double since_s;	 /* how long it has been so */
	uint32_t floods; /* how often it has begun */
	double lasted_s; /* how long altogether, without the present one */
};

/* False: there is no limit, or no kernel part to ask. */
bool report_flood(const struct controller *controller, const struct service *service,
		  struct report_flood *out);

/* {"present","since_s","floods","lasted_s"}, or null. */
json_t *report_flood_json(const struct controller *controller, const struct service *service);

/* {"answer","next_try_s"}: do the backends' agents? null: the service asks none. (report_agents.c)
 */
json_t *report_agents_json(const struct service *service);

/* What a node of several does with its generations: see report_nodes.c. */
json_t *report_nodes(struct controller *controller);
json_t *report_nodes_service(struct controller *controller, const struct service *service);

/* Adds what an operator has to know of it to a list of texts. */
void report_nodes_warn(struct controller *controller, json_t *list);

/* What of a service's policy bears upon where a flow goes: ["..."]. */
json_t *report_notes(const struct config_service *service);

/* What a generation changed, in words and numbers: see report_change.c. */
json_t *report_change(const struct controller *controller, const struct service *service,
		      const struct change *change);

/* What would have had to differ for a candidate: see report_instead.c; null: nothing to tell. */
json_t *report_instead(const struct controller *controller, const struct explain *explain,
		       const struct explain_candidate *candidate, const struct instead *instead);

/* How both arms went over time: see report_series.c. */
json_t *report_series(const struct series *series);

/* Both arms, by the leaves of the tree in force: see report_leaves.c. */
json_t *report_leaves(const struct controller *controller, const struct service *service);

/*
 * [{"name","mode","index","attached","link":bool or null,"problem"}]: what is on the interfaces
 * now; problem: null, or what keeps the program away. (report_interfaces.c)
 */
json_t *report_interfaces(const struct controller *controller);
void report_warn_of_interfaces(json_t *list, const struct controller *controller);

/*
 * null: none are configured; or {"table","protocol","metric","addresses":[{"address","announced",
 * "since","for_s","reason","services"}]}: what announces the addresses of these services, given as
 * bits. (report_routes.c)
 */
json_t *report_routes(const struct controller *controller, uint64_t services);
/* Of one address: null, or {"announced","since","for_s","reason"}. */
json_t *report_route(const struct controller *controller, const struct larch_vip *vip);
void report_warn_of_routes(json_t *list, const struct controller *controller);

/* --- words (report_words.c) --- */

/* What a test of the tree asks: {"feature":"source","threshold":9,"text":"source up to ..."}. */
json_t *report_question(const struct controller *controller, unsigned feature, uint64_t threshold);

/* Who reaches a region: {"text":"...","sources":[...],...}; without what is not tested. */
json_t *report_clients(const struct controller *controller, const struct service *service,
		       const struct region *region);

/* One value of a feature in words: "198.51.100.0/24", "tcp", "under 64 bytes". */
const char *report_value(const struct controller *controller, unsigned feature, uint64_t value,
			 char *out, size_t size);
