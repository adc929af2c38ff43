// SPDX-License-Identifier: BSD-2-Clause
/* Looks at a file, by a thread. See reader.h. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "saver.h"
#include "worker.h"

struct reader {
	pthread_t thread;
	char *path;
	size_t most;
	struct stat seen; /* at the last look that could read it; the thread's */
	/* all below: */
	pthread_mutex_t lock;
	pthread_cond_t asked, looked;
	uint64_t asked_ns; /* when the look that is under way was asked for; 0: none is */
	bool ends;
	bool fresh; /* nobody has taken these yet */
	struct reader_news news;
};

static bool is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_ino == other->st_ino && one->st_dev == other->st_dev &&
	       one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
	       one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

/* One byte more than there was: a file that grows meanwhile is not whole. */
static int read_all(int fd, size_t most, struct reader_news *out)
{
	size_t size = most + 1;
	ssize_t got = 1;

	out->text = malloc(size);
	if (!out->text)
		return -ENOMEM;
	while (got > 0 && out->length < size) {
		got = read(fd, out->text + out->length, size - out->length);
		if (got < 0)
			return -errno;
		out->length += (size_t)got;
	}
	return 0;
}

static int read_file(const struct reader *reader, struct reader_news *out)
{
	int fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		error = -errno;
	else if (!S_ISREG(status.st_mode) || (size_t)status.st_size > reader->most)
		error = -EFBIG;
	else
		error = read_all(fd, (size_t)status.st_size, out);
	close(fd);
	return error;
}

/* False: it is the same as at the last look. What cannot be read may be readable the next time. */
static bool look(struct reader *reader, struct reader_news *out)
{
	struct stat status = {};

	*out = (struct reader_news){};
	fault_at("follow");
	if (stat(reader->path, &status) == 0 && is_same_file(&status, &reader->seen))
		return false;
	reader->seen = (struct stat){};
	out->error = read_file(reader, out);
	if (!out->error) {
		reader->seen = status;
		return true;
	}
	free(out->text);
	out->text = NULL;
	return true;
}

static bool hangs(const struct reader *reader)
{
	return reader->asked_ns && clock_now() - reader->asked_ns > SAVER_HANGS_S * NS_PER_S;
}

/* Called with the lock, and gives it away meanwhile. */
static void look_for_news(struct reader *reader)
{
	struct reader_news news;
	bool changed;

	pthread_mutex_unlock(&reader->lock);
	changed = look(reader, &news);
	pthread_mutex_lock(&reader->lock);
	if (changed) {
		free(reader->news.text);
		reader->news = news;
		reader->fresh = true;
	}
	if (hangs(reader)) /* which was told: so tell that it is over */
		reader->seen = (struct stat){};
	reader->asked_ns = 0;
	pthread_cond_broadcast(&reader->looked);
}

static void *work(void *context)
{
	struct reader *reader = context;

	pthread_mutex_lock(&reader->lock);
	while (!reader->ends) {
		if (reader->asked_ns)
			look_for_news(reader);
		else
			pthread_cond_wait(&reader->asked, &reader->lock);
	}
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

static void release(struct reader *reader)
{
	free(reader->news.text);
	free(reader->path);
	pthread_cond_destroy(&reader->looked);
	pthread_cond_destroy(&reader->asked);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

int reader_open(struct reader **out, const char *path, size_t most)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int error;

	*out = NULL;
	if (!reader)
		return -ENOMEM;
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->asked, NULL);
	pthread_cond_init(&reader->looked, NULL);
	reader->most = most;
	reader->asked_ns = clock_now();
	reader->path = strdup(path);
	error = reader->path ? worker_begin(&reader->thread, work, reader) : -ENOMEM;
	if (error)
		release(reader);
	else
		*out = reader;
	return error;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	pthread_mutex_lock(&reader->lock);
	reader->ends = true;
	pthread_cond_signal(&reader->asked);
	pthread_mutex_unlock(&reader->lock);
	if (worker_end(reader->thread))
		release(reader);
}

void reader_wait(struct reader *reader, uint64_t ns)
{
	struct timespec until = worker_until(ns);
	int error = 0;

	pthread_mutex_lock(&reader->lock);
	while (!error && reader->asked_ns)
		error = pthread_cond_clockwait(&reader->looked, &reader->lock, CLOCK_MONOTONIC,
					       &until);
	pthread_mutex_unlock(&reader->lock);
}

bool reader_take(struct reader *reader, struct reader_news *news)
{
	bool told = true;

	pthread_mutex_lock(&reader->lock);
	if (reader->fresh) {
		*news = reader->news;
		reader->news = (struct reader_news){};
		reader->fresh = false;
	} else if (hangs(reader)) {
		*news = (struct reader_news){.error = -ETIME};
	} else {
		told = false;
	}
	if (!reader->asked_ns) {
		reader->asked_ns = clock_now();
		pthread_cond_signal(&reader->asked);
	}
	pthread_mutex_unlock(&reader->lock);
	return told;
}
