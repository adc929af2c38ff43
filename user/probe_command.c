// SPDX-License-Identifier: BSD-2-Clause
/*
 * Checks by a program of the operator's: exit status 0 is up. What it writes first is the reason.
 * It has a process group of its own, all of which ends at the timeout, and nothing but these in its
 * environment: LARCH_SERVICE, LARCH_VIP, LARCH_PORT, LARCH_BACKEND (the address),
 * LARCH_BACKEND_NAME, PATH.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe_run.h"

#define NOT_BEGUN  127 /* exit status */
#define VALUE_SIZE 128

/* Killed, but still within the kernel: a dead file server holds them there, and must not hold us.
 */
static pid_t dying[PROBE_MOST];
static size_t dying_count;

static void set(char out[VALUE_SIZE], const char *name, const char *value)
{
	snprintf(out, VALUE_SIZE, "%s=%s", name, value);
}

/* The command's process, from fork() to exec(). */
static _Noreturn void become(const struct probe_order *order, int output)
{
	char port[8], value[6][VALUE_SIZE], *environment[7], *word[CONFIG_HEALTH_WORDS + 1];
	const char *at = order->health.command;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	dup2(STDIN_FILENO, STDERR_FILENO);
	close_range(PROBE_FD, ~0u, 0);
	snprintf(port, sizeof(port), "%u", order->port);
	set(value[0], "LARCH_SERVICE", order->service);
	set(value[1], "LARCH_VIP", order->vip);
	set(value[2], "LARCH_PORT", port);
	set(value[3], "LARCH_BACKEND", order->address);
	set(value[4], "LARCH_BACKEND_NAME", order->backend);
	set(value[5], "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < 6; i++)
		environment[i] = value[i];
	environment[6] = NULL;
	for (size_t i = 0; i < order->health.words; i++, at += strlen(at) + 1)
		word[i] = (char *)at;
	word[order->health.words] = NULL;
	execve(word[0], word, environment);
	dprintf(STDOUT_FILENO, "%s", strerror(errno));
	_exit(NOT_BEGUN);
}

void probe_command_begin(struct probe *probe)
{
	int output[2], error;

	if (dying_count == PROBE_MOST) {
		probe_end(probe, HEALTH_UNKNOWN, "earlier commands do not end");
		return;
	}
	if (pipe2(output, O_CLOEXEC) != 0) {
		probe_fail(probe, errno);
		return;
	}
	probe->pid = fork();
	if (probe->pid == 0)
		become(&probe->order, output[1]);
	close(output[1]);
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	probe->output = output[0];
	if (probe->pid < 0) {
		probe->pid = 0;
		probe_fail(probe, errno);
		return;
	}
	setpgid(probe->pid, probe->pid); /* whoever comes first */
	probe->fd = pidfd_open(probe->pid, 0);
	error = probe->fd < 0 ? -errno : probe_watch(probe, probe->fd, false);
	if (!error)
		error = probe_watch(probe, probe->output, false);
	if (error)
		probe_fail(probe, -error);
}

/* All is read, so that a command that has much to say does not wait for a reader; little is kept.
 */
static void take_output(struct probe *probe)
{
	static char bytes[16384];
	ssize_t got = probe->output < 0 ? -1 : read(probe->output, bytes, sizeof(bytes));
	size_t room = sizeof(probe->said) - 1 - probe->said_length;

	if (got > 0) {
		room = (size_t)got < room ? (size_t)got : room;
		memcpy(probe->said + probe->said_length, bytes, room);
		probe->said_length += room;
	} else if (got == 0) {
		close(probe->output);
		probe->output = -1;
	}
}

/* The first line of what was written, if it is short and printable. */
static void read_line(const struct probe *probe, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)probe->said_length, probe->said);
	out[strcspn(out, "\n")] = '\0';
	for (char *at = out; *at; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?';
	}
}

void probe_command_ready(struct probe *probe)
{
	char line[PROBE_REASON_SIZE - 24];
	siginfo_t ended = {0};
	int status = 0;

	take_output(probe);
	/* Seen, but not yet taken away: until then its number, and its group's, is nobody else's.
	 */
	if (waitid(P_PID, (id_t)probe->pid, &ended, WEXITED | WNOHANG | WNOWAIT) ||
	    ended.si_pid != probe->pid)
		return;
	take_output(probe);
	kill(-probe->pid, SIGKILL); /* what it has left behind */
	waitpid(probe->pid, &status, 0);
	probe->pid = 0;
	read_line(probe, line, sizeof(line));
	if (WIFSIGNALED(status))
		probe_end(probe, HEALTH_DOWN, "ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == NOT_BEGUN)
		probe_end(probe, HEALTH_UNKNOWN, "cannot be run: %s", line);
	else
		probe_end(probe, WEXITSTATUS(status) ? HEALTH_DOWN : HEALTH_UP, "exit %d%s%s",
			  WEXITSTATUS(status), line[0] ? ": " : "", line);
}

void probe_command_drop(struct probe *probe)
{
	kill(-probe->pid, SIGKILL);
	if (waitpid(probe->pid, NULL, WNOHANG) == 0 && dying_count < PROBE_MOST)
		dying[dying_count++] = probe->pid;
	probe->pid = 0;
}

void probe_command_reap(void)
{
	for (size_t i = dying_count; i-- > 0;) {
		if (waitpid(dying[i], NULL, WNOHANG) != 0)
			dying[i] = dying[--dying_count];
	}
}
