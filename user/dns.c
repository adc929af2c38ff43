// SPDX-License-Identifier: BSD-2-Clause
/* Asking for names, by c-ares. See dns.h. */
#include "dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define TIMEOUT_MS  1500 /* of the first try at a server; the second one waits longer */
#define TRIES	    2
#define EVENTS	    16
#define NAME_SIZE   512 /* a name and a domain of `search` */

enum family { IPV4, IPV6, FAMILIES };

/* A question for the addresses of a name, to which each family has an answer of its own. */
struct question {
	struct dns *dns;
	char host[CONFIG_HOST_SIZE];
	size_t attempt; /* of names_attempt(): what is asked for */
	unsigned pending;
	struct half {
		struct question *question;
		enum family family;
		struct names_answer answer;
	} half[FAMILIES];
	dns_done *done;
	void *context;
};

struct dns {
	int epoll, timer;
	bool library, open; /* the channel is there */
	ares_channel channel;
	char servers[CONFIG_MAX_SERVERS * (CONFIG_SERVER_SIZE + 1)]; /* "": of resolv.conf */
	struct timespec read;	  /* when resolv.conf had been changed, as it was read */
	struct ares_options conf; /* what it said, if the channel is there */
	int conf_has;
	size_t pending; /* questions that are under way */
};

/* ---- the channel ---- */

static void on_socket(void *context, ares_socket_t socket, int readable, int writable)
{
	const struct dns *dns = context;
	struct epoll_event event = {
		.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
		.data.fd = socket,
	};

	if (!readable && !writable)
		epoll_ctl(dns->epoll, EPOLL_CTL_DEL, socket, NULL);
	else if (epoll_ctl(dns->epoll, EPOLL_CTL_MOD, socket, &event) != 0 && errno == ENOENT)
		epoll_ctl(dns->epoll, EPOLL_CTL_ADD, socket, &event);
}

static struct timespec conf_changed(void)
{
	struct stat file;

	return stat(RESOLV_CONF, &file) == 0 ? file.st_mtim : (struct timespec){0};
}

static int open_channel(struct dns *dns)
{
	char lookups[] = "b"; /* name servers, whatever nsswitch.conf says */
	struct ares_options options = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.lookups = lookups,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = dns,
	};
	int status = ares_init_options(&dns->channel, &options,
				       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
					       ARES_OPT_SOCK_STATE_CB);

	dns->read = conf_changed();
	dns->open = status == ARES_SUCCESS;
	if (dns->open)
		status = ares_save_options(dns->channel, &dns->conf, &dns->conf_has);
	if (status == ARES_SUCCESS && *dns->servers)
		status = ares_set_servers_ports_csv(dns->channel, dns->servers);
	return status;
}

static void close_channel(struct dns *dns)
{
	if (dns->open) {
		ares_destroy(dns->channel);
		ares_destroy_options(&dns->conf);
		dns->conf = (struct ares_options){0};
	}
	dns->open = false;
}

/* The library reads resolv.conf once. Returns the library's status. */
static int renew_channel(struct dns *dns)
{
	struct timespec changed = conf_changed();
	int status;

	if (dns->open && !dns->pending &&
	    (changed.tv_sec != dns->read.tv_sec || changed.tv_nsec != dns->read.tv_nsec)) {
		log_info(RESOLV_CONF " has changed: names are asked for as it says");
		close_channel(dns);
	}
	if (dns->open)
		return ARES_SUCCESS;
	status = open_channel(dns);
	if (status != ARES_SUCCESS)
		close_channel(dns);
	return status;
}

void dns_set_servers(struct dns *dns, const struct config_resolver *options)
{
	size_t length = 0;

	*dns->servers = '\0';
	for (size_t i = 0; i < options->servers; i++)
		length += (size_t)snprintf(dns->servers + length, sizeof(dns->servers) - length,
					   "%s%s", i ? "," : "", options->server[i]);
	close_channel(dns);
}

/* ---- answers ---- */

static struct in6_addr address_of(const struct sockaddr *address)
{
	struct in6_addr out = {.s6_addr32 = {0, 0, htonl(0xffff), 0}};

