// SPDX-License-Identifier: BSD-2-Clause
/*
 * What would have had to differ for a candidate to be taken: {"text","in_flight","slowdown",
 * "service_us","net_us","chosen_in_flight"}, the largest values that would have done (the last one:
 * the least of the chosen backend); null where nothing would. One thing at a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "columns.h"
#include "controller.h"
#include "instead.h"
#include "report.h"

/* Before the first condition, and before each further one. */
static void begin(FILE *text, unsigned *told)
{
	fputs((*told)++ ? ", or " : " would have been taken if ", text);
}

static void tell_time(FILE *text, unsigned *told, const char *what, int64_t most, uint32_t now)
{
	char below[COLUMNS_NUMBER], is[COLUMNS_NUMBER];

	if (most == INSTEAD_NEVER)
		return;
	begin(text, told);
	fprintf(text, "its %s were below %s (it is %s)", what,
		columns_us((double)(most + 1), below), columns_us((double)now, is));
}

static void tell(const struct controller *controller, const struct explain *explain,
		 const struct explain_candidate *candidate, const struct instead *instead,
		 FILE *text)
{
	const struct explain_candidate *chosen = &explain->candidate[explain_chosen(explain)];
	unsigned told = 0;

	fputs(report_backend(controller, candidate->backend), text);
	if (instead->in_flight != INSTEAD_NEVER) {
		begin(text, &told);
		fprintf(text, "its requests in flight were below %lld (it has %d)",
			(long long)instead->in_flight + 1, candidate->in_flight);
	}
	if (instead->slowdown != INSTEAD_NEVER) {
		begin(text, &told);
		fprintf(text, "its slowdown were below %.2f (it is %.2f)",
			(double)(instead->slowdown + 1) / LARCH_SLOWDOWN_ONE,
			(double)candidate->slowdown / LARCH_SLOWDOWN_ONE);
	}
	tell_time(text, &told, "server time", instead->service_us, candidate->cost.service);
	tell_time(text, &told, "connect time", instead->net_us, candidate->cost.net);
	if (instead->chosen_in_flight != INSTEAD_NEVER) {
		begin(text, &told);
		fprintf(text, "%s had %lld requests in flight (it has %d)",
			report_backend(controller, chosen->backend),
			(long long)instead->chosen_in_flight,
			chosen->in_flight > 0 ? chosen->in_flight : 0);
	}
	if (!told)
		fputs(" would not have been taken for any one thing that differed", text);
}

static json_t *value(int64_t value)
{
	return value == INSTEAD_NEVER ? json_null() : json_integer((json_int_t)value);
}

json_t *report_instead(const struct controller *controller, const struct explain *explain,
		       const struct explain_candidate *candidate, const struct instead *instead)
{
	char *words = NULL;
	size_t length = 0;
	FILE *text = instead->there ? open_memstream(&words, &length) : NULL;
	json_t *told;

	if (!text)
		return json_null();
	tell(controller, explain, candidate, instead, text);
	fclose(text);
	told = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "text", words, "in_flight",
			 value(instead->in_flight), "slowdown",
			 instead->slowdown == INSTEAD_NEVER
				 ? json_null()
				 : json_real((double)instead->slowdown / LARCH_SLOWDOWN_ONE),
			 "service_us", value(instead->service_us), "net_us", value(instead->net_us),
			 "chosen_in_flight", value(instead->chosen_in_flight));
	free(words);
	return told;
}
