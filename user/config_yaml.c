// SPDX-License-Identifier: BSD-2-Clause
/*
 * Builds a jansson tree from libyaml's events: see config_yaml.h. YAML's types are not used (`on`
 * is text, not true), nor what lets a small file stand for a large tree or hide a second meaning:
 * aliases, anchors, tags, directives, several documents. Only this file includes libyaml.
 */
#include "config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config_error.h"

/* A list or mapping that has begun. */
struct level {
	json_t *value; /* owned by the level above, or it is the root */
	char *key;     /* mapping: whose value comes next or is open; NULL: a key comes next */
	yaml_mark_t key_mark;
};

struct reader {
	const char *text;
	size_t length;
	size_t byte, character; /* the same place in the text, counted in bytes and characters */
	struct level level[CONFIG_MAX_DEPTH];
	size_t depth;
	size_t values;
	json_t *root; /* owned */
	struct config_places *places;
	struct config_errors *errors;
};

/* The path of the value that comes next, such as "services[0].name". */
static void next_path(const struct reader *reader, char path[CONFIG_PATH_SIZE])
{
	*path = '\0';
	for (size_t i = 0; i < reader->depth; i++) {
		const struct level *level = &reader->level[i];
		bool last = i + 1 == reader->depth;

		if (json_is_array(level->value))
			config_error_step(path, NULL, json_array_size(level->value) - !last);
		else if (level->key)
			config_error_step(path, level->key, 0);
	}
}

__attribute__((format(printf, 3, 4))) static void
complain(struct reader *reader, const yaml_mark_t *mark, const char *format, ...)
{
	char path[CONFIG_PATH_SIZE], text[sizeof(((struct config_error *)0)->text)];
	va_list arguments;

	next_path(reader, path);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	config_error_add(reader->errors, (unsigned)mark->line + 1, (unsigned)mark->column + 1, path,
			 "%s", text);
}

static int syntax_error(struct reader *reader, const yaml_parser_t *parser)
{
	const yaml_mark_t *mark = &parser->problem_mark;
	const char *problem = parser->problem ? parser->problem : "unknown problem";

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->context)
		complain(reader, mark, "not YAML: %s %s (line %zu)", problem, parser->context,
			 parser->context_mark.line + 1);
	else
		complain(reader, mark, "not YAML: %s", problem);
	return -EINVAL;
}

/* The byte that a mark points at; '\0' at the end of the text. Marks may not go back. */
static char byte_at(struct reader *reader, const yaml_mark_t *mark)
{
	while (reader->character < mark->index && reader->byte < reader->length) {
		do
			reader->byte++;
		while (reader->byte < reader->length &&
		       (reader->text[reader->byte] & 0xc0) == 0x80);
		reader->character++;
	}
	return reader->byte < reader->length ? reader->text[reader->byte] : '\0';
}

/* Complains about an anchor or a tag. libyaml does not report the tag "!": so look at the text. */
static void check_properties(struct reader *reader, const yaml_event_t *event,
			     const yaml_char_t *anchor, const yaml_char_t *tag)
{
	char first = byte_at(reader, &event->start_mark), shown[CONFIG_SHOWN_SIZE];
	const char *name = anchor ? (const char *)anchor : tag ? (const char *)tag : "!";

	if (!anchor && !tag && first != '!')
		return;
	config_error_quote(name, strlen(name), shown);
	complain(reader, &event->start_mark, "%s %s is not accepted here",
		 anchor ? "anchor" : "tag", shown);
}

/* The innermost list or mapping; NULL: at the root. */
static struct level *top(struct reader *reader)
{
	return reader->depth ? &reader->level[reader->depth - 1] : NULL;
}

static bool expects_key(struct reader *reader)
{
	const struct level *level = top(reader);

	return level && json_is_object(level->value) && !level->key;
}

static void forget_key(struct reader *reader)
{
	struct level *level = top(reader);

	if (level) {
		free(level->key);
		level->key = NULL;
	}
}

/* A key given twice: said at the second one. The tree will hold the second value. */
static void check_duplicate(struct reader *reader, const char *key, const yaml_mark_t *mark)
{
	const json_t *first = json_object_get(top(reader)->value, key);
	char shown[CONFIG_SHOWN_SIZE];

	if (first)
		complain(reader, mark, "key %s is given twice; first in line %u",
			 config_error_quote(key, strlen(key), shown),
			 config_places_get(reader->places, first).key_line);
}

static int read_key(struct reader *reader, const yaml_event_t *event)
{
	struct level *level = top(reader);
	char *key = strdup((const char *)event->data.scalar.value);

	if (!key)
		return -ENOMEM;
	level->key = key;
	level->key_mark = event->start_mark;
	check_duplicate(reader, key, &event->start_mark);
	return 0;
}

