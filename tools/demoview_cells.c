// SPDX-License-Identifier: BSD-2-Clause
// What XDP measured, live: reads the pinned map larch_cells, as bpftool would, and makes of the
// histograms' growth the p99 of the last intervals per client prefix and arm.
#include <errno.h>
#include <linux/bpf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "datapath.h"
#include "demoview.h"
#include "latency.h"
#include "lib/address.h"

#define TURNS	  2  // a p99 is over the growth of so many readings: the control arm is small
#define LEAST	  10 // samples
#define US_PER_MS 1000.0

struct sums {
	struct latency arm[VIEW_PREFIXES][VIEW_ARMS];
};

struct reading {
	const struct view *view;
	struct sums sums;
};

// Ever-growing sums of the last readings; the oldest is overwritten.
static struct sums before[TURNS];
static size_t readings;

int cells_open(const char *path)
{
	union bpf_attr attr = {.pathname = (uint64_t)(uintptr_t)path};
	long fd = syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

// A prefix as larch_cells writes it; 0 if it is no /24 or /48 or larger network.
static uint64_t source_of(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix))
		return 0;
	if (prefix.base.family == AF_INET)
		return larch_source_ipv4((uint32_t)prefix.base.bits);
	return larch_source_ipv6((uint32_t)(prefix.base.bits >> 96),
				 (uint32_t)(prefix.base.bits >> 64));
}

static void visit(void *context, const struct larch_cell *cell, const struct larch_samples *samples)
{
	struct reading *reading = context;

	for (size_t i = 0; i < reading->view->prefixes; i++) {
		struct latency *into = &reading->sums.arm[i][cell->arm == LARCH_ARM_CONTROL];

		if (source_of(reading->view->prefix[i].name) != cell->source)
			continue;
		for (size_t b = 0; b < LARCH_LATENCY_BUCKETS; b++)
			into->bucket[b] += samples->latency[b];
	}
}

static double p99_ms(const struct latency *growth)
{
	if (latency_count(growth) < LEAST)
		return NAN;
	return latency_quantile(growth, 0.99) / US_PER_MS;
}

static void fill(struct view *view, const struct sums *now, const struct sums *then)
{
	for (int arm = 0; arm < VIEW_ARMS; arm++) {
		struct latency all = {0};

		for (size_t i = 0; i < view->prefixes; i++) {
			struct latency growth = now->arm[i][arm];

			latency_add(&growth, &then->arm[i][arm], -1);
			latency_add(&all, &growth, 1);
			view->prefix[i].p99_ms[arm] = p99_ms(&growth);
		}
		view->p99_ms[arm] = p99_ms(&all);
	}
}

int cells_p99(int fd, struct view *view)
{
	struct datapath datapath = {.cells = fd};
	struct reading *reading = calloc(1, sizeof(*reading));
	int err = -ENOMEM;

	if (!reading)
		return err;
	reading->view = view;
	err = datapath_each_cell(&datapath, visit, reading);
	if (!err && readings)
		fill(view, &reading->sums, &before[readings < TURNS ? 0 : readings % TURNS]);
	if (!err)
		before[readings++ % TURNS] = reading->sums;
	free(reading);
	return err;
}
