// SPDX-License-Identifier: BSD-2-Clause
/*
 * What outlives the daemon on the disk: the state file, in which modules keep sections by name, and
 * beside it the last good configuration. Nothing here is needed to forward packets: a disk that is
 * full, read-only or broken, or a file that is damaged, costs what stands in it and nothing else.
 * NULL for a state is allowed everywhere: nothing is kept then.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#define STATE_VERSION 1

struct state;

/*
 * Reads the file. What cannot be read or understood is moved to FILE.corrupt, is said in the log,
 * and state_refused() says why. Without a file it begins empty. -ENOMEM or -EAGAIN: no state.
 */
int state_open(struct state **out, const char *file);

/* Writes what is not written yet, waiting no longer than two seconds for the disk. */
void state_close(struct state *state);

/* A section; NULL: there is none. Valid until that section is set. */
const json_t *state_get(const struct state *state, const char *section);

/* Takes the value over; NULL removes the section. It is written at the next state_flush(). */
void state_set(struct state *state, const char *section, json_t *value);

/* The configuration that has been put in force, to start from when its file is bad. */
void state_keep_config(struct state *state, const char *text, size_t length);

/* Hands over to the disk what has changed, without waiting; logs when that begins to fail. */
void state_flush(struct state *state);

/* The same, but waits for the disk, half a second at most. */
void state_sync(struct state *state);

const char *state_file(const struct state *state);
const char *state_config_file(const struct state *state);

/* Why the file found at the start was put aside; NULL: it was not. */
const char *state_refused(const struct state *state);

/* Why the files cannot be written, at the moment; NULL: they can. */
const char *state_trouble(const struct state *state);
