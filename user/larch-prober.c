// SPDX-License-Identifier: BSD-2-Clause
/*
 * larch-prober: asks backends whether they are well, for larchd, which begins it and gives it
 * sockets to ask with. It gives up all privileges first, and ends with larchd.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "probe_run.h"

#define OWN_USER   "larch"
#define OTHER_USER "nobody"
#define MOST_FILES 4096
#define LONGEST_MS 1000
#define STALL_NS   (20 * NS_PER_MS) /* by so much this process may be late without saying so */

static struct probe probes[PROBE_MOST];
static struct probe *place_of[PROBE_MOST]; /* first those that run, then the others */
static size_t running;
static int epoll_fd;

/* ---- without privileges ---- */

static int drop_user(void)
{
	const struct passwd *user = getpwnam(OWN_USER);

	if (geteuid() != 0)
		return 0;
	if (!user)
		user = getpwnam(OTHER_USER);
	if (!user || user->pw_uid == 0)
		return -ENOENT;
	if (setgroups(0, NULL) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
		return -errno;
	return 0;
}

/* Where larchd itself runs as somebody else, with capabilities. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

static int drop_privileges(void)
{
	struct rlimit files = {.rlim_cur = MOST_FILES, .rlim_max = MOST_FILES}, none = {};
	pid_t parent = getppid();
	int error;

	close_range(PROBE_FD + 1, ~0u, 0);
	umask(077);
	if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &none);
	error = drop_user();
	if (!error)
		error = drop_capabilities();
	if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		error = -errno;
	/* After the change of user, which would forget it. */
	if (!error && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		error = -errno;
	return !error && getppid() != parent ? -ESRCH : error;
}

/* ---- checks ---- */

const char *probe_time_text(uint32_t ms, char out[16])
{
	if (ms < 1000)
		snprintf(out, 16, "%u ms", ms);
	else
		snprintf(out, 16, "%g s", ms / 1000.0);
	return out;
}

/* A place for one more; NULL: there is none. */
static struct probe *take_place(void)
{
	struct probe *probe;

	if (running == PROBE_MOST)
		return NULL;
	probe = place_of[running];
	*probe = (struct probe){.used = true, .place = running++, .fd = -1, .output = -1};
	return probe;
}

static void leave_place(struct probe *probe)
{
	struct probe *last = place_of[--running];

	place_of[probe->place] = last;
	last->place = probe->place;
	place_of[running] = probe;
	probe->used = false;
}

static void release(struct probe *probe)
{
	if (probe->http)
		probe_http_drop(probe);
	if (probe->pid)
		probe_command_drop(probe);
	if (probe->fd >= 0)
		close(probe->fd);
	if (probe->output >= 0)
		close(probe->output);
	leave_place(probe);
}

void probe_end(struct probe *probe, enum health_verdict verdict, const char *format, ...)
{
	struct probe_answer answer = {
		.id = probe->order.id,
		.us = (uint32_t)((clock_now() - probe->began) / 1000),
		.verdict = verdict,
	};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(answer.reason, sizeof(answer.reason), format, arguments);
	va_end(arguments);
	release(probe);
	while (send(PROBE_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* Is it this host that has failed, rather than the backend? */
static bool is_own(int error)
{
	return error == ENETUNREACH || error == EADDRNOTAVAIL || error == EACCES ||
	       error == EPERM || error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM || error == EAGAIN;
}

void probe_fail(struct probe *probe, int error)
{
	const char *text = strerror(error);
	enum health_verdict verdict = is_own(error) ? HEALTH_UNKNOWN : HEALTH_DOWN;

	/* As a part of a sentence. */
	probe_end(probe, verdict, "%c%s", text[0] | 0x20, text + 1);
}

int probe_watch(struct probe *probe, int fd, bool write)
{
	struct epoll_event event = {.events = write ? EPOLLOUT : EPOLLIN, .data.ptr = probe};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void begin(struct probe *probe)
{
	switch (probe->order.health.type) {
	case CONFIG_HEALTH_TCP:
	case CONFIG_HEALTH_UDP:
	case CONFIG_HEALTH_DNS:
		probe_plain_begin(probe);
		return;
	case CONFIG_HEALTH_HTTP:
	case CONFIG_HEALTH_HTTPS:
		probe_http_begin(probe);
		return;
	case CONFIG_HEALTH_COMMAND_TYPE:
		probe_command_begin(probe);
		return;
	}
	probe_end(probe, HEALTH_UNKNOWN, "no such kind of check");
}

static void ready(struct probe *probe)
{
	if (!probe->used)
		return;
	if (probe->pid)
		probe_command_ready(probe);
	else
		probe_plain_ready(probe);
}

/* What this process could not do is no backend's fault: all get the time back. */
static void forgive(uint64_t began, uint64_t due)
{
	uint64_t now = clock_now();

	if (now < due + STALL_NS)
		return;
	for (size_t i = 0; i < running; i++) {
		if (place_of[i]->began <= began)
			place_of[i]->deadline += now - due;
	}
}

static void give_up_late(uint64_t now)
{
	char text[16];

	/* Who ends is replaced by one that was looked at already. */
	for (size_t i = running; i-- > 0;) {
		struct probe *probe = place_of[i];

		if (probe->deadline <= now)
			probe_end(probe, HEALTH_DOWN, "timed out after %s",
				  probe_time_text(probe->order.health.timeout_ms, text));
	}
}

static int milliseconds_left(uint64_t now)
{
	uint64_t first = now + LONGEST_MS * NS_PER_MS;

	for (size_t i = 0; i < running; i++) {
		if (place_of[i]->deadline < first)
			first = place_of[i]->deadline;
	}
	return first <= now ? 0 : (int)((first - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* ---- orders ---- */

/* The socket that came with a message; -1: none. */
static int take_socket(struct msghdr *message)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* One order. False: there is none at the moment. It ends with the process if larchd is gone. */
static bool take_order(void)
{
	static struct probe_order order;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec part = {.iov_base = &order, .iov_len = sizeof(order)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct probe *probe;
	ssize_t length;

	if (running == PROBE_MOST)
		return false;
	length = recvmsg(PROBE_FD, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (length < 0)
		return false;
	if (length == 0)
		exit(0);
	if (length != sizeof(order)) {
		fputs(PROBE_PROGRAM ": larchd is of another version\n", stderr);
		exit(1);
	}
	probe = take_place();
	probe->order = order;
	probe->fd = take_socket(&message);
	probe->began = clock_now();
	probe->deadline = probe->began + order.health.timeout_ms * NS_PER_MS;
	begin(probe);
	return true;
}

static void run(void)
{
	for (;;) {
		struct epoll_event event[64];
		uint64_t began = clock_now();
		int ms = milliseconds_left(began), count;

		probe_http_wait(epoll_fd, ms);
		forgive(began, began + (uint64_t)ms * NS_PER_MS);
		began = clock_now();
		count = epoll_wait(epoll_fd, event, 64, 0);
		for (int i = 0; i < count; i++) {
			if (event[i].data.ptr)
				ready(event[i].data.ptr);
		}
		probe_http_perform();
		forgive(began, began);
		give_up_late(clock_now());
		probe_command_reap();
		while (take_order())
			;
	}
}

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN};
	int type, error;
	socklen_t size = sizeof(type);

	(void)argv;
	if (argc != 1 || getsockopt(PROBE_FD, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
	    type != SOCK_SEQPACKET) {
		fputs("Usage: none. larchd begins " PROBE_PROGRAM " for its health checks.\n",
		      stderr);
		return 2;
	}
	for (size_t i = 0; i < PROBE_MOST; i++)
		place_of[i] = &probes[i];
	error = drop_privileges();
	if (error) {
		fprintf(stderr, PROBE_PROGRAM ": cannot give up privileges: %s\n",
			strerror(-error));
		return 1;
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, PROBE_FD, &event) != 0 ||
	    probe_http_open() != 0) {
		fputs(PROBE_PROGRAM ": cannot begin\n", stderr);
		return 1;
	}
	run();
}
