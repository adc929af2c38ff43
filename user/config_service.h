// SPDX-License-Identifier: BSD-2-Clause
/*
 * The part of config.c that reads services: what they are (config_service.c), where clients find
 * them (config_vip.c), their backends (config_member.c) and those that names
 * stand for (config_host.c), how packets get there (config_forward.c),
 * what is remembered of them (config_flow.c), how backends come and go (config_lifecycle.c), how
 * they are checked (config_health.c), who may ask (config_access.c), what QUIC's connection ids
 * mean (config_quic.c), and whether all of them can live together (config_together.c).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "setting.h"

/* Where a backend is named: index of the service, and of the item in its list. */
struct config_origin {
	size_t service, item;
};

/* What has been read so far of all services. */
struct config_reading {
	struct larch_config *config;
	const struct setting *services; /* the list */
	size_t vips, networks;		/* of all services */
	struct config_origin *origin;	/* [config->backend_count]: where each was first named */
	size_t item[LARCH_MAX_MEMBERS]; /* of each member of the last service */
};

/*
 * Reads the list of services into an empty config, with what it can of a list that has errors.
 * With the addresses of names, if there are no errors. 0, whether or not it complained; -ENOMEM.
 * What it allocates is config_free()'s.
 */
int config_service_read(struct larch_config *config, const struct setting *services,
			const struct config_names *names);

/* The section about name servers. */
void config_resolver_read(struct config_resolver *resolver, const struct setting *root);

/* The same for addresses and ports of service number `index`. protocol 0: it is not known. */
int config_vip_read(struct config_reading *reading, const struct setting *mapping, uint8_t protocol,
		    size_t index);

/* The same for its backends. */
int config_member_read(struct config_reading *reading, const struct setting *mapping, size_t index);

/* The backend with this address; config->backend_count: there is none. */
size_t config_member_find(const struct larch_config *config, const struct in6_addr *address);

/* Adds a name to the list, item->host apart; *good: without a complaint. 0 or -ENOMEM. */
int config_host_add(struct config_reading *reading, const struct setting *host,
		    const struct config_host_item *item, bool *good);

/* Gives the services the addresses of their names. 0 or -ENOMEM. */
int config_host_expand(struct config_reading *reading, const struct config_names *names);

/*
 * Mode, backends' port and agents. The rules of NAT are another matter: they look at addresses,
 * ports and backends, which must have been read.
 */
void config_forward_read(const struct setting *mapping, struct config_service *service);
void config_forward_check(const struct config_reading *reading, const struct setting *mapping,
			  size_t index);

/* Why a service of this mode cannot have a backend of the address; NULL: it can. */
const char *config_forward_objection(const struct larch_config *config,
				     const struct config_service *service,
				     const struct in6_addr *address);

/* What a flow is, what is remembered of it and for how long, and how many there may be. */
void config_flow_read(const struct setting *mapping, uint8_t protocol,
		      struct config_service *service);

/* How its backends come and go. */
void config_lifecycle_read(const struct setting *mapping, struct config_service *service);

/* Why nothing of the service can be timed; NULL: it can. */
const char *config_flow_untimed(const struct config_service *service, uint8_t protocol);

/* Access lists. 0 or -ENOMEM. */
int config_access_read(struct config_reading *reading, const struct setting *mapping, size_t index);

/* What a service's QUIC connection ids are. Before its backends. */
void config_quic_read(const struct setting *mapping, uint8_t protocol,
		      struct config_service *service);

/* What they call one of its backends. false: it complained. */
bool config_quic_member(const struct setting *mapping, const struct setting *item,
			const struct config_service *service, struct config_member *member);

/* Complains of members whose names in connection ids are the same. */
void config_quic_check(const struct config_reading *reading, const struct setting *mapping,
		       size_t index);

/* How its backends are checked. After its addresses. 0 or -ENOMEM. */
int config_health_read(const struct setting *mapping, struct config_service *service);

/* Services that cannot live together. All of them must have been read without an error. */
void config_together_check(const struct config_reading *reading);

/* Is it the address of a service? */
bool config_together_is_service(const struct larch_config *config, const struct in6_addr *address);

/* Has another service by NAT that backend, so that answers to both could not be told apart? */
bool config_together_clash(const struct larch_config *config, size_t index, size_t backend);

/* Entries of larch_vips that all services need: see entries.h. */
size_t config_together_entries(const struct larch_config *config);

/* Where service number `index` stands, in text. */
const char *config_service_place(const struct config_reading *reading, size_t index,
				 char out[SETTING_PLACE_SIZE]);
