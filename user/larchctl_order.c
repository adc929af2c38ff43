// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl drain`, `maintenance` and `activate`: the operator's orders for a backend. */
#include "larchctl.h"

static void show(const struct larchctl *ctl, const json_t *answer)
{
	const json_t *member;
	size_t i;

	(void)ctl;
	json_array_foreach (json_object_get(answer, "members"), i, member) {
		bool reason = json_is_string(json_object_get(member, "reason"));

		printf("%s: %s is %s%s%s\n", larchctl_text(member, "service"),
		       larchctl_text(member, "backend"), larchctl_text(member, "state"),
		       reason ? ": " : "", reason ? larchctl_text(member, "reason") : "");
	}
}

enum larchctl_exit larchctl_order(const struct larchctl *ctl, const char *order, int count,
				  char **arguments)
{
	json_t *request =
		json_pack("{s:s, s:s, s:s*, s:s*}", "command", order, "backend", arguments[0],
			  "service", count > 1 ? arguments[1] : NULL, "deadline", ctl->deadline);
	enum larchctl_exit code;
	json_t *answer;

	if (!request) {
		fprintf(stderr, "larchctl: '%s' is no name\n", arguments[0]);
		return LARCHCTL_USAGE;
	}
	code = larchctl_ask(ctl, request, &answer);
	if (code == LARCHCTL_OK)
		larchctl_print(ctl, answer, show);
	return code;
}
