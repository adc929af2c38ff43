// SPDX-License-Identifier: BSD-2-Clause
/* Asking name servers. See resolver.h. */
#include "resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "endpoint.h"
#include "hosts.h"
#include "log.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define TIMEOUT_MS  1500 /* of the first try at a server; the second one waits longer */
#define TRIES	    2
#define EVENTS	    16
#define NAME_SIZE   512 /* a name and a domain of `search` */
#define TOLD_MOST   4	/* addresses that one line of the log names */

enum family { IPV4, IPV6, FAMILIES };

struct entry {
	struct resolver *resolver;
	char host[CONFIG_HOST_SIZE];
	struct names_state state;
	struct names_answer answer[FAMILIES];
	unsigned pending; /* questions that are under way */
	size_t attempt;	  /* of names_attempt(): what they ask for */
	bool asked, stays;
	uint64_t due, since;
};

/* One question; who asked may be gone when the answer comes. */
struct question {
	struct entry *entry;
	enum family family;
};

struct resolver {
	int epoll, timer;
	bool library, open; /* the channel is there */
	ares_channel channel;
	struct config_resolver options;
	struct timespec read;	  /* when resolv.conf had been changed, as it was read */
	struct ares_options conf; /* what it said, if the channel is there */
	int conf_has;
	struct entry **entry;
	size_t count;
	bool changed;
};

/* ---- the library ---- */

static void on_socket(void *context, ares_socket_t socket, int readable, int writable)
{
	const struct resolver *resolver = context;
	struct epoll_event event = {
		.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
		.data.fd = socket,
	};

	if (!readable && !writable)
		epoll_ctl(resolver->epoll, EPOLL_CTL_DEL, socket, NULL);
	else if (epoll_ctl(resolver->epoll, EPOLL_CTL_MOD, socket, &event) != 0 && errno == ENOENT)
		epoll_ctl(resolver->epoll, EPOLL_CTL_ADD, socket, &event);
}

static struct timespec conf_changed(void)
{
	struct stat file;

	return stat(RESOLV_CONF, &file) == 0 ? file.st_mtim : (struct timespec){0};
}

static int set_servers(const struct resolver *resolver)
{
	char list[CONFIG_MAX_SERVERS * (CONFIG_SERVER_SIZE + 1)] = "";
	size_t length = 0;

	for (size_t i = 0; i < resolver->options.servers; i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
					   i ? "," : "", resolver->options.server[i]);
	return length ? ares_set_servers_ports_csv(resolver->channel, list) : ARES_SUCCESS;
}

static int open_channel(struct resolver *resolver)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = resolver,
	};
	int status =
		ares_init_options(&resolver->channel, &options,
				  ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);

	resolver->read = conf_changed();
	resolver->open = status == ARES_SUCCESS;
	if (resolver->open)
		status = ares_save_options(resolver->channel, &resolver->conf, &resolver->conf_has);
	if (status == ARES_SUCCESS)
		status = set_servers(resolver);
	if (status == ARES_SUCCESS)
		return 0;
	log_error("names cannot be resolved: %s", ares_strerror(status));
	return status == ARES_ENOMEM ? -ENOMEM : -EIO;
}

/* What is under way ends as a failure. */
static void close_channel(struct resolver *resolver)
{
	if (resolver->open) {
		ares_destroy(resolver->channel);
		ares_destroy_options(&resolver->conf);
		resolver->conf = (struct ares_options){0};
	}
	resolver->open = false;
}

/* ---- answers ---- */

static void take_ipv4(struct names_answer *answer, const unsigned char *bytes, int length)
{
	struct ares_addrttl found[NAMES_OF_FAMILY];
	int count = NAMES_OF_FAMILY, status;

	status = ares_parse_a_reply(bytes, length, NULL, found, &count);
	if (status != ARES_SUCCESS) {
		answer->outcome = status == ARES_ENODATA ? NAMES_NONE : NAMES_FAILED;
		answer->why = ares_strerror(status);
		return;
	}
	for (int i = 0; i < count; i++) {
		struct in6_addr *address = &answer->address[answer->count++];

		memset(address, 0, sizeof(*address));
		address->s6_addr32[2] = htonl(0xffff);
		address->s6_addr32[3] = found[i].ipaddr.s_addr;
		if (i == 0 || found[i].ttl < answer->ttl)
			answer->ttl = found[i].ttl;
	}
}

