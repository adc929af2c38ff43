// SPDX-License-Identifier: BSD-2-Clause
/* The control socket against clients that are silent, slow, endless or talk nonsense. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "controller.h"

struct stage_of_control {
	char directory[64], path[128];
	struct controller *controller;
	struct control *control;
};

static struct stage_of_control control_stage;

static void control_begin(void)
{
	struct stage_of_control *stage = &control_stage;

	strcpy(stage->directory, "/tmp/larch-control-XXXXXX");
	cr_assert_not_null(mkdtemp(stage->directory));
	strcpy(stage->path, stage->directory);
	strcat(stage->path, "/socket");
	stage->controller = calloc(1, sizeof(*stage->controller));
	cr_assert_not_null(stage->controller);
	stage->controller->options.config_file = "nowhere.yaml";
	cr_assert_eq(control_open(&stage->control, stage->path, stage->controller), 0);
}

static void control_end(void)
{
	control_close(control_stage.control);
	free(control_stage.controller);
	unlink(control_stage.path);
	rmdir(control_stage.directory);
}

TestSuite(control, .init = control_begin, .fini = control_end, .timeout = 30);

/* What the daemon's loop does, for as long as something waits. */
static void control_run(int ms)
{
	struct pollfd fd = {.fd = control_fd(control_stage.control), .events = POLLIN};

	while (poll(&fd, 1, ms) > 0)
		control_process(control_stage.control);
}

static int control_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, control_stage.path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The answer as far as it has come; "" if there is none. Closed says whether it has ended. */
static const char *control_read(int fd, bool *closed)
{
	static char text[1 << 16];
	size_t length = 0;
	ssize_t got;

	*closed = false;
	while ((got = recv(fd, text + length, sizeof(text) - length - 1, MSG_DONTWAIT)) > 0)
		length += (size_t)got;
	*closed = got == 0 || (got < 0 && errno != EAGAIN);
	text[length] = '\0';
	return text;
}

static json_t *control_ask(const char *request, size_t length)
{
	int fd = control_client();
	bool closed;
	json_t *answer;

	cr_assert_eq(send(fd, request, length, MSG_NOSIGNAL), (ssize_t)length);
	control_run(20);
	answer = json_loads(control_read(fd, &closed), 0, NULL);
	cr_assert(closed);
	close(fd);
	return answer;
}

static void expect_error(const char *request, size_t length)
{
	json_t *answer = control_ask(request, length);

	cr_assert(json_is_string(json_object_get(answer, "error")), "%.60s", request);
	cr_assert(json_is_string(json_object_get(answer, "kind")));
	json_decref(answer);
}

Test(control, a_line_is_answered_and_the_connection_closed)
{
	json_t *answer = control_ask("{\"command\":\"status\"}\n", 21);

	cr_assert_eq(json_integer_value(json_object_get(answer, "pid")), getpid());
	json_decref(answer);
}

Test(control, a_request_may_come_in_pieces)
{
	int fd = control_client();
	bool closed;

	cr_assert_eq(send(fd, "{\"command\":", 11, 0), 11);
	control_run(10);
	cr_assert_str_eq(control_read(fd, &closed), "");
	cr_assert_not(closed);
	cr_assert_eq(send(fd, "\"status\"}\n", 10, 0), 10);
	control_run(10);
	cr_assert_not_null(strstr(control_read(fd, &closed), "\"version\""));
	cr_assert(closed);
	close(fd);
}

Test(control, the_end_of_sending_ends_a_request)
{
	int fd = control_client();
	bool closed;

	cr_assert_eq(send(fd, "{\"command\":\"status\"}", 20, 0), 20);
	shutdown(fd, SHUT_WR);
	control_run(10);
	cr_assert_not_null(strstr(control_read(fd, &closed), "\"version\""));
	close(fd);
}

Test(control, nonsense_is_told_so)
{
	static const char *const nonsense[] = {
		"\n",
		"{}\n",
		"[]\n",
		"null\n",
		"{\"command\":7}\n",
		"{\"command\":\"nope\"}\n",
		"{\"command\":\"status\"\n",
		"GET / HTTP/1.1\r\n",
		"\xff\xfe\n",
		"{\"command\":\"status\",\"command\":\"list\"}\n",
		"{\"command\":\"list\",\"service\":{}}\n",
		"{\"command\":\"list\",\"service\":\"\\u0000\"}\n",
		"{\"command\":\"explain\"}\n",
		"{\"command\":\"arm\",\"tuples\":5}\n",
		"{\"command\":\"arm\",\"tuples\":[5]}\n",
		"{\"command\":\"explain\",\"source\":1,\"source_port\":\"x\"}\n"};

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		expect_error(nonsense[i], strlen(nonsense[i]));
	expect_error("\0\0\0\n", 4);
}

