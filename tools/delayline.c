// SPDX-License-Identifier: BSD-2-Clause
// Distance for the lab: a network interface that returns each packet routed to it, some time
// later, as one that has just arrived. In: the interface's name and the time. It lives as long as
// this process; routes that lead packets to it, and on from it, are the caller's.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "lib/options.h"

#define MAX_PACKETS 8192 // on their way; more are lost, as they would be in a queue
#define PACKET_SIZE 2048

static const char *name = "delay";
static double delay_ms = 20;

static const struct option_row rows[] = {
	{"name", "NAME", "of the interface (delay)", option_text, &name, 0, 0},
	{"ms", "T", "until a packet returns (20)", option_real, &delay_ms, 0, 10000},
	{0},
};

// All take the same time, so the first in is the first out.
static struct packet {
	uint64_t due;
	ssize_t length;
	char bytes[PACKET_SIZE];
} packets[MAX_PACKETS];
static uint64_t taken, returned;

static int open_interface(void)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd;

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENAMETOOLONG;
	memcpy(request.ifr_name, name, strlen(name));
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

// Takes what is there. A packet without a place is read and forgotten.
static void take(int fd)
{
	static char lost[PACKET_SIZE];
	uint64_t due = clock_now() + clock_from_ms(delay_ms);

	for (;;) {
		bool room = taken - returned < MAX_PACKETS;
		struct packet *packet = &packets[taken % MAX_PACKETS];
		ssize_t length = read(fd, room ? packet->bytes : lost, PACKET_SIZE);

		if (length <= 0)
			return;
		if (!room)
			continue;
		packet->length = length;
		packet->due = due;
		taken++;
	}
}

// Returns what is due. Out: the time until the next is, NULL for ever.
static const struct timespec *give_back(int fd, struct timespec *rest)
{
	for (; returned < taken; returned++) {
		const struct packet *packet = &packets[returned % MAX_PACKETS];
		uint64_t now = clock_now();

		if (packet->due > now) {
			rest->tv_sec = (time_t)((packet->due - now) / NS_PER_S);
			rest->tv_nsec = (long)((packet->due - now) % NS_PER_S);
			return rest;
		}
		(void)!write(fd, packet->bytes, (size_t)packet->length);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int rest = options_parse(rows, "delayline [--name NAME] [--ms T]", argc, argv);
	struct pollfd watched = {.events = POLLIN};
	struct timespec time;

	if (rest <= 0)
		return rest ? 2 : 0;
	watched.fd = open_interface();
	if (watched.fd < 0) {
		fprintf(stderr, "delayline: %s: %s\n", name, strerror(-watched.fd));
		return 1;
	}
	for (;;) {
		if (ppoll(&watched, 1, give_back(watched.fd, &time), NULL) < 0 && errno != EINTR)
			return 1;
		take(watched.fd);
	}
}