	if (address->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	out.s6_addr32[3] = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
	return out;
}

/* Adds those of the family. An AAAA record with an IPv4 address is none of IPv6. */
static void take(struct names_answer *answer, enum family family, const struct ares_addrinfo *found)
{
	for (struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
		struct in6_addr address = address_of(node->ai_addr);

		if (IN6_IS_ADDR_V4MAPPED(&address) != (family == IPV4) ||
		    answer->count == NAMES_OF_FAMILY)
			continue;
		answer->address[answer->count++] = address;
		answer->ttl = fmin(answer->ttl, node->ai_ttl);
	}
	for (struct ares_addrinfo_cname *cname = found->cnames; cname; cname = cname->next)
		answer->ttl = fmin(answer->ttl, cname->ttl);
}

static void begin_answer(struct names_answer *answer)
{
	answer->count = 0;
	answer->ttl = INFINITY;
}

static void finish_answer(struct names_answer *answer, int status)
{
	if (status == ARES_SUCCESS && !answer->count)
		status = ARES_ENODATA;
	answer->why = ares_strerror(status);
	answer->outcome = status == ARES_SUCCESS			       ? NAMES_FOUND
			  : status == ARES_ENODATA || status == ARES_ENOTFOUND ? NAMES_NONE
									       : NAMES_FAILED;
}

static bool ask_next(struct question *question);

static void finish(struct question *question, bool answered)
{
	question->dns->pending--;
	question->done(question->context, answered ? &question->half[IPV4].answer : NULL,
		       answered ? &question->half[IPV6].answer : NULL);
	free(question);
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
	struct half *half = context;
	struct question *question = half->question;

	(void)timeouts;
	begin_answer(&half->answer);
	if (found)
		take(&half->answer, half->family, found);
	ares_freeaddrinfo(found);
	finish_answer(&half->answer, status);
	if (--question->pending)
		return;
	if (status == ARES_EDESTRUCTION || !ask_next(question))
		finish(question, status != ARES_EDESTRUCTION);
}

/* ---- questions ---- */

/* Asks for the name of this attempt. false: there is none. */
static bool ask(struct question *question)
{
	const struct ares_options *conf = &question->dns->conf;
	size_t domains = conf->ndomains > 0 ? (size_t)conf->ndomains : 0;
	char name[NAME_SIZE + 1];

	if (!names_attempt(question->host, conf->domains, domains, (unsigned)conf->ndots,
			   question->attempt, name, NAME_SIZE))
		return false;
	if (name[strlen(name) - 1] != '.')
		strcat(name, ".");    /* not to be looked for in the domains */
	question->pending = FAMILIES; /* an answer may come before ares_getaddrinfo() returns */
	for (enum family family = IPV4; family < FAMILIES; family++) {
		struct ares_addrinfo_hints hints = {.ai_family =
							    family == IPV4 ? AF_INET : AF_INET6,
						    .ai_flags = ARES_AI_NOSORT};

		question->half[family].question = question;
		question->half[family].family = family;
		ares_getaddrinfo(question->dns->channel, name, NULL, &hints, on_answer,
				 &question->half[family]);
	}
	return true;
}

/* Where nobody has the name under one domain of `search`, it is looked for in the next. */
static bool ask_next(struct question *question)
{
	if (question->half[IPV4].answer.outcome != NAMES_NONE ||
	    question->half[IPV6].answer.outcome != NAMES_NONE)
		return false;
	question->attempt++;
	return ask(question);
}

void dns_ask(struct dns *dns, const char *host, dns_done *done, void *context)
{
	struct question *question = calloc(1, sizeof(*question));
	int status;

	if (!question) {
		done(context, NULL, NULL);
		return;
	}
	question->dns = dns;
	strcpy(question->host, host);
	question->done = done;
	question->context = context;
	status = renew_channel(dns);
	dns->pending++;
	if (dns_find_in_hosts(host, &question->half[IPV4].answer, &question->half[IPV6].answer)) {
		finish(question, true);
	} else if (status != ARES_SUCCESS) {
		finish_answer(&question->half[IPV4].answer, status);
		finish_answer(&question->half[IPV6].answer, status);
		finish(question, true);
	} else {
		ask(question); /* there always is a first attempt */
	}
}

/* ---- /etc/hosts ---- */

static void on_hosts(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
	struct names_answer **answer = context;

	(void)status;
	(void)timeouts;
	for (enum family family = IPV4; found && family < FAMILIES; family++)
		take(answer[family], family, found);
	ares_freeaddrinfo(found);
}

/* A channel for each time: no version keeps what the file said. A line may have the name with a
 * dot at its end. Nobody says for how long it holds: again as soon as may be. */
bool dns_find_in_hosts(const char *host, struct names_answer *ipv4, struct names_answer *ipv6)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC,
		.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS,
	};
	char lookups[] = "f", with_dot[CONFIG_HOST_SIZE + 1];
	struct ares_options options = {.lookups = lookups};
	struct names_answer *answer[FAMILIES] = {ipv4, ipv6};
	ares_channel channel;

	begin_answer(ipv4);
	begin_answer(ipv6);
	if (ares_init_options(&channel, &options, ARES_OPT_LOOKUPS) != ARES_SUCCESS)
		return false;
	snprintf(with_dot, sizeof(with_dot), "%s.", host);
	ares_getaddrinfo(channel, host, NULL, &hints, on_hosts, answer);
	ares_getaddrinfo(channel, with_dot, NULL, &hints, on_hosts, answer);
	ares_destroy(channel);
	finish_answer(ipv4, ARES_SUCCESS);
	finish_answer(ipv6, ARES_SUCCESS);
	return ipv4->count || ipv6->count;
}

