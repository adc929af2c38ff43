/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The balancer's maps. All are pinned by name, so that whoever loads the program first (ip link
 * or larchd) leaves them where the next one finds them. Names have at most 15 characters.
 */
#pragma once

#include "larch/backend.h"
#include "larch/capture.h"
#include "larch/cell.h"
#include "larch/flow.h"
#include "larch/fragment.h"
#include "larch/guard.h"
#include "larch/outcome.h"
#include "larch/plan.h"
#include "larch/service.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct larch_settings);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_settings SEC(".maps");

/* Two tables, see larch/service.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * LARCH_VIP_SLOTS);
	__type(key, __u32);
	__type(value, struct larch_vip_slot);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct larch_service);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, LARCH_MAX_ACCESS);
	__type(key, struct larch_access);
	__type(value, __u32); /* enum larch_access_verdict */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_access SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LARCH_MAX_SOURCES);
	__type(key, struct larch_source);
	__type(value, struct larch_allowance);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct larch_pressure);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_pressure SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_FLOW_BUCKETS);
	__type(key, __u32);
	__type(value, struct larch_bucket);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LARCH_MAX_FRAGMENTS);
	__type(key, struct larch_fragment);
	__type(value, struct larch_fragment_way);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_LIMIT_COUNT);
	__type(key, __u32);
	__type(value, struct larch_tokens);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct larch_active);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES *LARCH_BANKS);
	__type(key, __u32);
	__type(value, struct larch_plan);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_plans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES *LARCH_BANKS *LARCH_RINGS);
	__type(key, __u32);
	__type(value, struct larch_ring);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES *LARCH_BANKS *LARCH_MAX_LEAVES);
	__type(key, __u32);
	__type(value, struct larch_costs);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_costs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct larch_backend);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct larch_live);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_live SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct larch_bands);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_bands SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LARCH_MAX_CELLS);
	__type(key, struct larch_cell);
	__type(value, struct larch_samples);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_cells SEC(".maps");

/* By service and arm. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES *LARCH_ARMS);
	__type(key, __u32);
	__type(value, struct larch_connects);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_connects SEC(".maps");

/* What a new cell starts from: a map value, since it is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct larch_samples);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_new_cell SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_OUTCOME_COUNT);
	__type(key, __u32);
	__type(value, struct larch_counter);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_outcomes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct larch_traffic);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_svc_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct larch_traffic);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_bck_count SEC(".maps");

/* By service and leaf: flows alone. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES *LARCH_MAX_LEAVES);
	__type(key, __u32);
	__type(value, struct larch_traffic);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_leaf_cnt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LARCH_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct larch_evidence);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_evidence SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LARCH_MAX_QUIC);
	__type(key, struct larch_quic);
	__type(value, __u32);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_quic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct larch_capture);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_capture SEC(".maps");

/* Records: struct larch_captured. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LARCH_CAPTURE_RING);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} larch_captured SEC(".maps");
