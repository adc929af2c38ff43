// SPDX-License-Identifier: BSD-2-Clause
/* How many requests a backend serves at once: found out of stations whose workers are known. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "../../tools/lib/container.h"
#include "../../tools/lib/prng.h"
#include "../../tools/sim_station.h"
#include "concurrency.h"
#include "larch/measure.h"
#include "stretch.h"

#define WORK_NS	  2e6
#define FLYING	  4096 /* requests at once, at most */
#define SECONDS	  60
#define TICK_NS	  1000000000ull
#define FIT_TICKS 5
#define DECAY	  0.98851 /* half in 60 ticks */
#define BEGIN	  4

/* A world of one backend, seen from a balancer half a round trip before it. */
struct scene {
	uint32_t workers;
	bool sharing;
	double load;
	double deviation; /* of lognormal work; 0: exponential */
	double net;	  /* round trip, relative to the work */
	double slow;	  /* for a twelfth of the time it is slower by this; 0: never */
	double rough;	  /* the load swings by this, relative, up and down within seconds */
};

struct request {
	struct sim_job job;
	struct timer timer;
	struct request *next;
	uint64_t sent_ns;
	uint32_t queue;
};

static const struct scene *scene;
static struct timers timers;
static struct sim_station station;
static struct request request[FLYING], *idle;
static struct prng prng;
static uint64_t now_ns;
static uint32_t in_flight;
static struct larch_bands bands;
static struct larch_live live;

static void answered(struct timer *timer)
{
	struct request *one = container_of(timer, struct request, timer);
	uint32_t us = (uint32_t)((timer->due_ns - one->sent_ns) / 1000);
	uint32_t net_us = (uint32_t)(scene->net * WORK_NS / 1000);
	struct larch_measurement found = {
		.response_us = us,
		.server_us = us > net_us ? us - net_us : 1,
		.queue = (uint32_t)larch_unpack(larch_queue_code(one->queue), LARCH_QUEUE_MANTISSA),
		.now = timer->due_ns,
	};

	larch_bands_add(&bands, &live, &found);
	in_flight--;
	one->next = idle;
	idle = one;
}

static void served(struct sim_job *job)
{
	struct request *one = container_of(job, struct request, job);

	one->timer.fire = answered;
	timers_arm(&timers, &one->timer, now_ns + (uint64_t)(scene->net * WORK_NS / 2));
}

static void reaches(struct timer *timer)
{
	struct request *one = container_of(timer, struct request, timer);
	double work = scene->deviation > 0 ? prng_lognormal(&prng, scene->deviation)
					   : prng_exponential(&prng);

	one->job = (struct sim_job){.work_ns = (uint64_t)(work * WORK_NS) + 1, .done = served};
	cr_assert_eq(sim_station_submit(&station, &one->job, timer->due_ns), 0);
}

static void send(void)
{
	struct request *one = idle;

	cr_assert_not_null(one, "overloaded");
	idle = one->next;
	one->sent_ns = now_ns;
	one->queue = in_flight++;
	one->timer.fire = reaches;
	timers_arm(&timers, &one->timer, now_ns + (uint64_t)(scene->net * WORK_NS / 2));
}

static void run_until(uint64_t until_ns)
{
	while (timers_step(&timers, until_ns, &now_ns))
		;
	now_ns = until_ns;
}

static void begin(const struct scene *with, uint64_t seed)
{
	scene = with;
	prng = prng_seed(seed, 1);
	memset(&timers, 0, sizeof(timers));
	memset(&bands, 0, sizeof(bands));
	now_ns = in_flight = 0;
	idle = NULL;
	for (size_t i = 0; i < FLYING; i++) {
		request[i] = (struct request){.next = idle};
		idle = &request[i];
	}
	sim_station_init(&station, &timers, scene->workers, scene->sharing);
}

/* One second of Poisson arrivals. */
static void pass_tick(unsigned tick)
{
	double swing = 1 + scene->rough * sin(tick / 3.0);
	double gap_ns = WORK_NS / (scene->load * swing * scene->workers);
	uint64_t end_ns = (tick + 1) * TICK_NS;

	if (scene->slow > 0)
		sim_station_set_speed(&station, tick % 12 == 11 ? 1 / scene->slow : 1, now_ns);
	for (;;) {
		uint64_t next_ns = now_ns + (uint64_t)(gap_ns * prng_exponential(&prng)) + 1;

		if (next_ns >= end_ns)
			break;
		run_until(next_ns);
		send();
	}
	run_until(end_ns);
}

/* What became of it after SECONDS; *changes: how often it did, in the second half. */
static uint32_t learn(const struct scene *with, uint64_t seed, unsigned *changes)
{
	struct concurrency known = {};
	uint32_t value = BEGIN;

	begin(with, seed);
	*changes = 0;
	concurrency_look(&known, &bands, DECAY);
	for (unsigned tick = 0; tick < SECONDS; tick++) {
		struct concurrency_fit fit;
		uint32_t before = value;

		pass_tick(tick);
		concurrency_look(&known, &bands, DECAY);
		if (tick % FIT_TICKS == 0 && concurrency_fit(&known, &fit))
			value = concurrency_next(&fit, value);
		*changes += tick > SECONDS / 2 && value != before;
	}
	sim_station_close(&station);
	timers_close(&timers);
	return value;
}

