// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where packets lie: below 4 GB, since struct xdp_md has 32-bit pointers; before a page that nobody
 * may touch, so that the first byte beyond the end is a fault; and behind bytes that the address
 * sanitizer watches (to 8 bytes exactly), since before adjust_head() there is nothing to be read.
 */
#include "stub.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE   4096
#define AREA   (2 * PAGE)
#define WISHED 0x20000000ul /* an address below 4 GB where nothing else is */
#define LEAST  14	    /* bytes that the kernel leaves of a packet: an Ethernet header */

_Static_assert(STUB_FRAME_MOST + STUB_ROOM_MOST <= AREA, "a packet and its room fit");

static uint8_t *area, *end;
static uint8_t *front; /* where the packet cannot grow any further */

static void area_open(void)
{
	uint8_t *memory = mmap((void *)WISHED, AREA + 2 * PAGE, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if ((uintptr_t)memory >> 32 || mprotect(memory + PAGE, AREA, PROT_READ | PROT_WRITE)) {
		perror("stub: memory for packets");
		abort();
	}
	area = memory + PAGE;
	end = area + AREA;
}

/* The packet begins here: what is before is out of bounds. */
static void begin_at(struct xdp_md *context, uint8_t *data)
{
	ASAN_UNPOISON_MEMORY_REGION(area, AREA);
	ASAN_POISON_MEMORY_REGION(area, (size_t)(data - area) & ~7ul);
	context->data = context->data_meta = (uint32_t)(uintptr_t)data;
}

struct xdp_md stub_packet(const void *bytes, size_t size, size_t room, uint32_t ifindex)
{
	struct xdp_md context = {.ingress_ifindex = ifindex};

	if (!area)
		area_open();
	context.data_end = (uint32_t)(uintptr_t)end;
	begin_at(&context, end - size);
	front = end - size - room;
	memcpy(end - size, bytes, size);
	return context;
}

long bpf_xdp_adjust_head(struct xdp_md *context, int delta)
{
	uint8_t *data = (uint8_t *)(uintptr_t)context->data + delta;

	if (data < front || data > end - LEAST)
		return -EINVAL;
	begin_at(context, data);
	return 0;
}

/* The packet moves, so that it still ends at the forbidden page. What it grows by is zero. */
long bpf_xdp_adjust_tail(struct xdp_md *context, int delta)
{
	uint8_t *data = (uint8_t *)(uintptr_t)context->data;
	long size = end - data, left = size + delta, room = data - front;

	if (left < LEAST || left + room > AREA)
		return -EINVAL;
	ASAN_UNPOISON_MEMORY_REGION(area, AREA);
	memmove(end - left, data, (size_t)(delta < 0 ? left : size));
	if (delta > 0)
		memset(end - delta, 0, (size_t)delta);
	front = end - left - room;
	begin_at(context, end - left);
	return 0;
}

__u64 bpf_xdp_get_buff_len(struct xdp_md *context)
{
	return context->data_end - context->data;
}

long bpf_xdp_load_bytes(struct xdp_md *context, __u32 offset, void *to, __u32 size)
{
	if ((uint64_t)offset + size > bpf_xdp_get_buff_len(context))
		return -EINVAL;
	memcpy(to, stub_data(context) + offset, size);
	return 0;
}

long bpf_xdp_store_bytes(struct xdp_md *context, __u32 offset, void *from, __u32 size)
{
	if ((uint64_t)offset + size > bpf_xdp_get_buff_len(context))
		return -EINVAL;
	memcpy((uint8_t *)(uintptr_t)context->data + offset, from, size);
	return 0;
}
