// SPDX-License-Identifier: BSD-2-Clause
/* Which addresses are announced: a part of `status`, and what `announce` and `withdraw` say. */
#include "columns.h"
#include "larchctl.h"

static void add_services(struct columns *columns, const json_t *services)
{
	char text[256] = "";
	const json_t *name;
	size_t i, length = 0;

	json_array_foreach (services, i, name) {
		if (length + 1 < sizeof(text))
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
						   i ? ", " : "", json_string_value(name));
	}
	columns_add(columns, text);
}

void larchctl_show_routes(const json_t *routes)
{
	struct columns *columns = columns_new("ADDRESS ROUTE >FOR SERVICES REASON");
	char age[COLUMNS_NUMBER];
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(routes, "addresses"), i, item) {
		columns_add(columns, larchctl_text(item, "address"));
		columns_add(columns, larchctl_true(item, "announced") ? "announced" : "WITHDRAWN");
		columns_add(columns, columns_time(larchctl_number(item, "for_s"), age));
		add_services(columns, json_object_get(item, "services"));
		columns_add(columns, json_is_string(json_object_get(item, "reason"))
					     ? larchctl_text(item, "reason")
					     : "");
	}
	columns_print(columns, stdout, 0);
}

/* The service whose announcement keeps an address that was to be withdrawn. */
static void explain_kept(const json_t *answer, const json_t *address)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(address, "services"), i, name) {
		if (!json_equal(name, json_object_get(answer, "service")))
			printf("%s stays announced: it is the address of %s, too; withdraw both "
			       "to withdraw it\n",
			       larchctl_text(address, "address"), json_string_value(name));
	}
}

void larchctl_show_ordered(const struct larchctl *ctl, const json_t *answer)
{
	const json_t *routes = json_object_get(answer, "routes"), *item;
	size_t i;

	(void)ctl;
	larchctl_show_routes(routes);
	json_array_foreach (json_object_get(routes, "addresses"), i, item) {
		if (!larchctl_true(answer, "announced") && larchctl_true(item, "announced"))
			explain_kept(answer, item);
	}
}
