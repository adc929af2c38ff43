// SPDX-License-Identifier: BSD-2-Clause
// Reads one JSON value from stdin, strictly, and prints what stands at a path: members by their
// names, elements by their numbers, '#' for the number of them. For the tests, in place of jq.
// usage: jsonget [PATH_ELEMENT...]   Texts are printed bare, everything else as JSON.
// Exit status 0, 1 if stdin is not valid JSON, 2 if there is nothing at the path.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *step(json_t *value, const char *word)
{
	char *end;
	unsigned long index;

	if (json_is_object(value))
		return json_object_get(value, word);
	index = strtoul(word, &end, 10);
	return *word && !*end ? json_array_get(value, index) : NULL;
}

static void print(const json_t *value)
{
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else
		json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
	putchar('\n');
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *root = json_loadf(stdin, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	json_t *value = root;
	int i;

	if (!root) {
		fprintf(stderr, "jsonget: line %d: %s\n", error.line, error.text);
		return 1;
	}
	for (i = 1; value && i < argc; i++) {
		if (!strcmp(argv[i], "#") && i == argc - 1)
			break;
		value = step(value, argv[i]);
	}
	if (!value)
		fprintf(stderr, "jsonget: nothing at '%s'\n", argv[i - 1]);
	else if (i < argc)
		printf("%zu\n",
		       json_is_array(value) ? json_array_size(value) : json_object_size(value));
	else
		print(value);
	i = value ? 0 : 2;
	json_decref(root);
	return i;
}