static void expect_within(const struct scene *with, double factor)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		unsigned changes;
		uint32_t found = learn(with, seed, &changes);

		cr_expect(found <= factor * with->workers && factor * found >= with->workers,
			  "%u instead of %u: sharing %d, load %.2f, deviation %.1f, net %.1f",
			  found, with->workers, with->sharing, with->load, with->deviation,
			  with->net);
		cr_expect_leq(changes, 2, "%u workers, net %.1f: %u changes", with->workers,
			      with->net, changes);
	}
}

Test(concurrency, of_workers_that_serve_in_turn)
{
	static const double net[] = {0, 0.5, 2};

	for (uint32_t workers = 1; workers <= 32; workers *= 2) {
		for (size_t i = 0; i < 3; i++) {
			expect_within(
				&(struct scene){.workers = workers, .load = 0.8, .net = net[i]}, 2);
			expect_within(&(struct scene){.workers = workers,
						      .load = 0.8,
						      .deviation = 1,
						      .net = net[i]},
				      2);
		}
	}
}

/* They never wait, and so they rise less steeply: it takes them for a few more. */
Test(concurrency, of_workers_that_share_their_time)
{
	for (uint32_t workers = 1; workers <= 32; workers *= 2) {
		const struct scene with = {.workers = workers, .sharing = true, .load = 0.8};

		expect_within(&with, 3);
	}
}

Test(concurrency, of_a_load_that_swings)
{
	for (uint32_t workers = 2; workers <= 32; workers *= 4)
		expect_within(&(struct scene){.workers = workers,
					      .load = 0.6,
					      .rough = 0.4,
					      .deviation = 1,
					      .net = 0.5},
			      2);
}

Test(concurrency, beside_a_noisy_neighbour)
{
	for (uint32_t workers = 2; workers <= 32; workers *= 4)
		expect_within(
			&(struct scene){.workers = workers, .load = 0.48, .slow = 2, .net = 0.5},
			2);
}

/* It serves all that it has met without delay: so many at least, and nobody knows how many more. */
Test(concurrency, of_a_backend_that_is_never_busy_is_not_thought_less)
{
	unsigned changes;
	uint32_t found =
		learn(&(struct scene){.workers = 64, .load = 0.1, .deviation = 1}, 1, &changes);

	cr_expect(found >= 8 && found <= 128, "%u", found);
	found = learn(&(struct scene){.workers = 64, .load = 0.005, .deviation = 1}, 1, &changes);
	cr_expect_geq(found, BEGIN);
	cr_expect_leq(found, 8);
}

/* Bands as a server of so many workers would fill them, with `count` requests in each. */
static void fill(struct concurrency *out, uint32_t from, uint32_t to, uint32_t workers,
		 double count, double service_us)
{
	memset(out, 0, sizeof(*out));
	for (uint32_t i = from; i <= to; i++) {
		uint32_t low = (uint32_t)larch_unpack(i, LARCH_BAND_MANTISSA);
		uint32_t next = (uint32_t)larch_unpack(i + 1, LARCH_BAND_MANTISSA);
		double us = service_us * stretch_of((low + next - 1) / 2, workers, 0);

		out->band[i] = (struct concurrency_band){count, count * us, count * us};
	}
}

Test(concurrency, is_the_same_whatever_the_unit_of_time)
{
	for (uint32_t workers = 1; workers <= 64; workers *= 2) {
		struct concurrency known;
		struct concurrency_fit slow, fast;

		fill(&known, 0, 13, workers, 1000, 100);
		cr_assert(concurrency_fit(&known, &fast));
		fill(&known, 0, 13, workers, 1000, 1e6);
		cr_assert(concurrency_fit(&known, &slow));
		cr_expect_eq(fast.best, slow.best);
		cr_expect_float_eq(slow.service_us / fast.service_us, 1e4, 1);
		cr_expect(fast.best <= 1.3 * workers && 1.3 * fast.best >= workers, "%u for %u",
			  fast.best, workers);
	}
}

Test(concurrency, of_one_that_was_always_busy_has_no_lower_end)
{
	struct concurrency known;
	struct concurrency_fit fit;

	fill(&known, 8, 14, 4, 1000, 1000);
	cr_assert(concurrency_fit(&known, &fit));
	cr_expect_eq(fit.low, 1);
	cr_expect_geq(fit.high, 4);
	cr_expect_not(concurrency_decides(&fit));
	cr_expect_eq(concurrency_next(&fit, 4), 4);
}

