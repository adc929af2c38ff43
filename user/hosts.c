// SPDX-License-Identifier: BSD-2-Clause
/* Reading /etc/hosts: see hosts.h. A line is an address and names; # begins a comment. */
#include "hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "endpoint.h"

#define BLANKS " \t\r\n"

/* Is the name among those that are left of the line? */
static bool names(char *rest, const char *host)
{
	char *at;

	for (const char *name = strtok_r(rest, BLANKS, &at); name;
	     name = strtok_r(NULL, BLANKS, &at)) {
		size_t length = strlen(name);

		length -= name[length - 1] == '.';
		if (strncasecmp(name, host, length) == 0 && !host[length])
			return true;
	}
	return false;
}

static void add(struct names_answer *answer, const struct in6_addr *address)
{
	if (answer->count == NAMES_OF_FAMILY)
		return;
	answer->outcome = NAMES_FOUND;
	answer->address[answer->count++] = *address;
}

static void take_line(char *line, const char *host, struct names_answer *ipv4,
		      struct names_answer *ipv6)
{
	struct in6_addr address;
	const char *first;
	char *rest;

	line[strcspn(line, "#")] = '\0';
	first = strtok_r(line, BLANKS, &rest);
	if (first && endpoint_address(first, 0, &address) && names(rest, host))
		add(IN6_IS_ADDR_V4MAPPED(&address) ? ipv4 : ipv6, &address);
}

/* It is looked at again as soon as an answer may be: nobody says for how long it holds. */
static void clear(struct names_answer *answer)
{
	answer->outcome = NAMES_NONE;
	answer->count = 0;
	answer->ttl = 0;
	answer->why = "not in " HOSTS_FILE;
}

bool hosts_find(const char *file, const char *host, struct names_answer *ipv4,
		struct names_answer *ipv6)
{
	FILE *from = fopen(file, "re");
	size_t size = 0;
	char *line = NULL;

	if (!from)
		return false;
	clear(ipv4);
	clear(ipv6);
	while (getline(&line, &size, from) >= 0)
		take_line(line, host, ipv4, ipv6);
	free(line);
	fclose(from);
	return ipv4->count || ipv6->count;
}
