// SPDX-License-Identifier: BSD-2-Clause
// What a scenario's thresholds say of a run. Pure.
#include <math.h>

#include "hatest.h"

// Speed takes time to show: a short run has none of it, and is judged by what must never happen.
static void judge(struct hatest_verdict *out, size_t *count, struct hatest_verdict verdict)
{
	if (isnan(verdict.bound))
		return;
	if (verdict.least)
		verdict.met = verdict.value >= verdict.bound;
	else
		verdict.met = verdict.value <= verdict.bound;
	out[(*count)++] = verdict;
}

size_t hatest_judge(const struct hatest_scenario *scenario, const struct hatest_metrics *larch,
		    const struct hatest_metrics *fixed, bool is_short, struct hatest_verdict *out)
{
	const struct hatest_thresholds *asked = &scenario->thresholds;
	double ratio = larch->part[1].p99 / larch->part[0].p99;
	// What could not be measured (NAN) meets nothing: no comparison with it holds.
	double over = fixed ? larch->part[1].p99 / fixed->part[1].p99 : NAN;
	bool fully = !is_short;
	size_t count = 0;

	judge(out, &count,
	      (struct hatest_verdict){"availability", asked->availability, larch->availability,
				      true, fully, false});
	judge(out, &count,
	      (struct hatest_verdict){"p99_ratio", asked->p99_ratio, ratio, false, fully, false});
	if (fixed)
		judge(out, &count,
		      (struct hatest_verdict){"p99_over_static", asked->p99_over_static, over,
					      false, fully, false});
	judge(out, &count,
	      (struct hatest_verdict){"broken", asked->broken, (double)larch->broken, false, true,
				      false});
	judge(out, &count,
	      (struct hatest_verdict){"broken_long", asked->broken_long, (double)larch->broken_long,
				      false, true, false});
	judge(out, &count,
	      (struct hatest_verdict){"refused", asked->refused, (double)larch->refused, false,
				      true, false});
	if (!isnan(larch->lost))
		judge(out, &count,
		      (struct hatest_verdict){"lost", asked->lost, larch->lost, false, fully,
					      false});
	judge(out, &count,
	      (struct hatest_verdict){"detect", asked->detect, larch->detect_s, false, fully,
				      false});
	judge(out, &count,
	      (struct hatest_verdict){"recover", asked->recover, larch->recover_s, false, fully,
				      false});
	return count;
}