Test(control, deep_nesting_is_refused)
{
	char *deep = malloc(100001);

	memset(deep, '[', 100000);
	deep[100000] = '\n';
	expect_error(deep, 100001);
	free(deep);
}

Test(control, an_endless_request_is_refused)
{
	char *text = malloc(65536);
	int fd = control_client();
	ssize_t sent = 0;
	bool closed;

	memset(text, 'x', 65536);
	for (int i = 0; i < 100 && sent >= 0; i++) {
		sent = send(fd, text, 65536, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			sent = 0;
		control_run(0);
	}
	cr_assert_lt(sent, 0, "it must not be read for ever");
	cr_assert_not_null(strstr(control_read(fd, &closed), "1 MiB"));
	cr_assert(closed);
	close(fd);
	free(text);
}

Test(control, silent_clients_are_dropped_and_hold_nobody_up)
{
	int silent = control_client();
	uint64_t begin = clock_now();
	json_t *answer;
	bool closed;

	control_run(10);
	answer = control_ask("{\"command\":\"status\"}\n", 21);
	cr_assert_not_null(answer);
	json_decref(answer);
	do {
		control_run(CONTROL_PATIENCE_MS + 1000);
		control_read(silent, &closed);
	} while (!closed && clock_now() - begin < 8 * NS_PER_S);
	cr_assert(closed);
	close(silent);
}

Test(control, a_client_that_never_reads_is_no_trouble)
{
	int fd = control_client();
	json_t *answer;

	cr_assert_eq(send(fd, "{\"command\":\"status\"}\n", 21, 0), 21);
	control_run(10);
	answer = control_ask("{\"command\":\"status\"}\n", 21);
	cr_assert_not_null(answer);
	json_decref(answer);
	close(fd);
	control_run(10);
}

Test(control, a_client_that_vanishes_is_no_trouble)
{
	for (int i = 0; i < 200; i++) {
		int fd = control_client();

		if (i % 2)
			cr_assert_eq(send(fd, "{\"command\":\"status\"}\n", 21, 0), 21);
		close(fd);
		control_run(0);
	}
	json_decref(control_ask("{\"command\":\"status\"}\n", 21));
}

Test(control, clients_beyond_the_limit_are_turned_away)
{
	int fd[CONTROL_CLIENTS + 1];
	bool closed;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		fd[i] = control_client();
		control_run(0);
	}
	fd[CONTROL_CLIENTS] = control_client();
	control_run(10);
	cr_assert_not_null(strstr(control_read(fd[CONTROL_CLIENTS], &closed), "too many"));
	cr_assert(closed);
	close(fd[CONTROL_CLIENTS]);
	close(fd[0]);
	control_run(10);
	json_decref(control_ask("{\"command\":\"status\"}\n", 21));
	for (size_t i = 1; i < CONTROL_CLIENTS; i++)
		close(fd[i]);
}

Test(control, strangers_may_not_connect)
{
	struct stat file;

	cr_assert_eq(stat(control_stage.path, &file), 0);
	cr_assert(S_ISSOCK(file.st_mode));
	cr_assert_eq(file.st_mode & 0777, 0660);
}

Test(control, a_living_daemon_keeps_its_socket)
{
	struct control *second;

	cr_assert_eq(control_open(&second, control_stage.path, control_stage.controller),
		     -EADDRINUSE);
	cr_assert_null(second);
	control_run(10);
	json_decref(control_ask("{\"command\":\"status\"}\n", 21));
}

Test(control, the_socket_of_a_dead_daemon_is_replaced)
{
	char path[96];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct control *control;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(path, control_stage.directory);
	strcat(path, "/stale");
	strcpy(address.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	cr_assert_eq(control_open(&control, path, control_stage.controller), 0);
	control_close(control);
	cr_assert_eq(access(path, F_OK), -1, "it is removed at the end");
}

Test(control, a_file_that_is_no_socket_is_left_alone)
{
	char path[96];
	struct control *control;
	FILE *file;

	strcpy(path, control_stage.directory);
	strcat(path, "/file");
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fclose(file);
	cr_assert_eq(control_open(&control, path, control_stage.controller), -EEXIST);
	cr_assert_eq(access(path, F_OK), 0);
	unlink(path);
}

Test(control, a_successors_socket_is_left_alone)
{
	struct control *second;

	unlink(control_stage.path);
	cr_assert_eq(control_open(&second, control_stage.path, control_stage.controller), 0);
	control_close(control_stage.control);
	control_stage.control = NULL;
	cr_assert_eq(access(control_stage.path, F_OK), 0);
	control_close(second);
}

Test(control, a_path_that_is_too_long_is_refused)
{
	struct control *control;
	char path[200];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	cr_assert_eq(control_open(&control, path, control_stage.controller), -ENAMETOOLONG);
	cr_assert_eq(control_open(&control, "", control_stage.controller), -ENAMETOOLONG);
}
