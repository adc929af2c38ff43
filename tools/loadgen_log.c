// SPDX-License-Identifier: BSD-2-Clause
// The log of requests. In: what happened to one. Out: a line of text, buffered:
// t_s src sport dst dport index connect_ms latency_ms backend status
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loadgen.h"
#include "clock.h"

#define BUFFER (1 << 20)

int log_open(struct loadgen *g)
{
	int err;

	if (!g->options.log)
		return 0;
	g->log = fopen(g->options.log, "we");
	if (g->log) {
		setvbuf(g->log, NULL, _IOFBF, BUFFER);
		return 0;
	}
	err = -errno;
	fprintf(stderr, "loadgen: --log %s: %s\n", g->options.log, strerror(-err));
	return err;
}

static void log_status(FILE *log, const struct log_entry *entry)
{
	const char *name = outcome_name(entry->outcome);

	if (!entry->plan->is_long)
		fprintf(log, "%s\n", name);
	else if (entry->outcome == OUTCOME_OK)
		fprintf(log, "long\n");
	else
		fprintf(log, "long-%s\n", name);
}

void log_write(struct loadgen *g, const struct log_entry *entry)
{
	const struct endpoint *target = &entry->plan->target->endpoint;
	char client[ADDRESS_TEXT_SIZE], server[ADDRESS_TEXT_SIZE];

	if (!g->log)
		return;
	fprintf(g->log, "%.6f %s %u %s %u %llu %.3f %.3f %s ",
		(double)(entry->due_ns - g->start_ns) / (double)NS_PER_S,
		address_text(&entry->plan->client, client), entry->port,
		address_text(&target->address, server), target->port,
		(unsigned long long)entry->index, clock_ms(entry->connect_ns),
		clock_ms(entry->latency_ns), entry->backend ? entry->backend : "-");
	log_status(g->log, entry);
}

int log_close(struct loadgen *g)
{
	int failed;

	if (!g->log)
		return 0;
	failed = ferror(g->log);
	failed |= fclose(g->log);
	g->log = NULL;
	if (failed)
		fprintf(stderr, "loadgen: --log %s is not complete: %s\n", g->options.log,
			strerror(errno));
	return failed ? -EIO : 0;
}
