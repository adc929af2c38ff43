// SPDX-License-Identifier: BSD-2-Clause
// The configuration: nothing crashes its reader, and no part of a file passes for the whole.
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/prng.h"
#include "config.h"

#define EXAMPLE "tools/examples/larch.yaml"

static char *read_text(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(65536);

	cr_assert_not_null(file, "run the tests from the top of the repository");
	*length = fread(text, 1, 65536, file);
	fclose(file);
	return text;
}

static void expect_sane(int error, const struct larch_config *config,
			const struct config_errors *errors)
{
	cr_assert((error == 0 && config && errors->count == 0) ||
		  (error == -EINVAL && !config && errors->count > 0));
	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		char line[600];
		int length = config_error_text("f", &errors->error[i], line, sizeof(line));

		cr_assert_eq((size_t)length, strlen(line));
		cr_assert_not_null(memchr(errors->error[i].text, 0, sizeof(errors->error[i].text)));
		for (int j = 0; j < length; j++)
			cr_assert(line[j] >= ' ' && line[j] <= '~');
	}
}

/* The text is copied to a block of its exact size, so that the address sanitizer sees its end. */
static int parse_exactly(const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1);
	struct larch_config *config;
	struct config_errors errors;
	int error;

	memcpy(copy, text, length);
	error = config_parse(copy, length, &config, &errors);
	expect_sane(error, config, &errors);
	config_free(config);
	free(copy);
	return error;
}

Test(config_robust, every_truncation_of_the_example_is_refused)
{
	size_t length;
	char *text = read_text(EXAMPLE, &length);

	cr_assert_eq(parse_exactly(text, length), 0);
	for (size_t cut = 0; cut < length; cut++)
		cr_expect_eq(parse_exactly(text, cut), -EINVAL, "cut at byte %zu", cut);
	free(text);
}

Test(config_robust, no_flipped_bit_crashes_it)
{
	struct prng prng = prng_seed(1, 0);
	size_t length, refused = 0;
	char *text = read_text(EXAMPLE, &length);

	for (int i = 0; i < 10000; i++) {
		uint64_t bit = prng_below(&prng, 8 * length);

		text[bit / 8] ^= (char)(1 << bit % 8);
		refused += parse_exactly(text, length) != 0;
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
	cr_expect_gt(refused, 2000); /* more than half of it is comments */
	free(text);
}

Test(config_robust, what_the_fuzzer_starts_from)
{
	static const char folder[] = "tests/fuzz/corpus/config";
	DIR *seeds = opendir(folder);
	struct dirent *seed;

	cr_assert_not_null(seeds);
	while ((seed = readdir(seeds))) {
		char path[512];
		size_t length;
		char *text;

		snprintf(path, sizeof(path), "%s/%s", folder, seed->d_name);
		if (*seed->d_name == '.')
			continue;
		text = read_text(path, &length);
		for (size_t cut = 0; cut <= length; cut++)
			parse_exactly(text, cut);
		free(text);
	}
	closedir(seeds);
}

/* jansson's own memory: the errors' paths of the reader. */
static size_t allocations_left;

static void *scarce(size_t size)
{
	if (!allocations_left)
		return NULL;
	allocations_left--;
	return malloc(size);
}

Test(config_robust, without_memory_it_says_so)
{
	size_t length, least = 0;
	char *text = read_text(EXAMPLE, &length);
	struct larch_config *config;
	struct config_errors errors;
	int error = -ENOMEM;

	json_set_alloc_funcs(scarce, free);
	while (error == -ENOMEM) {
		allocations_left = least++;
		error = config_parse(text, length, &config, &errors);
		cr_assert(error == 0 || (error == -ENOMEM && !config));
	}
	json_set_alloc_funcs(malloc, free);
	cr_expect_eq(error, 0);
	cr_expect_gt(least, 50);
	config_free(config);
	free(text);
}
