// SPDX-License-Identifier: BSD-2-Clause
/* Atomic writes by a thread. See saver.h. */
#include "saver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "worker.h"

#define RETRY_S 1

struct saver_file {
	char *path;
	char *text; /* that waits; NULL: nothing does */
	size_t length;
	bool failed; /* it waits because it could not be written */
	int error;
	uint64_t since_ns; /* there has been something to write, or an attempt ended; 0: nothing */
	uint64_t saved_ns;
};

struct saver {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed, saved;
	bool writes;
	struct saver_file file[SAVER_FILES];
	bool ends;
};

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
	until = worker_until(RETRY_S * NS_PER_S);
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
	if (!error)
		file->saved_ns = clock_now();
	file->since_ns = error || file->text ? clock_now() : 0;
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
		if (!path[i])
			continue;
		saver->file[i].path = strdup(path[i]);
		error = saver->file[i].path ? 0 : -ENOMEM;
	}
	if (!error)
		error = worker_begin(&saver->thread, work, saver);
	if (error)
		release(saver);
	else
		*out = saver;
	return error;
}

void saver_close(struct saver *saver)
{
	if (!saver)
		return;
	pthread_mutex_lock(&saver->lock);
	saver->ends = true;
	pthread_cond_signal(&saver->changed);
	pthread_mutex_unlock(&saver->lock);
	if (worker_end(saver->thread))
		release(saver);
}

void saver_put(struct saver *saver, size_t file, char *text, size_t length)
{
	struct saver_file *at = &saver->file[file];

	pthread_mutex_lock(&saver->lock);
	free(at->text);
	at->text = text;
	at->length = length;
	at->failed = false;
	if (!at->since_ns)
		at->since_ns = clock_now();
	pthread_cond_signal(&saver->changed);
	pthread_mutex_unlock(&saver->lock);
}

void saver_wait(struct saver *saver, uint64_t ns)
{
	struct timespec until = worker_until(ns);
	int error = 0;

	pthread_mutex_lock(&saver->lock);
	while (!error && (saver->writes || find_waiting(saver, false)))
		error = pthread_cond_clockwait(&saver->saved, &saver->lock, CLOCK_MONOTONIC,
					       &until);
	pthread_mutex_unlock(&saver->lock);
}

int saver_error(struct saver *saver, size_t file)
{
	const struct saver_file *at = &saver->file[file];
	int error;

	pthread_mutex_lock(&saver->lock);
	error = at->error;
	if (at->since_ns && clock_now() - at->since_ns > SAVER_HANGS_S * NS_PER_S)
		error = -ETIME;
	pthread_mutex_unlock(&saver->lock);
	return error;
}

const char *saver_why(int error)
{
	return error == -ETIME ? "its file system does not answer" : strerror(-error);
}

uint64_t saver_saved_ns(struct saver *saver, size_t file)
{
	uint64_t saved;

	pthread_mutex_lock(&saver->lock);
	saved = saver->file[file].saved_ns;
	pthread_mutex_unlock(&saver->lock);
	return saved;
}
