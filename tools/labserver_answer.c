// SPDX-License-Identifier: BSD-2-Clause
// Answers: composes heads, and writes head and body together, the body made as it is sent.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "labserver.h"
#include "lib/pattern.h"

#define CHUNK 65536

static void answer_head(const struct server *server, struct answer *answer, const char *status,
			const char *type, uint64_t length)
{
	// A test's fault: a different name on every second answer.
	bool other = server->options.corruption == CORRUPT_NAME && server->stats.requests % 2;
	int used =
		snprintf(answer->head, sizeof(answer->head),
			 "HTTP/1.1 %s\r\n"
			 "X-Backend: %s%s\r\n"
			 "Content-Type: %s\r\n"
			 "Content-Length: %llu\r\n"
			 "%s\r\n",
			 status, server->options.name, other ? "-other" : "", type,
			 (unsigned long long)length, answer->close ? "Connection: close\r\n" : "");

	answer->head_length = (size_t)used;
	answer->sent = 0;
}

void answer_pattern(const struct server *server, struct answer *answer, bool head_only)
{
	answer_head(server, answer, "200 OK", "application/octet-stream", answer->body_length);
	if (head_only)
		answer->body_length = 0;
}

void answer_text(const struct server *server, struct answer *answer, const char *status,
		 const char *text, bool head_only)
{
	size_t length = strlen(text);

	answer_head(server, answer, status, "application/json", length);
	answer->body_length = 0;
	if (!head_only && answer->head_length + length <= sizeof(answer->head)) {
		memcpy(answer->head + answer->head_length, text, length);
		answer->head_length += length;
	}
}

uint64_t answer_left(const struct answer *answer)
{
	return answer->head_length + answer->body_length - answer->sent;
}

// Where in the body the next byte lies.
static uint64_t body_offset(const struct answer *answer)
{
	return answer->sent > answer->head_length ? answer->sent - answer->head_length : 0;
}

ssize_t answer_write(struct answer *answer, int fd, enum corruption corruption)
{
	static unsigned char chunk[CHUNK];
	uint64_t offset = body_offset(answer);
	uint64_t left = answer->body_length - offset;
	size_t head_left =
		answer->sent < answer->head_length ? answer->head_length - (size_t)answer->sent : 0;
	size_t piece = left < CHUNK ? (size_t)left : CHUNK;
	struct iovec parts[2] = {
		{answer->head + answer->head_length - head_left, head_left},
		{chunk, piece},
	};
	ssize_t written;

	pattern_fill(answer->nonce, offset, chunk, piece);
	if (corruption == CORRUPT_BYTE && piece)
		chunk[piece / 2] ^= 1;
	if (corruption == CORRUPT_SHORT && piece)
		parts[1].iov_len = piece / 2;
	written = writev(fd, parts, 2);
	if (written < 0)
		return -errno;
	answer->sent += (uint64_t)written;
	return written;
}
