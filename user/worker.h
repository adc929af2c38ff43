// SPDX-License-Identifier: BSD-2-Clause
/* Threads beside the event loop, for what may hang: saver.h writes files, reader.h reads one. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Begins one that gets no signals: they are the event loop's. 0 or -errno. */
int worker_begin(pthread_t *thread, void *(*work)(void *), void *context);

/*
 * Waits two seconds for one that has been told to end. False: it waits for a disk, and what it uses
 * stays its own.
 */
bool worker_end(pthread_t thread);

/* So long from now, on CLOCK_MONOTONIC. */
struct timespec worker_until(uint64_t ns);
