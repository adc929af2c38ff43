// SPDX-License-Identifier: BSD-2-Clause
// A backend for the lab: an HTTP/1.1 server with a finite number of workers, whose service times
// are waited for instead of worked off, so that many of them fit on one machine.
//
// In: options, HTTP requests, commands on the control socket. Out: answers that name the server
// and can be checked byte by byte; on stdout one line "listening ADDRESS:PORT" per listener.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labserver.h"
#include "clock.h"
#include "lib/options.h"

static struct server server = {
	.spare_fd = -1,
	.options = {.workers = 4, .queue = 1000000, .body = 4000, .service_ms = 5},
};
static struct listener listeners[MAX_LISTENERS];

static int option_name(const struct option_row *row, const char *text, char *why)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	(void)row;
	if (!*text || strlen(text) > 63 || text[strspn(text, good)]) {
		snprintf(why, OPTION_WHY_SIZE, "a name has 1 to 63 letters, digits, '.', '_', '-'");
		return -EINVAL;
	}
	server.options.name = text;
	return 0;
}

static int option_listen(const struct option_row *row, const char *text, char *why)
{
	struct server_options *options = &server.options;

	(void)row;
	if (options->listen_count == MAX_LISTENERS) {
		snprintf(why, OPTION_WHY_SIZE, "%d at most", MAX_LISTENERS);
		return -ENOSPC;
	}
	if (endpoint_parse(text, &options->listen[options->listen_count])) {
		snprintf(why, OPTION_WHY_SIZE, "must be like 10.0.0.1:80 or [fd00::1]:80");
		return -EINVAL;
	}
	options->listen_count++;
	return 0;
}

static int option_class(const struct option_row *row, const char *text, char *why)
{
	struct client_class parsed;
	int err = class_parse(text, &parsed, why);

	(void)row;
	if (!err && class_add(&server.options.classes, &parsed)) {
		snprintf(why, OPTION_WHY_SIZE, "%d classes at most", MAX_CLASSES);
		return -ENOSPC;
	}
	return err;
}

static int option_corrupt(const struct option_row *row, const char *text, char *why)
{
	static const char *const names[] = {"nothing", "byte", "name", "short"};

	(void)row;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			server.options.corruption = (enum corruption)i;
			return 0;
		}
	}
	snprintf(why, OPTION_WHY_SIZE, "must be byte, name or short");
	return -EINVAL;
}

static const char usage[] =
	"usage: labserver --name NAME --listen ADDR:PORT [options]\n"
	"       labserver --tell PATH [COMMAND...]     (without one: lines from stdin)\n"
	"\n"
	"Serves GET /v/NONCE/LENGTH (a pattern that can be checked), GET /, HEAD, and POST and\n"
	"PUT, which are answered with the body's length and digest.\n"
	"Commands on the control socket: speed F, pause MS, class PREFIX=..., stats, quit.";

static const struct option_row rows[] = {
	{"name", "NAME", "value of X-Backend", option_name, NULL, 0, 0},
	{"listen", "ADDR:PORT", "may be repeated; port 0: any", option_listen, NULL, 0, 0},
	{"workers", "C", "requests in service at once (4)", option_count, &server.options.workers,
	 1, 1e6},
	{"service-ms", "X", "mean service time (5)", option_real, &server.options.service_ms, 0,
	 3.6e6},
	{"jitter", "F", "its relative standard deviation (0)", option_real, &server.options.jitter,
	 0, 10},
	{"class", "PREFIX=SERVICE_MS[+DISTANCE_MS]", "for clients of a prefix; may be repeated",
	 option_class, NULL, 0, 0},
	{"queue", "N", "waiting requests, 503 beyond (1000000)", option_count,
	 &server.options.queue, 0, 1e9},
	{"body", "BYTES", "body of GET / (4000)", option_count, &server.options.body, 0, 1 << 30},
	{"seed", "N", "of the jitter (0)", option_count, &server.options.seed, 0, 1e18},
	{"control", "PATH", "Unix socket for commands", option_text, &server.options.control, 0, 0},
	{"tell", "PATH", "send commands to a server's socket", option_text, &server.options.tell, 0,
	 0},
	{"corrupt", "FAULT", NULL, option_corrupt, NULL, 0, 0},
	{0},
};

static int socket_prepare(int fd, int family)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return -errno;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return -errno;
	return 0;
}

// Accepted connections inherit TCP_NODELAY.
static int socket_listen(int fd, const struct endpoint *at)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(at, &address);
	int err = socket_prepare(fd, at->address.family);

	if (err)
		return err;
	if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096))
		return -errno;
	return 0;
}

static void print_listening(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct endpoint at;
	char text[ADDRESS_TEXT_SIZE];

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		return;
	at = endpoint_from_sockaddr(&address);
	printf("listening %s\n", endpoint_text(&at, text));
}

static int listener_open(struct listener *listener, const struct endpoint *at)
{
	int fd = socket(at->address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : socket_listen(fd, at);
	char text[ADDRESS_TEXT_SIZE];

	listener->server = &server;
	listener->watch = (struct watch){.fd = fd, .ready = conn_accept};
	if (!err)
		err = loop_watch(&server.loop, &listener->watch, EPOLLIN);
	if (err)
		fprintf(stderr, "labserver: cannot listen on %s: %s%s\n", endpoint_text(at, text),
			strerror(-err),
			err == -EADDRINUSE ? "; stop the other server or choose another port" : "");
	else
		print_listening(fd);
	return err;
}

static void signal_ready(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	loop_stop(&server.loop);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int server_open(struct watch *signals)
{
	int err = loop_open(&server.loop);

	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	server.started_ns = server.loop.now_ns;
	server.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server.jitter = prng_seed(server.options.seed, 1);
	station_init(&server.station, &server.loop.timers, server.options.workers,
		     server.options.queue);
	if (!err)
		err = loop_watch_signals(&server.loop, signals);
	for (size_t i = 0; !err && i < server.options.listen_count; i++)
		err = listener_open(&listeners[i], &server.options.listen[i]);
	if (!err && server.options.control)
		err = control_open(&server, server.options.control);
	fflush(stdout);
	return err;
}

static void server_close(void)
{
	control_close(&server);
	loop_close(&server.loop);
	conn_free_all(&server);
}

int main(int argc, char **argv)
{
	struct watch signals = {.fd = -1, .ready = signal_ready};
	int rest = options_parse(rows, usage, argc, argv), err;

	if (rest <= 0)
		return rest ? 2 : 0;
	if (server.options.tell)
		return tell(server.options.tell, argc - rest, argv + rest);
	if (!server.options.name || !server.options.listen_count || rest < argc) {
		fprintf(stderr, "labserver: %s; --help lists the options\n",
			rest < argc ? "there are words that are not options"
				    : "--name and --listen are needed");
		return 2;
	}
	err = server_open(&signals);
	if (!err)
		err = loop_run(&server.loop);
	server_close();
	return err ? 1 : 0;
}