static void take_ipv6(struct names_answer *answer, const unsigned char *bytes, int length)
{
	struct ares_addr6ttl found[NAMES_OF_FAMILY];
	int count = NAMES_OF_FAMILY, status;

	status = ares_parse_aaaa_reply(bytes, length, NULL, found, &count);
	if (status != ARES_SUCCESS) {
		answer->outcome = status == ARES_ENODATA ? NAMES_NONE : NAMES_FAILED;
		answer->why = ares_strerror(status);
		return;
	}
	for (int i = 0; i < count; i++) {
		struct in6_addr *address = &answer->address[answer->count];

		memcpy(address, &found[i].ip6addr, sizeof(*address));
		if (IN6_IS_ADDR_V4MAPPED(address)) /* an IPv4 address that claims to be none */
			continue;
		if (!answer->count++ || found[i].ttl < answer->ttl)
			answer->ttl = found[i].ttl;
	}
}

static void tell_change(const struct entry *entry)
{
	const struct names_set *now = &entry->state.now, *before = &entry->state.before;
	const struct names_set *from[] = {now, before}, *to[] = {before, now};
	char text[TOLD_MOST * (INET6_ADDRSTRLEN + 2) + 32] = "", address[INET6_ADDRSTRLEN];
	size_t length = 0, told = 0;
	size_t all = names_missing(now, before) + names_missing(before, now);

	for (unsigned side = 0; side < 2; side++) {
		for (size_t i = 0; i < from[side]->count && told < TOLD_MOST; i++) {
			struct names_set one = {.address = {from[side]->address[i]}, .count = 1};

			if (!names_missing(&one, to[side]))
				continue;
			length += (size_t)snprintf(text + length, sizeof(text) - length, " %c%s",
						   side ? '-' : '+',
						   endpoint_address_text(&one.address[0], address));
			told++;
		}
	}
	if (all > told)
		snprintf(text + length, sizeof(text) - length, " and %zu more", all - told);
	log_info("%s: %zu addresses now:%s", entry->host, now->count, text);
}

static void tell_trouble(const struct entry *entry)
{
	if (entry->state.now.count)
		log_warning("%s: does not resolve (%s): its last %zu addresses stay", entry->host,
			    entry->state.trouble, entry->state.now.count);
	else
		log_warning("%s: does not resolve (%s): there is no backend of that name until it "
			    "does",
			    entry->host, entry->state.trouble);
}

static void judge(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	const char *trouble = entry->state.trouble;
	enum names_verdict verdict =
		names_judge(&entry->state, &entry->answer[IPV4], &entry->answer[IPV6]);
	double wait =
		names_wait(&entry->state, resolver->options.ttl_least, resolver->options.ttl_most);

	entry->asked = true;
	entry->due = clock_now() + clock_from_ms(wait * 1000);
	if (verdict == NAMES_TROUBLED && trouble != entry->state.trouble)
		tell_trouble(entry);
	if (verdict != NAMES_TROUBLED && trouble)
		log_info("%s: resolves again", entry->host);
	if (trouble != entry->state.trouble)
		entry->since = clock_now();
	if (verdict == NAMES_DOUBTED)
		log_warning("%s: the answer takes %zu of %zu addresses away: believed only if it "
			    "repeats; asked again in %g s",
			    entry->host, names_missing(&entry->state.now, &entry->state.doubted),
			    entry->state.now.count, wait);
	if (verdict == NAMES_CHANGED) {
		tell_change(entry);
		resolver->changed = true;
	}
}

static bool ask_next(struct entry *entry);

static void on_answer(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
	struct question *question = context;
	struct entry *entry = question->entry;
	struct names_answer *answer = &entry->answer[question->family];

	(void)timeouts;
	*answer = (struct names_answer){.outcome = NAMES_FOUND};
	if (status != ARES_SUCCESS) {
		answer->outcome = status == ARES_ENODATA || status == ARES_ENOTFOUND ? NAMES_NONE
										     : NAMES_FAILED;
		answer->why = ares_strerror(status);
	} else if (question->family == IPV4) {
		take_ipv4(answer, bytes, length);
	} else {
		take_ipv6(answer, bytes, length);
	}
	if (answer->outcome == NAMES_FOUND && !answer->count) {
		answer->outcome = NAMES_NONE;
		answer->why = ares_strerror(ARES_ENODATA);
	}
	free(question);
	if (--entry->pending)
		return;
	if (!entry->resolver) /* nobody wants to know any more */
		free(entry);
	else if (status != ARES_EDESTRUCTION && !ask_next(entry))
		judge(entry);
}

/* ---- questions ---- */

/* What this attempt is to ask for; false: there is none. */
static bool name_to_ask(const struct resolver *resolver, const struct entry *entry,
			char out[NAME_SIZE])
{
	const struct ares_options *conf = &resolver->conf;
	size_t domains = conf->ndomains > 0 ? (size_t)conf->ndomains : 0;

	return names_attempt(entry->host, conf->domains, domains, (unsigned)conf->ndots,
			     entry->attempt, out, NAME_SIZE);
}

