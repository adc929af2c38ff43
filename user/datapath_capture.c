// SPDX-License-Identifier: BSD-2-Clause
/* Packets from the kernel's ring buffer. See datapath_capture.h. */
#include "datapath_capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "larch/service.h"

#define LASTS (3 * NS_PER_S) /* unless renewed */

struct datapath_capture {
	struct larch_settings *settings;
	struct larch_capture *wanted;
	struct ring_buffer *ring;
	int lock;
	int (*visit)(void *context, const struct larch_captured *record);
	void *context;
};

static int open_pin(const char *pins, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* The one value of an array. */
static int map_value(const char *pins, const char *name, size_t size, void **out)
{
	int fd = open_pin(pins, name);
	struct bpf_map_info info = {};
	uint32_t info_size = sizeof(info);
	int error = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_size) != 0)
		error = -errno;
	else if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != size)
		error = -EPROTO;
	if (!error)
		*out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!error && *out == MAP_FAILED)
		error = -errno;
	if (error)
		*out = NULL;
	close(fd);
	return error;
}

/* No file can be made among pins, but a folder can. The lock ends with its process. */
static int take_lock(const char *pins)
{
	char path[256];
	int fd, error;

	snprintf(path, sizeof(path), "%s/" DATAPATH_CAPTURE_LOCK, pins);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return error;
}

static int on_record(void *context, void *data, size_t size)
{
	struct datapath_capture *capture = context;

	if (!capture->visit || size < sizeof(struct larch_captured))
		return 0;
	return capture->visit(capture->context, data);
}

static int open_ring(struct datapath_capture *capture, const char *pins)
{
	int fd = open_pin(pins, "larch_captured");

	if (fd < 0)
		return fd;
	capture->ring = ring_buffer__new(fd, on_record, capture, NULL);
	close(fd); /* the ring's memory and its epoll have it */
	return capture->ring ? 0 : -errno;
}

int datapath_capture_open(struct datapath_capture **out, const char *pins)
{
	struct datapath_capture *capture = calloc(1, sizeof(*capture));
	int error;

	if (!capture)
		return -ENOMEM;
	capture->lock = -1;
	error = map_value(pins, "larch_settings", sizeof(*capture->settings),
			  (void **)&capture->settings);
	if (!error && capture->settings->abi != LARCH_ABI)
		error = -EPROTO;
	if (!error)
		error = map_value(pins, "larch_capture", sizeof(*capture->wanted),
				  (void **)&capture->wanted);
	if (!error)
		capture->lock = error = take_lock(pins);
	if (error >= 0)
		error = open_ring(capture, pins);
	if (error) {
		datapath_capture_close(capture);
		return error;
	}
	*out = capture;
	return 0;
}

void datapath_capture_start(struct datapath_capture *capture, const struct larch_capture *wanted)
{
	datapath_capture_stop(capture);
	ring_buffer__consume(capture->ring);
	*capture->wanted = *wanted;
	capture->wanted->lost = 0;
	datapath_capture_renew(capture);
}

void datapath_capture_renew(struct datapath_capture *capture)
{
	__atomic_store_n(&capture->wanted->until, clock_now() + LASTS, __ATOMIC_RELEASE);
	__atomic_fetch_or(&capture->settings->flags, LARCH_CAPTURE, __ATOMIC_RELEASE);
}

void datapath_capture_stop(struct datapath_capture *capture)
{
	__atomic_fetch_and(&capture->settings->flags, ~(uint32_t)LARCH_CAPTURE, __ATOMIC_RELEASE);
	__atomic_store_n(&capture->wanted->until, 0, __ATOMIC_RELEASE);
}

int datapath_capture_read(struct datapath_capture *capture, int timeout_ms,
			  int (*visit)(void *context, const struct larch_captured *record),
			  void *context)
{
	int got;

	capture->visit = visit;
	capture->context = context;
	got = ring_buffer__poll(capture->ring, timeout_ms);
	capture->visit = NULL;
	return got < 0 ? got : 0;
}

uint64_t datapath_capture_lost(const struct datapath_capture *capture)
{
	return __atomic_load_n(&capture->wanted->lost, __ATOMIC_RELAXED);
}

void datapath_capture_close(struct datapath_capture *capture)
{
	if (!capture)
		return;
	if (capture->lock >= 0 && capture->wanted)
		datapath_capture_stop(capture);
	ring_buffer__free(capture->ring);
	if (capture->settings)
		munmap(capture->settings, sizeof(*capture->settings));
	if (capture->wanted)
		munmap(capture->wanted, sizeof(*capture->wanted));
	if (capture->lock >= 0)
		close(capture->lock);
	free(capture);
}
