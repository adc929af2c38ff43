// SPDX-License-Identifier: BSD-2-Clause
// What a DNS name stands for: which answers are believed, and when it is asked again.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

static struct in6_addr address(const char *text)
{
	struct in6_addr out = {};

	if (strchr(text, ':')) {
		inet_pton(AF_INET6, text, &out);
	} else {
		out.s6_addr32[2] = htonl(0xffff);
		inet_pton(AF_INET, text, &out.s6_addr32[3]);
	}
	return out;
}

/* An answer with these addresses, separated by blanks. */
static struct names_answer *found(const char *list, double ttl)
{
	static struct names_answer answers[8];
	static unsigned next;
	struct names_answer *answer = &answers[next++ % 8];
	char copy[256], *word;

	*answer = (struct names_answer){.outcome = NAMES_FOUND, .ttl = ttl};
	strcpy(copy, list);
	for (word = strtok(copy, " "); word; word = strtok(NULL, " "))
		answer->address[answer->count++] = address(word);
	return answer;
}

static struct names_answer *outcome(enum names_outcome outcome, const char *why)
{
	struct names_answer *answer = found("", 0);

	answer->outcome = outcome;
	answer->why = why;
	return answer;
}

#define NONE   outcome(NAMES_NONE, "none")
#define FAILED outcome(NAMES_FAILED, "failed")

static void stands_for(const struct names_state *state, const char *list)
{
	struct names_answer *expected = found(list, 0);

	cr_expect_eq(state->now.count, expected->count, "%zu, not %s", state->now.count, list);
	for (size_t i = 0; i < expected->count && i < state->now.count; i++)
		cr_expect_arr_eq(&state->now.address[i], &expected->address[i], 16, "%zu of %s", i,
				 list);
}

Test(names, both_families_are_taken_in_order_and_once)
{
	struct names_state state = {};

	cr_expect_eq(names_judge(&state, found("10.0.0.2 10.0.0.1 10.0.0.2", 60),
				 found("fd00::2 fd00::1", 30)),
		     NAMES_CHANGED);
	stands_for(&state, "10.0.0.1 10.0.0.2 fd00::1 fd00::2");
	cr_expect_eq(names_wait(&state, 5, 300), 30);
}

Test(names, another_order_is_no_change)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1 10.0.0.2", 60), NONE);
	cr_expect_eq(names_judge(&state, found("10.0.0.2 10.0.0.1", 60), NONE), NAMES_SAME);
}

Test(names, what_fails_keeps_the_addresses)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1", 60), found("fd00::1", 60));
	cr_expect_eq(names_judge(&state, FAILED, FAILED), NAMES_TROUBLED);
	cr_expect_str_eq(state.trouble, "failed");
	cr_expect_eq(names_judge(&state, NONE, NONE), NAMES_TROUBLED);
	cr_expect_str_eq(state.trouble, "none");
	cr_expect_eq(names_judge(&state, NONE, FAILED), NAMES_TROUBLED);
	cr_expect_str_eq(state.trouble, "failed");
	stands_for(&state, "10.0.0.1 fd00::1");
	cr_expect_eq(names_judge(&state, found("10.0.0.1", 60), found("fd00::1", 60)), NAMES_SAME);
	cr_expect_null(state.trouble);
}

Test(names, a_family_that_fails_keeps_its_own)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1 10.0.0.2", 60), found("fd00::1 fd00::2", 60));
	cr_expect_eq(names_judge(&state, found("10.0.0.1 10.0.0.3", 60), FAILED), NAMES_CHANGED);
	stands_for(&state, "10.0.0.1 10.0.0.3 fd00::1 fd00::2");
	cr_expect_eq(names_judge(&state, FAILED, found("fd00::1", 60)), NAMES_CHANGED);
	stands_for(&state, "10.0.0.1 10.0.0.3 fd00::1");
}

Test(names, a_family_that_is_gone_is_gone)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1 10.0.0.2", 60), found("fd00::1", 60));
	cr_expect_eq(names_judge(&state, found("10.0.0.1 10.0.0.2", 60), NONE), NAMES_CHANGED);
	stands_for(&state, "10.0.0.1 10.0.0.2");
}

