// SPDX-License-Identifier: BSD-2-Clause
/* Reads perf's ring buffer. See bench_sampler.h. */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_sampler.h"

#define PAGE	    4096
#define RING_BYTES  (256 * PAGE) /* a power of two */
#define WORDS	    (RING_BYTES / sizeof(uint64_t))
#define MOST_IN_ONE (SAMPLER_DEPTH + 8)

int sampler_open(struct sampler *sampler)
{
	struct perf_event_attr what = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(what),
		.sample_period = SAMPLER_PERIOD_NS,
		.sample_type = PERF_SAMPLE_CALLCHAIN,
		.sample_max_stack = SAMPLER_DEPTH,
		.disabled = 1,
		.exclude_user = 1,
		.exclude_callchain_user = 1,
	};

	sampler->fd = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (sampler->fd < 0)
		return -errno;
	sampler->ring =
		mmap(NULL, PAGE + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, sampler->fd, 0);
	if (sampler->ring == MAP_FAILED) {
		close(sampler->fd);
		return -errno;
	}
	return 0;
}

void sampler_close(struct sampler *sampler)
{
	munmap(sampler->ring, PAGE + RING_BYTES);
	close(sampler->fd);
}

void sampler_start(struct sampler *sampler)
{
	ioctl(sampler->fd, PERF_EVENT_IOC_ENABLE, 0);
}

/* A sample: a header, the number of addresses, and the addresses, with marks among them. */
static void hand_over(const uint64_t *record, sampler_take *take, void *context)
{
	uint64_t address[SAMPLER_DEPTH];
	size_t depth = 0;

	for (uint64_t i = 0; i < record[1] && depth < SAMPLER_DEPTH; i++)
		if (record[2 + i] < (uint64_t)PERF_CONTEXT_MAX)
			address[depth++] = record[2 + i];
	take(context, address, depth);
}

/* Copies a record, which may go round the end of the ring. Returns its size in words. */
static size_t copy_record(const uint64_t *ring, uint64_t at, uint64_t *record)
{
	struct perf_event_header header;
	size_t words;

	memcpy(&header, &ring[at % WORDS], sizeof(header));
	words = header.size / sizeof(*record);
	for (size_t i = 0; i < words && i < MOST_IN_ONE; i++)
		record[i] = ring[(at + i) % WORDS];
	return words;
}

void sampler_stop(struct sampler *sampler, sampler_take *take, void *context)
{
	struct perf_event_mmap_page *control = sampler->ring;
	const uint64_t *ring = (const uint64_t *)((char *)sampler->ring + PAGE);
	uint64_t head, tail = control->data_tail;

	ioctl(sampler->fd, PERF_EVENT_IOC_DISABLE, 0);
	head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	while (tail < head) {
		uint64_t record[MOST_IN_ONE] = {};
		struct perf_event_header header;
		size_t words = copy_record(ring, tail / sizeof(*ring), record);

		memcpy(&header, record, sizeof(header));
		if (header.type == PERF_RECORD_SAMPLE && words <= MOST_IN_ONE)
			hand_over(record, take, context);
		if (!words)
			break;
		tail += words * sizeof(*ring);
	}
	__atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
}
