// SPDX-License-Identifier: BSD-2-Clause
// A client for the lab that lies about when answers arrive. It opens connections by hand, sends
// requests that no server gets to the end of, and acknowledges answers that never came: as soon, or
// as late, as it wants. It may tell backends apart by the TTL of what they send, and lie about one
// of them alone. In: the options below; the source prefix must be routed here and be no local
// address, or the kernel would reset what it does not know. Out: one line of JSON on stdout:
// opened, lies, seconds. Needs root.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "lib/address.h"
#include "lib/options.h"

#define FIRST_PORT 2000
#define FLOWS	   60000 // each has a port of its own
#define PIECE	   100	 // bytes of a request
#define ANSWER	   3000	 // bytes that are acknowledged: more than one segment
#define TURN_MS	   1

enum state { CLOSED, OPENING, WAITING, RESTING };

struct flow {
	enum state state;
	uint64_t due; // ns; of the next lie, or of the next request
	uint32_t sequence, acknowledged, left;
};

static struct endpoint target;
static struct prefix source;
static double rate = 50, seconds = 1, answer_ms;
static uint64_t requests = 5, ttl;
static struct flow flow[FLOWS];
static uint64_t opened, lies;

static int parse_target(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!endpoint_parse(text, &target) && target.port && target.address.family == AF_INET)
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be like 10.0.0.1:80");
	return -EINVAL;
}

static int parse_source(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!prefix_parse(text, &source) && source.base.family == AF_INET)
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be like 10.9.0.0/24");
	return -EINVAL;
}

static const struct option_row rows[] = {
	{"target", "ADDR:PORT", "where to (IPv4)", parse_target, NULL, 0, 0},
	{"source", "PREFIX", "addresses of the connections", parse_source, NULL, 0, 0},
	{"rate", "R", "connections per second (50)", option_real, &rate, 1, 10000},
	{"duration", "S", "seconds (1)", option_real, &seconds, 0.1, 60},
	{"requests", "N", "of each connection (5)", option_count, &requests, 1, 1000},
	{"answer-ms", "T", "after which an answer is said to have come (0)", option_real,
	 &answer_ms, 0, 10000},
	{"ttl", "N", "lie only about who sends with this TTL, as it arrives; 0: all (0)",
	 option_count, &ttl, 0, 255},
	{0},
};

// ---- sending ----

struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t payload[PIECE];
};

static uint32_t sum_words(const void *data, size_t length)
{
	const uint8_t *byte = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	return sum;
}

static uint32_t address_of(size_t i)
{
	uint32_t hosts = prefix_hosts(&source);

	return (uint32_t)prefix_host(&source, (uint32_t)(i % hosts), hosts).bits;
}

