// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads a file again whenever it has changed, beside the event loop: a share that hangs holds up
 * nobody. A thread of its own looks, once for each time that it is asked. The reverse of saver.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;

/* What a look has shown. */
struct reader_news {
	int error;  /* 0 or -errno; -EFBIG: no plain file, or too large; -ETIME: as saver_error() */
	char *text; /* the whole file, for the caller to free; NULL: it could not be read */
	size_t length;
};

/* 0 or -errno. The path is copied; most: bytes that the file may have. The first look begins. */
int reader_open(struct reader **out, const char *path, size_t most);

/* NULL is allowed. */
void reader_close(struct reader *reader);

/* Waits until the look that has begun has ended, or so long. */
void reader_wait(struct reader *reader, uint64_t ns);

/*
 * Is there another file than at the last time, or something wrong? Begins the next look, whose news
 * come with the next call. Never waits.
 */
bool reader_take(struct reader *reader, struct reader_news *news);
