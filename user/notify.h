// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the service manager is told (sd_notify): that larchd is ready, reloads or ends, how it is in
 * a line, and that it is alive. Nothing happens without $NOTIFY_SOCKET.
 */
#pragma once

#include <stdint.h>

/* Ready, at the start and after a reload that was announced. */
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

/* The line of `systemctl status`. Sent only if it has changed. */
void notify_status(const char *text);

/* How often a sign of life is due: a third of what the manager allows. 0: none is asked for. */
uint64_t notify_alive_ns(void);
void notify_alive(void);
