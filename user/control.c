// SPDX-License-Identifier: BSD-2-Clause
/*
 * Clients of the control socket. Each is first read from until its request's line has ended, then
 * written to until it has the answer; the deadline of either is a timer of all. See control.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "request.h"

#define BACKLOG 64
#define CHUNK	65536 /* bytes that one client may bring or take at a time */

struct client {
	int fd; /* -1: free */
	bool answers;
	char *text; /* the request so far, or the answer */
	size_t length, room, sent;
	uint64_t deadline_ms;
};

struct control {
	struct controller *controller;
	int epoll, listener, timer;
	struct client client[CONTROL_CLIENTS];
	struct sockaddr_un address;
	dev_t device; /* of the socket's file */
	ino_t inode;
};

static uint64_t now_ms(void)
{
	return clock_now() / NS_PER_MS;
}

/* Sets the timer to the first deadline; off without clients. */
static void set_timer(const struct control *control)
{
	struct itimerspec spec = {};
	uint64_t first = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct client *client = &control->client[i];

		if (client->fd >= 0 && (!first || client->deadline_ms < first))
			first = client->deadline_ms;
	}
	spec.it_value.tv_sec = (time_t)(first / 1000);
	spec.it_value.tv_nsec = (long)(first % 1000) * 1000000;
	timerfd_settime(control->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void drop(struct client *client)
{
	close(client->fd);
	free(client->text);
	*client = (struct client){.fd = -1};
}

static int watch(const struct control *control, int operation, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	return epoll_ctl(control->epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

static void write_answer(struct client *client)
{
	while (client->sent < client->length) {
		ssize_t sent = send(client->fd, client->text + client->sent,
				    client->length - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			break;
		client->sent += (size_t)sent;
	}
	drop(client);
}

/* From now on the client is only written to. Takes the text over; NULL: no memory. */
static void answer(struct control *control, struct client *client, char *text)
{
	free(client->text);
	client->text = text;
	client->length = text ? strlen(text) : 0;
	client->sent = 0;
	client->answers = true;
	client->deadline_ms = now_ms() + CONTROL_PATIENCE_MS;
	if (!text || watch(control, EPOLL_CTL_MOD, client->fd, EPOLLOUT, client) != 0)
		drop(client);
	else
		write_answer(client);
}

static bool has_room(struct client *client)
{
	size_t room = client->room ? client->room * 2 : 4096;
	char *text;

	if (client->length < client->room)
		return true;
	text = realloc(client->text, room);
	if (!text)
		return false;
	client->text = text;
	client->room = room;
	return true;
}

/* The request ends with its line, or when the client stops sending. */
static void take_request(struct control *control, struct client *client, const char *end)
{
	size_t length = (size_t)(end - client->text);

	answer(control, client, request_answer(control->controller, client->text, length));
}

static void read_request(struct control *control, struct client *client)
{
	size_t taken = 0;

	while (taken < CHUNK) {
		ssize_t got;
		char *end;

		if (client->length > CONTROL_REQUEST_MOST) {
			answer(control, client, request_refuse("the request is longer than 1 MiB"));
			return;
		}
		if (!has_room(client)) {
			drop(client);
			return;
		}
		got = recv(client->fd, client->text + client->length, client->room - client->length,
			   MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			if (errno != EAGAIN)
				drop(client);
			return;
		}
		if (got == 0 && client->length == 0) {
			drop(client);
			return;
		}
		end = got ? memchr(client->text + client->length, '\n', (size_t)got)
			  : client->text + client->length;
		client->length += (size_t)got;
		taken += (size_t)got;
		if (end) {
			take_request(control, client, end);
			return;
		}
	}
}

static struct client *free_client(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->client[i].fd < 0)
			return &control->client[i];
	}
	return NULL;
}

/* No place: said if that is possible without waiting. */
static void turn_away(int fd)
{
	char *text = request_refuse("too many clients at once; try again");
	ssize_t sent = text ? send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	(void)sent;
	free(text);
	close(fd);
}

static void accept_clients(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct client *client;

		if (fd < 0)
			return;
		client = free_client(control);
		if (!client) {
			turn_away(fd);
			continue;
		}
		client->fd = fd;
		client->deadline_ms = now_ms() + CONTROL_PATIENCE_MS;
		if (watch(control, EPOLL_CTL_ADD, fd, EPOLLIN, client) != 0)
			drop(client);
	}
}

static void drop_late(struct control *control)
{
	uint64_t now = now_ms(), expirations;
	ssize_t got = read(control->timer, &expirations, sizeof(expirations));

	(void)got;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->client[i].fd >= 0 && control->client[i].deadline_ms <= now)
			drop(&control->client[i]);
	}
}

