// SPDX-License-Identifier: BSD-2-Clause
/* A question to the daemon. See larchctl.h and control.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "columns.h"
#include "endpoint.h"
#include "larchctl.h"

#define PATIENCE_S  30
#define ANSWER_MOST (256u << 20)

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A daemon that refuses may answer before it has read everything: that answer counts. */
static void send_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return;
		text += sent;
		length -= (size_t)sent;
	}
}

/* All that comes until the end, terminated; NULL: failed, errno says why. */
static char *receive_all(int fd)
{
	size_t length = 0, room = 0;
	char *text = NULL;

	for (;;) {
		ssize_t got;

		if (room - length < 2) {
			char *more = realloc(text, room = room ? room * 2 : 65536);

			if (!more || room > ANSWER_MOST)
				break;
			text = more;
		}
		got = recv(fd, text + length, room - length - 1, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0 || (got < 0 && errno == ECONNRESET && length)) {
			text[length] = '\0';
			return text;
		}
		if (got < 0)
			break;
		length += (size_t)got;
	}
	free(text);
	return NULL;
}

static char *exchange(const struct larchctl *ctl, const char *line)
{
	int fd = connect_to(ctl->socket);
	char *answer;

	if (fd < 0)
		return NULL;
	send_all(fd, line, strlen(line));
	send_all(fd, "\n", 1);
	answer = receive_all(fd);
	if (answer && !*answer) {
		free(answer);
		answer = NULL;
		errno = ECONNRESET;
	}
	close(fd);
	return answer;
}

static enum larchctl_exit refused(const json_t *answer)
{
	const char *kind = larchctl_text(answer, "kind");
	const json_t *line;
	size_t i;

	json_array_foreach (json_object_get(answer, "errors"), i, line)
		fprintf(stderr, "%s\n", json_string_value(line));
	fprintf(stderr, "larchctl: %s\n", larchctl_text(answer, "error"));
	return strcmp(kind, "not found") == 0 ? LARCHCTL_NOT_FOUND
	       : strcmp(kind, "usage") == 0   ? LARCHCTL_USAGE
					      : LARCHCTL_FAILED;
}

enum larchctl_exit larchctl_ask(const struct larchctl *ctl, json_t *request, json_t **out)
{
	char *line = json_dumps(request, JSON_COMPACT);
	char *text = line ? exchange(ctl, line) : NULL;
	enum larchctl_exit code = LARCHCTL_OK;
	json_t *answer;

	*out = NULL;
	free(line);
	json_decref(request);
	if (!text) {
		fprintf(stderr, "larchctl: %s: larchd cannot be reached: %s\n", ctl->socket,
			errno == EAGAIN ? "no answer" : strerror(errno));
		return LARCHCTL_UNREACHABLE;
	}
	answer = json_loads(text, 0, NULL);
	free(text);
	if (!answer) {
		fprintf(stderr, "larchctl: %s: the answer is not JSON or was cut off\n",
			ctl->socket);
		return LARCHCTL_FAILED;
	}
	if (json_object_get(answer, "error"))
		code = refused(answer);
	if (code == LARCHCTL_OK)
		*out = answer;
	else
		json_decref(answer);
	return code;
}

bool larchctl_take_number(json_t *request, const char *name, const char *text)
{
	uint16_t number;

	if (!text)
		return true;
	if (endpoint_port(text, &number) != 0) {
		fprintf(stderr, "larchctl: --%s: '%s' is no number\n", name, text);
		return false;
	}
	json_object_set_new(request, name, json_integer(number));
	return true;
}

const char *larchctl_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

const json_t *larchctl_leaf(const json_t *service, double number)
{
	const json_t *leaf;
	size_t i;

	json_array_foreach (json_object_get(service, "leaves"), i, leaf) {
		if (larchctl_number(leaf, "leaf") == number)
			return leaf;
	}
	return NULL;
}

double larchctl_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

bool larchctl_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

const char *larchctl_us(const json_t *object, const char *name, char *out)
{
	return columns_us(larchctl_number(object, name), out);
}

const char *larchctl_count(const json_t *object, const char *name, char *out)
{
	return columns_count(larchctl_number(object, name), out);
}

const char *larchctl_part(const json_t *object, const char *name, char *out)
{
	return columns_part(larchctl_number(object, name), out);
}

void larchctl_print(const struct larchctl *ctl, json_t *answer,
		    void (*show)(const struct larchctl *ctl, const json_t *answer))
{
	if (ctl->format == LARCHCTL_JSON) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		show(ctl, answer);
	}
	json_decref(answer);
}
