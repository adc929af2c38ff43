// SPDX-License-Identifier: BSD-2-Clause
// TCP connections from any address of this host.
#ifndef TOOLS_LIB_DIAL_H
#define TOOLS_LIB_DIAL_H

#include "address.h"

// Begins to connect from the client's address, any port. A non-blocking descriptor, or -errno.
int dial_from(const struct address *client, const struct sockaddr_storage *to, socklen_t length);

#endif
