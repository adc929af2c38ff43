// SPDX-License-Identifier: BSD-2-Clause
// Loads the programs, runs packets through them, reads their counters; see harness.h.
#include "harness.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <string.h>

#include "agent.frags.skel.h"
#include "agent.skel.h"
#include "clock.h"
#include "datapath_ticks.h"
#include "larch.skel.h"
#include "lent.h"
#include "reply.h"
#include "verdict.h"
#include "verify.h"
#include "vips.h"

#define OUTCOMES_MOST 64
#define HZ	      250 /* whatever it is: stamps only need to agree */

/* A per-CPU array of counters, and what has been seen of it. */
struct tally {
	const struct bpf_map *map;
	uint32_t outcomes;
	struct larch_counter seen[OUTCOMES_MOST];
};

struct balancer balancer;
static struct larch_bpf *larch;
static int larch_program;
static struct ring_buffer *captured;
static struct bpf_object *agent;
static int agent_program;
static struct tally larch_tally, agent_tally;

static int ticks = -1;

void balancer_set_ticks(void)
{
	ticks = datapath_ticks_open();
	cr_assert_geq(ticks, 0);
	balancer.settings->hz = HZ;
	balancer.settings->stamp_shift = datapath_ticks_shift(HZ);
}

uint32_t now_stamp(void)
{
	return datapath_ticks_read(ticks) >> balancer.settings->stamp_shift & LARCH_STAMP_MASK;
}

static void forget_pins(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) cr_assert_eq(bpf_map__set_pin_path(map, NULL), 0);
}

static void open_balancer(bool frags)
{
	larch = larch_bpf__open();
	cr_assert_not_null(larch, "cannot open the balancer: %s", strerror(errno));
	larch_program = lent_open(larch->obj, frags);
	balancer.settings = lent_memory(larch->maps.larch_settings, sizeof(*balancer.settings));
	balancer.vips = lent_memory(larch->maps.larch_vips, sizeof(*balancer.vips));
	balancer.services = lent_memory(larch->maps.larch_services, sizeof(*balancer.services));
	balancer.bucket = lent_memory(larch->maps.larch_flows, sizeof(*balancer.bucket));
	balancer.active = lent_memory(larch->maps.larch_active, sizeof(*balancer.active));
	balancer.plan = lent_memory(larch->maps.larch_plans, sizeof(*balancer.plan));
	balancer.ring = lent_memory(larch->maps.larch_rings, sizeof(*balancer.ring));
	balancer.costs = lent_memory(larch->maps.larch_costs, sizeof(*balancer.costs));
	balancer.live = lent_memory(larch->maps.larch_live, sizeof(*balancer.live));
	balancer.connects = lent_memory(larch->maps.larch_connects, sizeof(*balancer.connects));
	balancer.bands = lent_memory(larch->maps.larch_bands, sizeof(*balancer.bands));
	balancer.pressure = lent_memory(larch->maps.larch_pressure, sizeof(*balancer.pressure));
	balancer.capture = lent_memory(larch->maps.larch_capture, sizeof(*balancer.capture));
	captured = NULL;
	larch_tally = (struct tally){larch->maps.larch_outcomes, LARCH_OUTCOME_COUNT, {}};
}

void balancer_open(void)
{
	open_balancer(false);
}

void balancer_open_frags(void)
{
	open_balancer(true);
}

void balancer_close(void)
{
	lent_close(larch_program);
	larch_bpf__destroy(larch);
}

static void open_agent(const void *bytes, size_t size)
{
	agent = bpf_object__open_mem(bytes, size, NULL);
	cr_assert_not_null(agent, "cannot open the agent: %s", strerror(errno));
	forget_pins(agent);
	cr_assert_eq(bpf_object__load(agent), 0, "cannot load the agent (are you root?)");
	agent_program = bpf_program__fd(bpf_object__find_program_by_name(agent, "larch_agent_xdp"));
	agent_tally = (struct tally){
		bpf_object__find_map_by_name(agent, "larch_agent"), LARCH_AGENT_OUTCOME_COUNT, {}};
}

