// SPDX-License-Identifier: BSD-2-Clause
// Sockets of the load generator: connections from any local address, without asking for a port
// before the target is known, so that every address has all its ports per target.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"

static int socket_bind(int fd, const struct address *client)
{
	struct endpoint from = {.address = *client};
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(&from, &address);
	int on = 1;

	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, length))
		return -errno;
	return 0;
}

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
	int fd = socket(client->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = socket_bind(fd, client);
	if (!err && connect(fd, (const struct sockaddr *)&target->address, target->length) &&
	    errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	if (port)
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
