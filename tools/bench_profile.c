// SPDX-License-Identifier: BSD-2-Clause
/* Samples by source file. See bench_profile.h. */
#include <errno.h>
#include <stdlib.h>

#include "bench_code.h"
#include "bench_profile.h"
#include "bench_sampler.h"

#define COLUMNS 12
#define LEAST	0.5 /* ns: rows that are smaller everywhere are left out */

struct column {
	const char *name;
	uint32_t flows;
	double net;
	uint64_t samples[CODE_FILES];
	uint64_t helpers; /* of these samples, in functions of the kernel */
};

struct profile {
	struct code code;
	struct sampler sampler;
	struct column column[COLUMNS];
	size_t columns;
};

int profile_open(struct profile **profile, int program)
{
	struct profile *new = calloc(1, sizeof(*new));
	int error;

	*profile = NULL;
	if (!new)
		return -ENOMEM;
	error = code_open(&new->code, program);
	if (error)
		goto no_code;
	error = sampler_open(&new->sampler);
	if (error)
		goto no_sampler;
	*profile = new;
	return 0;
no_sampler:
	code_close(&new->code);
no_code:
	free(new);
	return error;
}

void profile_close(struct profile *profile)
{
	if (!profile)
		return;
	sampler_close(&profile->sampler);
	code_close(&profile->code);
	free(profile);
}

/* The innermost function of the program has the sample. A return address is behind its call. */
static void take(void *context, const uint64_t *address, size_t depth)
{
	struct profile *profile = context;
	struct column *column = &profile->column[profile->columns];

	for (size_t i = 0; i < depth; i++) {
		int file = code_find(&profile->code, i ? address[i] - 1 : address[i]);

		if (file < 0)
			continue;
		column->samples[file]++;
		column->helpers += i > 0;
		return;
	}
}

void profile_start(struct profile *profile)
{
	sampler_start(&profile->sampler);
}

void profile_stop(struct profile *profile)
{
	sampler_stop(&profile->sampler, take, profile);
}

void profile_end_column(struct profile *profile, const char *name, uint32_t flows, double net)
{
	struct column *column = &profile->column[profile->columns];

	column->name = name;
	column->flows = flows;
	column->net = net;
	if (profile->columns + 1 < COLUMNS)
		profile->columns++;
	profile->column[profile->columns] = (struct column){};
}

static uint64_t all_samples(const struct column *column)
{
	uint64_t samples = 0;

	for (size_t file = 0; file < CODE_FILES; file++)
		samples += column->samples[file];
	return samples;
}

/* Shares of the time as it was measured without samples, since taking them takes time, too. */
static double to_ns(const struct column *column, uint64_t samples)
{
	uint64_t all = all_samples(column);

	return all ? column->net * (double)samples / (double)all : 0;
}

static double most_ns(const struct profile *profile, size_t file)
{
	double most = 0;

	for (size_t i = 0; i < profile->columns; i++) {
		double ns = to_ns(&profile->column[i], profile->column[i].samples[file]);

		most = ns > most ? ns : most;
	}
	return most;
}

static void print_head(const struct profile *profile)
{
	printf("where the balancer's time goes, ns per packet by source file: shares of samples "
	       "of its machine code;\n"
	       "helpers of the kernel count where they are called, a cache miss where it is waited "
	       "for\n  %-18s",
	       "");
	for (size_t i = 0; i < profile->columns; i++)
		printf(" %19s", profile->column[i].name);
	printf("\n  %-18s", "file");
	for (size_t i = 0; i < profile->columns; i++)
		printf(" %19u", profile->column[i].flows);
	printf(" %10s\n", "code bytes");
}

static void print_file(const struct profile *profile, size_t file, FILE *rows)
{
	printf("  %-18s", profile->code.file[file]);
	for (size_t i = 0; i < profile->columns; i++) {
		const struct column *column = &profile->column[i];
		double ns = to_ns(column, column->samples[file]);

		printf(" %19.1f", ns);
		if (rows)
			fprintf(rows,
				"{\"case\": \"profile_%s\", \"flows\": %u, \"file\": \"%s\", "
				"\"ns\": %.1f}\n",
				column->name, column->flows, profile->code.file[file], ns);
	}
	printf(" %10lu\n", profile->code.bytes[file]);
}

static void print_sums(const struct profile *profile)
{
	printf("  %-18s", "all (net)");
	for (size_t i = 0; i < profile->columns; i++)
		printf(" %19.1f", profile->column[i].net);
	printf("\n  %-18s", "  of it helpers");
	for (size_t i = 0; i < profile->columns; i++)
		printf(" %19.1f", to_ns(&profile->column[i], profile->column[i].helpers));
	printf("\n  %-18s", "samples");
	for (size_t i = 0; i < profile->columns; i++)
		printf(" %19lu", all_samples(&profile->column[i]));
	printf("\n");
}

static void sort_files(const struct profile *profile, size_t *order)
{
	for (size_t i = 0; i < profile->code.files; i++) {
		size_t at = i;

		for (; at > 0 && most_ns(profile, order[at - 1]) < most_ns(profile, i); at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

void profile_print(const struct profile *profile, FILE *rows)
{
	size_t order[CODE_FILES];

	if (!profile->columns)
		return;
	print_head(profile);
	sort_files(profile, order);
	for (size_t i = 0; i < profile->code.files; i++)
		if (most_ns(profile, order[i]) >= LEAST)
			print_file(profile, order[i], rows);
	print_sums(profile);
	fflush(stdout);
}
