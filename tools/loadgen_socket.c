// SPDX-License-Identifier: BSD-2-Clause
// Sockets of the load generator: connections from any local address.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"
#include "lib/dial.h"

static uint16_t socket_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		return 0;
	return endpoint_from_sockaddr(&address).port;
}

int socket_connect(const struct address *client, const struct target *target, uint16_t *port)
{
	int fd = dial_from(client, &target->address, target->length);

	if (fd >= 0 && port)
		*port = socket_port(fd);
	return fd;
}

// IPv4 asks the routes when a socket is bound. IPv6 asks only the interfaces' addresses, so there a
// route to the address has to do; that it leads to this host is not checked.
static int address_probe(const struct address *client)
{
	bool four = client->family == AF_INET;
	struct endpoint to = {.address = *client, .port = four ? 0 : 9};
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(&to, &address);
	int fd = socket(client->family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (four ? bind(fd, (struct sockaddr *)&address, length)
		 : connect(fd, (struct sockaddr *)&address, length))
		err = -errno;
	close(fd);
	return err;
}

int sources_probe(const struct loadgen_options *options)
{
	for (size_t i = 0; i < options->source_count; i++) {
		const struct source *source = &options->sources[i];
		struct address last =
			prefix_host(&source->prefix, source->count - 1, source->count);
		char text[ADDRESS_TEXT_SIZE];
		int err = address_probe(&last);

		if (err) {
			fprintf(stderr,
				"loadgen: cannot send from %s: %s; make it local: ip route add "
				"local %s dev lo\n",
				address_text(&last, text), strerror(-err), source->text);
			return err;
		}
	}
	return 0;
}
