// SPDX-License-Identifier: BSD-2-Clause
/* Ways, places, mappings and lists: see setting.h. */
#include "setting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config_error.h"

#define TEXT_SIZE sizeof(((struct config_error *)0)->text)

/* ---- complaints ---- */

static void write_path(const struct setting *setting, char path[CONFIG_PATH_SIZE])
{
	if (!setting->parent) {
		*path = '\0';
		return;
	}
	write_path(setting->parent, path);
	config_error_step(path, setting->key, setting->index);
}

const char *setting_place(const struct setting *setting, char out[SETTING_PLACE_SIZE])
{
	struct config_place place = config_places_get(setting->tree->places, setting->value);
	size_t length;

	write_path(setting, out);
	length = strlen(out);
	if (place.line)
		snprintf(out + length, SETTING_PLACE_SIZE - length, " (line %u)", place.line);
	return out;
}

/* The end of the path that names the value: "weight", "port[1]". */
static void write_label(const struct setting *setting, char label[CONFIG_PATH_SIZE])
{
	if (!setting->parent) {
		strcpy(label, "the configuration");
		return;
	}
	*label = '\0';
	if (!setting->key)
		write_label(setting->parent, label);
	config_error_step(label, setting->key, setting->index);
}

static void add(const struct setting *setting, const char *text)
{
	struct config_place place = config_places_get(setting->tree->places, setting->value);
	char path[CONFIG_PATH_SIZE];

	write_path(setting, path);
	config_error_add(setting->tree->errors, place.line, place.column, path, "%s", text);
}

void setting_fail(const struct setting *setting, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	add(setting, text);
}

/* What a value is, in words. */
static const char *describe(const json_t *value, char shown[CONFIG_SHOWN_SIZE])
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		if (!json_string_length(value))
			return "empty";
		return config_error_quote(json_string_value(value), json_string_length(value),
					  shown);
	case JSON_INTEGER:
		snprintf(shown, CONFIG_SHOWN_SIZE, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		return shown;
	case JSON_REAL:
		snprintf(shown, CONFIG_SHOWN_SIZE, "%.15g", json_real_value(value));
		return shown;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "unknown";
}

void setting_expect(const struct setting *setting, const char *format, ...)
{
	char shown[CONFIG_SHOWN_SIZE], label[CONFIG_PATH_SIZE], text[TEXT_SIZE];
	va_list arguments;
	int length;

	write_label(setting, label);
	length = snprintf(text, sizeof(text), "%s is %s; expected ", label,
			  describe(setting->value, shown));
	if (length > 0 && (size_t)length < sizeof(text)) {
		va_start(arguments, format);
		vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
		va_end(arguments);
	}
	add(setting, text);
}

/* ---- mappings ---- */

/* Letters to insert, remove or replace to make one word of the other (Levenshtein 1966). */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[CONFIG_SHOWN_BYTES + 1], length = strlen(b);

	if (length > CONFIG_SHOWN_BYTES || strlen(a) > CONFIG_SHOWN_BYTES)
		return CONFIG_SHOWN_BYTES;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (best > above + 1)
				best = above + 1;
			if (best > row[j - 1] + 1)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[length];
}

/* The key most like a word, if at least a third of it is alike; NULL otherwise. */
static const char *nearest_key(const char *word, const char *const *keys)
{
	size_t best = 2 * strlen(word) / 3 + 1;
	const char *nearest = NULL;

	for (; *keys; keys++) {
		size_t distance = edit_distance(word, *keys);

		if (distance < best) {
			best = distance;
			nearest = *keys;
		}
	}
	return nearest;
}

static void fail_unknown(const struct setting *setting, const char *const *keys)
{
	struct config_place place = config_places_get(setting->tree->places, setting->value);
	const char *nearest = nearest_key(setting->key, keys);
	char path[CONFIG_PATH_SIZE], shown[CONFIG_SHOWN_SIZE], known[TEXT_SIZE] = "";

	write_path(setting, path);
	config_error_quote(setting->key, strlen(setting->key), shown);
	for (size_t at = 0; *keys && at < sizeof(known); keys++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", at ? ", " : "",
				       *keys);
	if (nearest)
		config_error_add(setting->tree->errors, place.key_line, place.key_column, path,
				 "unknown key %s; did you mean '%s'?", shown, nearest);
	else
		config_error_add(setting->tree->errors, place.key_line, place.key_column, path,
				 "unknown key %s; expected one of %s", shown, known);
}

static bool is_among(const char *key, size_t length, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strlen(*keys) == length && memcmp(*keys, key, length) == 0)
			return true;
	}
	return false;
}

bool setting_mapping(const struct setting *setting, const char *const *keys)
{
	if (!json_is_object(setting->value)) {
		setting_expect(setting, "a mapping");
		return false;
	}
	for (void *at = json_object_iter(setting->value); at;
	     at = json_object_iter_next(setting->value, at)) {
		struct setting child = {
			.tree = setting->tree,
			.parent = setting,
			.key = json_object_iter_key(at),
			.value = json_object_iter_value(at),
		};

		if (!is_among(child.key, json_object_iter_key_len(at), keys))
			fail_unknown(&child, keys);
	}
	return true;
}

bool setting_get(const struct setting *mapping, const char *key, struct setting *out)
{
	json_t *value = json_object_get(mapping->value, key);

	if (!value)
		return false;
	*out = (struct setting){
		.tree = mapping->tree, .parent = mapping, .key = key, .value = value};
	return true;
}

bool setting_require(const struct setting *mapping, const char *key, struct setting *out)
{
	bool found = setting_get(mapping, key, out);

	if (!found)
		setting_fail(mapping, "the key '%s' is missing", key);
	return found;
}

/* ---- lists ---- */

bool setting_list(const struct setting *setting)
{
	if (!json_is_array(setting->value)) {
		setting_expect(setting, "a list");
		return false;
	}
	if (!json_array_size(setting->value)) {
		setting_expect(setting, "at least one item");
		return false;
	}
	return true;
}

size_t setting_count(const struct setting *setting)
{
	return json_is_array(setting->value) ? json_array_size(setting->value) : 1;
}

struct setting setting_item(const struct setting *setting, size_t index)
{
	struct setting item = {.tree = setting->tree, .parent = setting, .index = index};

	if (!json_is_array(setting->value))
		return *setting;
	item.value = json_array_get(setting->value, index);
	return item;
}
