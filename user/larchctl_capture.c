// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl capture`: packets that the kernel part has copied, as lines or as a pcap. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "datapath_capture.h"
#include "endpoint.h"
#include "larchctl.h"
#include "outcomes.h"

#define PCAP_NANOSECONDS   0xa1b23c4d
#define PCAP_LINK_ETHERNET 1
#define SECONDS_PER_DAY	   (24 * 3600)
#define LOOK_MS		   200 /* how long a wait for packets is at most */

struct pcap_file {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap, link;
};

struct pcap_packet {
	uint32_t seconds, nanoseconds, captured, bytes;
};

struct output {
	FILE *file;
	bool pcap, json;
	uint64_t epoch; /* what is to be added to the monotonic clock, ns */
	uint64_t packets, most;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void larchctl_take_outcome(struct larchctl_capture *capture, const char *name)
{
	size_t count;
	const struct packet_outcome *all = outcomes_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(all[i].name, name) == 0) {
			capture->outcomes |= 1ull << all[i].number;
			return;
		}
	}
	capture->wrong = name;
}

static bool refuse_outcome(const char *name)
{
	size_t count;
	const struct packet_outcome *all = outcomes_all(&count);

	fprintf(stderr, "larchctl: there is no outcome '%s'; there are:\n", name);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "  %-18s %s\n", all[i].name, all[i].text);
	return false;
}

/* What is to be captured; false: it is wrong, which has been said. */
static bool take_filter(const struct larchctl_capture *asked, struct larch_capture *wanted)
{
	struct in6_addr address;
	uint16_t port = 0;
	int bits = 0;

	if (asked->wrong)
		return refuse_outcome(asked->wrong);
	wanted->outcomes = asked->outcomes ? asked->outcomes : LARCH_CAPTURE_ANY;
	wanted->snap = LARCH_CAPTURE_BYTES;
	if (asked->host && !endpoint_network(asked->host, &address, &bits)) {
		fprintf(stderr,
			"larchctl: '%s' is no address or network; expected 192.0.2.7, "
			"192.0.2.0/24 or 2001:db8::/32\n",
			asked->host);
		return false;
	}
	if (asked->host)
		memcpy(wanted->address, &address, sizeof(wanted->address));
	wanted->prefix = (uint8_t)bits;
	if (asked->port && (endpoint_port(asked->port, &port) != 0 || port == 0)) {
		fprintf(stderr, "larchctl: '%s' is no port; expected 1 to 65535\n", asked->port);
		return false;
	}
	wanted->port = htons(port);
	return true;
}

static bool take_limit(const char *what, const char *text, uint64_t *out)
{
	char *end;

	if (!text)
		return true;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && *out > 0 && *out <= UINT32_MAX && !errno)
		return true;
	fprintf(stderr, "larchctl: '%s' is no number of %s; expected 1 or more\n", text, what);
	return false;
}

/* "10.1.0.7:4711", "[2001:db8::1]:443", "10.1.0.7" without a port, or "-". */
static const char *end_text(const __be32 address[4], __be16 port, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	bool ipv6;

	memcpy(&in6, address, sizeof(in6));
	ipv6 = !IN6_IS_ADDR_V4MAPPED(&in6);
	endpoint_address_text(&in6, text);
	if (IN6_IS_ADDR_UNSPECIFIED(&in6))
		snprintf(out, size, "-");
	else if (!port)
		snprintf(out, size, "%s", text);
	else
		snprintf(out, size, ipv6 ? "[%s]:%u" : "%s:%u", text, ntohs(port));
	return out;
}

static void write_line(const struct output *output, const struct larch_captured *record)
{
	const struct larch_tuple *tuple = &record->tuple;
	uint64_t at = record->time + output->epoch, ns = at % NS_PER_S;
	uint64_t seconds = at / NS_PER_S, of_day = seconds % SECONDS_PER_DAY;
	char from[INET6_ADDRSTRLEN + 8], to[INET6_ADDRSTRLEN + 8];
	const char *name = outcomes_name(record->outcome);

	end_text(tuple->source, tuple->source_port, from, sizeof(from));
	end_text(tuple->destination, tuple->destination_port, to, sizeof(to));
	if (output->json)
		fprintf(output->file,
			"{\"time\":%" PRIu64 ".%09" PRIu64 ",\"outcome\":\"%s\",\"bytes\":%u,"
			"\"interface\":%u,\"protocol\":%u,\"source\":\"%s\",\"destination\":\"%s\"}"
			"\n",
			seconds, ns, name, record->bytes, record->interface, tuple->protocol, from,
			to);
	else
		fprintf(output->file,
			"%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64
			" %-18s %5u  %s -> %s\n",
			of_day / 3600, of_day / 60 % 60, of_day % 60, ns / 1000, name,
			record->bytes, from, to);
}

static void write_packet(const struct output *output, const struct larch_captured *record)
{
	uint64_t at = record->time + output->epoch;
	struct pcap_packet header = {
		.seconds = (uint32_t)(at / NS_PER_S),
		.nanoseconds = (uint32_t)(at % NS_PER_S),
		.captured = record->captured,
		.bytes = record->bytes,
	};

	fwrite(&header, sizeof(header), 1, output->file);
	fwrite(record->data, record->captured, 1, output->file);
}

