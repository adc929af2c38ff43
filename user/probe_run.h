// SPDX-License-Identifier: BSD-2-Clause
/* What the parts of the prober share. See probe.h for what it is told, and what it says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe.h"

struct probe_http;

/* A check that runs. */
struct probe {
	bool used;
	size_t place; /* among all */
	struct probe_order order;
	uint64_t began, deadline;     /* ns */
	int fd;			      /* its socket, or what says that its command has ended; -1 */
	int output;		      /* of its command; -1 */
	char said[PROBE_REASON_SIZE]; /* the beginning of that */
	size_t said_length;
	pid_t pid;		 /* of its command */
	struct probe_http *http; /* the transfer, which has the socket */
	uint16_t dns_id;	 /* of the question */
};

/* Answers, and forgets the check with all that it has. */
__attribute__((format(printf, 3, 4))) void
probe_end(struct probe *probe, enum health_verdict verdict, const char *format, ...);

/* The same after connect(), send() or the like have failed. */
void probe_fail(struct probe *probe, int error);

/* Has probe_ready() called when the descriptor can be read (written to). 0 or -errno. */
int probe_watch(struct probe *probe, int fd, bool write);

/* "1 s", "250 ms" */
const char *probe_time_text(uint32_t ms, char out[16]);

/* tcp, udp and dns: by sockets. */
void probe_plain_begin(struct probe *probe);
void probe_plain_ready(struct probe *probe);

/* http and https: by libcurl. */
int probe_http_open(void);
void probe_http_begin(struct probe *probe);
void probe_http_drop(struct probe *probe); /* it is over, or given up */
void probe_http_perform(void);
/* Waits for transfers, and for `fd`. */
void probe_http_wait(int fd, int ms);

/* command: by a process of its own. */
void probe_command_begin(struct probe *probe);
void probe_command_ready(struct probe *probe);
void probe_command_drop(struct probe *probe);
/* Takes leave of those that were killed, once they have ended. */
void probe_command_reap(void);