void agent_open(void)
{
	size_t size;
	const void *bytes = getenv(LENT_FRAGS) ? agent_frags_bpf__elf_bytes(&size)
					       : agent_bpf__elf_bytes(&size);

	open_agent(bytes, size);
}

void agent_open_frags(void)
{
	size_t size;
	const void *bytes = agent_frags_bpf__elf_bytes(&size);

	open_agent(bytes, size);
}

void agent_close(void)
{
	bpf_object__close(agent);
}

/* Adds up the 64-bit words of a per-CPU map's value. */
static void read_summed(const struct bpf_map *map, uint32_t key, uint64_t *sums, size_t words)
{
	int cpus = libbpf_num_possible_cpus();
	size_t bytes = words * sizeof(uint64_t);

	cr_assert_gt(cpus, 0);
	uint64_t values[cpus][words];

	cr_assert_eq(bpf_map__lookup_elem(map, &key, sizeof(key), values, cpus * bytes, 0), 0);
	memset(sums, 0, bytes);
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			sums[i] += values[cpu][i];
}

static struct larch_counter read_counter(const struct tally *tally, uint32_t outcome)
{
	uint64_t sums[2];

	read_summed(tally->map, outcome, sums, COUNT(sums));
	return (struct larch_counter){.packets = sums[0], .bytes = sums[1]};
}

/* The one outcome that was counted since the last call. */
static uint32_t tally_next(struct tally *tally, size_t bytes)
{
	uint32_t found = OUTCOMES_MOST;

	for (uint32_t i = 0; i < tally->outcomes; i++) {
		struct larch_counter now = read_counter(tally, i);
		uint64_t packets = now.packets - tally->seen[i].packets;

		cr_assert_leq(packets, 1, "outcome %u was counted %lu times", i, packets);
		cr_assert_eq(now.bytes - tally->seen[i].bytes, packets * bytes, "bytes of %u", i);
		cr_assert(!packets || found == OUTCOMES_MOST, "counted as %u and %u", found, i);
		found = packets ? i : found;
		tally->seen[i] = now;
	}
	cr_assert_neq(found, OUTCOMES_MOST, "the packet was not counted");
	return found;
}

/* `taken` bytes of headroom hold metadata, which the program does not look at. */
static int run(int program, const struct frame *in, uint32_t taken, struct result *out)
{
	uint8_t bytes[FRAME_MOST + 256] = {}, left[FRAME_MOST + 512];
	struct xdp_md context = {
		.data = taken,
		.data_end = (uint32_t)(taken + in->size),
		.ingress_ifindex = INGRESS,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes,
		    .data_size_in = (uint32_t)(taken + in->size), .data_out = left,
		    .data_size_out = sizeof(left), .ctx_in = &context, .ctx_out = &context,
		    .ctx_size_in = sizeof(context), .ctx_size_out = sizeof(context));
	int error;

	memcpy(bytes + taken, in->byte, in->size);
	error = bpf_prog_test_run_opts(program, &options);
	if (error)
		return error;
	*out = (struct result){.verdict = (int)options.retval, .frame = *in};
	out->frame.size = options.data_size_out - context.data;
	cr_assert_leq(out->frame.size, FRAME_MOST);
	memcpy(out->frame.byte, left + context.data, out->frame.size);
	return 0;
}

static bool is_reply(uint32_t outcome)
{
	return outcome == LARCH_REPLY_ECHO || outcome == LARCH_REPLY_TOO_BIG;
}

static void check_balanced(const struct frame *in, const struct result *result)
{
	const struct frame *out = &result->frame;
	const char *wrong = NULL;

	cr_assert(verdict_is_right(result->outcome, result->verdict), "%s has verdict %d",
		  outcomes_name(result->outcome), result->verdict);
	if (is_reply(result->outcome))
		wrong = reply_wrong(in, out);
	else if (result->verdict == XDP_TX || result->verdict == XDP_REDIRECT)
		wrong = verify_forwarded(in->byte, in->size, out->byte, out->size).wrong;
	else if (result->verdict == XDP_PASS && result->outcome != LARCH_RETURN_HOST &&
		 !frame_equal(in, out))
		wrong = "the frame was changed";
	cr_assert_null(wrong, "%s: %s", outcomes_name(result->outcome), wrong);
}

