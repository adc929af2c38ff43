// SPDX-License-Identifier: BSD-2-Clause
/* Beginning, asking and following the prober: see prober.h. */
#include "prober.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define QUEUE_BYTES    (8 << 20)       /* of orders and answers on their way */
#define LEAST_PAUSE_MS 100	       /* before it is begun again; doubled each time, */
#define MOST_PAUSE_MS  10000	       /* up to this */
#define ALIVE_NS       (10 * NS_PER_S) /* after so long, a death is not one of many */

struct prober {
	void (*answered)(void *context, const struct probe_answer *answer);
	void (*died)(void *context);
	void *context;
	char program[4096];
	int epoll, timer;
	pid_t pid; /* 0: none runs */
	int pidfd, socket;
	uint64_t begun_ns;
	uint64_t pause_ms;
};

socklen_t probe_address_size(const union probe_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->ipv4) : sizeof(address->ipv6);
}

/* It is installed beside larchd. */
static int find_program(struct prober *prober)
{
	ssize_t length = readlink("/proc/self/exe", prober->program,
				  sizeof(prober->program) - sizeof(PROBE_PROGRAM) - 1);
	char *slash;

	if (length < 0)
		return -errno;
	prober->program[length] = '\0';
	slash = strrchr(prober->program, '/');
	if (!slash)
		return -ENOENT;
	strcpy(slash + 1, PROBE_PROGRAM);
	if (access(prober->program, X_OK) != 0) {
		log_error("%s: %s; health checks need it", prober->program, strerror(errno));
		return -ENOENT;
	}
	return 0;
}

static int watch(const struct prober *prober, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(prober->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* Signals as they are by default, and a group of its own: ^C is for larchd. */
static int spawn(struct prober *prober, int theirs)
{
	char *arguments[] = {(char *)PROBE_PROGRAM, NULL}, *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, theirs, PROBE_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(&prober->pid, prober->program, &actions, &attributes, arguments,
			    environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		prober->pid = 0;
	return -error;
}

static void forget(struct prober *prober)
{
	if (prober->pidfd >= 0)
		close(prober->pidfd);
	if (prober->socket >= 0)
		close(prober->socket);
	prober->pid = 0;
	prober->pidfd = prober->socket = -1;
}

/* It ends when there is nobody at the other end, and sooner if we may end it. */
static void end(struct prober *prober)
{
	pid_t pid = prober->pid;

	forget(prober);
	if (!pid)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void prober_kill(struct prober *prober)
{
	if (prober->pid)
		kill(prober->pid, SIGKILL);
}

static int begin(struct prober *prober)
{
	int pair[2], size = QUEUE_BYTES, error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	error = spawn(prober, pair[1]);
	close(pair[1]);
	prober->socket = pair[0];
	if (!error) {
		prober->pidfd = pidfd_open(prober->pid, 0);
		error = prober->pidfd < 0 ? -errno : watch(prober, prober->pidfd);
	}
	if (!error)
		error = watch(prober, prober->socket);
	if (error) {
		end(prober);
		return error;
	}
	prober->begun_ns = clock_now();
	log_debug("the prober runs: process %d", (int)prober->pid);
	return 0;
}

/* Tries again after a pause, longer each time. */
static void begin_later(struct prober *prober)
{
	struct itimerspec spec = {};

	if (clock_now() - prober->begun_ns > ALIVE_NS || !prober->pause_ms)
		prober->pause_ms = LEAST_PAUSE_MS;
	else if (prober->pause_ms < MOST_PAUSE_MS)
		prober->pause_ms *= 2;
	spec.it_value.tv_sec = (time_t)(prober->pause_ms / 1000);
	spec.it_value.tv_nsec = (long)(prober->pause_ms % 1000 * NS_PER_MS);
	timerfd_settime(prober->timer, 0, &spec, NULL);
}

int prober_open(struct prober **out, void (*answered)(void *, const struct probe_answer *),
		void (*died)(void *), void *context)
{
	struct prober *prober = calloc(1, sizeof(*prober));
	int error = -ENOMEM;

	*out = NULL;
	if (!prober)
		return error;
	prober->answered = answered;
	prober->died = died;
	prober->context = context;
	prober->pidfd = prober->socket = -1;
	prober->epoll = epoll_create1(EPOLL_CLOEXEC);
	prober->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	error = prober->epoll < 0 || prober->timer < 0 ? -errno : watch(prober, prober->timer);
	if (!error)
		error = find_program(prober);
	if (!error)
		error = begin(prober);
	if (error)
		prober_close(prober);
	else
		*out = prober;
	return error;
}

void prober_close(struct prober *prober)
{
	if (!prober)
		return;
	end(prober);
	if (prober->timer >= 0)
		close(prober->timer);
	if (prober->epoll >= 0)
		close(prober->epoll);
	free(prober);
}

int prober_fd(const struct prober *prober)
{
	return prober->epoll;
}

/* The prober speaks with strangers: what it says may be theirs. */
static void clean(struct probe_answer *answer)
{
	answer->reason[sizeof(answer->reason) - 1] = '\0';
	for (char *at = answer->reason; *at; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?';
	}
	if (answer->verdict > HEALTH_UNKNOWN)
		answer->verdict = HEALTH_UNKNOWN;
}

static void take_answers(struct prober *prober)
{
	struct probe_answer answer;

	while (prober->socket >= 0 &&
	       recv(prober->socket, &answer, sizeof(answer), 0) == sizeof(answer)) {
		clean(&answer);
		prober->answered(prober->context, &answer);
	}
}

/* What it has answered before counts. */
static void take_death(struct prober *prober)
{
	int status = 0;

	if (!prober->pid || waitpid(prober->pid, &status, WNOHANG) != prober->pid)
		return;
	take_answers(prober);
	log_warning("the prober has died (%s %d); it is begun again",
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	prober->pid = 0;
	forget(prober);
	prober->died(prober->context);
	begin_later(prober);
}

static void take_timer(struct prober *prober)
{
	uint64_t expirations;
	int error;

	if (read(prober->timer, &expirations, sizeof(expirations)) != sizeof(expirations) ||
	    prober->pid)
		return;
	error = begin(prober);
	if (!error)
		return;
	log_error("cannot begin the prober: %s", strerror(-error));
	begin_later(prober);
}

void prober_process(struct prober *prober)
{
	take_answers(prober);
	take_death(prober);
	take_timer(prober);
}

int prober_order(struct prober *prober, const struct probe_order *order, int socket)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec part = {.iov_base = (void *)order, .iov_len = sizeof(*order)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (prober->socket < 0)
		return -EPIPE;
	if (socket >= 0) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &socket, sizeof(socket));
	}
	return sendmsg(prober->socket, &message, MSG_NOSIGNAL) == sizeof(*order) ? 0 : -errno;
}