/* Puts a new value, which it takes over, where the next one belongs. */
static int attach(struct reader *reader, json_t *value, const yaml_mark_t *mark)
{
	struct level *level = top(reader);
	struct config_place place = {(unsigned)mark->line + 1, (unsigned)mark->column + 1, 0, 0};
	int error = value ? 0 : -1;

	if (!level) {
		reader->root = value;
	} else if (json_is_array(level->value)) {
		error = json_array_append_new(level->value, value);
	} else {
		place.key_line = (unsigned)level->key_mark.line + 1;
		place.key_column = (unsigned)level->key_mark.column + 1;
		error = json_object_set_new_nocheck(level->value, level->key, value);
	}
	return error ? -ENOMEM : config_places_put(reader->places, value, &place);
}

static int count_value(struct reader *reader, const yaml_mark_t *mark)
{
	if (++reader->values <= CONFIG_MAX_VALUES)
		return 0;
	complain(reader, mark, "the file holds more than %u values", CONFIG_MAX_VALUES);
	return -EINVAL;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	int error;

	check_properties(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
	if (memchr(text, '\0', length)) {
		complain(reader, &event->start_mark, "the text holds a NUL character");
		return -EINVAL;
	}
	if (expects_key(reader))
		return read_key(reader, event);
	error = count_value(reader, &event->start_mark);
	if (!error)
		error = attach(reader, json_stringn_nocheck(text, length), &event->start_mark);
	forget_key(reader);
	return error;
}

/* A list or mapping begins. */
static int enter(struct reader *reader, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;
	bool list = event->type == YAML_SEQUENCE_START_EVENT;
	json_t *value;
	int error;

	if (list)
		check_properties(reader, event, event->data.sequence_start.anchor,
				 event->data.sequence_start.tag);
	else
		check_properties(reader, event, event->data.mapping_start.anchor,
				 event->data.mapping_start.tag);
	if (expects_key(reader)) {
		complain(reader, mark, "a key is a %s; expected a word", list ? "list" : "mapping");
		return -EINVAL;
	}
	if (reader->depth == CONFIG_MAX_DEPTH) {
		complain(reader, mark, "more than %u lists and mappings within one another",
			 CONFIG_MAX_DEPTH);
		return -EINVAL;
	}
	error = count_value(reader, mark);
	if (error)
		return error;
	value = list ? json_array() : json_object();
	error = attach(reader, value, mark);
	if (!error)
		reader->level[reader->depth++] = (struct level){.value = value};
	return error;
}

/* It ends. */
static int leave(struct reader *reader)
{
	reader->depth--;
	forget_key(reader);
	return 0;
}

static int begin_document(struct reader *reader, const yaml_event_t *event)
{
	if (reader->root) {
		complain(reader, &event->start_mark, "a second document begins here; expected one");
		return -EINVAL;
	}
	if (event->data.document_start.version_directive ||
	    event->data.document_start.tag_directives.start !=
		    event->data.document_start.tag_directives.end)
		complain(reader, &event->start_mark, "directives (%%YAML, %%TAG) are not accepted");
	return 0;
}

static int refuse_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	char shown[CONFIG_SHOWN_SIZE];

	complain(reader, &event->start_mark, "alias %s is not accepted here",
		 config_error_quote(name, strlen(name), shown));
	return -EINVAL;
}

static int take(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return begin_document(reader, event);
	case YAML_ALIAS_EVENT:
		return refuse_alias(reader, event);
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return enter(reader, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return leave(reader);
	default:
		return 0;
	}
}

/* Takes all events. */
static int read_events(struct reader *reader, yaml_parser_t *parser)
{
	yaml_event_t event;
	bool end = false;
	int error = 0;

	while (!end && !error) {
		if (!yaml_parser_parse(parser, &event))
			return syntax_error(reader, parser);
		end = event.type == YAML_STREAM_END_EVENT;
		error = take(reader, &event);
		yaml_event_delete(&event);
	}
	return error;
}

int config_yaml_read(const char *text, size_t length, json_t **tree, struct config_places **places,
		     struct config_errors *errors)
{
	struct reader reader = {.text = text, .length = length, .errors = errors};
	yaml_parser_t parser;
	int error = -ENOMEM;

	*tree = NULL;
	*places = NULL;
	reader.places = config_places_new();
	if (!reader.places)
		return -ENOMEM;
	if (!yaml_parser_initialize(&parser))
		goto free_places;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	error = read_events(&reader, &parser);
	yaml_parser_delete(&parser);
	if (!error) {
		*tree = reader.root;
		*places = reader.places;
		return 0;
	}
	for (size_t i = 0; i < reader.depth; i++)
		free(reader.level[i].key);
	json_decref(reader.root);
free_places:
	config_places_free(reader.places);
	return error;
}
