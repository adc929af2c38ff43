// SPDX-License-Identifier: BSD-2-Clause
/* Out of the rings, and back: see ejection.h. */
#include "ejection.h"

#include <math.h>
#include <stddef.h>

#include "clock.h"
#include "larch/score.h"

#define AFTER_NS (300 * NS_PER_MS)
/* Several clients wait in vain for so long (LARCH_SILENCE_WAIT). */
#define SILENCE_LEAST_NS (300 * NS_PER_MS)
/* After its return it is not sent out again for so long, and then for as long at least. */
#define STAYS_NS (60 * NS_PER_S)
#define MOST_NS	 (600 * NS_PER_S)
/* What a configuration allows for the first is no longer either. */
#define LONGEST_NS (3600 * NS_PER_S)
#define FORGIVEN   (5 * 60 * NS_PER_S) /* back for so long: the next time is the first again */
#define WELL_NS	   (60 * NS_PER_S)     /* so it is if it has been well for so long */

/* How unlikely it must be that the waiting are those whom nobody answers anyway: 10^-9. */
#define CHANCE_LOG (-20.7)
#define ODDS_S	   10.0 /* half-life of what is recent */

void ejection_count(struct ejection_odds *odds, const struct larch_evidence *now, double seconds)
{
	double left = exp2(-seconds / ODDS_S);

	if (odds->marked && now->requests >= odds->requests && now->answered >= odds->answered) {
		odds->asked = odds->asked * left + (double)(now->requests - odds->requests);
		odds->given = odds->given * left + (double)(now->answered - odds->answered);
	}
	odds->requests = now->requests;
	odds->answered = now->answered;
	odds->marked = true;
}

unsigned ejection_crowd(const struct ejection_odds *odds)
{
	double in_vain = odds->asked > 0 ? 1 - odds->given / odds->asked : 0;
	double least;

	if (in_vain <= 0)
		return LARCH_SILENCE_WAIT;
	if (in_vain >= 1)
		return LARCH_WAIT_MOST;
	least = fmax(ceil(CHANCE_LOG / log(in_vain)), LARCH_SILENCE_WAIT);
	return least < LARCH_WAIT_MOST ? (unsigned)least : LARCH_WAIT_MOST;
}

/* Do as many wait as are no chance, and has not all of it happened in one moment? */
static bool is_crowd(const struct larch_live *live, unsigned crowd)
{
	uint64_t asked = (uint64_t)live->asked << 20;

	return live->requests.count >= crowd && crowd < LARCH_WAIT_MOST &&
	       larch_waited(live->requests.word, crowd, asked) > 4000 * (uint64_t)live->patience_us;
}

/* The same of connects: a client that is far, or gone, or forged, sends several at once. */
static bool connects_fail(const struct larch_live *live, uint64_t now)
{
	uint64_t asked = (uint64_t)live->asked << 20;

	return larch_waited(live->connects.word, LARCH_SILENCE_WAIT, now) >= SILENCE_LEAST_NS &&
	       larch_waited(live->connects.word, LARCH_SILENCE_WAIT, asked) >= SILENCE_LEAST_NS;
}

const char *ejection_trouble(const struct larch_live *live, unsigned crowd, uint64_t now)
{
	if (live->failures >= LARCH_SUSPECT_FAILURES && larch_tried(live, now))
		return "refuses: resets or SYNs that nobody answered, and no answer between them";
	if (larch_silence(live, now) > LARCH_SILENCE_SUSPECT &&
	    larch_silent_ns(live, now) >= SILENCE_LEAST_NS &&
	    (connects_fail(live, now) || is_crowd(live, crowd)))
		return "silent: several clients wait, and nothing is answered";
	return NULL;
}

bool ejection_matters(const struct ejection *ejection, uint64_t now)
{
	return ejection->back_ns && (now < ejection->back_ns || now - ejection->back_ns < FORGIVEN);
}

static uint64_t next_length(const struct ejection *ejection, const struct ejection_rules *rules,
			    uint64_t now)
{
	uint64_t length;

	if (!ejection->lasts_ns || !ejection_matters(ejection, now))
		return rules->first_ns;
	length = 2 * ejection->lasts_ns;
	if (length < STAYS_NS)
		length = STAYS_NS;
	return length < MOST_NS ? length : MOST_NS;
}

static bool must_stay(const struct ejection *ejection, uint64_t now)
{
	return ejection->back_ns && now - ejection->back_ns < STAYS_NS;
}

enum ejection_change ejection_watch(struct ejection *ejection, bool trouble, bool may,
				    const struct ejection_rules *rules, uint64_t now)
{
	if (ejection->out) {
		if (now < ejection->back_ns)
			return EJECTION_STAYS;
		ejection->out = false;
		ejection->troubled_ns = 0;
		ejection->unwell_ns = now;
		return EJECTION_BACK;
	}
	if (trouble && now - ejection->unwell_ns >= WELL_NS)
		ejection->lasts_ns = 0;
	if (trouble)
		ejection->unwell_ns = now;
	if (!trouble)
		ejection->troubled_ns = 0;
	else if (!ejection->troubled_ns)
		ejection->troubled_ns = now;
	if (!ejection->troubled_ns || now - ejection->troubled_ns < AFTER_NS || !may ||
	    !rules->first_ns || must_stay(ejection, now))
		return EJECTION_STAYS;
	ejection->lasts_ns = next_length(ejection, rules, now);
	ejection->back_ns = now + ejection->lasts_ns;
	ejection->out = true;
	return EJECTION_OUT;
}

void ejection_restore(struct ejection *ejection, uint64_t back_ns, uint64_t lasts_ns, uint64_t now)
{
	struct ejection known = {
		.out = now < back_ns,
		.back_ns = back_ns,
		.lasts_ns = lasts_ns,
		.unwell_ns = now < back_ns ? now : back_ns,
	};

	if (lasts_ns > LONGEST_NS || (known.out && back_ns - now > lasts_ns) ||
	    !ejection_matters(&known, now))
		return;
	*ejection = known;
}