Test(names, more_than_half_must_go_twice)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4", 60), NONE);
	cr_expect_eq(names_judge(&state, found("10.0.0.1", 60), NONE), NAMES_DOUBTED);
	stands_for(&state, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4");
	cr_expect_eq(names_wait(&state, 5, 300), 5, "asked again soon");
	cr_expect_eq(names_judge(&state, found("10.0.0.2", 60), NONE), NAMES_DOUBTED,
		     "another one");
	cr_expect_eq(names_judge(&state, FAILED, FAILED), NAMES_TROUBLED);
	cr_expect_eq(names_judge(&state, found("10.0.0.2", 60), NONE), NAMES_CHANGED);
	stands_for(&state, "10.0.0.2");
}

Test(names, half_may_go_at_once)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1 10.0.0.2", 60), NONE);
	cr_expect_eq(names_judge(&state, found("10.0.0.1", 60), NONE), NAMES_CHANGED);
	stands_for(&state, "10.0.0.1");
}

Test(names, doubt_ends_when_the_addresses_are_back)
{
	struct names_state state = {};

	names_judge(&state, found("10.0.0.1 10.0.0.2 10.0.0.3", 60), NONE);
	cr_expect_eq(names_judge(&state, found("10.0.0.1", 60), NONE), NAMES_DOUBTED);
	cr_expect_eq(names_judge(&state, found("10.0.0.1 10.0.0.2 10.0.0.3", 60), NONE),
		     NAMES_SAME);
	cr_expect_eq(names_judge(&state, found("10.0.0.1", 60), NONE), NAMES_DOUBTED);
}

Test(names, time_to_live_has_bounds)
{
	struct names_state state = {};

	cr_expect_eq(names_wait(&state, 5, 300), 5, "never asked");
	names_judge(&state, found("10.0.0.1", 0), NONE);
	cr_expect_eq(names_wait(&state, 5, 300), 5);
	names_judge(&state, found("10.0.0.1", 86400), NONE);
	cr_expect_eq(names_wait(&state, 5, 300), 300);
	names_judge(&state, found("10.0.0.1", 60), found("fd00::1", 20));
	cr_expect_eq(names_wait(&state, 5, 300), 20);
}

Test(names, failures_are_tried_again_ever_less_often)
{
	struct names_state state = {};
	double last = 0;

	for (unsigned i = 0; i < 3000; i++) {
		names_judge(&state, FAILED, FAILED);
		cr_assert(names_wait(&state, 5, 300) >= last);
		last = names_wait(&state, 5, 300);
		cr_assert(i || last == 5);
	}
	cr_expect_eq(last, 60);
}

Test(names, seeds_are_as_good_as_answers)
{
	const struct in6_addr former[] = {address("10.0.0.2"), address("10.0.0.1"),
					  address("10.0.0.2")};
	struct names_state state = {};

	names_seed(&state, former, 3);
	stands_for(&state, "10.0.0.1 10.0.0.2");
	cr_expect_eq(names_judge(&state, FAILED, FAILED), NAMES_TROUBLED);
	stands_for(&state, "10.0.0.1 10.0.0.2");
	cr_expect_eq(names_judge(&state, found("10.0.0.3", 9), NONE), NAMES_DOUBTED);
}

/* ---- search ---- */

static const char *attempts(const char *host, unsigned dots)
{
	char *const domain[] = {(char *)"one.test", (char *)"two.test"};
	static char out[256];
	char name[64];

	*out = '\0';
	for (size_t i = 0; names_attempt(host, domain, 2, dots, i, name, sizeof(name)); i++)
		sprintf(out + strlen(out), "%s%s", i ? " " : "", name);
	return out;
}

Test(names, a_name_with_few_dots_is_looked_for_in_the_domains)
{
	cr_expect_str_eq(attempts("app", 1), "app.one.test app.two.test app");
	cr_expect_str_eq(attempts("app.svc", 5), "app.svc.one.test app.svc.two.test app.svc");
}

/* Not even when it does not exist: a domain may have an answer for everything. */
Test(names, any_other_is_asked_for_as_it_is)
{
	cr_expect_str_eq(attempts("app.example.net", 1), "app.example.net");
	cr_expect_str_eq(attempts("app", 0), "app");
}
