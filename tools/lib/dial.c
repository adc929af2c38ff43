// SPDX-License-Identifier: BSD-2-Clause
// See dial.h. The port is chosen once the target is known, so that every address has all its ports
// per target.
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

static int dial_bind(int fd, const struct address *client)
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

int dial_from(const struct address *client, const struct sockaddr_storage *to, socklen_t length)
{
	int fd = socket(client->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = dial_bind(fd, client);
	if (!err && connect(fd, (const struct sockaddr *)to, length) && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}
