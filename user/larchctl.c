// SPDX-License-Identifier: BSD-2-Clause
/* larchctl: the command line. A command is one row of the table; see larchctl.h for the parts. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "larchctl.h"

/* Options that only some commands take. */
enum { TAKES_ALL = 1, TAKES_FLOW = 2, TAKES_LIMIT = 4, TAKES_CAPTURE = 8, TAKES_DEADLINE = 16 };

struct command {
	const char *name, *arguments, *summary;
	int least, most; /* arguments */
	unsigned takes;
	unsigned formats; /* besides table and json */
	/* either a request with its renderer; the argument is a service's name */
	void (*show)(const struct larchctl *ctl, const json_t *answer);
	/* or a function of its own */
	enum larchctl_exit (*run)(const struct larchctl *ctl, int count, char **arguments);
	/* or, without both, an order for a backend, by the command's name */
	const char *help;
};

static const struct command commands[] = {
	{"status", "", "is the daemon well, and what is it doing?", 0, 0, TAKES_ALL, 0,
	 larchctl_show_status, NULL,
	 "Version, configuration, interfaces, tables, generations, cost of a tick, and what\n"
	 "happened to the packets (--all: outcomes that never happened too). What needs\n"
	 "attention comes first.\n"},
	{"list", "[SERVICE]", "services and their backends", 0, 1, 0, 0, larchctl_show_list, NULL,
	 "SHARE: of new flows. FLOWS: in the flow table. NET and SVC: what a request costs on\n"
	 "the way and at the server when nothing else is there. SLOWDOWN: how much longer the\n"
	 "backend takes right now than expected.\n"},
	{"stat", "[SERVICE]", "counters, under HAProxy's names", 0, 1, 0, LARCHCTL_CSV,
	 larchctl_show_stat, NULL,
	 "scur flows now, qcur requests in flight, stot flows, bin bytes from clients, ctime\n"
	 "and rtime mean connect and server time in ms. A backend's counters are of all the\n"
	 "services that it is in.\n"},
	{"tree", "[SERVICE]", "which clients go to which backends, and why", 0, 1, 0,
	 LARCHCTL_DOT | LARCHCTL_SVG, larchctl_show_tree, NULL,
	 "Every class of clients that Larch tells apart: who they are, their part of the flows,\n"
	 "the share and cost of each backend, and the evidence. -o dot: for Graphviz;\n"
	 "-o svg: a picture.\n"},
	{"explain", "SRC:PORT DST:PORT[/tcp|/udp]", "why does this flow go where it goes?", 2, 2,
	 TAKES_FLOW, 0, NULL, larchctl_explain,
	 "Asks the tables that the kernel steers by, without side effects. IPv6: [ADDRESS]:PORT.\n"
	 "instead: what would have had to differ, one thing at a time, for another candidate.\n"
	 "What addresses and ports do not show is assumed, and printed, unless it is given:\n"
	 "  --hops N          how far away the client is\n"
	 "  --size N          bytes of the flow's first packet (IP)\n"
	 "  --interface IF    where it arrives\n"},
	{"benefit", "[SERVICE]", "what learning is worth: learned against control", 0, 1,
	 TAKES_LIMIT, 0, larchctl_show_benefit, NULL,
	 "1 flow in 16, or fewer where there are many (it says how many), goes by configured\n"
	 "weights alone. RATIO: how many times as long as the\n"
	 "learned flows these control flows take; above 1, learning helps. --limit N: client\n"
	 "prefixes shown (20).\n"},
	{"history", "[SERVICE]", "the last generations, and why they were published", 0, 1, 0, 0,
	 larchctl_show_history, NULL,
	 "Below each: whose share of which clients' new flows moved most, and why.\n"},
	{"reload", "", "read the configuration again, all of it or nothing", 0, 0, 0, 0,
	 larchctl_show_reload, NULL,
	 "Waits. Refused: prints FILE:LINE:COLUMN of what is wrong, exit status 1, and the\n"
	 "configuration before it stays in force.\n"},
	{"drain", "BACKEND [SERVICE]", "no new flows for a backend; those that it has go on", 1, 2,
	 TAKES_DEADLINE, 0, NULL, NULL,
	 "Without SERVICE: in all that have it. When no flow is left, or the deadline has passed, "
	 "it\n"
	 "is in maintenance. No flow is broken. Outlives larchd; 'larchctl activate' ends it.\n"
	 "  --deadline TIME   such as 90s or 30m\n"},
	{"maintenance", "BACKEND [SERVICE]", "the same, at once, and without health checks", 1, 2,
	 0, 0, NULL, NULL, "'larchctl activate' ends it.\n"},
	{"activate", "BACKEND [SERVICE]", "ends a drain or maintenance", 1, 2, 0, 0, NULL, NULL,
	 "Its part of the new flows grows for the service's slow_start.\n"},
	{"withdraw", "[SERVICE]", "take its addresses off the network: clients go elsewhere", 0, 1,
	 0, 0, larchctl_show_ordered, NULL,
	 "Removes the routes that announce the service's addresses, or those of all services,\n"
	 "until 'larchctl announce'. What is still sent here is balanced all the same. An address\n"
	 "that another service has, too, stays as long as that one is announced.\n"},
	{"announce", "[SERVICE]", "take back what 'withdraw' did", 0, 1, 0, 0,
	 larchctl_show_ordered, NULL,
	 "An address is announced if packets can get through: 'larchctl status' says why one is\n"
	 "not.\n"},
	{"arm", "< FLOWS", "is a flow of the learned or of the control arm?", 0, 0, 0, 0, NULL,
	 larchctl_arm,
	 "Reads lines SOURCE PORT DESTINATION PORT PROTOCOL [TIME] and writes each with 'learned'\n"
	 "or 'control' appended, or '?' to what is no flow (exit status 1 then). The arm's size\n"
	 "follows the traffic: 'either' says that the flow table does not know the flow any more,\n"
	 "and that the size may have changed around TIME (when it began, seconds since the epoch;\n"
	 "without TIME: since larchd began).\n"},
	{"capture", "", "packets as they leave, by outcome, host and port", 0, 0, TAKES_CAPTURE, 0,
	 NULL, larchctl_capture,
	 "Works without larchd, as root, until Ctrl-C. One line a packet, of its flow:\n"
	 "  -w, --write FILE  writes a pcap instead (-: to stdout)\n"
	 "  --outcome NAME    only packets of this outcome; may be given several times\n"
	 "  --host ADDR[/LEN] only flows from or to there\n"
	 "  --port N          only flows with this port on either side\n"
	 "  --count N         ends after so many packets\n"
	 "  --seconds S       ends after so long\n"
	 "  -p, --pins DIR    larchd's pins (" LARCHCTL_PINS ")\n"
	 "Up to 256 bytes of a packet. Those that come faster than they are read are lost, and\n"
	 "counted at the end. NAME: see 'larchctl status --all'.\n"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
	fputs("Usage: larchctl [options] COMMAND [arguments]\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "  -s, --socket PATH    larchd's control socket (else $LARCH_SOCKET, else\n"
	      "                       " LARCHCTL_SOCKET ")\n"
	      "  -o, --output FORMAT  table (default) or json; csv of stat, dot and svg of tree\n"
	      "  -V, --version\n"
	      "  -h, --help           'larchctl help COMMAND' says more\n"
	      "\n"
	      "Exit status: 0 ok, 1 refused or failed, 2 usage, 3 larchd cannot be reached,\n"
	      "4 not found.\n",
	      to);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	fprintf(stderr, "larchctl: there is no command '%s'; try 'larchctl --help'\n", name);
	return NULL;
}

static enum larchctl_exit help(int count, char **arguments)
{
	const struct command *command;

	if (count == 0) {
		print_help(stdout);
		return LARCHCTL_OK;
	}
	command = find_command(arguments[0]);
	if (!command)
		return LARCHCTL_USAGE;
	printf("Usage: larchctl %s%s%s\n\n%s%s%s", command->name, *command->arguments ? " " : "",
	       command->arguments, command->summary, *command->help ? "\n\n" : "\n", command->help);
	return LARCHCTL_OK;
}

static bool take_format(struct larchctl *ctl, const char *text)
{
	static const struct {
		const char *name;
		enum larchctl_format format;
	} formats[] = {{"table", LARCHCTL_TABLE},
		       {"json", LARCHCTL_JSON},
		       {"csv", LARCHCTL_CSV},
		       {"dot", LARCHCTL_DOT},
		       {"svg", LARCHCTL_SVG}};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, text) == 0) {
			ctl->format = formats[i].format;
			return true;
		}
	}
	fprintf(stderr,
		"larchctl: '%s' is no output format; expected table, json, csv, dot or "
		"svg\n",
		text);
	return false;
}

