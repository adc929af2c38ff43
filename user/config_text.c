// SPDX-License-Identifier: BSD-2-Clause
/*
 * Checks the characters and the lines of a file: see config_text.h. A file that lost its end is
 * often still good YAML, with fewer backends: so the end must be marked. Pure.
 */
#include "config_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config_error.h"

/* Moves along a text, from one character or line to the next. */
struct cursor {
	const char *text;
	size_t length, offset;
	unsigned line, column;
};

#define NO_CHARACTER UINT32_MAX

/*
 * The UTF-8 character at the start of a text that is not empty, and its bytes. NO_CHARACTER: there
 * is none (a stray byte, an overlong form, half of a pair of surrogates, beyond U+10FFFF).
 */
static uint32_t decode(const unsigned char *text, size_t length, size_t *bytes)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = text[0];
	uint32_t character;

	*bytes = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : 4;
	if (first < 0x80)
		return first;
	if (first < 0xc2 || first > 0xf4 || length < *bytes)
		return NO_CHARACTER;
	character = first & (0x7fu >> *bytes);
	for (size_t i = 1; i < *bytes; i++) {
		if (text[i] >> 6 != 2)
			return NO_CHARACTER;
		character = character << 6 | (text[i] & 0x3f);
	}
	if (character < least[*bytes] || character > 0x10ffff || character >> 11 == 0x1b)
		return NO_CHARACTER;
	return character;
}

/* Why a character may not be in a file; NULL: it may. `next`: the byte that follows it, or 0. */
static const char *objection(uint32_t character, char next)
{
	switch (character) {
	case NO_CHARACTER:
		return "a byte that is no UTF-8";
	case '\0':
		return "a NUL character";
	case '\t':
	case '\n':
		return NULL;
	case '\r':
		return next == '\n' ? NULL : "a carriage return without a line feed";
	case 0xfeff:
		return "a byte-order mark";
	case 0x2028:
	case 0x2029:
		return "a line separator other than the line feed";
	case 0xfffe:
	case 0xffff:
		return "a number that is no character";
	}
	if (character < 0x20 || (character >= 0x7f && character < 0xa0))
		return "a control character";
	return NULL;
}

static int check_characters(const char *text, size_t length, struct config_errors *errors)
{
	struct cursor at = {.text = text, .length = length, .line = 1, .column = 1};

	while (at.offset < length) {
		size_t bytes;
		uint32_t character =
			decode((const unsigned char *)text + at.offset, length - at.offset, &bytes);
		size_t next = at.offset + bytes;
		const char *why = objection(character, next < length ? text[next] : 0);

		if (why) {
			config_error_add(
				errors, at.line, at.column, "",
				"the file holds %s (byte 0x%02x); expected plain UTF-8 text", why,
				(unsigned char)text[at.offset]);
			return -EINVAL;
		}
		at.column = character == '\n' ? 1 : at.column + 1;
		at.line += character == '\n';
		at.offset = next;
	}
	return 0;
}

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r';
}

/* Moves over blanks within the line; the character there, 0 at the end of the text. */
static char skip_blanks(struct cursor *at)
{
	for (; at->offset < at->length && is_blank(at->text[at->offset]); at->offset++)
		at->column++;
	return at->offset < at->length ? at->text[at->offset] : '\0';
}

/* Moves to the start of the next line, or to the end of the text. false: the line has no end. */
static bool skip_line(struct cursor *at)
{
	for (; at->offset < at->length; at->offset++) {
		if (at->text[at->offset] == '\n') {
			at->offset++;
			at->line++;
			at->column = 1;
			return true;
		}
		at->column += (at->text[at->offset] & 0xc0) != 0x80;
	}
	return false;
}

/* Whether a line that says that the document ends starts here. */
static bool at_closing_line(const struct cursor *at)
{
	const char *line = at->text + at->offset;
	size_t left = at->length - at->offset;

	if (left < 3 || memcmp(line, "...", 3) != 0)
		return false;
	return left == 3 || line[3] == '\n' || is_blank(line[3]);
}

static bool is_empty(const char *text, size_t length)
{
	struct cursor at = {.text = text, .length = length};

	do {
		char first = at_closing_line(&at) ? '\0' : skip_blanks(&at);

		if (first != '\0' && first != '\n' && first != '#')
			return false;
		if (first == '\0')
			return true;
	} while (skip_line(&at));
	return true;
}

/* After the closing line, which starts at the cursor, there may only be blank lines. */
static int check_end(struct cursor *at, size_t *document, struct config_errors *errors)
{
	char first;

	at->offset += strlen("...");
	at->column += (unsigned)strlen("...");
	first = skip_blanks(at);
	if (first == '\0') {
		config_error_add(
			errors, at->line, at->column, "",
			"the closing line '...' has no line end: the file may be truncated");
		return -EINVAL;
	}
	if (first == '\n') {
		skip_line(at);
		*document = at->offset;
		while ((first = skip_blanks(at)) == '\n')
			skip_line(at);
	}
	if (first == '\0')
		return 0;
	config_error_add(errors, at->line, at->column, "",
			 "nothing may follow the closing line '...'");
	return -EINVAL;
}

int config_text_check(const char *text, size_t length, size_t *document,
		      struct config_errors *errors)
{
	struct cursor at = {.text = text, .length = length, .line = 1, .column = 1};

	*document = 0;
	if (length > CONFIG_MAX_BYTES) {
		config_error_add(errors, 0, 0, "", "the file has more than %u bytes",
				 CONFIG_MAX_BYTES);
		return -EINVAL;
	}
	if (check_characters(text, length, errors))
		return -EINVAL;
	if (is_empty(text, length)) {
		config_error_add(errors, 1, 1, "",
				 "the file is empty; expected at least 'services' and the closing "
				 "line '...'");
		return -EINVAL;
	}
	while (!at_closing_line(&at)) {
		if (skip_line(&at))
			continue;
		config_error_add(errors, at.line, at.column, "",
				 "the file ends without its closing line '...': it may be "
				 "truncated");
		return -EINVAL;
	}
	return check_end(&at, document, errors);
}
