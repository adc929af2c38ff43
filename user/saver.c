// SPDX-License-Identifier: BSD-2-Clause
/* Atomic writes by a thread. See saver.h. */
#include "saver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"

#define PATIENCE_S 2 /* for what is left to write at the end */
#define RETRY_S	   1

struct saver_file {
	char *path;
	char *text; /* that waits; NULL: nothing does */
	size_t length;
	bool failed; /* it waits because it could not be written */
	int error;
};

struct saver {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed, saved;
	bool writes;
	struct saver_file file[SAVER_FILES];
	bool ends;
};

static struct timespec in_ns(uint64_t ns)
{
	uint64_t then = clock_now() + ns;

	return (struct timespec){.tv_sec = (time_t)(then / NS_PER_S),
				 .tv_nsec = (long)(then % NS_PER_S)};
}

/* ---- one file ---- */

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		length -= (size_t)written;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

/* A new name is on the disk when its folder is. */
static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno; /* not all file systems can */
	close(fd);
	return error;
}

static void folder_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	if (!*out)
		strcpy(out, "/");
}

int saver_write(const char *path, const char *text, size_t length)
{
	char folder[PATH_MAX], meanwhile[PATH_MAX];
	int fd, error;

	folder_of(path, folder);
	if (snprintf(meanwhile, sizeof(meanwhile), "%s.new", path) >= (int)sizeof(meanwhile))
		return -ENAMETOOLONG;
	mkdir(folder, 0755); /* the first time; else open() says what is wrong */
	fd = open(meanwhile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	error = write_all(fd, text, length);
	close(fd);
	fault_at("save");
	if (!error && rename(meanwhile, path) != 0)
		error = -errno;
	if (error) {
		unlink(meanwhile);
		return error;
	}
	return sync_folder(folder);
}

/* ---- the thread ---- */

static struct saver_file *find_waiting(struct saver *saver, bool failed)
{
	for (size_t i = 0; i < SAVER_FILES; i++) {
		if (saver->file[i].text && saver->file[i].failed == failed)
			return &saver->file[i];
	}
	return NULL;
}

/* Until something changes; until the next attempt, if there is something to try again. */
static void rest(struct saver *saver)
{
	struct timespec until;

	if (!find_waiting(saver, true)) {
		pthread_cond_wait(&saver->changed, &saver->lock);
		return;
	}
	until = in_ns(RETRY_S * NS_PER_S);
	if (pthread_cond_clockwait(&saver->changed, &saver->lock, CLOCK_MONOTONIC, &until) !=
	    ETIMEDOUT)
		return;
	for (size_t i = 0; i < SAVER_FILES; i++)
		saver->file[i].failed = false;
}

/* Called with the lock, and gives it away meanwhile. */
static void save(struct saver *saver, struct saver_file *file)
{
	char *text = file->text;
	size_t length = file->length;
	int error;

	file->text = NULL;
	saver->writes = true;
	pthread_mutex_unlock(&saver->lock);
	error = saver_write(file->path, text, length);
	pthread_mutex_lock(&saver->lock);
	saver->writes = false;
	pthread_cond_broadcast(&saver->saved);
	file->error = error;
	if (!error || file->text) { /* a newer text has come meanwhile */
		free(text);
		return;
	}
	file->text = text;
	file->length = length;
	file->failed = true;
}

static void *work(void *context)
{
	struct saver *saver = context;
	struct saver_file *file;

	pthread_mutex_lock(&saver->lock);
	while ((file = find_waiting(saver, false)) || !saver->ends) {
		if (file)
			save(saver, file);
		else
			rest(saver);
	}
	pthread_mutex_unlock(&saver->lock);
	return NULL;
}

/* Signals are the event loop's. */
static int begin(struct saver *saver)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&saver->thread, NULL, work, saver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static void release(struct saver *saver)
{
	for (size_t i = 0; i < SAVER_FILES; i++) {
		free(saver->file[i].path);
		free(saver->file[i].text);
	}
	pthread_cond_destroy(&saver->saved);
	pthread_cond_destroy(&saver->changed);
	pthread_mutex_destroy(&saver->lock);
	free(saver);
}

int saver_open(struct saver **out, const char *const path[SAVER_FILES])
{
	struct saver *saver = calloc(1, sizeof(*saver));
	int error = 0;

	*out = NULL;
	if (!saver)
		return -ENOMEM;
	pthread_mutex_init(&saver->lock, NULL);
	pthread_cond_init(&saver->changed, NULL);
	pthread_cond_init(&saver->saved, NULL);
	for (size_t i = 0; i < SAVER_FILES && !error; i++) {
		saver->file[i].path = strdup(path[i]);
		error = saver->file[i].path ? 0 : -ENOMEM;
	}
	if (!error)
		error = begin(saver);
	if (error)
		release(saver);
	else
		*out = saver;
	return error;
}

void saver_close(struct saver *saver)
{
	struct timespec until;

	if (!saver)
		return;
	pthread_mutex_lock(&saver->lock);
	saver->ends = true;
	pthread_cond_signal(&saver->changed);
	pthread_mutex_unlock(&saver->lock);
	until = in_ns(PATIENCE_S * NS_PER_S);
	if (pthread_clockjoin_np(saver->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		release(saver);
	else
		pthread_detach(saver->thread); /* it waits for the disk, and has its memory */
}

void saver_put(struct saver *saver, size_t file, char *text, size_t length)
{
	struct saver_file *at = &saver->file[file];

	pthread_mutex_lock(&saver->lock);
	free(at->text);
	at->text = text;
	at->length = length;
	at->failed = false;
	pthread_cond_signal(&saver->changed);
	pthread_mutex_unlock(&saver->lock);
}

void saver_wait(struct saver *saver, uint64_t ns)
{
	struct timespec until = in_ns(ns);
	int error = 0;

	pthread_mutex_lock(&saver->lock);
	while (!error && (saver->writes || find_waiting(saver, false)))
		error = pthread_cond_clockwait(&saver->saved, &saver->lock, CLOCK_MONOTONIC,
					       &until);
	pthread_mutex_unlock(&saver->lock);
}

int saver_error(struct saver *saver, size_t file)
{
	int error;

	pthread_mutex_lock(&saver->lock);
	error = saver->file[file].error;
	pthread_mutex_unlock(&saver->lock);
	return error;
}
