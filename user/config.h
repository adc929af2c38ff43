// SPDX-License-Identifier: BSD-2-Clause
/*
 * The configuration of larchd: what the YAML file says, checked and complete with defaults.
 * One validator serves the file and the API. Owner: larchd keeps the one in force.
 * tools/examples/larch.yaml shows every key.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/service.h"

struct json_t; /* jansson's json_t */
struct config_health;

#define CONFIG_NAME_MAX	      64
#define CONFIG_HOST_SIZE      254 /* of a DNS name, without the dot at its end */
#define CONFIG_SERVER_SIZE    64  /* of a name server, [address]:port */
#define CONFIG_MAX_SERVERS    8
#define CONFIG_TTL_LEAST      5 /* s */
#define CONFIG_TTL_MOST	      300
#define CONFIG_PATH_SIZE      160
#define CONFIG_FILE_MAX	      256	 /* of a file's name, with its end */
#define CONFIG_MAX_BYTES      (4u << 20) /* of a file */
#define CONFIG_MAX_DEPTH      16	 /* lists and mappings within one another */
#define CONFIG_MAX_VALUES     (1u << 18) /* in a file: more than the largest one needs */
#define CONFIG_MAX_INTERFACES 64
#define CONFIG_MAX_VIPS	      4096 /* of all services together */
/* The same for networks; a service may need one more entry (see access.h). */
#define CONFIG_MAX_NETWORKS (LARCH_MAX_ACCESS - LARCH_MAX_SERVICES)

/* Each may stand in larch_vips once more, as an address alone. */
_Static_assert(2 * CONFIG_MAX_VIPS <= LARCH_MAX_VIPS, "all addresses fit the map");

enum config_xdp_mode { CONFIG_XDP_NATIVE, CONFIG_XDP_GENERIC };
enum config_frags { CONFIG_FRAGS_AUTO, CONFIG_FRAGS_ON, CONFIG_FRAGS_OFF };
enum config_learning_mode { CONFIG_LEARNING_OFF, CONFIG_LEARNING_SHADOW, CONFIG_LEARNING_ON };

struct config_interface {
	char name[IFNAMSIZ];
	enum config_xdp_mode mode;
	enum config_frags frags; /* the program for jumbo frames */
};

/* A server, identified by its address. Services that name the same address share it. */
struct config_backend {
	char name[CONFIG_NAME_MAX]; /* by default the address in text */
	struct in6_addr address;    /* IPv4 as ::ffff:a.b.c.d */
	uint32_t concurrency;	    /* requests served at once; 0: not configured */
};

struct config_member {
	size_t backend;			   /* index in larch_config.backends */
	uint32_t weight;		   /* 0: no new flows; at most 65535 */
	uint8_t quic_id[LARCH_QUIC_BYTES]; /* those beyond the service's quic_bytes are 0 */
};

/* A line of an access list. */
struct config_network {
	struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d; host bits are 0 */
	uint8_t bits;		 /* of the address that count: 0 to 128, of IPv4 96 to 128 */
	uint8_t verdict;	 /* enum larch_access_verdict */
};

struct config_service {
	char name[CONFIG_NAME_MAX];
	struct larch_vip *vips; /* every address with every port; none is in two services */
	size_t vip_count;
	enum config_learning_mode learning;
	enum larch_signal signal;
	bool signal_auto; /* signal is what `auto` stands for, not what somebody chose */
	enum larch_mode mode;
	uint16_t backend_port; /* nat: the backends' port; 0: as the packet has it */
	bool agent;	       /* the backends run Larch's agent */
	bool by_source;	       /* a flow is all that one source sends to an address */
	bool stateless;	       /* no flow is remembered */
	double idle;	       /* s: a datagram flow ends by such a silence; 0: flows have ends */
	uint32_t new_flows;    /* a second; beyond it they are not remembered; 0: no limit */
	uint32_t source_rate;  /* new flows of one source a second; 0: no limit */
	uint32_t source_burst; /* and as many at once */
	double slow_start; /* s: for so long the part of a backend that is new, or was down, grows
			    */
	double eject_for;  /* s: one that clients find dead is out, at first; 0: never */
	double eject_most; /* part of the backends that may be out at once; one may always */
	double panic_threshold; /* least part of the backends that must be well; 0: no panic */
	struct config_network *networks; /* by address and bits; none is twice there */
	size_t network_count;
	uint8_t quic_bytes;	      /* of the server id in connection ids; 0: they mean nothing */
	uint8_t quic_config;	      /* which of our kinds of connection ids they are */
	struct config_health *health; /* how backends are checked; NULL: they are not */
	struct config_member *members;
	size_t member_count;
	bool named; /* some members are addresses of names, or would be: there may be none now */
};

/* A DNS name among the backends, in lower case. */
struct config_host {
	char name[CONFIG_HOST_SIZE];
};

/* A name in a service's list, and what is said of each of its addresses. */
struct config_host_item {
	size_t service, host;	    /* host: in larch_config.hosts */
	char name[CONFIG_NAME_MAX]; /* of backends, before the address; "": the host */
	uint32_t weight, concurrency;
};

/* An address of a name that could not become a member. */
struct config_left_out {
	size_t service, host;
	struct in6_addr address;
	const char *why; /* "a loopback address" */
};

/* Who is asked for names. */
struct config_resolver {
	char server[CONFIG_MAX_SERVERS][CONFIG_SERVER_SIZE];
	size_t servers;		    /* 0: those of /etc/resolv.conf */
	double ttl_least, ttl_most; /* s: an answer is trusted no shorter and no longer; 5, 300 */
};