static void ask(struct resolver *resolver, struct entry *entry, const char *name)
{
	static const int type[FAMILIES] = {[IPV4] = ns_t_a, [IPV6] = ns_t_aaaa};
	struct question *question[FAMILIES] = {malloc(sizeof(**question)),
					       malloc(sizeof(**question))};

	entry->due = clock_now() + NS_PER_S;
	if (!question[IPV4] || !question[IPV6]) {
		free(question[IPV4]);
		free(question[IPV6]);
		return;
	}
	entry->pending = FAMILIES; /* an answer may come before ares_query() returns */
	for (enum family family = IPV4; family < FAMILIES; family++) {
		*question[family] = (struct question){entry, family};
		ares_query(resolver->channel, name, ns_c_in, type[family], on_answer,
			   question[family]);
	}
}

/* Where nobody has the name under one domain of `search`, it is looked for in the next. */
static bool ask_next(struct entry *entry)
{
	char name[NAME_SIZE];

	if (entry->answer[IPV4].outcome != NAMES_NONE || entry->answer[IPV6].outcome != NAMES_NONE)
		return false;
	entry->attempt++;
	if (!name_to_ask(entry->resolver, entry, name))
		return false;
	ask(entry->resolver, entry, name);
	return true;
}

static void ask_first(struct resolver *resolver, struct entry *entry)
{
	char name[NAME_SIZE];

	entry->attempt = 0;
	if (hosts_find(HOSTS_FILE, entry->host, &entry->answer[IPV4], &entry->answer[IPV6]))
		judge(entry);
	else if (name_to_ask(resolver, entry, name)) /* there always is a first */
		ask(resolver, entry, name);
}

static bool is_busy(const struct resolver *resolver)
{
	for (size_t i = 0; i < resolver->count; i++) {
		if (resolver->entry[i]->pending)
			return true;
	}
	return false;
}

/* The library reads resolv.conf once. */
static void renew_channel(struct resolver *resolver)
{
	struct timespec changed = conf_changed();

	if (is_busy(resolver) ||
	    (changed.tv_sec == resolver->read.tv_sec && changed.tv_nsec == resolver->read.tv_nsec))
		return;
	log_info(RESOLV_CONF " has changed: names are asked for as it says");
	close_channel(resolver);
	open_channel(resolver);
}

static void ask_due(struct resolver *resolver)
{
	uint64_t now = clock_now();

	for (size_t i = 0; i < resolver->count; i++) {
		struct entry *entry = resolver->entry[i];

		if (entry->pending || entry->due > now)
			continue;
		renew_channel(resolver);
		if (!resolver->open && open_channel(resolver) != 0)
			entry->due = now + 10 * NS_PER_S;
		else
			ask_first(resolver, entry);
	}
}

static void set_timer(const struct resolver *resolver)
{
	uint64_t now = clock_now(), due = now + 3600 * NS_PER_S;
	struct timeval most = {.tv_sec = 3600}, left;
	struct itimerspec timer = {};

	for (size_t i = 0; i < resolver->count; i++) {
		if (!resolver->entry[i]->pending && resolver->entry[i]->due < due)
			due = resolver->entry[i]->due;
	}
	if (resolver->open) {
		ares_timeout(resolver->channel, &most, &left);
		if (now + (uint64_t)left.tv_sec * NS_PER_S + (uint64_t)left.tv_usec * 1000 < due)
			due = now + (uint64_t)left.tv_sec * NS_PER_S +
			      (uint64_t)left.tv_usec * 1000;
	}
	due = due > now + NS_PER_MS ? due - now : NS_PER_MS;
	timer.it_value.tv_sec = (time_t)(due / NS_PER_S);
	timer.it_value.tv_nsec = (long)(due % NS_PER_S);
	timerfd_settime(resolver->timer, 0, &timer, NULL);
}

bool resolver_process(struct resolver *resolver)
{
	struct epoll_event event[EVENTS];
	int count = epoll_wait(resolver->epoll, event, EVENTS, 0);
	uint64_t expirations;
	bool changed;

	for (int i = 0; i < count; i++) {
		int fd = event[i].data.fd;
		bool broken = event[i].events & (EPOLLERR | EPOLLHUP);

		if (fd == resolver->timer)
			(void)!read(fd, &expirations, sizeof(expirations));
		else if (resolver->open)
			ares_process_fd(resolver->channel,
					event[i].events & EPOLLIN || broken ? fd : ARES_SOCKET_BAD,
					event[i].events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	}
	if (resolver->open)
		ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	ask_due(resolver);
	set_timer(resolver);
	changed = resolver->changed;
	resolver->changed = false;
	return changed;
}

/* ---- names ---- */

static void forget(struct entry *entry)
{
	entry->resolver = NULL;
	if (!entry->pending)
		free(entry);
}

static struct entry *find(const struct resolver *resolver, const char *host)
{
	for (size_t i = 0; i < resolver->count; i++) {
		if (strcmp(resolver->entry[i]->host, host) == 0)
			return resolver->entry[i];
	}
	return NULL;
}

static struct entry *begin(struct resolver *resolver, const char *host)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->resolver = resolver;
	strcpy(entry->host, host);
	return entry;
}

