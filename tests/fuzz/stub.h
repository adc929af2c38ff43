// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel that the BPF programs meet in user space, as the fuzzer sees it: clock, packet memory,
 * sockets, and maps whose contents are wound back after each input. What the programs see of it is
 * stub/bpf/bpf_helpers.h. One thread, one CPU.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf_helpers.h>

#define STUB_HZ		250 /* ticks a second, also of the coarse clock */
#define STUB_ROOM_MOST	256 /* bytes before a packet, as most drivers leave */
#define STUB_FRAME_MOST 4096

struct stub {
	uint64_t now;	     /* of the monotonic clock, ns */
	uint32_t redirected; /* interface that the last redirect named */
	uint32_t random;     /* what the next random number is drawn from */
	uint32_t sockets;    /* the host owns what hashes to one of these bits */
	int fib;	     /* what a route look-up returns */
	int held;	     /* references to sockets and ring buffer records, not yet given back */
};

extern struct stub stub;

/* --- packets: stub_packet.c --- */

/*
 * A packet in memory below 4 GB that ends where a page that nobody may touch begins, with `room`
 * bytes that it can grow into at its front.
 */
struct xdp_md stub_packet(const void *bytes, size_t size, size_t room, uint32_t ifindex);

static inline const uint8_t *stub_data(const struct xdp_md *context)
{
	return (const uint8_t *)(uintptr_t)context->data;
}

/* --- maps: stub_maps.c --- */

/* From now on changes are noted; stub_rewind() undoes those made since. */
void stub_freeze(void);
void stub_rewind(void);

/* All values of an array. Call stub_lookup() for an element before it is written through this. */
void *stub_values(struct stub_map *map);

/* Entries that a hash takes from now on; until stub_rewind(). */
void stub_limit(struct stub_map *map, uint32_t entries);

/* The map of a definition that only its program knows; NULL: the program has not used it yet. */
#define STUB_MAP_OF(symbol) ((struct stub_map *)(symbol)[0])

/* The next key that is in use after *key (NULL: the first); false: there is none. */
bool stub_next(struct stub_map *map, const void *key, void *next);

/* A map as a file descriptor stands for it in stub_syscalls.c, and back. */
int stub_descriptor(const struct stub_map *map);
struct stub_map *stub_described(int descriptor);
size_t stub_value_size(const struct stub_map *map);
size_t stub_key_size(const struct stub_map *map);