struct config_learning {
	uint32_t interval_ms;	  /* the tick: 100 to 60000, 1000 by default */
	uint32_t max_leaves;	  /* 1 to 32, 24 by default */
	uint32_t max_depth;	  /* 0 to 8, 6 by default */
	uint32_t min_flows;	  /* decayed flows that each child of a split must have; 100 */
	double half_life_server;  /* s: 0.1 to 3600; 10 by default */
	double half_life_connect; /* s: 0.1 to 3600; 2 by default */
	double floor;		  /* least share of a usable backend in a leaf; 0.002 */
	double step;		  /* largest total variation of a leaf's shares a tick; 0.2 */
};

/* Where the file is silent. */
extern const struct config_learning config_learning_default;

/* The generations of several nodes: one writes them, the others follow. */
struct config_generations {
	char write[CONFIG_FILE_MAX];  /* file that this node writes; "": none */
	char follow[CONFIG_FILE_MAX]; /* file that it follows; "": none, and at most one of them */
	double silent; /* s: a leader that writes nothing for so long is silent; 30 */
};

/* The secret seed of the flow hash. */
struct config_seed {
	char file[CONFIG_FILE_MAX]; /* "": this node makes its own */
	unsigned line, column;	    /* where the configuration names it */
	uint64_t word[2];	    /* what the file holds: config_load() reads it */
};

/* The routes that announce services' addresses to a routing daemon. */
struct config_routes {
	uint32_t table;	 /* 0: none are kept */
	uint32_t metric; /* 0: the kernel's */
	uint8_t protocol;
	bool without_backends; /* withdraw what no backend can serve */
};

struct larch_config {
	struct config_interface *interfaces;
	size_t interface_count;
	struct config_routes routes;
	struct in6_addr source_ipv4; /* outer source of tunnels; unspecified: the route's */
	struct in6_addr source_ipv6;
	uint32_t flow_entries; /* rounded up to a power of two; used when the maps are created */
	struct config_learning learning;
	struct config_generations generations;
	struct config_seed seed;
	uint32_t limit[LARCH_LIMIT_COUNT]; /* a second and CPU, by enum larch_limit */
	struct config_backend *backends;
	size_t backend_count;
	struct config_service *services;
	size_t service_count;
	struct config_resolver resolver;
	struct config_host *hosts; /* none is twice there */
	size_t host_count;
	struct config_host_item *host_item;
	size_t host_items;
	struct config_left_out *left_out;
	size_t left_out_count;
};

/* What is known of names: a configuration is read with it. */
struct config_name {
	const char *host;
	const struct in6_addr *address; /* IPv4 as ::ffff:a.b.c.d */
	size_t count;
};

struct config_names {
	const struct config_name *name;
	size_t count;
};

/*
 * What is wrong, and where. Line and column (in characters) count from 1; both are 0 where there
 * is none (API, a file that is too large). Path and text are printable ASCII.
 */
struct config_error {
	unsigned line, column;
	char path[CONFIG_PATH_SIZE]; /* services[0].backends[1].weight; "": the whole */
	char text[256];		     /* what was found and what was expected */
};

#define CONFIG_MAX_ERRORS 20

struct config_errors {
	size_t count; /* errors met; only the first CONFIG_MAX_ERRORS of the file are kept */
	struct config_error error[CONFIG_MAX_ERRORS];
};

/*
 * Reads and checks a file, and the seed's, if there is one. 0: *out is complete and owned by the
 * caller. -EINVAL: the file is refused and *errors says why, in the order of the file. Another
 * -errno: it could not be read, or there is no memory. *errors is set in any case; *out is NULL
 * unless 0 is returned.
 */
int config_load(const char *file, struct larch_config **out, struct config_errors *errors);

/*
 * All bytes of a file, or CONFIG_MAX_BYTES and one more, which is too much. The caller releases
 * *text, which is NULL unless 0 is returned.
 */
int config_read(const char *file, char **text, size_t *length);

/* config_load(), and the text that was read, which the caller releases; NULL unless 0 is returned.
 */
int config_load_text(const char *file, char **text, size_t *length, struct larch_config **out,
		     struct config_errors *errors);

/* The same as config_load() for a text in memory, with any bytes in it. */
int config_parse(const char *text, size_t length, struct larch_config **out,
		 struct config_errors *errors);

/*
 * config_parse(), with the addresses of names: they become members behind all others. Of a name
 * that is not known the service has no members yet. What an answer says is never a reason to
 * refuse: see left_out.
 */
int config_parse_names(const char *text, size_t length, const struct config_names *names,
		       struct larch_config **out, struct config_errors *errors);

/*
 * The same for a tree, as the API gets it: whole numbers may be JSON integers, decimal ones JSON
 * numbers, on and off may be true and false; durations are text. The tree stays the caller's and
 * is not changed. Load it with JSON_REJECT_DUPLICATES: a tree cannot show a key given twice.
 */
int config_from_json(struct json_t *tree, struct larch_config **out, struct config_errors *errors);

/* NULL is allowed. */
void config_free(struct larch_config *config);

/*
 * Writes "FILE:LINE:COLUMN: PATH: TEXT" without a line end, leaving out what there is not (file
 * may be NULL). Returns what snprintf() does: the length that it needs.
 */
int config_error_text(const char *file, const struct config_error *error, char *out, size_t size);

/* The words of the file. NULL for a number that is none of the enum's. */
const char *config_xdp_mode_text(enum config_xdp_mode mode);
const char *config_learning_text(enum config_learning_mode mode);
const char *config_signal_text(enum larch_signal signal);
const char *config_mode_text(enum larch_mode mode);
