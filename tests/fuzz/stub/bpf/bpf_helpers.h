/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for libbpf's header of this name where the BPF sources are compiled for user space:
 * the same macros, and the helpers that the programs call. A helper that is not declared here is a
 * compile error that names it: declare it here and define it in ../../stub_*.c.
 *
 * A map is known by what its definition says: STUB_MAP() takes type and sizes from the pointer
 * types that __uint() and __type() make, so that no map needs to be listed anywhere.
 */
#pragma once

#ifndef NULL
#define NULL ((void *)0)
#endif

/* Weak: control code that includes bpf/maps.h, and each program, have the same maps. */
#define SEC(name)	     __attribute__((weak, visibility("default")))
#define __uint(name, value)  int(*name)[value]
#define __type(name, value)  typeof(value) *name
#define __array(name, value) typeof(value) *name[]

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif

enum libbpf_pin_type { LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME };

struct xdp_md;
struct bpf_fib_lookup;
struct bpf_sock;
struct bpf_sock_tuple;

/* --- maps ----------------------------------------------------------------------------------- */

struct stub_map;

struct stub_shape {
	__u32 type; /* enum bpf_map_type */
	__u32 key, value, entries;
};

/* The memory behind a map's definition, made at the first call. */
struct stub_map *stub_map(void *definition, const struct stub_shape *shape);

#define STUB_MAP(map)                                                                              \
	stub_map(&(map)->type,                                                                     \
		 &(const struct stub_shape){sizeof(*(map)->type) / sizeof(int),                    \
					    sizeof(*(map)->key), sizeof(*(map)->value),            \
					    sizeof(*(map)->max_entries) / sizeof(int)})

void *stub_lookup(struct stub_map *map, const void *key);
long stub_update(struct stub_map *map, const void *key, const void *value, __u64 flags);
long stub_delete(struct stub_map *map, const void *key);

#define bpf_map_lookup_elem(map, at)		  stub_lookup(STUB_MAP(map), at)
#define bpf_map_update_elem(map, at, from, flags) stub_update(STUB_MAP(map), at, from, flags)
#define bpf_map_delete_elem(map, at)		  stub_delete(STUB_MAP(map), at)

void *stub_ringbuf_reserve(__u64 size);
void stub_ringbuf_end(void *record);
long stub_ringbuf_output(const void *from, __u64 size);

#define bpf_ringbuf_reserve(map, size, flags)	   ((void)(map), stub_ringbuf_reserve(size))
#define bpf_ringbuf_submit(record, flags)	   stub_ringbuf_end(record)
#define bpf_ringbuf_discard(record, flags)	   stub_ringbuf_end(record)
#define bpf_ringbuf_output(map, from, size, flags) ((void)(map), stub_ringbuf_output(from, size))

/* --- packets -------------------------------------------------------------------------------- */

long bpf_xdp_adjust_head(struct xdp_md *context, int delta);
long bpf_xdp_adjust_tail(struct xdp_md *context, int delta);
__u64 bpf_xdp_get_buff_len(struct xdp_md *context);
long bpf_xdp_load_bytes(struct xdp_md *context, __u32 offset, void *to, __u32 size);
long bpf_xdp_store_bytes(struct xdp_md *context, __u32 offset, void *from, __u32 size);
long bpf_redirect(__u32 ifindex, __u64 flags);
__s64 bpf_csum_diff(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __wsum seed);

#define bpf_redirect_map(map, at, flags)                                                           \
	(bpf_map_lookup_elem(map, &(__u32){at}) ? bpf_redirect(at, 0) : (long)(flags))

/* --- the rest of the kernel ----------------------------------------------------------------- */

__u64 bpf_ktime_get_ns(void);
__u64 bpf_ktime_get_coarse_ns(void);
__u64 bpf_ktime_get_boot_ns(void);
__u64 bpf_jiffies64(void);
__u32 bpf_get_prandom_u32(void);
__u32 bpf_get_smp_processor_id(void);
long bpf_fib_lookup(void *context, struct bpf_fib_lookup *lookup, int size, __u32 flags);
struct bpf_sock *bpf_skc_lookup_tcp(void *context, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags);
struct bpf_sock *bpf_sk_lookup_udp(void *context, struct bpf_sock_tuple *tuple, __u32 size,
				   __u64 netns, __u64 flags);
long bpf_sk_release(void *socket);
#define bpf_printk(...) ((void)0)
