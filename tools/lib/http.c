// SPDX-License-Identifier: BSD-2-Clause
// Parses request and answer heads. In: bytes of unknown origin. Out: the few fields that matter,
// or why not. Reads nothing outside the bytes given; no I/O, no allocation.
#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define MAX_BODY	  (1ULL << 30)
#define MAX_LENGTH_DIGITS 18

struct span {
	const char *at;
	size_t length;
};

// What both kinds of head have in common after their first line.
struct fields {
	uint64_t content_length;
	bool has_length, close, keep_alive, expect_continue, coded;
	struct span backend;
};

int http_head_length(const char *bytes, size_t length)
{
	size_t line = 0;

	for (size_t i = 0; i < length; i++) {
		if (!bytes[i])
			return -EBADMSG;
		if (bytes[i] != '\n')
			continue;
		if (i == line || bytes[i - 1] != '\r')
			return -EBADMSG;
		if (i == line + 1)
			return i == 1 ? -EBADMSG : (int)i + 1;
		line = i + 1;
	}
	return 0;
}

// Cuts the next line off, without its line end; false after the last one, the empty one.
static bool next_line(struct span *rest, struct span *line)
{
	const char *end = rest->length ? memchr(rest->at, '\n', rest->length) : NULL;

	if (!end || end - rest->at < 2)
		return false;
	*line = (struct span){rest->at, (size_t)(end - rest->at) - 1};
	rest->length -= line->length + 2;
	rest->at = end + 1;
	return true;
}

static bool span_is(struct span s, const char *word)
{
	return s.length == strlen(word) && !strncasecmp(s.at, word, s.length);
}

static struct span span_trim(struct span s)
{
	while (s.length && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = (struct span){s.at + 1, s.length - 1};
	while (s.length && (s.at[s.length - 1] == ' ' || s.at[s.length - 1] == '\t'))
		s.length--;
	return s;
}

// Cuts off what is before the next separator, or all of it.
static struct span span_cut(struct span *rest, char separator)
{
	const char *at = rest->length ? memchr(rest->at, separator, rest->length) : NULL;
	struct span word = {rest->at, at ? (size_t)(at - rest->at) : rest->length};
	size_t used = word.length + (at != NULL);

	*rest = (struct span){rest->at + used, rest->length - used};
	return word;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.length; i++)
		if (!isgraph((unsigned char)s.at[i]))
			return false;
	return s.length > 0;
}

static int parse_decimal(struct span s, uint64_t *out)
{
	uint64_t value = 0;

	if (!s.length || s.length > MAX_LENGTH_DIGITS)
		return -EBADMSG;
	for (size_t i = 0; i < s.length; i++) {
		if (!isdigit((unsigned char)s.at[i]))
			return -EBADMSG;
		value = value * 10 + (uint64_t)(s.at[i] - '0');
	}
	*out = value;
	return 0;
}

static int take_length(struct fields *f, struct span value)
{
	uint64_t length;

	// Two lengths that differ are how requests are smuggled.
	if (parse_decimal(value, &length) || (f->has_length && length != f->content_length))
		return -EBADMSG;
	f->content_length = length;
	f->has_length = true;
	return 0;
}

static void take_connection(struct fields *f, struct span value)
{
	while (value.length) {
		struct span word = span_trim(span_cut(&value, ','));

		if (span_is(word, "close"))
			f->close = true;
		else if (span_is(word, "keep-alive"))
			f->keep_alive = true;
	}
}

static int take_field(struct fields *f, struct span line)
{
	struct span name = span_cut(&line, ':');
	struct span value = span_trim(line);

	if (!is_token(name) || name.at + name.length == line.at)
		return -EBADMSG;
	if (span_is(name, "content-length"))
		return take_length(f, value);
	if (span_is(name, "connection"))
		take_connection(f, value);
	else if (span_is(name, "transfer-encoding"))
		f->coded = true;
	else if (span_is(name, "expect"))
		f->expect_continue = span_is(value, "100-continue");
	else if (span_is(name, "x-backend"))
		f->backend = value;
	return 0;
}

static int take_fields(struct fields *f, struct span rest)
{
	struct span line;

	while (next_line(&rest, &line)) {
		int err = take_field(f, line);

		if (err)
			return err;
	}
	return f->coded ? -EOPNOTSUPP : 0;
}

// HTTP/1.0 closes unless told otherwise, HTTP/1.1 keeps.
static int take_version(struct span version, bool *keeps)
{
	if (version.length != 8 || strncmp(version.at, "HTTP/", 5))
		return -EBADMSG;
	if (strncmp(version.at, "HTTP/1.", 7) || !isdigit((unsigned char)version.at[7]))
		return -EPROTONOSUPPORT;
	*keeps = version.at[7] != '0';
	return 0;
}

static int take_method(struct span word, enum http_method *method)
{
	static const char *const names[] = {"GET", "HEAD", "POST", "PUT"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (word.length == strlen(names[i]) && !strncmp(word.at, names[i], word.length)) {
			*method = (enum http_method)i;
			return 0;
		}
	}
	return is_token(word) ? -EOPNOTSUPP : -EBADMSG;
}

int http_parse_request(const char *head, size_t length, struct http_request *out)
{
	struct span rest = {head, length}, line, method, path;
	struct fields f = {0};
	bool keeps = false;
	int err;

	*out = (struct http_request){0};
	if (!next_line(&rest, &line))
		return -EBADMSG;
	method = span_cut(&line, ' ');
	path = span_cut(&line, ' ');
	if (!is_token(path))
		return -EBADMSG;
	err = take_version(line, &keeps);
	if (!err)
		err = take_method(method, &out->method);
	if (!err)
		err = take_fields(&f, rest);
	out->path = path.at;
	out->path_length = path.length;
	out->content_length = f.content_length;
	out->expect_continue = f.expect_continue;
	out->close = f.close || (!keeps && !f.keep_alive);
	return err;
}

int http_parse_answer(const char *head, size_t length, struct http_answer *out)
{
	struct span rest = {head, length}, line, version, status;
	struct fields f = {0};
	uint64_t code;
	bool keeps;
	int err;

	*out = (struct http_answer){0};
	if (!next_line(&rest, &line))
		return -EBADMSG;
	version = span_cut(&line, ' ');
	status = span_cut(&line, ' ');
	err = take_version(version, &keeps);
	if (err)
		return err;
	if (status.length != 3 || parse_decimal(status, &code))
		return -EBADMSG;
	err = take_fields(&f, rest);
	out->status = (int)code;
	out->content_length = f.content_length;
	out->has_length = f.has_length;
	out->close = f.close || (!keeps && !f.keep_alive);
	out->backend = f.backend.at;
	out->backend_length = f.backend.length;
	return err;
}

static int parse_hex(struct span s, uint64_t *out)
{
	uint64_t value = 0;

	if (!s.length || s.length > 16)
		return -EINVAL;
	for (size_t i = 0; i < s.length; i++) {
		int c = tolower((unsigned char)s.at[i]);

		if (!isxdigit(c))
			return -EINVAL;
		value = value << 4 | (uint64_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	*out = value;
	return 0;
}

int http_parse_pattern_path(const char *path, size_t path_length, uint64_t *nonce, uint64_t *length)
{
	struct span rest = {path, path_length};

	if (path_length < 3 || strncmp(path, "/v/", 3))
		return -EINVAL;
	rest = (struct span){path + 3, path_length - 3};
	if (parse_hex(span_cut(&rest, '/'), nonce) || parse_decimal(rest, length) ||
	    *length > MAX_BODY)
		return -EINVAL;
	return 0;
}
