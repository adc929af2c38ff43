// SPDX-License-Identifier: BSD-2-Clause
/*
 * Both arms over time: {"ticks":LINE,"minutes":LINE}, the oldest point first.
 * LINE: {"when":[...],"learned":[...],"response":{"learned":VALUES,"control":VALUES},
 *        "connect":{"learned":VALUES,"control":VALUES}}
 * VALUES: {"samples":[...],"mean_us":[...],"p50_us":[...],"p95_us":[...],"p99_us":[...]}; null
 * where there were no samples. when: seconds since 1970; the outer "learned": did learning steer
 * then?
 */
#include <math.h>

#include "controller.h"
#include "report.h"
#include "series.h"

typedef const struct series_value *value_of(const struct series_point *point, unsigned arm);

static const struct series_value *response_of(const struct series_point *point, unsigned arm)
{
	return &point->response[arm];
}

static const struct series_value *connect_of(const struct series_point *point, unsigned arm)
{
	return &point->connect[arm];
}

static json_t *column(const struct series_line *line, value_of *of, unsigned arm, size_t offset)
{
	json_t *list = json_array();

	for (size_t i = 0; i < series_count(line); i++) {
		const struct series_value *value = of(series_at(line, i), arm);
		const float *number = (const float *)((const char *)value + offset);
		bool known = value->samples > 0 || offset == offsetof(struct series_value, samples);

		/* Whole microseconds: shorter, and as exact as the histograms are. */
		json_array_append_new(list, known ? json_integer((json_int_t)lroundf(*number))
						  : json_null());
	}
	return list;
}

static json_t *arm_values(const struct series_line *line, value_of *of, unsigned arm)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "samples",
			 column(line, of, arm, offsetof(struct series_value, samples)), "mean_us",
			 column(line, of, arm, offsetof(struct series_value, mean_us)), "p50_us",
			 column(line, of, arm, offsetof(struct series_value, p50_us)), "p95_us",
			 column(line, of, arm, offsetof(struct series_value, p95_us)), "p99_us",
			 column(line, of, arm, offsetof(struct series_value, p99_us)));
}

static json_t *both_arms(const struct series_line *line, value_of *of)
{
	return json_pack("{s:o, s:o}", "learned", arm_values(line, of, LARCH_ARM_LEARNED),
			 "control", arm_values(line, of, LARCH_ARM_CONTROL));
}

static json_t *one_line(const struct series_line *line)
{
	json_t *when = json_array(), *learned = json_array();

	for (size_t i = 0; i < series_count(line); i++) {
		const struct series_point *point = series_at(line, i);

		json_array_append_new(when, json_integer((json_int_t)point->when));
		json_array_append_new(learned, json_boolean(point->learned));
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "when", when, "learned", learned, "response",
			 both_arms(line, response_of), "connect", both_arms(line, connect_of));
}

json_t *report_series(const struct series *series)
{
	return json_pack("{s:o, s:o}", "ticks", one_line(&series->ticks), "minutes",
			 one_line(&series->minutes));
}