/* ---- time ---- */

void dns_wake(const struct dns *dns, uint64_t due)
{
	uint64_t now = clock_now(), last;
	struct timeval most = {.tv_sec = 3600}, left = most;
	struct itimerspec timer = {};

	if (dns->open)
		ares_timeout(dns->channel, &most, &left);
	last = now + (uint64_t)left.tv_sec * NS_PER_S + (uint64_t)left.tv_usec * 1000;
	due = due < last ? due : last;
	due = due > now + NS_PER_MS ? due - now : NS_PER_MS;
	timer.it_value.tv_sec = (time_t)(due / NS_PER_S);
	timer.it_value.tv_nsec = (long)(due % NS_PER_S);
	timerfd_settime(dns->timer, 0, &timer, NULL);
}

void dns_process(struct dns *dns)
{
	struct epoll_event event[EVENTS];
	int count = epoll_wait(dns->epoll, event, EVENTS, 0);
	uint64_t expirations;

	for (int i = 0; i < count; i++) {
		int fd = event[i].data.fd;
		bool broken = event[i].events & (EPOLLERR | EPOLLHUP);

		if (fd == dns->timer)
			(void)!read(fd, &expirations, sizeof(expirations));
		else if (dns->open)
			ares_process_fd(dns->channel,
					event[i].events & EPOLLIN || broken ? fd : ARES_SOCKET_BAD,
					event[i].events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	}
	if (dns->open)
		ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

int dns_fd(const struct dns *dns)
{
	return dns->epoll;
}

int dns_open(struct dns **out)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	struct epoll_event event = {.events = EPOLLIN};
	int error = 0;

	if (!dns)
		return -ENOMEM;
	dns->library = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
	dns->epoll = epoll_create1(EPOLL_CLOEXEC);
	dns->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event.data.fd = dns->timer;
	if (!dns->library)
		error = -ENOMEM;
	else if (dns->epoll < 0 || dns->timer < 0 ||
		 epoll_ctl(dns->epoll, EPOLL_CTL_ADD, dns->timer, &event) != 0)
		error = -errno;
	if (error) {
		dns_close(dns);
		return error;
	}
	*out = dns;
	return 0;
}

void dns_close(struct dns *dns)
{
	if (!dns)
		return;
	close_channel(dns);
	if (dns->library)
		ares_library_cleanup();
	if (dns->timer >= 0)
		close(dns->timer);
	if (dns->epoll >= 0)
		close(dns->epoll);
	free(dns);
}
