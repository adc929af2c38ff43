// SPDX-License-Identifier: BSD-2-Clause
/* How a service's backends are checked: what `health` of the configuration says, with defaults. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_HEALTH_TEXT    256 /* of one text, with its end */
#define CONFIG_HEALTH_BYTES   512 /* that are sent, or expected */
#define CONFIG_HEALTH_RANGES  8
#define CONFIG_HEALTH_WORDS   16 /* of a command */
#define CONFIG_HEALTH_COMMAND 1024

enum config_health_type {
	CONFIG_HEALTH_TCP,
	CONFIG_HEALTH_HTTP,
	CONFIG_HEALTH_HTTPS,
	CONFIG_HEALTH_DNS,
	CONFIG_HEALTH_UDP,
	CONFIG_HEALTH_COMMAND_TYPE,
};

/* Codes from the first to the last. */
struct config_health_range {
	uint16_t first, last;
};

/* Bytes that may be any. */
struct config_health_bytes {
	uint16_t length;
	uint8_t byte[CONFIG_HEALTH_BYTES];
};

struct config_health {
	enum config_health_type type;
	uint32_t interval_ms, timeout_ms;
	uint32_t rise, fall; /* so many verdicts in a row change what is thought */
	uint16_t port;	     /* at the backend; 0: the service's first */
	/* http, https */
	char path[CONFIG_HEALTH_TEXT];
	char host[CONFIG_HEALTH_TEXT];	 /* "": the service's address */
	char header[CONFIG_HEALTH_TEXT]; /* that the answer has, with this value if there is one */
	char body[CONFIG_HEALTH_TEXT];	 /* that stands in it; "": whatever */
	struct config_health_range status[CONFIG_HEALTH_RANGES];
	size_t statuses;
	bool verify; /* the certificate, and that it is the host's */
	/* dns */
	char query[CONFIG_HEALTH_TEXT]; /* "": any answer shows that somebody is there */
	/* udp */
	struct config_health_bytes send, expect; /* expect without bytes: any answer */
	/* command: so many texts one behind the other, each with its end */
	char command[CONFIG_HEALTH_COMMAND];
	size_t words;
};

/* The words of the file. */
const char *config_health_type_text(enum config_health_type type);

/* "200-399", "200, 204": for people. */
const char *config_health_status_text(const struct config_health *health, char *out, size_t size);

/* Is a status code among those expected? */
bool config_health_status(const struct config_health *health, long code);