Test(concurrency, needs_evidence_that_is_enough_and_of_one_mind)
{
	struct concurrency known = {};
	struct concurrency_fit fit;

	cr_expect_not(concurrency_fit(&known, &fit), "nothing");
	fill(&known, 0, 13, 4, 2, 1000);
	cr_expect_not(concurrency_fit(&known, &fit), "too few");
	fill(&known, 2, 2, 4, 1e6, 1000);
	cr_expect_not(concurrency_fit(&known, &fit), "one band");
	fill(&known, LARCH_BANDS - 1, LARCH_BANDS - 1, 4, 1e6, 1000);
	cr_expect_not(concurrency_fit(&known, &fit), "of unknown length");
	fill(&known, 0, 13, 4, 1e6, 1000);
	for (uint32_t i = 0; i < LARCH_BANDS; i += 2)
		known.band[i].server_us *= 5;
	cr_expect_not(concurrency_fit(&known, &fit), "no server does that");
}

Test(concurrency, is_looked_at_from_now_on_and_forgotten_slowly)
{
	struct concurrency known = {};
	struct larch_bands now = {.band = {{100, 5000, 6000}}};

	concurrency_look(&known, &now, 0.5);
	cr_expect_eq(known.band[0].requests, 0, "what another daemon saw");
	now.band[0] = (struct larch_band){140, 7000, 8400};
	concurrency_look(&known, &now, 0.5);
	cr_expect_eq(known.band[0].requests, 40);
	cr_expect_eq(known.band[0].server_us, 2000);
	cr_expect_eq(known.band[0].response_us, 2400);
	concurrency_look(&known, &now, 0.5);
	cr_expect_eq(known.band[0].requests, 20);
	now.band[0] = (struct larch_band){3, 90, 99}; /* somebody emptied the map */
	concurrency_look(&known, &now, 0.5);
	cr_expect_eq(known.band[0].requests, 10);
}

Test(concurrency, stays_within_the_interval_and_moves_by_no_more_than_half_or_twice)
{
	struct prng p = prng_seed(5, 5);

	for (int i = 0; i < 100000; i++) {
		struct concurrency_fit fit = {.low = 1 + (uint32_t)prng_below(&p, 400)};
		uint32_t present = 1 + (uint32_t)prng_below(&p, 1024), next;

		fit.high = fit.low + (uint32_t)prng_below(&p, 400);
		fit.best = fit.low + (uint32_t)prng_below(&p, fit.high - fit.low + 1);
		next = concurrency_next(&fit, present);
		cr_assert(next >= 1 && next >= present / 2 && next <= 2 * present);
		if (present >= fit.low && present <= fit.high)
			cr_assert_eq(next, present);
		else
			cr_assert(present < fit.low ? next > present : next < present);
		for (int step = 0; step < 12; step++)
			next = concurrency_next(&fit, next);
		cr_assert(next >= fit.low && next <= fit.high);
	}
}

/* Two at the server: p(m | 2) ~ 1/2, 1, 1 (one worker, as long there as on the wire), so 2.2. */
Test(concurrency, stretches_as_the_network_of_queues_says)
{
	double of[8];

	concurrency_stretch(4, 0, of, 8);
	cr_expect_float_eq(of[7], 2, 1e-12);
	cr_expect_float_eq(of[2], 1, 1e-12);
	concurrency_stretch(1, 1, of, 8);
	cr_expect_float_eq(of[2], (0.5 + 2 + 3) / 2.5, 1e-12);
	concurrency_stretch(2, 1, of, 8);
	cr_expect_float_eq(of[2], (0.5 + 1 + 0.75) / 2, 1e-12);
}

Test(concurrency, stretches_as_the_sum_of_all_terms_does)
{
	double of[200];

	for (uint32_t c = 1; c <= 256; c += 1 + c / 8) {
		for (double net = 1e-9; net < 1e9; net *= 10) {
			concurrency_stretch(c, net, of, 200);
			for (uint32_t q = 0; q < 200; q++)
				cr_assert_float_eq(of[q] / stretch_of(q, c, net), 1, 1e-12,
						   "%u in flight, %u workers, net %g", q, c, net);
		}
		concurrency_stretch(c, 0, of, 200);
		for (uint32_t q = 0; q < 200; q++)
			cr_assert_float_eq(of[q], stretch_of(q, c, 0), 1e-12);
	}
}

Test(concurrency, stretches_more_in_a_longer_queue_and_less_with_more_workers_and_wire)
{
	for (double net = 1e-9; net < 1e9; net *= 1000) {
		double now[449], more[449], wire[449];

		concurrency_stretch(8, net, now, 449);
		concurrency_stretch(9, net, more, 449);
		concurrency_stretch(8, 2 * net, wire, 449);
		for (uint32_t q = 0; q < 448; q++) {
			cr_assert(isfinite(now[q]) && now[q] >= 1);
			cr_assert_geq(now[q + 1], now[q] * (1 - 1e-9));
			cr_assert_leq(more[q], now[q] * (1 + 1e-9));
			cr_assert_leq(wire[q], now[q] * (1 + 1e-9));
		}
	}
}
