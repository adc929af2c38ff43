// SPDX-License-Identifier: BSD-2-Clause
/* larchd: the daemon. Command line, event loop; everything else is the controller's. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "control.h"
#include "controller.h"
#include "fault.h"
#include "larch/types.h"
#include "log.h"
#include "members.h"
#include "notify.h"
#include "remember.h"
#include "report.h"

#define EXIT_REFUSED   1
#define EXIT_USAGE     2
#define DEFAULT_CONFIG "/etc/larch/larch.yaml"
#define DEFAULT_PINS   "/sys/fs/bpf/larch"
#define DEFAULT_SOCKET "/run/larch/larchd.sock"
#define DEFAULT_STATE  "/var/lib/larch"
#define STATE_FILE     "state.json"
#define LATE_TICKS     3 /* without a tick for so many intervals, ticks are not made */

#define WATCH_NS (100 * 1000 * 1000) /* between two looks at what clients meet at the backends */

struct arguments {
	struct controller_options options;
	struct config_interface interface[CONFIG_MAX_INTERFACES];
	const char *socket;
	char state[PATH_MAX]; /* the default, where its folder is */
	bool check_only;
	bool detach;
};

static void print_help(FILE *to)
{
	fputs("Usage: larchd [-c FILE] [options]\n"
	      "Runs Larch's controller in the foreground: loads or adopts the XDP program, keeps\n"
	      "next hops, learns from what BPF measured and publishes it.\n"
	      "\n"
	      "  -c, --config FILE     configuration (" DEFAULT_CONFIG ")\n"
	      "  -t, --check           check the configuration and exit: 0 valid, 1 refused\n"
	      "  -i, --interface NAME  attach here instead of where the file says; repeatable\n"
	      "  -p, --pin-dir DIR     folder of pins (" DEFAULT_PINS ")\n"
	      "  -s, --socket PATH     control socket for larchctl (" DEFAULT_SOCKET ")\n"
	      "      --state FILE      what outlives larchd: orders of operators, and beside it\n"
	      "                        last-good.yaml (" DEFAULT_STATE "/" STATE_FILE "; or in\n"
	      "                        $STATE_DIRECTORY, as systemd sets it)\n"
	      "      --strict          a start with a bad file is refused; without this larchd\n"
	      "                        starts with the last good configuration, and says so\n"
	      "  -d, --detach          at the end remove program and pins (else they go on alone)\n"
	      "  -l, --log LEVEL       error, warning, info (default) or debug\n"
	      "  -V, --version\n"
	      "  -h, --help\n"
	      "\n"
	      "Signals: SIGHUP reloads the configuration (all of it or nothing); SIGTERM and\n"
	      "SIGINT end the daemon; the data plane goes on by the last generation.\n"
	      "Exit status: 0 ended or valid, 1 refused or failed, 2 usage.\n",
	      to);
}

static int add_interface(struct arguments *arguments, const char *name)
{
	struct config_interface *interface;

	if (arguments->options.interface_count == CONFIG_MAX_INTERFACES ||
	    strlen(name) >= sizeof(interface->name) || !*name) {
		fprintf(stderr, "larchd: '%s' cannot be an interface's name\n", name);
		return -EINVAL;
	}
	interface = &arguments->interface[arguments->options.interface_count++];
	strcpy(interface->name, name);
	interface->mode = CONFIG_XDP_NATIVE;
	return 0;
}

enum { OPTION_STATE = 256, OPTION_STRICT };

static int take_option(struct arguments *arguments, int option)
{
	enum log_level level;

	switch (option) {
	case 'c':
		arguments->options.config_file = optarg;
		return 0;
	case 't':
		arguments->check_only = true;
		return 0;
	case 'i':
		return add_interface(arguments, optarg);
	case 'p':
		arguments->options.pin_directory = optarg;
		return 0;
	case 's':
		arguments->socket = optarg;
		return 0;
	case 'd':
		arguments->detach = true;
		return 0;
	case OPTION_STATE:
		arguments->options.state_file = optarg;
		return 0;
	case OPTION_STRICT:
		arguments->options.strict = true;
		return 0;
	case 'l':
		if (log_parse_level(optarg, &level) != 0) {
			fprintf(stderr,
				"larchd: '%s' is no log level; "
				"expected error, warning, info or debug\n",
				optarg);
			return -EINVAL;
		}
		log_set_level(level);
		return 0;
	default:
		return -EINVAL;
	}
}

