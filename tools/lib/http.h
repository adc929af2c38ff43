// SPDX-License-Identifier: BSD-2-Clause
// The heads of HTTP/1.1 messages, as far as the lab's two ends need them. Pointers in the results
// point into the head that was given.
#ifndef TOOLS_LIB_HTTP_H
#define TOOLS_LIB_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT };

struct http_request {
	enum http_method method;
	const char *path;
	size_t path_length;
	uint64_t content_length;
	bool close;	      // the client wants the connection closed after the answer
	bool expect_continue; // the client waits for "100 Continue" before it sends the body
};

struct http_answer {
	int status;
	uint64_t content_length;
	bool has_length;
	bool close;
	const char *backend; // value of X-Backend, NULL if there is none
	size_t backend_length;
};

// Length of the head with its empty line; 0: not complete yet; -EBADMSG: never will be a head.
int http_head_length(const char *bytes, size_t length);

// Both take a complete head. 0 or -errno: -EBADMSG malformed, -EPROTONOSUPPORT not HTTP/1.x,
// -EOPNOTSUPP a method or transfer coding that the lab does not speak.
int http_parse_request(const char *head, size_t length, struct http_request *out);
int http_parse_answer(const char *head, size_t length, struct http_answer *out);

// "/v/NONCE/LENGTH": 1 to 16 hex digits and a decimal length of at most 1 GiB. 0 or -EINVAL.
int http_parse_pattern_path(const char *path, size_t path_length, uint64_t *nonce,
			    uint64_t *length);

#endif
