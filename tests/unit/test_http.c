// SPDX-License-Identifier: BSD-2-Clause
// Heads of HTTP messages, good, bad and cut short.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/http.h"
#include "../../tools/lib/prng.h"

static int request(const char *head, struct http_request *out)
{
	return http_parse_request(head, strlen(head), out);
}

static int answer(const char *head, struct http_answer *out)
{
	return http_parse_answer(head, strlen(head), out);
}

Test(http, head_ends_with_the_empty_line)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nbody";
	int whole = (int)strlen(text) - 4;

	for (int i = 0; i < whole; i++)
		cr_assert_eq(http_head_length(text, (size_t)i), 0);
	cr_assert_eq(http_head_length(text, strlen(text)), whole);
}

Test(http, lines_without_carriage_return_and_nul_bytes_are_no_head)
{
	cr_assert_lt(http_head_length("GET /\n", 6), 0);
	cr_assert_lt(http_head_length("\n", 1), 0);
	cr_assert_lt(http_head_length("\r\n", 2), 0);
	cr_assert_lt(http_head_length("GE\0T", 4), 0);
}

Test(http, request_fields_are_read)
{
	struct http_request r;

	cr_assert_eq(request("POST /x HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12 \r\n"
			     "Expect: 100-continue\r\nConnection: foo, Close\r\n\r\n",
			     &r),
		     0);
	cr_assert_eq(r.method, HTTP_POST);
	cr_assert_eq(r.path_length, 2);
	cr_assert_eq(r.content_length, 12);
	cr_assert(r.close && r.expect_continue);
}

Test(http, version_decides_whether_the_connection_stays)
{
	struct http_request r;

	cr_assert_eq(request("GET / HTTP/1.1\r\n\r\n", &r), 0);
	cr_assert_not(r.close);
	cr_assert_eq(request("GET / HTTP/1.0\r\n\r\n", &r), 0);
	cr_assert(r.close);
	cr_assert_eq(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &r), 0);
	cr_assert_not(r.close);
}

Test(http, malformed_requests_are_told_apart)
{
	static const struct {
		const char *head;
		int error;
	} cases[] = {
		{"GET\r\n\r\n", -EBADMSG},
		{"GET /\r\n\r\n", -EBADMSG},
		{"GET  / HTTP/1.1\r\n\r\n", -EBADMSG},
		{" / HTTP/1.1\r\n\r\n", -EBADMSG},
		{"GET / HTTP/1.1 \r\n\r\n", -EBADMSG},
		{"GET / HTTP/2.0\r\n\r\n", -EPROTONOSUPPORT},
		{"BREW / HTTP/1.1\r\n\r\n", -EOPNOTSUPP},
		{"GET / HTTP/1.1\r\nno colon\r\n\r\n", -EBADMSG},
		{"GET / HTTP/1.1\r\nnocolon\r\n\r\n", -EBADMSG},
		{"GET / HTTP/1.1\r\nA : b\r\n\r\n", -EBADMSG},
		{"GET / HTTP/1.1\r\n: b\r\n\r\n", -EBADMSG},
		{"GET / HTTP/1.1\r\n folded: b\r\n\r\n", -EBADMSG},
		{"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", -EBADMSG},
		{"PUT / HTTP/1.1\r\nContent-Length:\r\n\r\n", -EBADMSG},
		{"PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", -EBADMSG},
		{"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", -EBADMSG},
		{"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", -EOPNOTSUPP},
	};
	struct http_request r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(request(cases[i].head, &r), cases[i].error, "%s", cases[i].head);
}

Test(http, answer_fields_are_read)
{
	struct http_answer a;

	cr_assert_eq(answer("HTTP/1.1 503 Service Unavailable\r\nX-Backend: b7\r\n"
			    "Content-Length: 0\r\n\r\n",
			    &a),
		     0);
	cr_assert_eq(a.status, 503);
	cr_assert(a.has_length && !a.close);
	cr_assert_eq(a.backend_length, 2);
	cr_assert_arr_eq(a.backend, "b7", 2);
}

Test(http, answer_without_fields_or_reason_is_read)
{
	struct http_answer a;

	cr_assert_eq(answer("HTTP/1.0 200\r\n\r\n", &a), 0);
	cr_assert(a.close && !a.has_length && !a.backend);
	cr_assert_lt(answer("HTTP/1.1 2x0 OK\r\n\r\n", &a), 0);
	cr_assert_lt(answer("200 OK\r\n\r\n", &a), 0);
}

Test(http, pattern_paths_are_read_strictly)
{
	static const char *const bad[] = {"/v/",
					  "/v//1",
					  "/v/1/",
					  "/v/1",
					  "/v/xyz/1",
					  "/v/1/1x",
					  "/v/11112222333344445/1",
					  "/v/1/1073741825",
					  "/w/1/1",
					  "/v/1/2/3",
					  "/v"};
	uint64_t nonce, length;

	cr_assert_eq(http_parse_pattern_path("/v/00fF/1073741824", 18, &nonce, &length), 0);
	cr_assert_eq(nonce, 255);
	cr_assert_eq(length, 1 << 30);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(http_parse_pattern_path(bad[i], strlen(bad[i]), &nonce, &length),
			     -EINVAL, "%s", bad[i]);
}

// Random changes to a good head: nothing may be read outside it (run with -fsanitize=address).
Test(http, changed_heads_do_no_harm)
{
	static const char good[] = "PUT /v/ab/12 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
	struct prng p = prng_seed(3, 1);
	struct http_request r;
	struct http_answer a;

	for (int i = 0; i < 20000; i++) {
		size_t size = 1 + prng_below(&p, sizeof(good) - 1);
		char *head = malloc(size);

		cr_assert_not_null(head);
		memcpy(head, good, size);
		for (int k = 0; k < 3; k++)
			head[prng_below(&p, size)] = " \r\n:/\0A9"[prng_below(&p, 8)];
		http_head_length(head, size);
		http_parse_request(head, size, &r);
		http_parse_answer(head, size, &a);
		free(head);
	}
}
