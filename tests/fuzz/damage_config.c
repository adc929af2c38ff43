// SPDX-License-Identifier: BSD-2-Clause
/*
 * A large configuration that was damaged on its way, read by config_load()'s own reader under the
 * sanitizers: every truncation of it, and single flipped bits. Nothing crashes it, no part of it is
 * taken for the whole, and what is refused says where. From the top of the repository.
 * usage: damage_config [FLIPS [SEED]]
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/prng.h"
#include "config.h"

#define EXAMPLE	 "tools/examples/larch.yaml"
#define LARGEST	 65536
#define SERVICES 12 /* besides the example's */
#define MEMBERS	 10

static void require(bool truth, const char *what, size_t at)
{
	if (truth)
		return;
	fprintf(stderr, "damage: %s, at %zu\n", what, at);
	abort();
}

static size_t example(char *out)
{
	FILE *file = fopen(EXAMPLE, "re");
	size_t length = file ? fread(out, 1, LARGEST, file) : 0;

	require(file && length, "cannot read " EXAMPLE, 0);
	fclose(file);
	return length;
}

/* The example without its comments and its end, which cost time and cannot be wrong. */
static size_t strip(char *text, size_t length)
{
	size_t to = 0, from = 0;

	while (from < length) {
		const char *line = text + from;
		const char *end = memchr(line, '\n', length - from);
		size_t size = end ? (size_t)(end - line) : length - from;
		const char *mark = memchr(line, '#', size);
		size_t kept = mark ? (size_t)(mark - line) : size;

		from += size + 1;
		while (kept && line[kept - 1] == ' ')
			kept--;
		if (!kept || (kept == 3 && memcmp(line, "...", 3) == 0))
			continue;
		memmove(text + to, line, kept);
		to += kept;
		text[to++] = '\n';
	}
	return to;
}

static size_t enlarge(char *text, size_t length)
{
	FILE *out = fmemopen(text + length, LARGEST - length, "w");
	size_t more;

	require(out != NULL, "no memory", 0);
	for (int i = 0; i < SERVICES; i++) {
		fprintf(out,
			"  - name: s%d\n    address: [10.7.%d.1, \"fd00:7:%d::1\"]\n    port: [80, "
			"443]\n    protocol: %s\n    learning: off\n    backends:\n",
			i, i, i, i % 2 ? "tcp" : "udp");
		for (int j = 0; j < MEMBERS; j++)
			fprintf(out,
				"      - {name: m%d-%d, address: 10.8.%d.%d, weight: %d, "
				"concurrency: 8}\n",
				i, j, i, j + 1, 10 * j);
	}
	fputs("...\n", out);
	more = (size_t)ftell(out);
	fclose(out);
	return length + more;
}

static void check_errors(const struct config_errors *errors, size_t at)
{
	char line[600];

	require(errors->count > 0, "refused without a reason", at);
	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		int length = config_error_text("file", &errors->error[i], line, sizeof(line));

		require(length > 0 && (size_t)length == strlen(line), "no text", at);
		require(errors->error[i].line > 0, "no line", at);
		for (int j = 0; j < length; j++)
			require(line[j] >= ' ' && line[j] <= '~', "not printable", at);
	}
}

/* In a block of its exact size, so that the address sanitizer sees its end. Is it accepted? */
static bool accepted(const char *text, size_t length, size_t at)
{
	char *copy = malloc(length ? length : 1);
	struct larch_config *config;
	struct config_errors errors;
	int error;

	require(copy != NULL, "no memory", at);
	memcpy(copy, text, length);
	error = config_parse(copy, length, &config, &errors);
	require(error == 0 || error == -EINVAL, "another error", at);
	require(!error == (config != NULL), "half a configuration", at);
	if (error)
		check_errors(&errors, at);
	config_free(config);
	free(copy);
	return !error;
}

int main(int argc, char **argv)
{
	uint64_t flips = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	struct prng prng = prng_seed(argc > 2 ? strtoull(argv[2], NULL, 10) : 1, 0);
	static char text[LARGEST];
	size_t length = enlarge(text, strip(text, example(text))), other = 0;

	require(accepted(text, length, length), "refused though it is whole", length);
	/* After the three dots nothing is missing. */
	for (size_t cut = 0; cut + 1 < length; cut++)
		require(!accepted(text, cut, cut), "a part is taken for the whole", cut);
	for (uint64_t i = 0; i < flips; i++) {
		uint64_t bit = prng_below(&prng, 8 * length);

		text[bit / 8] ^= (char)(1 << bit % 8);
		other += accepted(text, length, bit);
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
	printf("  ok      damage: %zu bytes: all truncations refused; %llu flipped bits: %llu "
	       "refused, %zu are another valid configuration\n",
	       length, (unsigned long long)flips, (unsigned long long)(flips - other), other);
	return 0;
}