void control_process(struct control *control)
{
	struct epoll_event event[CONTROL_CLIENTS];
	int count = epoll_wait(control->epoll, event, CONTROL_CLIENTS, 0);
	bool accepts = false;

	for (int i = 0; i < count; i++) {
		struct client *client = event[i].data.ptr;

		if (event[i].data.ptr == &control->listener)
			accepts = true;
		else if (event[i].data.ptr == &control->timer || client->fd < 0)
			continue;
		else if (client->answers)
			write_answer(client);
		else
			read_request(control, client);
	}
	drop_late(control);
	if (accepts) /* last, so that no event meets another client in its place */
		accept_clients(control);
	set_timer(control);
}

/* Is somebody listening there? 0: nobody, and the file is removed. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat file;
	int fd, error;

	if (lstat(address->sun_path, &file) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	close(fd);
	if (error == 0 || error == EAGAIN)
		return -EADDRINUSE;
	if (error != ECONNREFUSED)
		return -error;
	return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int bind_socket(struct control *control)
{
	const struct sockaddr *address = (const struct sockaddr *)&control->address;

	/* The file gets the socket's own mode, less the umask, so that it is never open to all. */
	if (fchmod(control->listener, 0660) != 0)
		return -errno;
	if (bind(control->listener, address, sizeof(control->address)) == 0)
		return 0;
	return -errno;
}

static int listen_at(struct control *control)
{
	struct stat file;
	int error;

	control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (control->listener < 0)
		return -errno;
	error = bind_socket(control);
	if (error == -EADDRINUSE) {
		error = remove_stale(&control->address);
		if (!error)
			error = bind_socket(control);
	}
	if (error)
		return error;
	if (lstat(control->address.sun_path, &file) == 0) {
		control->device = file.st_dev;
		control->inode = file.st_ino;
	}
	if (chmod(control->address.sun_path, 0660) != 0 || listen(control->listener, BACKLOG) != 0)
		return -errno;
	return 0;
}

int control_open(struct control **out, const char *path, struct controller *controller)
{
	struct control *control = calloc(1, sizeof(*control));
	int error;

	if (!control)
		return -ENOMEM;
	control->controller = controller;
	control->listener = -1;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		control->client[i].fd = -1;
	control->address.sun_family = AF_UNIX;
	control->epoll = epoll_create1(EPOLL_CLOEXEC);
	control->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	error = control->epoll < 0 || control->timer < 0 ? -errno : 0;
	if (!error && (!*path || strlen(path) >= sizeof(control->address.sun_path)))
		error = -ENAMETOOLONG;
	if (!error) {
		strcpy(control->address.sun_path, path);
		error = listen_at(control);
	}
	if (!error)
		error = watch(control, EPOLL_CTL_ADD, control->listener, EPOLLIN,
			      &control->listener);
	if (!error)
		error = watch(control, EPOLL_CTL_ADD, control->timer, EPOLLIN, &control->timer);
	if (error)
		control_close(control);
	*out = error ? NULL : control;
	return error;
}

int control_fd(const struct control *control)
{
	return control->epoll;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void control_close(struct control *control)
{
	struct stat file;

	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->client[i].fd >= 0)
			drop(&control->client[i]);
	}
	if (control->inode && lstat(control->address.sun_path, &file) == 0 &&
	    file.st_dev == control->device && file.st_ino == control->inode)
		unlink(control->address.sun_path);
	close_if_open(control->listener);
	close_if_open(control->timer);
	close_if_open(control->epoll);
	free(control);
}