enum {
	OPTION_ALL = 256,
	OPTION_HOPS,
	OPTION_SIZE,
	OPTION_INTERFACE,
	OPTION_LIMIT,
	OPTION_DEADLINE,
	OPTION_OUTCOME,
	OPTION_HOST,
	OPTION_PORT,
	OPTION_COUNT,
	OPTION_SECONDS
};

static const struct option options[] = {
	{"socket", required_argument, NULL, 's'},
	{"output", required_argument, NULL, 'o'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{"all", no_argument, NULL, OPTION_ALL},
	{"hops", required_argument, NULL, OPTION_HOPS},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"interface", required_argument, NULL, OPTION_INTERFACE},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"deadline", required_argument, NULL, OPTION_DEADLINE},
	{"write", required_argument, NULL, 'w'},
	{"pins", required_argument, NULL, 'p'},
	{"outcome", required_argument, NULL, OPTION_OUTCOME},
	{"host", required_argument, NULL, OPTION_HOST},
	{"port", required_argument, NULL, OPTION_PORT},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{},
};

static bool take_capture(struct larchctl_capture *capture, int option)
{
	switch (option) {
	case 'w':
		capture->file = optarg;
		return true;
	case 'p':
		capture->pins = optarg;
		return true;
	case OPTION_OUTCOME:
		larchctl_take_outcome(capture, optarg);
		return true;
	case OPTION_HOST:
		capture->host = optarg;
		return true;
	case OPTION_PORT:
		capture->port = optarg;
		return true;
	case OPTION_COUNT:
		capture->count = optarg;
		return true;
	case OPTION_SECONDS:
		capture->seconds = optarg;
		return true;
	default:
		return false;
	}
}

