// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a generation changed, in words:
 * [{"text","backend","before","after","opposite":null or {"backend","before","after"},
 *   "clients":{"text",...},"part","reason","cause":null or "backend","from","to","samples"}]
 *
 * before, after: the backend's share of these clients' new flows; part: theirs of all flows; from,
 * to: what the reason's numbers were and are (microseconds; shares of "weight"; requests per second
 * of "demand"; of "other clients" the part of what the cause can do; of "cost" and "even" what one
 * more request would have cost at the backend and at the opposite one, with its wait and what it
 * makes others wait).
 */
#include <math.h>
#include <stdio.h>

#include "change.h"
#include "columns.h"
#include "controller.h"
#include "report.h"

static const char *const reasons[CHANGE_REASONS] = {
	[CHANGE_STEERS] = "learning steers",
	[CHANGE_STEERS_NOT] = "learning does not steer",
	[CHANGE_JOINED] = "joined",
	[CHANGE_LEFT] = "left",
	[CHANGE_LOST] = "takes no flows",
	[CHANGE_FOUND] = "takes flows",
	[CHANGE_WEIGHT] = "weight",
	[CHANGE_SPLIT] = "split",
	[CHANGE_MERGED] = "merged",
	[CHANGE_NET] = "network",
	[CHANGE_SERVICE] = "server time",
	[CHANGE_DEMAND] = "demand",
	[CHANGE_PRICE] = "cost",
	[CHANGE_OTHERS] = "other clients",
	[CHANGE_EVEN] = "even",
};

static const char *name_of(const struct controller *controller, uint16_t backend)
{
	return backend == LARCH_NO_BACKEND ? "none" : report_backend(controller, backend);
}

static void tell_costs(const struct change_move *move, const char *what, const char *cause,
		       FILE *text)
{
	char before[COLUMNS_NUMBER], after[COLUMNS_NUMBER];

	fprintf(text, "%s's %s %s -> %s", cause, what, columns_us(move->before, before),
		columns_us(move->after, after));
	if (isfinite(move->samples))
		fprintf(text, ", %.0f samples", move->samples);
}

/* What one more request would cost at both backends of the move. */
static void tell_prices(const struct controller *controller, const struct change_move *move,
			FILE *text)
{
	char cost[COLUMNS_NUMBER];

	if (!isfinite(move->before) || !isfinite(move->after)) {
		fputs("small differences of what they cost", text);
		return;
	}
	fprintf(text, "%sone more request costs %s at %s, waits included",
		move->reason == CHANGE_EVEN ? "hardly a difference, " : "",
		columns_us(move->before, cost), name_of(controller, move->share.backend));
	fprintf(text, ", %s at %s", columns_us(move->after, cost),
		name_of(controller, move->opposite.backend));
}

/* Why a backend takes no new flows any more. */
static void tell_lost(const struct service *service, uint16_t backend, const char *name, FILE *text)
{
	const struct lifecycle *life = NULL;

	for (size_t i = 0; i < service->members; i++) {
		if (service->member[i].backend == backend)
			life = &service->life[i];
	}
	if (life && life->state == LIFECYCLE_DRAINING)
		fprintf(text, "%s is draining", name);
	else if (life && life->state == LIFECYCLE_MAINTENANCE)
		fprintf(text, "%s is in maintenance", name);
	else if (life && life->state == LIFECYCLE_DOWN)
		fprintf(text, "%s is down, %s", name, life->reason);
	else
		fprintf(text, "%s takes no new flows", name);
}

static void tell_reason(const struct controller *controller, const struct service *service,
			const struct change_move *move, FILE *text)
{
	const char *cause = name_of(controller, move->cause);

	switch (move->reason) {
	case CHANGE_STEERS:
		fputs("learning steers from now on", text);
		break;
	case CHANGE_STEERS_NOT:
		fputs("learning does not steer: configured weights do", text);
		break;
	case CHANGE_JOINED:
		fprintf(text, "%s has joined the service", cause);
		break;
	case CHANGE_LEFT:
		fprintf(text, "%s has left the service", cause);
		break;
	case CHANGE_LOST:
		tell_lost(service, move->cause, cause, text);
		break;
	case CHANGE_FOUND:
		fprintf(text, "%s takes new flows again", cause);
		break;
	case CHANGE_WEIGHT:
		fprintf(text, "%s's part by weight %.0f %% -> %.0f %%", cause, 100 * move->before,
			100 * move->after);
		break;
	case CHANGE_SPLIT:
		fputs("a split appeared, these clients are told apart now", text);
		break;
	case CHANGE_MERGED:
		fputs("a split went, these clients are not told apart any more", text);
		break;
	case CHANGE_NET:
		tell_costs(move, "connect time", cause, text);
		break;
	case CHANGE_SERVICE:
		tell_costs(move, "server time", cause, text);
		break;
	case CHANGE_DEMAND:
		fprintf(text, "demand %.0f -> %.0f requests a second", move->before, move->after);
		break;
	case CHANGE_OTHERS:
		fprintf(text, "%s's load by other clients %.0f %% -> %.0f %%", cause,
			100 * move->before, 100 * move->after);
		break;
	default:
		tell_prices(controller, move, text);
	}
}

static json_t *tell(const struct controller *controller, const struct service *service,
		    const struct change_move *move, const json_t *clients)
{
	const struct change_share *share = &move->share, *opposite = &move->opposite;
	char *words = NULL;
	size_t length = 0;
	FILE *text = open_memstream(&words, &length);
	json_t *told;

	if (!text)
		return json_null();
	fprintf(text, "%s's share for %s %s from %.0f %% to %.0f %%",
		name_of(controller, share->backend),
		json_string_value(json_object_get(clients, "text")),
		share->after > share->before ? "rose" : "fell", 100 * share->before,
		100 * share->after);
	if (opposite->backend != LARCH_NO_BACKEND)
		fprintf(text, ", %s's %s from %.0f %% to %.0f %%",
			name_of(controller, opposite->backend),
			opposite->after > opposite->before ? "rose" : "fell",
			100 * opposite->before, 100 * opposite->after);
	fputs(": ", text);
	tell_reason(controller, service, move, text);
	fclose(text);
	told = json_string(words);
	free(words);
	return told;
}

static json_t *opposite_of(const struct controller *controller, const struct change_share *share)
{
	if (share->backend == LARCH_NO_BACKEND)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "backend", name_of(controller, share->backend),
			 "before", report_real(share->before), "after", report_real(share->after));
}

static json_t *one_move(const struct controller *controller, const struct service *service,
			const struct change_move *move)
{
	json_t *clients = report_clients(controller, service, &move->clients);

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "text",
			 tell(controller, service, move, clients), "backend",
			 name_of(controller, move->share.backend), "before",
			 report_real(move->share.before), "after", report_real(move->share.after),
			 "opposite", opposite_of(controller, &move->opposite), "clients", clients,
			 "part", report_real(move->part), "reason", reasons[move->reason], "cause",
			 report_string(move->cause == LARCH_NO_BACKEND
					       ? NULL
					       : name_of(controller, move->cause)),
			 "from", report_real(move->before), "to", report_real(move->after),
			 "samples", report_real(move->samples));
}

json_t *report_change(const struct controller *controller, const struct service *service,
		      const struct change *change)
{
	json_t *list = json_array();

	for (size_t i = 0; i < change->count; i++)
		json_array_append_new(list, one_move(controller, service, &change->move[i]));
	return list;
}