static int send_segment(int fd, size_t i, uint8_t flags, uint16_t payload)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl((uint32_t)target.address.bits)};
	struct segment segment = {
		.ip = {.version = 4,
		       .ihl = sizeof(segment.ip) / 4,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .saddr = htonl(address_of(i)),
		       .daddr = to.sin_addr.s_addr},
		.tcp = {.source = htons((uint16_t)(FIRST_PORT + i)),
			.dest = htons(target.port),
			.seq = htonl(flow[i].sequence),
			.ack_seq = htonl(flags & TH_ACK ? flow[i].acknowledged : 0),
			.doff = sizeof(segment.tcp) / 4,
			.window = htons(64240)},
	};
	size_t length = sizeof(segment.tcp) + payload;
	uint32_t sum;

	((uint8_t *)&segment.tcp)[13] = flags;
	memset(segment.payload, 'x', payload);
	sum = sum_words(&segment.ip.saddr, 8) + IPPROTO_TCP + (uint32_t)length +
	      sum_words(&segment.tcp, length);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	segment.tcp.check = htons((uint16_t)~sum);
	return sendto(fd, &segment, sizeof(segment.ip) + length, 0, (void *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}

// ---- a connection ----

static int end_flow(int fd, size_t i)
{
	flow[i].state = CLOSED;
	return send_segment(fd, i, TH_RST, 0);
}

static int open_flow(int fd, size_t i)
{
	flow[i] = (struct flow){.state = OPENING, .left = (uint32_t)requests};
	opened++;
	return send_segment(fd, i, TH_SYN, 0);
}

static int ask(int fd, size_t i)
{
	int err = send_segment(fd, i, TH_ACK | TH_PUSH, PIECE);

	flow[i].sequence += PIECE;
	flow[i].state = WAITING;
	flow[i].due = clock_now() + clock_from_ms(answer_ms);
	return err;
}

// "The answer is here." The next request comes a little later: this one must not look overtaken.
static int lie(int fd, size_t i)
{
	int err;

	flow[i].acknowledged += ANSWER;
	err = send_segment(fd, i, TH_ACK, 0);
	lies++;
	if (!err && --flow[i].left == 0)
		return end_flow(fd, i);
	flow[i].state = RESTING;
	flow[i].due = clock_now() + 20 * NS_PER_MS;
	return err;
}

static int receive(int fd, size_t i, const struct iphdr *ip, const struct tcphdr *tcp)
{
	int err;

	if (flow[i].state != OPENING || !tcp->syn || !tcp->ack)
		return 0;
	flow[i].sequence = 1;
	flow[i].acknowledged = ntohl(tcp->seq) + 1;
	if (ttl && ip->ttl != ttl)
		return end_flow(fd, i);
	err = send_segment(fd, i, TH_ACK, 0);
	return err ? err : ask(fd, i);
}

// ---- the loop ----

static int receive_all(int in, int out)
{
	uint8_t packet[256];
	ssize_t length;
	int err = 0;

	while (!err && (length = recv(in, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		const struct iphdr *ip = (const void *)packet;
		const struct tcphdr *tcp = (const void *)(packet + 4 * ip->ihl);
		uint16_t port;

		if ((size_t)length < sizeof(*ip) || ip->protocol != IPPROTO_TCP ||
		    (size_t)length < 4u * ip->ihl + sizeof(*tcp))
			continue;
		port = ntohs(tcp->dest);
		if (ip->saddr == htonl((uint32_t)target.address.bits) && port >= FIRST_PORT &&
		    port - FIRST_PORT < FLOWS &&
		    ntohl(ip->daddr) == address_of((size_t)(port - FIRST_PORT)))
			err = receive(out, (size_t)(port - FIRST_PORT), ip, tcp);
	}
	return err;
}

static int act(int fd, size_t end)
{
	uint64_t now = clock_now();
	int err = 0;

	for (size_t i = 0; i < end && !err; i++) {
		if (flow[i].state == WAITING && flow[i].due <= now)
			err = lie(fd, i);
		else if (flow[i].state == RESTING && flow[i].due <= now)
			err = ask(fd, i);
	}
	return err;
}

static int run(int in, int out)
{
	struct pollfd wait = {.fd = in, .events = POLLIN};
	uint64_t start = clock_now();
	double elapsed = 0;
	size_t next = 0;
	int err = 0;

	while (elapsed < seconds && !err) {
		while (next < FLOWS && (double)next < elapsed * rate && !err)
			err = open_flow(out, next++);
		poll(&wait, 1, TURN_MS);
		if (!err)
			err = receive_all(in, out);
		if (!err)
			err = act(out, next);
		elapsed = (double)(clock_now() - start) / NS_PER_S;
	}
	for (size_t i = 0; i < next && !err; i++) {
		if (flow[i].state != CLOSED)
			err = end_flow(out, i);
	}
	printf("{\"opened\":%llu,\"lies\":%llu,\"seconds\":%.3f}\n", (unsigned long long)opened,
	       (unsigned long long)lies, elapsed);
	return err;
}

int main(int argc, char **argv)
{
	int rest = options_parse(rows, "liar --target ADDR:PORT --source PREFIX [options]", argc,
				 argv);
	int in, out, err = 0;

	if (rest <= 0)
		return rest ? 2 : 0;
	if (!target.port || !source.base.family) {
		fputs("liar: --target and --source are needed; try --help\n", stderr);
		return 2;
	}
	in = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	out = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); // headers are ours
	if (in < 0 || out < 0)
		err = -errno;
	else
		err = run(in, out);
	if (err)
		fprintf(stderr, "liar: %s\n", strerror(-err));
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return err ? 1 : 0;
}
