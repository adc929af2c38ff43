// SPDX-License-Identifier: BSD-2-Clause
/* Who says how many requests a backend serves at once, and what becomes of it. */
#include "estimate.h"
#include "log.h"
#include "report_world.h"
#include "stretch.h"

#define ID    SCENE_FIRST
#define TICKS 60

static struct larch_bands bands[LARCH_MAX_BACKENDS];

static void begin(void)
{
	report_begin();
	memset(bands, 0, sizeof(bands));
	world.datapath.bands = bands;
}

TestSuite(estimate, .init = begin, .fini = report_end);

static struct registry_backend *backend(void)
{
	return &world.controller->registry.backend[ID];
}

static void expect(uint32_t concurrency, enum concurrency_origin origin)
{
	cr_assert_eq(backend()->concurrency, concurrency, "%u", backend()->concurrency);
	cr_assert_eq(backend()->origin, origin);
	cr_assert_eq(world.datapath.live[ID].share, (1u << 16) / concurrency);
}

/* Each band gets what a server of so many workers would give it in a second. */
static void fill(uint32_t id, uint32_t workers)
{
	for (uint32_t i = 0; i < LARCH_BANDS - 1; i++) {
		uint32_t queue = (uint32_t)larch_unpack(i, LARCH_BAND_MANTISSA);
		double us = 1000 * stretch_of(queue, workers, 0);

		bands[id].band[i].requests += 100;
		bands[id].band[i].server_us += (uint64_t)(100 * us);
		bands[id].band[i].response_us += (uint64_t)(100 * us);
	}
}

static void tick(void)
{
	world.controller->ticks++;
	estimate_tick(world.controller, 1);
}

static void serve(uint32_t workers)
{
	for (int i = 0; i < TICKS; i++) {
		fill(ID, workers);
		tick();
	}
}

Test(estimate, without_any_word_four_are_assumed)
{
	estimate_begin(world.controller, ID, 0);
	expect(4, CONCURRENCY_ASSUMED);
	estimate_tick(world.controller, 1);
	expect(4, CONCURRENCY_ASSUMED);
}

Test(estimate, finds_out_and_keeps_it_when_the_file_is_read_again)
{
	estimate_begin(world.controller, ID, 0);
	serve(16);
	cr_assert(backend()->concurrency >= 14 && backend()->concurrency <= 20, "%u",
		  backend()->concurrency);
	estimate_begin(world.controller, ID, 0);
	expect(backend()->concurrency, CONCURRENCY_FITTED);
	cr_assert_neq(world.controller->fitted_news, 0);
}

Test(estimate, says_so_too_where_what_was_assumed_is_right)
{
	estimate_begin(world.controller, ID, 0);
	serve(4);
	expect(4, CONCURRENCY_FITTED);
}

Test(estimate, what_is_configured_stands)
{
	estimate_begin(world.controller, ID, 7);
	expect(7, CONCURRENCY_CONFIGURED);
	serve(16);
	expect(7, CONCURRENCY_CONFIGURED);
	estimate_begin(world.controller, ID, 0);
	expect(4, CONCURRENCY_ASSUMED);
}

Test(estimate, of_another_server_with_the_id_begins_anew)
{
	estimate_begin(world.controller, ID, 0);
	serve(16);
	estimate_forget(world.controller, ID);
	memset(backend(), 0, sizeof(*backend()));
	memset(&bands[ID], 0, sizeof(bands[ID]));
	backend()->used = backend()->configured = true;
	estimate_begin(world.controller, ID, 0);
	estimate_tick(world.controller, 1);
	expect(4, CONCURRENCY_ASSUMED);
}

/* Each change of one is a fit: whatever there is, it is done in small parts, and all have a turn.
 */
Test(estimate, of_all_backends_at_once_takes_turns)
{
	struct registry_backend *all = world.controller->registry.backend;
	uint32_t turns = (LARCH_MAX_BACKENDS + ESTIMATE_FITS - 1) / ESTIMATE_FITS;

	log_set_level(LOG_LEVEL_WARNING);
	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		all[i].used = all[i].configured = true;
		estimate_begin(world.controller, i, 0);
	}
	tick();
	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++)
		fill(i, 16);
	for (uint32_t turn = 0; turn < turns; turn++) {
		uint64_t before = world.controller->fitted_news;

		tick();
		cr_assert_leq(world.controller->fitted_news - before, ESTIMATE_FITS);
	}
	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++)
		cr_assert_eq(all[i].origin, CONCURRENCY_FITTED, "%u", i);
}

Test(estimate, without_new_samples_is_not_made_again)
{
	estimate_begin(world.controller, ID, 0);
	serve(16);
	for (int i = 0; i < TICKS; i++)
		tick();
	backend()->concurrency = 2;
	for (int i = 0; i < TICKS; i++)
		tick();
	cr_assert_eq(backend()->concurrency, 2);
	serve(16);
	cr_assert_geq(backend()->concurrency, 14);
}

Test(estimate, list_says_how_many_and_who_says_so)
{
	json_t *answer;

	for (uint32_t i = 0; i < 3; i++) {
		world.controller->registry.backend[ID + i].concurrency = 4 + i;
		world.controller->registry.backend[ID + i].origin = (enum concurrency_origin)i;
	}
	answer = report_ask("{\"command\":\"list\"}");
	for (uint32_t i = 0; i < 3; i++) {
		static const char *const from[] = {"assumed", "fitted", "configured"};
		const json_t *shown = json_array_get(
			json_object_get(report_first(answer, "services"), "backends"), i);

		cr_assert_eq(report_value_of(shown, "concurrency"), 4 + i);
		cr_assert_str_eq(report_word(shown, "concurrency_from"), from[i]);
	}
	json_decref(answer);
}