/* 0: go on; otherwise the exit status + 1. */
static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 't'},
		{"interface", required_argument, NULL, 'i'},
		{"pin-dir", required_argument, NULL, 'p'},
		{"socket", required_argument, NULL, 's'},
		{"state", required_argument, NULL, OPTION_STATE},
		{"strict", no_argument, NULL, OPTION_STRICT},
		{"detach", no_argument, NULL, 'd'},
		{"log", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:ti:p:s:dl:Vh", options, NULL)) != -1) {
		if (option == 'h') {
			print_help(stdout);
			return 1;
		}
		if (option == 'V') {
			printf("larchd %s (ABI %d)\n", LARCH_VERSION, LARCH_ABI);
			return 1;
		}
		if (take_option(arguments, option) != 0) {
			fputs("Try 'larchd --help'.\n", stderr);
			return 1 + EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "larchd: unexpected argument '%s'\nTry 'larchd --help'.\n",
			argv[optind]);
		return 1 + EXIT_USAGE;
	}
	arguments->options.interfaces = arguments->interface;
	return 0;
}

static int check_config(const char *file)
{
	struct larch_config *config;
	struct config_errors errors;
	char line[512];
	int error = config_load(file, &config, &errors);

	if (!error) {
		printf("%s: valid: %zu services, %zu backends", file, config->service_count,
		       config->backend_count);
		if (config->host_count)
			printf(", and those of %zu names", config->host_count);
		putchar('\n');
		config_free(config);
		return 0;
	}
	for (size_t i = 0; i < errors.count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(file, &errors.error[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	if (errors.count > CONFIG_MAX_ERRORS)
		fprintf(stderr, "%s: and %zu errors more\n", file,
			errors.count - CONFIG_MAX_ERRORS);
	if (!errors.count)
		fprintf(stderr, "%s: %s\n", file, strerror(-error));
	return EXIT_REFUSED;
}

struct loop {
	struct controller *controller;
	struct control *control;
	int epoll, signals, timer, watch;
	uint32_t interval_ms; /* that the timer is set to */
	uint64_t alive_ns;    /* between signs of life; 0: nobody asks for them */
	uint64_t signed_ns;   /* when the last one was given */
	uint64_t ticks;	      /* of the controller, at the last look */
	uint64_t progress_ns; /* when they last went up */
	bool ends;
};

static int watch(const struct loop *loop, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* Makes the timer follow the configuration in force. */
static void set_timer(struct loop *loop)
{
	uint32_t ms = loop->controller->config->learning.interval_ms;
	struct timespec interval = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	struct itimerspec spec = {.it_interval = interval, .it_value = interval};

	if (ms == loop->interval_ms)
		return;
	timerfd_settime(loop->timer, 0, &spec, NULL);
	loop->interval_ms = ms;
}

/* From the beginning, so that a signal during the start waits for the loop. */
static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int open_loop(struct loop *loop, const char *socket)
{
	const struct itimerspec every = {.it_interval = {.tv_nsec = WATCH_NS},
					 .it_value = {.tv_nsec = WATCH_NS}};
	int error;

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	loop->watch = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->epoll < 0 || loop->signals < 0 || loop->timer < 0 || loop->watch < 0)
		return -errno;
	error = control_open(&loop->control, socket, loop->controller);
	if (error) {
		log_error("%s: cannot listen: %s", socket, strerror(-error));
		return error;
	}
	error = watch(loop, loop->signals);
	if (!error)
		error = watch(loop, loop->timer);
	if (!error)
		error = watch(loop, loop->watch);
	if (!error)
		error = watch(loop, netlink_fd(loop->controller->netlink));
	if (!error)
		error = watch(loop, checks_fd(loop->controller->checks));
	if (!error)
		error = watch(loop, control_fd(loop->control));
	if (!error)
		error = watch(loop, controller_names_fd(loop->controller));
	timerfd_settime(loop->watch, 0, &every, NULL);
	set_timer(loop);
	return error;
}

static void close_loop(struct loop *loop)
{
	control_close(loop->control);
	close(loop->watch);
	close(loop->timer);
	close(loop->signals);
	close(loop->epoll);
}

static void take_signal(struct loop *loop)
{
	struct signalfd_siginfo info;
	struct config_errors errors;

	while (read(loop->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			controller_reload(loop->controller, &errors);
		else
			loop->ends = true;
	}
}

static void take_timer(struct loop *loop)
{
	uint64_t expirations;

	if (read(loop->timer, &expirations, sizeof(expirations)) == sizeof(expirations))
		controller_tick(loop->controller);
}

static void take_watch(struct loop *loop)
{
	uint64_t expirations;

	if (read(loop->watch, &expirations, sizeof(expirations)) == sizeof(expirations))
		controller_watch_backends(loop->controller);
}

/* A loop that turns is not enough: the sign of life is given while ticks are completed. */
static void tell_alive(struct loop *loop)
{
	uint64_t now = clock_now();

	if (loop->ticks != loop->controller->ticks || !loop->progress_ns) {
		loop->ticks = loop->controller->ticks;
		loop->progress_ns = now;
	}
	if (!loop->alive_ns || now - loop->signed_ns < loop->alive_ns ||
	    now - loop->progress_ns > LATE_TICKS * loop->interval_ms * NS_PER_MS)
		return;
	loop->signed_ns = now;
	notify_alive();
}

/* What follows from whatever has happened. */
static void settle(struct loop *loop)
{
	char line[256];

	set_timer(loop);
	remember(loop->controller);
	state_flush(loop->controller->state);
	report_line(loop->controller, line, sizeof(line));
	notify_status(line);
	tell_alive(loop);
}

static void run(struct loop *loop)
{
	int patience = loop->alive_ns ? (int)(loop->alive_ns / NS_PER_MS) + 1 : -1;

	while (!loop->ends) {
		struct epoll_event event[8];
		int count = epoll_wait(loop->epoll, event, 8, patience);

		for (int i = 0; i < count; i++) {
			int fd = event[i].data.fd;

			if (fd == loop->signals)
				take_signal(loop);
			else if (fd == loop->timer)
				take_timer(loop);
			else if (fd == loop->watch)
				take_watch(loop);
			else if (fd == netlink_fd(loop->controller->netlink))
				controller_network(loop->controller);
			else if (fd == checks_fd(loop->controller->checks))
				checks_process(loop->controller->checks);
			else if (fd == controller_names_fd(loop->controller))
				controller_names(loop->controller);
			else
				control_process(loop->control);
		}
		settle(loop);
	}
}

/* The folder of the default socket may not exist yet on this host. */
static void make_socket_directory(const char *socket)
{
	char directory[256];
	char *slash;

	snprintf(directory, sizeof(directory), "%s", socket);
	slash = strrchr(directory, '/');
	if (!slash || slash == directory)
		return;
	*slash = '\0';
	mkdir(directory, 0755);
}

static int serve(const struct arguments *arguments)
{
	struct loop loop = {.signals = open_signals(), .alive_ns = notify_alive_ns()};
	int error = controller_open(&loop.controller, &arguments->options);

	if (error)
		return EXIT_REFUSED;
	make_socket_directory(arguments->socket);
	error = open_loop(&loop, arguments->socket);
	if (!error) {
		log_info("larchd " LARCH_VERSION " runs: %zu services, %zu backends",
			 loop.controller->config->service_count,
			 loop.controller->config->backend_count);
		notify_ready();
		settle(&loop);
		run(&loop);
		notify_stopping();
		log_info(arguments->detach ? "ends; program and pins are removed"
					   : "ends; the data plane goes on");
	}
	close_loop(&loop);
	/* A start that failed leaves nothing that was not there before. */
	controller_close(loop.controller,
			 error ? !loop.controller->datapath->adopted : arguments->detach);
	return error ? EXIT_REFUSED : 0;
}

/* systemd's StateDirectory= may be a list; ours is the first. */
static void set_state_file(struct arguments *arguments)
{
	const char *given = getenv("STATE_DIRECTORY");
	const char *folder = given && *given ? given : DEFAULT_STATE;

	snprintf(arguments->state, sizeof(arguments->state), "%.*s/" STATE_FILE,
		 (int)strcspn(folder, ":"), folder);
	arguments->options.state_file = arguments->state;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.options = {.config_file = DEFAULT_CONFIG, .pin_directory = DEFAULT_PINS},
		.socket = DEFAULT_SOCKET,
	};
	int ends;

	set_state_file(&arguments);
	ends = parse_arguments(&arguments, argc, argv);
	if (ends)
		return ends - 1;
	if (arguments.check_only)
		return check_config(arguments.options.config_file);
	fault_begin();
	return serve(&arguments);
}