static int on_packet(void *context, const struct larch_captured *record)
{
	struct output *output = context;

	if (output->most && output->packets == output->most)
		return 0;
	output->packets++;
	if (output->pcap)
		write_packet(output, record);
	else
		write_line(output, record);
	return ferror(output->file) ? -EIO : 0;
}

static int begin_output(struct output *output, const char *name)
{
	const struct pcap_file header = {
		.magic = PCAP_NANOSECONDS,
		.major = 2,
		.minor = 4,
		.snap = LARCH_CAPTURE_BYTES,
		.link = PCAP_LINK_ETHERNET,
	};

	output->epoch = clock_read(CLOCK_REALTIME) - clock_now();
	output->pcap = name != NULL;
	output->file = name && strcmp(name, "-") != 0 ? fopen(name, "wbe") : stdout;
	if (!output->file)
		return -errno;
	if (output->pcap)
		fwrite(&header, sizeof(header), 1, output->file);
	return fflush(output->file) == 0 ? 0 : -errno;
}

static bool has_ended(const struct output *output, uint64_t end)
{
	return interrupted || (output->most && output->packets >= output->most) ||
	       (end && clock_now() >= end);
}

static int run(struct datapath_capture *capture, struct output *output, uint64_t end)
{
	uint64_t renewed = clock_now();
	int error = 0;

	while (!error && !has_ended(output, end)) {
		error = datapath_capture_read(capture, LOOK_MS, on_packet, output);
		error = error == -EINTR ? 0 : error;
		if (!error && fflush(output->file) != 0)
			error = -errno;
		if (clock_now() - renewed >= NS_PER_S) {
			datapath_capture_renew(capture);
			renewed = clock_now();
		}
	}
	datapath_capture_stop(capture);
	if (!error)
		error = datapath_capture_read(capture, 0, on_packet, output);
	return error == -EINTR ? 0 : error;
}

static enum larchctl_exit explain_open(const char *pins, int error)
{
	if (error == -EBUSY)
		fprintf(stderr, "larchctl: another capture is at work in %s; end that one first\n",
			pins);
	else if (error == -ENOENT)
		fprintf(stderr,
			"larchctl: %s has no pins of larch that can capture; is larchd "
			"running, and are its pins elsewhere (-p)?\n",
			pins);
	else if (error == -EPROTO)
		fprintf(stderr,
			"larchctl: the pins in %s are of another version of larch, or no "
			"larchd has set them up\n",
			pins);
	else
		fprintf(stderr, "larchctl: %s: %s%s\n", pins, strerror(-error),
			error == -EPERM || error == -EACCES ? "; capturing takes root" : "");
	return LARCHCTL_FAILED;
}

/* Ctrl-C ends the capture, and so does whoever reads its pcap by closing the pipe. */
static void catch_signals(void)
{
	const struct sigaction ours = {.sa_handler = on_signal};
	const struct sigaction ignored = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &ours, NULL);
	sigaction(SIGTERM, &ours, NULL);
	sigaction(SIGPIPE, &ignored, NULL);
}

static enum larchctl_exit capture_to(struct datapath_capture *capture, struct output *output,
				     const struct larchctl_capture *asked,
				     const struct larch_capture *wanted, uint64_t seconds)
{
	const char *name = asked->file ? asked->file : "stdout";
	int error = begin_output(output, asked->file);

	if (!error) {
		catch_signals();
		datapath_capture_start(capture, wanted);
		error = run(capture, output, seconds ? clock_now() + seconds * NS_PER_S : 0);
		fprintf(stderr, "larchctl: %" PRIu64 " packets, %" PRIu64 " lost\n",
			output->packets, datapath_capture_lost(capture));
	}
	if (output->file && output->file != stdout && fclose(output->file) != 0 && !error)
		error = -errno;
	if (!error || error == -EPIPE)
		return LARCHCTL_OK;
	fprintf(stderr, "larchctl: %s: %s\n", name, strerror(-error));
	return LARCHCTL_FAILED;
}

enum larchctl_exit larchctl_capture(const struct larchctl *ctl, int count, char **arguments)
{
	const char *pins = ctl->capture.pins ? ctl->capture.pins : LARCHCTL_PINS;
	struct output output = {.json = ctl->format == LARCHCTL_JSON};
	struct larch_capture wanted = {};
	struct datapath_capture *capture;
	enum larchctl_exit code;
	uint64_t seconds = 0;
	int error;

	(void)count;
	(void)arguments;
	if (!take_filter(&ctl->capture, &wanted) ||
	    !take_limit("packets", ctl->capture.count, &output.most) ||
	    !take_limit("seconds", ctl->capture.seconds, &seconds))
		return LARCHCTL_USAGE;
	error = datapath_capture_open(&capture, pins);
	if (error)
		return explain_open(pins, error);
	code = capture_to(capture, &output, &ctl->capture, &wanted, seconds);
	datapath_capture_close(capture);
	return code;
}
