// SPDX-License-Identifier: BSD-2-Clause
/* Checks by HTTP, over TLS or not: libcurl asks, by the socket that larchd made. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "probe_run.h"

#define MOST_BODY 262144 /* bytes in which a text is looked for */
#define MOST_HEAD 262144 /* bytes of headers: libcurl keeps all of them */

struct probe_http {
	CURL *easy;
	struct curl_slist *resolve;
	int socket; /* -1: libcurl has it */
	bool added;
	bool header;	 /* that is expected has been seen */
	size_t head;	 /* bytes of headers that have come */
	size_t length;	 /* of what has come of the body */
	size_t capacity; /* of body */
	char *body;
	char error[CURL_ERROR_SIZE];
};

static CURLM *multi;

int probe_http_open(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return -EINVAL;
	multi = curl_multi_init();
	return multi ? 0 : -ENOMEM;
}

void probe_http_wait(int fd, int ms)
{
	struct curl_waitfd wait = {.fd = fd, .events = CURL_WAIT_POLLIN};

	curl_multi_poll(multi, &wait, 1, ms, NULL);
}

/* ---- what libcurl calls ---- */

/* The one socket; should it want another one, there is none. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct probe *probe = context;
	int fd = probe->fd;

	(void)purpose;
	(void)address;
	probe->fd = -1;
	return fd >= 0 ? fd : CURL_SOCKET_BAD;
}

/* Is it this header, and has it this value if one is expected? */
static bool is_header(const char *line, size_t length, const char *expected)
{
	size_t name = strcspn(expected, ":");
	const char *value = expected + name;

	if (length <= name || strncasecmp(line, expected, name) != 0 || line[name] != ':')
		return false;
	if (!*value)
		return true;
	value += 1 + strspn(value + 1, " ");
	line += name + 1;
	length -= name + 1;
	while (length && (*line == ' ' || *line == '\t'))
		line++, length--;
	while (length && strchr("\r\n \t", line[length - 1]))
		length--;
	return length == strlen(value) && memcmp(line, value, length) == 0;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
	struct probe *probe = context;

	probe->http->head += size * count;
	if (probe->http->head > MOST_HEAD)
		return 0; /* the transfer ends */
	if (is_header(line, size * count, probe->order.health.header))
		probe->http->header = true;
	return size * count;
}

static bool keep(struct probe_http *http, const char *bytes, size_t length)
{
	if (http->length + length > http->capacity) {
		size_t capacity = 2 * (http->length + length);
		char *body = realloc(http->body, capacity);

		if (!body)
			return false;
		http->body = body;
		http->capacity = capacity;
	}
	memcpy(http->body + http->length, bytes, length);
	return true;
}

/* Of a small body, all is taken; of a large one, the beginning is enough. */
static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct probe *probe = context;
	struct probe_http *http = probe->http;
	size_t length = size * count;

	if (http->length + length > MOST_BODY)
		return 0; /* the transfer ends */
	if (probe->order.health.body[0] && !keep(http, bytes, length))
		return 0;
	http->length += length;
	return length;
}

/* ---- the request ---- */

/* "192.0.2.1", "[2001:db8::1]" */
static void write_address(const union probe_address *address, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->ipv4.sin_addr, text, sizeof(text));
		snprintf(out, size, "%s", text);
	} else {
		inet_ntop(AF_INET6, &address->ipv6.sin6_addr, text, sizeof(text));
		snprintf(out, size, "[%s]", text);
	}
}

