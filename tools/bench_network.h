// SPDX-License-Identifier: BSD-2-Clause
/* A network namespace of the benchmark's own, which is gone when the process ends. */
#pragma once

/*
 * Moves this thread into a network namespace with routes and neighbours towards all clients, by
 * which NAT's answers find their way. 0 or -errno.
 */
int network_open(void);