static bool take_option(struct larchctl *ctl, int option)
{
	switch (option) {
	case 's':
		ctl->socket = optarg;
		return true;
	case 'o':
		return take_format(ctl, optarg);
	case OPTION_ALL:
		ctl->all = true;
		return true;
	case OPTION_HOPS:
		ctl->hops = optarg;
		return true;
	case OPTION_SIZE:
		ctl->size = optarg;
		return true;
	case OPTION_INTERFACE:
		ctl->interface = optarg;
		return true;
	case OPTION_LIMIT:
		ctl->limit = optarg;
		return true;
	case OPTION_DEADLINE:
		ctl->deadline = optarg;
		return true;
	default:
		return take_capture(&ctl->capture, option);
	}
}

static bool asks_capture(const struct larchctl_capture *capture)
{
	return capture->file || capture->pins || capture->host || capture->port || capture->count ||
	       capture->seconds || capture->outcomes || capture->wrong;
}

/* What was given must be what the command takes. */
static bool fits(const struct larchctl *ctl, const struct command *command, int count)
{
	unsigned formats = LARCHCTL_TABLE | LARCHCTL_JSON | command->formats;
	unsigned given = (ctl->all ? TAKES_ALL : 0) |
			 (ctl->hops || ctl->size || ctl->interface ? TAKES_FLOW : 0) |
			 (ctl->limit ? TAKES_LIMIT : 0) | (ctl->deadline ? TAKES_DEADLINE : 0) |
			 (asks_capture(&ctl->capture) ? TAKES_CAPTURE : 0);

	if (count >= command->least && count <= command->most && !(given & ~command->takes) &&
	    ctl->format & formats)
		return true;
	if (!(ctl->format & formats))
		fprintf(stderr, "larchctl: %s has no such output format\n", command->name);
	fprintf(stderr, "Usage: larchctl %s%s%s\nTry 'larchctl help %s'.\n", command->name,
		*command->arguments ? " " : "", command->arguments, command->name);
	return false;
}

static enum larchctl_exit ask_and_show(const struct larchctl *ctl, const struct command *command,
				       const char *service)
{
	json_t *request = json_pack("{s:s, s:s*}", "command", command->name, "service", service);
	enum larchctl_exit code;
	json_t *answer;

	if (!request) {
		fprintf(stderr, "larchctl: '%s' is no name\n", service);
		return LARCHCTL_USAGE;
	}
	if (!larchctl_take_number(request, "limit", ctl->limit)) {
		json_decref(request);
		return LARCHCTL_USAGE;
	}
	code = larchctl_ask(ctl, request, &answer);
	if (code == LARCHCTL_OK)
		larchctl_print(ctl, answer, command->show);
	return code;
}

static enum larchctl_exit run(const struct larchctl *ctl, int count, char **arguments)
{
	const struct command *command;

	if (count == 0) {
		print_help(stderr);
		return LARCHCTL_USAGE;
	}
	if (strcmp(arguments[0], "help") == 0)
		return help(count - 1, arguments + 1);
	command = find_command(arguments[0]);
	if (!command || !fits(ctl, command, count - 1))
		return LARCHCTL_USAGE;
	if (command->run)
		return command->run(ctl, count - 1, arguments + 1);
	if (!command->show)
		return larchctl_order(ctl, command->name, count - 1, arguments + 1);
	return ask_and_show(ctl, command, count > 1 ? arguments[1] : NULL);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("LARCH_SOCKET");
	struct larchctl ctl = {
		.socket = socket && *socket ? socket : LARCHCTL_SOCKET,
		.format = LARCHCTL_TABLE,
	};
	int option;

	while ((option = getopt_long(argc, argv, "s:o:w:p:Vh", options, NULL)) != -1) {
		if (option == 'V') {
			puts("larchctl " LARCH_VERSION);
			return LARCHCTL_OK;
		}
		if (option == 'h')
			return help(optind < argc ? 1 : 0, argv + optind);
		if (!take_option(&ctl, option)) {
			fputs("Try 'larchctl --help'.\n", stderr);
			return LARCHCTL_USAGE;
		}
	}
	option = run(&ctl, argc - optind, argv + optind);
	if (fflush(stdout) != 0 && option == LARCHCTL_OK) {
		perror("larchctl");
		return LARCHCTL_FAILED;
	}
	return option;
}