bool balancer_send_with_less_room(const struct frame *frame, uint32_t taken, struct result *out)
{
	if (run(larch_program, frame, taken, out))
		return false;
	out->outcome = tally_next(&larch_tally, frame->size);
	check_balanced(frame, out);
	return true;
}

bool balancer_run(const struct frame *frame, struct result *out)
{
	return run(larch_program, frame, 0, out) == 0;
}

bool agent_run(const struct frame *frame, struct result *out)
{
	return run(agent_program, frame, 0, out) == 0;
}

struct result balancer_send(const struct frame *frame)
{
	struct result result;

	cr_assert(balancer_send_with_less_room(frame, 0, &result),
		  "the kernel ran no packet of %zu", frame->size);
	return result;
}

struct result balancer_send_spec(const struct spec *spec)
{
	struct frame frame = frame_build(spec);

	return balancer_send(&frame);
}

struct result agent_send(const struct frame *frame)
{
	struct result result;

	cr_assert_eq(run(agent_program, frame, 0, &result), 0);
	result.outcome = tally_next(&agent_tally, frame->size);
	cr_assert(agent_verdict_is_right(result.outcome, result.verdict), "outcome %u, verdict %d",
		  result.outcome, result.verdict);
	return result;
}

void balancer_put_slot(const struct larch_vip_slot *slot)
{
	cr_assert_eq(vips_put(balancer.vips, balancer.settings->vips, slot), 0);
}

void balancer_put_vip(const struct larch_vip *vip, uint16_t service)
{
	balancer_put_slot(&(struct larch_vip_slot){.vip = *vip, .service = service});
}

void balancer_set_backend(uint32_t id, const struct larch_backend *backend)
{
	cr_assert_eq(bpf_map__update_elem(larch->maps.larch_backends, &id, sizeof(id), backend,
					  sizeof(*backend), BPF_ANY),
		     0);
}

struct larch_backend balancer_backend(uint32_t id)
{
	struct larch_backend backend;

	cr_assert_eq(bpf_map__lookup_elem(larch->maps.larch_backends, &id, sizeof(id), &backend,
					  sizeof(backend), 0),
		     0);
	return backend;
}

void balancer_put_quic(const struct larch_quic *key, uint32_t backend)
{
	cr_assert_eq(bpf_map__update_elem(larch->maps.larch_quic, key, sizeof(*key), &backend,
					  sizeof(backend), BPF_ANY),
		     0);
}

void balancer_put_access(const struct larch_access *access, uint32_t verdict)
{
	cr_assert_eq(bpf_map__update_elem(larch->maps.larch_access, access, sizeof(*access),
					  &verdict, sizeof(verdict), BPF_ANY),
		     0);
}

bool balancer_allowance(const struct larch_source *source, struct larch_allowance *out)
{
	return bpf_map__lookup_elem(larch->maps.larch_sources, source, sizeof(*source), out,
				    sizeof(*out), 0) == 0;
}

void balancer_put_allowance(const struct larch_source *source, struct larch_allowance allowance)
{
	cr_assert_eq(bpf_map__update_elem(larch->maps.larch_sources, source, sizeof(*source),
					  &allowance, sizeof(allowance), BPF_ANY),
		     0);
}

struct larch_counter balancer_outcome(enum larch_outcome outcome)
{
	return read_counter(&larch_tally, outcome);
}

/* All outcomes together. */
static uint64_t tally_sum(const struct tally *tally)
{
	uint64_t packets = 0;

	for (uint32_t i = 0; i < tally->outcomes; i++)
		packets += read_counter(tally, i).packets;
	return packets;
}

uint64_t balancer_received(void)
{
	return tally_sum(&larch_tally);
}

uint64_t agent_received(void)
{
	return tally_sum(&agent_tally);
}

static struct larch_traffic read_traffic(const struct bpf_map *map, uint32_t key)
{
	uint64_t sums[4];

	read_summed(map, key, sums, COUNT(sums));
	return (struct larch_traffic){sums[0], sums[1], sums[2], sums[3]};
}