/* Other servers may say something else, soon; what they said lasts until then. */
static int take_options(struct resolver *resolver, const struct config_resolver *options)
{
	bool same = resolver->options.servers == options->servers &&
		    memcmp(resolver->options.server, options->server, sizeof(options->server)) == 0;

	resolver->options = *options;
	if (same && resolver->open)
		return 0;
	close_channel(resolver);
	for (size_t i = 0; i < resolver->count; i++)
		resolver->entry[i]->due = 0;
	return open_channel(resolver);
}

int resolver_follow(struct resolver *resolver, const struct config_resolver *options,
		    const struct config_host *hosts, size_t count)
{
	struct entry **next = calloc(count + 1, sizeof(struct entry *));
	int error = next ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < count; i++) {
		next[i] = find(resolver, hosts[i].name);
		if (next[i])
			next[i]->stays = true;
		else
			next[i] = begin(resolver, hosts[i].name);
		error = next[i] ? 0 : -ENOMEM;
	}
	for (size_t i = 0; error && next && i < count && next[i]; i++) {
		if (!next[i]->stays)
			free(next[i]);
		else
			next[i]->stays = false;
	}
	if (error) {
		free(next);
		return error;
	}
	for (size_t i = 0; i < resolver->count; i++) {
		if (!resolver->entry[i]->stays)
			forget(resolver->entry[i]);
	}
	free(resolver->entry);
	resolver->entry = next;
	resolver->count = count;
	for (size_t i = 0; i < count; i++)
		next[i]->stays = false;
	error = count ? take_options(resolver, options) : 0;
	ask_due(resolver);
	set_timer(resolver);
	return error;
}

static bool all_asked(const struct resolver *resolver)
{
	for (size_t i = 0; i < resolver->count; i++) {
		if (!resolver->entry[i]->asked)
			return false;
	}
	return true;
}

void resolver_wait(struct resolver *resolver, unsigned milliseconds)
{
	uint64_t end = clock_now() + clock_from_ms(milliseconds), now;
	bool changed = resolver->changed;

	while (!all_asked(resolver) && (now = clock_now()) < end) {
		struct pollfd wait = {.fd = resolver->epoll, .events = POLLIN};

		poll(&wait, 1, (int)((end - now) / NS_PER_MS) + 1);
		changed |= resolver_process(resolver);
	}
	resolver->changed = changed;
}

bool resolver_name(const struct resolver *resolver, size_t index, struct resolver_name *out)
{
	uint64_t now = clock_now();
	struct entry *entry;

	if (index >= resolver->count)
		return false;
	entry = resolver->entry[index];
	*out = (struct resolver_name){
		.host = entry->host,
		.state = &entry->state,
		.asked = entry->asked,
		.next_s = entry->due > now ? (double)(entry->due - now) / (double)NS_PER_S : 0,
		.since = entry->since,
	};
	return true;
}

int resolver_fd(const struct resolver *resolver)
{
	return resolver->epoll;
}

int resolver_open(struct resolver **out)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	struct epoll_event event = {.events = EPOLLIN};
	int error = 0;

	if (!resolver)
		return -ENOMEM;
	resolver->library = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
	resolver->epoll = epoll_create1(EPOLL_CLOEXEC);
	resolver->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event.data.fd = resolver->timer;
	if (!resolver->library)
		error = -ENOMEM;
	else if (resolver->epoll < 0 || resolver->timer < 0 ||
		 epoll_ctl(resolver->epoll, EPOLL_CTL_ADD, resolver->timer, &event) != 0)
		error = -errno;
	if (error) {
		resolver_close(resolver);
		return error;
	}
	*out = resolver;
	return 0;
}

void resolver_close(struct resolver *resolver)
{
	if (!resolver)
		return;
	for (size_t i = 0; i < resolver->count; i++)
		forget(resolver->entry[i]);
	free(resolver->entry);
	resolver->count = 0;
	close_channel(resolver);
	if (resolver->library)
		ares_library_cleanup();
	if (resolver->timer >= 0)
		close(resolver->timer);
	if (resolver->epoll >= 0)
		close(resolver->epoll);
	free(resolver);
}
