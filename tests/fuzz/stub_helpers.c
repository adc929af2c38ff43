// SPDX-License-Identifier: BSD-2-Clause
/* The helpers that touch neither maps nor packets: time, chance, routes, sockets. See stub.h. */
#include "stub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JIFFY_NS (1000000000 / STUB_HZ)

struct stub stub;

__u64 bpf_ktime_get_ns(void)
{
	return stub.now;
}

__u64 bpf_ktime_get_coarse_ns(void)
{
	return stub.now - stub.now % JIFFY_NS;
}

__u64 bpf_ktime_get_boot_ns(void)
{
	return stub.now;
}

__u64 bpf_jiffies64(void)
{
	return stub.now / JIFFY_NS;
}

__u32 bpf_get_prandom_u32(void)
{
	stub.random = stub.random * 1664525 + 1013904223;
	return stub.random;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

long bpf_redirect(__u32 ifindex, __u64 flags)
{
	(void)flags;
	stub.redirected = ifindex;
	return XDP_REDIRECT;
}

static uint64_t sum_words(const __be32 *words, uint32_t size, uint32_t invert)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < size / 4; i++)
		sum += words[i] ^ invert;
	return sum;
}

__s64 bpf_csum_diff(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __wsum seed)
{
	uint64_t sum = seed + sum_words(from, from_size, ~0u) + sum_words(to, to_size, 0);

	if ((from_size | to_size) % 4)
		return -22;
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__s64)((sum & 0xffffffff) + (sum >> 32));
}

long bpf_fib_lookup(void *context, struct bpf_fib_lookup *lookup, int size, __u32 flags)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0xfb};

	(void)context;
	(void)flags;
	if ((size_t)size < sizeof(*lookup))
		return -22;
	if (stub.fib == BPF_FIB_LKUP_RET_SUCCESS) {
		lookup->ifindex = 2;
		memcpy(lookup->dmac, mac, sizeof(mac));
		memcpy(lookup->smac, mac, sizeof(mac));
	}
	return stub.fib;
}

/* Whether there is a socket is a function of the tuple and of stub.sockets. */
static struct bpf_sock *find_socket(const void *tuple, uint32_t size)
{
	static struct bpf_sock socket;
	const uint8_t *bytes = tuple;
	uint32_t hash = 0;

	for (uint32_t i = 0; i < size; i++)
		hash = hash * 31 + bytes[i];
	if (!(stub.sockets >> hash % 32 & 1))
		return NULL;
	socket = (struct bpf_sock){.state = hash % 12 + 1};
	stub.held++;
	return &socket;
}

struct bpf_sock *bpf_skc_lookup_tcp(void *context, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags)
{
	(void)context;
	(void)netns;
	(void)flags;
	return find_socket(tuple, size);
}

struct bpf_sock *bpf_sk_lookup_udp(void *context, struct bpf_sock_tuple *tuple, __u32 size,
				   __u64 netns, __u64 flags)
{
	(void)context;
	(void)netns;
	(void)flags;
	return find_socket(tuple, size);
}

long bpf_sk_release(void *socket)
{
	(void)socket;
	stub.held--;
	return 0;
}

void *stub_ringbuf_reserve(__u64 size)
{
	void *record = stub.random & 1 ? NULL : malloc(size); /* it is full now and then */

	bpf_get_prandom_u32();
	stub.held += record != NULL;
	return record;
}

void stub_ringbuf_end(void *record)
{
	free(record);
	stub.held--;
}

/* Reads all of it, as the kernel would. */
long stub_ringbuf_output(const void *from, __u64 size)
{
	void *copy = malloc(size);

	if (copy)
		memcpy(copy, from, size);
	free(copy);
	return 0;
}
