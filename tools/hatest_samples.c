// SPDX-License-Identifier: BSD-2-Clause
// Requests from loadgen's log. In: its lines. Out: samples in the order of their intended times.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hatest.h"

#define LINE 512

// "b3": 3, anything else: 0.
static uint8_t backend_number(const char *name)
{
	char *end;
	unsigned long number;

	if (name[0] != 'b')
		return 0;
	number = strtoul(name + 1, &end, 10);
	return *end || end == name + 1 || number >= HATEST_BACKENDS ? 0 : (uint8_t)number;
}

static int status_number(const char *word)
{
	static const struct {
		const char *word;
		enum hatest_status status;
	} all[] = {
		{"ok", HATEST_OK},
		{"long", HATEST_OK},
		{"rejected", HATEST_REJECTED},
		{"refused", HATEST_REFUSED},
		{"connect_timeout", HATEST_REFUSED},
		{"unreachable", HATEST_REFUSED},
		{"local", HATEST_REFUSED},
		{"timeout", HATEST_TIMEOUT},
		{"reset", HATEST_BROKEN},
		{"eof", HATEST_BROKEN},
		{"mismatch", HATEST_BROKEN},
		{"backend_changed", HATEST_BROKEN},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].word, word) == 0)
			return all[i].status;
	return -EINVAL;
}

static struct hatest_sample *sample_add(struct hatest_samples *samples)
{
	size_t count = samples->count;

	// The room is the next power of two.
	if (!(count & (count - 1)) || !samples->sample) {
		size_t room = count ? 2 * count : 1;
		struct hatest_sample *more =
			reallocarray(samples->sample, room, sizeof(*samples->sample));

		if (!more)
			return NULL;
		samples->sample = more;
	}
	samples->sample[count] = (struct hatest_sample){0};
	samples->count++;
	return &samples->sample[count];
}

int hatest_samples_line(struct hatest_samples *samples, const char *line, double offset_s,
			uint32_t requests)
{
	struct hatest_sample sample = {0}, *place;
	char backend[64], status[32];
	const char *word = status;
	unsigned int index;
	int number;

	if (sscanf(line, "%lf %*s %*u %*s %*u %u %f %f %63s %31s", &sample.at_s, &index,
		   &sample.connect_ms, &sample.latency_ms, backend, status) != 6)
		return -EINVAL;
	sample.is_long = strncmp(word, "long", 4) == 0;
	if (strncmp(word, "long-", 5) == 0)
		word += 5;
	number = status_number(word);
	if (number < 0)
		return number;
	sample.at_s += offset_s;
	sample.status = (uint8_t)number;
	sample.backend = backend_number(backend);
	sample.first = index == 0;
	if (!sample.is_long && number >= HATEST_REFUSED && index + 1 < requests)
		sample.abandoned = (uint16_t)(requests - index - 1);
	place = sample_add(samples);
	if (!place)
		return -ENOMEM;
	*place = sample;
	return 0;
}

int hatest_samples_read(struct hatest_samples *samples, const char *log, double offset_s,
			uint32_t requests)
{
	FILE *in = fopen(log, "re");
	char line[LINE];
	int error = 0;

	if (!in)
		return -errno;
	while (!error && fgets(line, sizeof(line), in))
		error = hatest_samples_line(samples, line, offset_s, requests);
	if (!error && ferror(in))
		error = -EIO;
	fclose(in);
	return error;
}

static int by_time(const void *left, const void *right)
{
	const struct hatest_sample *a = left, *b = right;

	return a->at_s < b->at_s ? -1 : a->at_s > b->at_s;
}

void hatest_samples_sort(struct hatest_samples *samples)
{
	if (samples->count)
		qsort(samples->sample, samples->count, sizeof(*samples->sample), by_time);
}

void hatest_samples_free(struct hatest_samples *samples)
{
	free(samples->sample);
	*samples = (struct hatest_samples){0};
}