/* The host's name stands in the URL, so that it goes into Host and TLS; its address is given. */
static bool set_url(struct probe *probe)
{
	const struct config_health *health = &probe->order.health;
	char url[2 * CONFIG_HEALTH_TEXT + 64], address[INET6_ADDRSTRLEN + 2];
	char resolve[CONFIG_HEALTH_TEXT + INET6_ADDRSTRLEN + 16];
	unsigned port = ntohs(probe->order.to.ipv4.sin_port);
	struct probe_http *http = probe->http;

	write_address(&probe->order.to, address, sizeof(address));
	snprintf(url, sizeof(url), "%s://%s:%u%s",
		 health->type == CONFIG_HEALTH_HTTPS ? "https" : "http",
		 health->host[0] ? health->host : address, port, health->path);
	if (health->host[0]) {
		snprintf(resolve, sizeof(resolve), "%s:%u:%s", health->host, port, address);
		http->resolve = curl_slist_append(NULL, resolve);
		if (!http->resolve)
			return false;
		curl_easy_setopt(http->easy, CURLOPT_RESOLVE, http->resolve);
	}
	return curl_easy_setopt(http->easy, CURLOPT_URL, url) == CURLE_OK;
}

static void set_options(struct probe *probe)
{
	const struct config_health *health = &probe->order.health;
	CURL *easy = probe->http->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, probe);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->http->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "larch/" LARCH_VERSION);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, probe);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe);
	/* Without a folder of certificates the bundle's are read once, not for each check. */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, health->verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, health->verify ? 2L : 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
}

void probe_http_begin(struct probe *probe)
{
	probe->http = calloc(1, sizeof(*probe->http));
	if (probe->http)
		probe->http->easy = curl_easy_init();
	if (!probe->http || !probe->http->easy || !set_url(probe)) {
		probe_end(probe, HEALTH_UNKNOWN, "out of memory");
		return;
	}
	set_options(probe);
	probe->http->added = curl_multi_add_handle(multi, probe->http->easy) == CURLM_OK;
	if (!probe->http->added)
		probe_end(probe, HEALTH_UNKNOWN, "out of memory");
}

void probe_http_drop(struct probe *probe)
{
	struct probe_http *http = probe->http;

	if (http->added)
		curl_multi_remove_handle(multi, http->easy);
	curl_easy_cleanup(http->easy);
	curl_slist_free_all(http->resolve);
	free(http->body);
	free(http);
	probe->http = NULL;
}

/* ---- the verdict ---- */

static void judge_answer(struct probe *probe, bool whole)
{
	const struct config_health *health = &probe->order.health;
	struct probe_http *http = probe->http;
	char status[64];
	long code = 0;

	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &code);
	if (!config_health_status(health, code))
		probe_end(probe, HEALTH_DOWN, "HTTP %ld, expected %s", code,
			  config_health_status_text(health, status, sizeof(status)));
	else if (health->header[0] && !http->header)
		probe_end(probe, HEALTH_DOWN, "HTTP %ld without the header '%.50s'", code,
			  health->header);
	else if (health->body[0] && !(http->length && memmem(http->body, http->length, health->body,
							     strlen(health->body))))
		probe_end(probe, HEALTH_DOWN, "HTTP %ld without '%.40s' in the %s", code,
			  health->body, whole ? "body" : "body's first 256 KiB");
	else
		probe_end(probe, HEALTH_UP, "HTTP %ld", code);
}

static void judge(struct probe *probe, CURLcode result)
{
	long error = 0;

	if (probe->http->head > MOST_HEAD) {
		probe_end(probe, HEALTH_DOWN, "more than 256 KiB of headers");
		return;
	}
	if (result == CURLE_OK || result == CURLE_WRITE_ERROR) {
		judge_answer(probe, result == CURLE_OK);
		return;
	}
	curl_easy_getinfo(probe->http->easy, CURLINFO_OS_ERRNO, &error);
	if (result == CURLE_COULDNT_CONNECT && error) {
		probe_fail(probe, (int)error);
		return;
	}
	probe_end(probe, result == CURLE_OUT_OF_MEMORY ? HEALTH_UNKNOWN : HEALTH_DOWN, "%s",
		  probe->http->error[0] ? probe->http->error : curl_easy_strerror(result));
}

void probe_http_perform(void)
{
	const CURLMsg *message;
	int running, left;

	curl_multi_perform(multi, &running);
	while ((message = curl_multi_info_read(multi, &left))) {
		CURLcode result = message->data.result;
		char *probe = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &probe);
		judge((struct probe *)(void *)probe, result);
	}
}
