// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs blocks of packets by BPF_PROG_TEST_RUN. See bench_measure.h. Time is the thread's CPU time
 * around the call: it leaves out what others do on the CPU, and has more digits than the kernel's
 * own figure. What the call itself costs is in every target's blocks alike.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench_measure.h"
#include "bench_profile.h"
#include "bench_world.h"
#include "clock.h"
#include "outcomes.h"

/* A packet that found no room in the flow table is forwarded too; more than these are no noise. */
#define LEAST_SHARE 0.99

/* The wrapper's only global variable, in memory that we share with it. */
static struct bench_walk *map_walk(const struct wrapper *wrapper)
{
	const struct bpf_map *globals = bpf_object__find_map_by_name(wrapper->object, ".bss");
	void *memory = MAP_FAILED;

	if (globals && bpf_map__value_size(globals) == sizeof(struct bench_walk))
		memory = mmap(NULL, sizeof(struct bench_walk), PROT_READ | PROT_WRITE, MAP_SHARED,
			      bpf_map__fd(globals), 0);
	return memory == MAP_FAILED ? NULL : memory;
}

int wrapper_open(struct wrapper *wrapper, const char *file)
{
	*wrapper = (struct wrapper){.object = bpf_object__open_file(file, NULL)};
	if (!wrapper->object || bpf_object__load(wrapper->object) != 0) {
		fprintf(stderr, "bench: cannot load %s: %s\n", file, strerror(errno));
		return -errno;
	}
	wrapper->slot = bpf_object__find_map_fd_by_name(wrapper->object, "bench_target");
	wrapper->walk = map_walk(wrapper);
	return wrapper->slot >= 0 && wrapper->walk ? 0 : -EINVAL;
}

void wrapper_close(struct wrapper *wrapper)
{
	munmap(wrapper->walk, sizeof(*wrapper->walk));
	bpf_object__close(wrapper->object);
}

int wrapper_program(const struct wrapper *wrapper, const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(wrapper->object, name);

	return program ? bpf_program__fd(program) : -ENOENT;
}

int measure_block(struct wrapper *wrapper, const struct measurement *what, struct target *target,
		  double *ns)
{
	uint8_t frame[BENCH_FRAME] = {};
	const uint32_t slot = 0;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = (int)what->packets);
	uint64_t begun;
	int error;

	if (bpf_map_update_elem(wrapper->slot, &slot, &target->program, BPF_ANY) != 0)
		return -errno;
	*wrapper->walk = (struct bench_walk){.count = target->count, .bits = what->bits};
	if (what->profile)
		profile_start(what->profile);
	begun = clock_read(CLOCK_THREAD_CPUTIME_ID);
	error = bpf_prog_test_run_opts(what->program, &options);
	if (ns)
		*ns = (double)(clock_read(CLOCK_THREAD_CPUTIME_ID) - begun) / what->packets;
	if (what->profile)
		profile_stop(what->profile);
	if (!error && wrapper->walk->count != target->count + what->packets)
		error = -EPROTO;
	target->count = wrapper->walk->count;
	return error;
}

/* One block of one target; adds the balancer's packets to *packets, the right ones to *right. */
static int measure_target(struct wrapper *wrapper, const struct measurement *what,
			  struct target *target, double *ns, uint64_t *packets, uint64_t *right)
{
	uint64_t all, hits;
	int error;

	if (what->clear)
		target->count = 0;
	if (!target->world)
		return measure_block(wrapper, what, target, ns);
	if (what->clear)
		world_clear(target->world);
	all = world_packets(target->world);
	hits = world_outcome(target->world, what->outcome);
	error = measure_block(wrapper, what, target, ns);
	*packets += world_packets(target->world) - all;
	*right += world_outcome(target->world, what->outcome) - hits;
	return error;
}

static int check_outcomes(const struct measurement *what, const struct target *target,
			  uint64_t expected, uint64_t packets, uint64_t right)
{
	if (packets == expected && (double)right >= LEAST_SHARE * (double)expected)
		return 0;
	while (!target->world) /* the floors come first */
		target++;
	fprintf(stderr, "bench: of %lu packets, %lu were counted, %lu as %s:\n", expected, packets,
		right, outcomes_name(what->outcome));
	for (uint32_t i = 0; i < LARCH_OUTCOME_COUNT; i++) {
		uint64_t count = world_outcome(target->world, i);

		if (count)
			fprintf(stderr, "  %12lu %s\n", count, outcomes_name(i));
	}
	return -EPROTO;
}

int measure_rounds(struct wrapper *wrapper, const struct measurement *what, struct target *target,
		   size_t targets, double *share)
{
	uint64_t packets = 0, right = 0, expected = 0;
	int error = 0;

	for (uint32_t round = 0; !error && round < what->rounds; round++) {
		for (size_t i = 0; !error && i < targets; i++) {
			struct target *next = &target[(i + round) % targets];

			expected += next->world ? what->packets : 0;
			error = measure_target(wrapper, what, next, &next->ns[round], &packets,
					       &right);
		}
	}
	if (!error)
		error = check_outcomes(what, target, expected, packets, right);
	*share = expected ? (double)right / (double)expected : 1;
	return error;
}
