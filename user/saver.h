// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes files whole or not at all, and beside the event loop: a disk that hangs holds up nobody. A
 * thread of its own does it. What could not be written is tried again every second.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SAVER_FILES   2	 /* that one saver can keep */
#define SAVER_HANGS_S 10 /* an attempt that takes longer is told */

struct saver;

/*
 * Makes `path` hold this text, or leaves it as it is: a temporary file beside it (path.new), which
 * takes its place when it is on the disk. 0 or -errno. Waits for the disk.
 */
int saver_write(const char *path, const char *text, size_t length);

/* 0 or -errno. The paths are copied; NULL: there is no such file. */
int saver_open(struct saver **out, const char *const path[SAVER_FILES]);

/* What waits to be written is, if the disk takes it within two seconds. NULL is allowed. */
void saver_close(struct saver *saver);

/* The file is to hold this text, instead of all that waits. Takes the text over. Never waits. */
void saver_put(struct saver *saver, size_t file, char *text, size_t length);

/* Waits until nothing is left to write but what has failed, or so long. */
void saver_wait(struct saver *saver, uint64_t ns);

/*
 * How the last attempt went: 0 or -errno; -ETIME: none has come to an end for ten seconds, because
 * the file system hangs.
 */
int saver_error(struct saver *saver, size_t file);

/* In words. */
const char *saver_why(int error);

/* When the file was last written, as clock_now(); 0: not yet. */
uint64_t saver_saved_ns(struct saver *saver, size_t file);
