// SPDX-License-Identifier: BSD-2-Clause
/* Which name is asked for when, and what becomes of the answers. See resolver.h. */
#include "resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dns.h"
#include "endpoint.h"
#include "log.h"

#define TOLD_MOST 4 /* addresses that one line of the log names */

struct entry {
	struct resolver *resolver;
	char host[CONFIG_HOST_SIZE];
	struct names_state state;
	bool pending; /* a question is under way */
	bool asked, stays;
	uint64_t due, since;
};

struct resolver {
	struct dns *dns;
	struct config_resolver options;
	struct entry **entry;
	size_t count;
	bool changed;
};

/* ---- answers ---- */

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

static void judge(struct entry *entry, struct names_answer *ipv4, struct names_answer *ipv6)
{
	struct resolver *resolver = entry->resolver;
	const char *trouble = entry->state.trouble;
	enum names_verdict verdict = names_judge(&entry->state, ipv4, ipv6);
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

static void on_answers(void *context, struct names_answer *ipv4, struct names_answer *ipv6)
{
	struct entry *entry = context;

	entry->pending = false;
	if (!entry->resolver) /* nobody wants to know any more */
		free(entry);
	else if (ipv4)
		judge(entry, ipv4, ipv6);
}

/* ---- questions ---- */

static void ask_due(struct resolver *resolver)
{
	uint64_t now = clock_now();

	for (size_t i = 0; i < resolver->count; i++) {
		struct entry *entry = resolver->entry[i];

		if (entry->pending || entry->due > now)
			continue;
		entry->pending = true;
		entry->due = now + NS_PER_S; /* if it ends without an answer */
		dns_ask(resolver->dns, entry->host, on_answers, entry);
	}
}

static void set_timer(const struct resolver *resolver)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < resolver->count; i++) {
		if (!resolver->entry[i]->pending && resolver->entry[i]->due < due)
			due = resolver->entry[i]->due;
	}
	dns_wake(resolver->dns, due);
}

bool resolver_process(struct resolver *resolver)
{
	bool changed;

	dns_process(resolver->dns);
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
static void take_options(struct resolver *resolver, const struct config_resolver *options)
{
	bool same = resolver->options.servers == options->servers &&
		    memcmp(resolver->options.server, options->server, sizeof(options->server)) == 0;

	resolver->options = *options;
	if (same)
		return;
	dns_set_servers(resolver->dns, options);
	for (size_t i = 0; i < resolver->count; i++)
		resolver->entry[i]->due = 0;
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
	take_options(resolver, options);
	ask_due(resolver);
	set_timer(resolver);
	return 0;
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
		struct pollfd wait = {.fd = dns_fd(resolver->dns), .events = POLLIN};

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
	return dns_fd(resolver->dns);
}

int resolver_open(struct resolver **out)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int error = resolver ? dns_open(&resolver->dns) : -ENOMEM;

	if (error) {
		free(resolver);
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
	dns_close(resolver->dns);
	free(resolver);
}
