// SPDX-License-Identifier: BSD-2-Clause
// Makes networks longer: a TUN device per link, whose packets come back out of it after a delay
// that depends on their destination. This kernel has no netem, and a delay in a server would look
// like slow work; a delay of packets looks like distance, in connect times too.
//
// In: --row LINK:PREFIX=MS; route to LINK what is to be delayed. Out: the same packets, in order.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/address.h"
#include "clock.h"
#include "lib/container.h"
#include "lib/loop.h"
#include "lib/number.h"
#include "lib/options.h"

#define MAX_LINKS   64
#define MAX_ROWS    512
#define MAX_PACKET  2048
#define MOST_MS	    10000
#define MOST_QUEUED 20000 // packets of a row; more are dropped, as a router would

struct packet {
	struct packet *next;
	uint64_t due_ns;
	size_t length;
	unsigned char bytes[];
};

struct link {
	struct watch watch;
	char name[IFNAMSIZ];
};

// Packets of a row are all delayed by the same time: first in, first out.
struct row {
	struct link *link;
	struct prefix prefix;
	uint64_t delay_ns;
	struct timer timer;
	struct packet *first, **end;
	size_t queued;
};

static struct loop loop;
static struct link links[MAX_LINKS];
static struct row rows[MAX_ROWS];
static size_t link_count, row_count;
static uint64_t dropped;

static const char usage[] = "usage: distance --row LINK:PREFIX=MS...\n"
			    "\n"
			    "Creates a TUN device for each LINK; what is routed to it comes back\n"
			    "out of it MS later, by the destination's PREFIX.";

static struct link *link_named(const char *name)
{
	for (size_t i = 0; i < link_count; i++)
		if (!strcmp(links[i].name, name))
			return &links[i];
	if (link_count == MAX_LINKS || strlen(name) >= IFNAMSIZ || !*name)
		return NULL;
	strcpy(links[link_count].name, name);
	return &links[link_count++];
}

static int option_row_parse(const struct option_row *option, const char *text, char *why)
{
	struct row *row = &rows[row_count];
	char copy[128], *prefix, *ms;
	double delay_ms;

	(void)option;
	if (row_count == MAX_ROWS || snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -ENOSPC;
	snprintf(why, OPTION_WHY_SIZE, "must be like far1:10.1.0.0/24=12.5");
	prefix = strchr(copy, ':');
	ms = prefix ? strchr(prefix, '=') : NULL;
	if (!ms)
		return -EINVAL;
	*prefix++ = '\0';
	*ms++ = '\0';
	row->link = link_named(copy);
	if (!row->link || prefix_parse(prefix, &row->prefix) ||
	    number_parse_real(ms, 0, MOST_MS, &delay_ms))
		return -EINVAL;
	row->delay_ns = clock_from_ms(delay_ms);
	row->end = &row->first;
	row_count++;
	return 0;
}

// The destination of an IP packet; family 0 if it is neither IPv4 nor IPv6.
static struct address packet_destination(const unsigned char *bytes, size_t length)
{
	struct address out = {0};
	size_t at = 0, size = 0;

	if (length >= 20 && bytes[0] >> 4 == 4) {
		out.family = AF_INET;
		at = 16;
		size = 4;
	} else if (length >= 40 && bytes[0] >> 4 == 6) {
		out.family = AF_INET6;
		at = 24;
		size = 16;
	}
	for (size_t i = 0; i < size; i++)
		out.bits = out.bits << 8 | bytes[at + i];
	return out;
}

static struct row *row_of(const struct link *link, const struct address *destination)
{
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].link == link && prefix_contains(&rows[i].prefix, destination))
			return &rows[i];
	return NULL;
}

static void packet_send(const struct link *link, const unsigned char *bytes, size_t length)
{
	if (write(link->watch.fd, bytes, length) < 0)
		dropped++;
}

static void row_fire(struct timer *timer)
{
	struct row *row = container_of(timer, struct row, timer);

	while (row->first && row->first->due_ns <= loop.now_ns) {
		struct packet *packet = row->first;

		packet_send(row->link, packet->bytes, packet->length);
		row->first = packet->next;
		row->queued--;
		free(packet);
	}
	if (row->first)
		timers_arm(&loop.timers, timer, row->first->due_ns);
	else
		row->end = &row->first;
}

static void row_queue(struct row *row, const unsigned char *bytes, size_t length)
{
	struct packet *packet = NULL;

	if (row->queued < MOST_QUEUED)
		packet = malloc(sizeof(*packet) + length);
	if (!packet) {
		dropped++;
		return;
	}
	packet->next = NULL;
	packet->due_ns = clock_now() + row->delay_ns;
	packet->length = length;
	memcpy(packet->bytes, bytes, length);
	*row->end = packet;
	row->end = &packet->next;
	row->queued++;
	if (!timer_armed(&row->timer))
		timers_arm(&loop.timers, &row->timer, packet->due_ns);
}

static void link_ready(struct watch *watch, uint32_t events)
{
	struct link *link = container_of(watch, struct link, watch);
	unsigned char bytes[MAX_PACKET];
	ssize_t length;

	(void)events;
	while ((length = read(watch->fd, bytes, sizeof(bytes))) > 0) {
		struct address destination = packet_destination(bytes, (size_t)length);
		struct row *row = row_of(link, &destination);

		if (row)
			row_queue(row, bytes, (size_t)length);
		else
			packet_send(link, bytes, (size_t)length);
	}
}

static int link_open(struct link *link)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	memcpy(request.ifr_name, link->name, sizeof(link->name));
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) {
		fprintf(stderr, "distance: cannot create the TUN device %s: %s\n", link->name,
			strerror(errno));
		return -errno;
	}
	link->watch = (struct watch){.fd = fd, .ready = link_ready};
	return loop_watch(&loop, &link->watch, EPOLLIN);
}

static void signal_ready(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	loop_stop(&loop);
}

int main(int argc, char **argv)
{
	const struct option_row options[] = {
		{"row", "LINK:PREFIX=MS", "may be repeated", option_row_parse, NULL, 0, 0},
		{0},
	};
	struct watch signals = {.fd = -1, .ready = signal_ready};
	int rest = options_parse(options, usage, argc, argv), err;

	if (rest <= 0 || rest < argc || !row_count) {
		if (rest)
			fprintf(stderr, "distance: give --row options, nothing else\n");
		return rest ? 2 : 0;
	}
	err = loop_open(&loop);
	if (!err)
		err = loop_watch_signals(&loop, &signals);
	for (size_t i = 0; i < row_count; i++)
		rows[i].timer.fire = row_fire;
	for (size_t i = 0; !err && i < link_count; i++)
		err = link_open(&links[i]);
	if (!err) {
		puts("ready");
		fflush(stdout);
		err = loop_run(&loop);
	}
	if (dropped)
		fprintf(stderr, "distance: %llu packets were dropped\n",
			(unsigned long long)dropped);
	return err ? 1 : 0;
}