struct larch_traffic balancer_service_traffic(uint32_t service)
{
	return read_traffic(larch->maps.larch_svc_count, service);
}

struct larch_traffic balancer_leaf_traffic(uint32_t service, uint32_t leaf)
{
	return read_traffic(larch->maps.larch_leaf_cnt, larch_leaf_index(service, leaf));
}

struct larch_traffic balancer_backend_traffic(uint32_t backend)
{
	return read_traffic(larch->maps.larch_bck_count, backend);
}

struct larch_evidence balancer_evidence(uint32_t service)
{
	struct larch_evidence sum;

	read_summed(larch->maps.larch_evidence, service, (uint64_t *)&sum,
		    sizeof(sum) / sizeof(uint64_t));
	return sum;
}

bool balancer_cell(const struct larch_cell *cell, struct larch_samples *out)
{
	return bpf_map__lookup_elem(larch->maps.larch_cells, cell, sizeof(*cell), out, sizeof(*out),
				    0) == 0;
}

size_t balancer_cells(void)
{
	struct larch_cell key, next;
	const struct larch_cell *at = NULL;
	size_t cells = 0;

	while (bpf_map__get_next_key(larch->maps.larch_cells, at, &next, sizeof(next)) == 0) {
		key = next;
		at = &key;
		cells++;
	}
	return cells;
}

static int put_cell(const struct larch_cell *cell)
{
	struct larch_samples none = {};

	return bpf_map__update_elem(larch->maps.larch_cells, cell, sizeof(*cell), &none,
				    sizeof(none), BPF_ANY);
}

void balancer_put_cell(const struct larch_cell *cell)
{
	cr_assert_eq(put_cell(cell), 0);
}

/* Cells of a service that no test uses, until there is no room for another. */
void balancer_fill_cells(void)
{
	struct larch_cell key = {.service = LARCH_MAX_SERVICES - 1};
	int error = 0;

	for (key.source = 1; !error; key.source++)
		error = put_cell(&key);
	cr_assert_eq(error, -E2BIG);
}

bool balancer_fragment(const struct larch_fragment *key, struct larch_fragment_way *out)
{
	return bpf_map__lookup_elem(larch->maps.larch_fragments, key, sizeof(*key), out,
				    sizeof(*out), 0) == 0;
}

bool balancer_has_fragments(void)
{
	struct larch_fragment first;

	return bpf_map__get_next_key(larch->maps.larch_fragments, NULL, &first, sizeof(first)) == 0;
}

void balancer_put_fragment(const struct larch_fragment *key, const struct larch_fragment_way *way)
{
	cr_assert_eq(bpf_map__update_elem(larch->maps.larch_fragments, key, sizeof(*key), way,
					  sizeof(*way), BPF_ANY),
		     0);
}

/* One record at a time: an error ends the reading, behind it. */
static int take_record(void *context, void *data, size_t size)
{
	cr_assert_eq(size, sizeof(struct larch_captured));
	memcpy(context, data, size);
	return -ECANCELED;
}

bool balancer_captured(struct larch_captured *out)
{
	struct larch_captured none = {};
	static struct larch_captured record;

	if (!captured)
		captured = ring_buffer__new(bpf_map__fd(larch->maps.larch_captured), take_record,
					    &record, NULL);
	cr_assert_not_null(captured);
	*out = none;
	if (ring_buffer__consume(captured) != -ECANCELED)
		return false;
	*out = record;
	return true;
}

void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	cr_assert_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

void balancer_age_limit(enum larch_limit limit, uint32_t seconds)
{
	int cpus = libbpf_num_possible_cpus();
	struct larch_tokens tokens[cpus];
	uint32_t key = limit;

	cr_assert_eq(bpf_map__lookup_elem(larch->maps.larch_limits, &key, sizeof(key), tokens,
					  sizeof(tokens), 0),
		     0);
	for (int cpu = 0; cpu < cpus; cpu++)
		tokens[cpu].updated -= (uint64_t)seconds * balancer.settings->hz;
	cr_assert_eq(bpf_map__update_elem(larch->maps.larch_limits, &key, sizeof(key), tokens,
					  sizeof(tokens), BPF_ANY),
		     0);
}
