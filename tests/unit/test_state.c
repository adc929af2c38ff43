// SPDX-License-Identifier: BSD-2-Clause
/* What is kept on the disk: it comes back whole or not at all, and the disk holds up nobody. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "saver.h"
#include "state.h"

static char folder[64], file[128], aside[160], kept[128];

static void state_begin(void)
{
	cr_assert_not_null(freopen("/dev/null", "we", stderr)); /* what is logged */
	strcpy(folder, "/tmp/larch-state-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/state.json", folder);
	snprintf(aside, sizeof(aside), "%s.corrupt", file);
	snprintf(kept, sizeof(kept), "%s/last-good.yaml", folder);
}

static void state_end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(state, .init = state_begin, .fini = state_end, .timeout = 60);

static struct state *opened(void)
{
	struct state *state;

	cr_assert_eq(state_open(&state, file), 0);
	return state;
}

static size_t content(const char *path, char *out, size_t size)
{
	FILE *in = fopen(path, "re");
	size_t length = in ? fread(out, 1, size, in) : 0;

	if (in)
		fclose(in);
	return length;
}

static void write_file(const char *path, const char *text, size_t length)
{
	FILE *out = fopen(path, "we");

	cr_assert_not_null(out);
	cr_assert_eq(fwrite(text, 1, length, out), length);
	fclose(out);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static json_t *some_orders(void)
{
	return json_pack("{s:{s:s, s:I, s:f}}", "web/b1", "order", "drain", "since",
			 (json_int_t)1700000000, "share", 1.0 / 3);
}

/* A file with one section; its text is returned. */
static size_t written(char *out, size_t size)
{
	struct state *state = opened();

	state_set(state, "orders", some_orders());
	state_close(state);
	return content(file, out, size);
}

static bool has_orders(const struct state *state)
{
	json_t *orders = some_orders();
	bool equal = json_equal(state_get(state, "orders"), orders);

	json_decref(orders);
	return equal;
}

/* Opens it once more and ends it, as a daemon that is killed never would. */
static bool comes_back(void)
{
	struct state *state = opened();
	bool equal = has_orders(state);

	cr_expect_null(state_trouble(state));
	state_close(state);
	return equal;
}

static bool is_written(void)
{
	char text[4096];

	return content(file, text, sizeof(text)) > 0;
}

static void wait_for(bool (*condition)(void))
{
	uint64_t end = clock_now() + 10 * NS_PER_S;

	while (!condition() && clock_now() < end)
		usleep(2000);
	cr_assert(condition());
}

Test(state, what_was_set_comes_back)
{
	char text[4096];

	cr_assert_gt(written(text, sizeof(text)), 0u);
	cr_expect(comes_back());
	cr_expect_not(exists(aside));
}

Test(state, nothing_there_is_nothing_to_complain_of)
{
	struct state *state = opened();

	cr_expect_null(state_get(state, "orders"));
	cr_expect_null(state_refused(state));
	state_close(state);
	cr_expect_not(exists(file), "nothing was set, and nothing is written");
}

Test(state, it_is_written_soon_without_being_closed)
{
	struct state *state = opened();

	state_set(state, "orders", some_orders());
	state_flush(state);
	wait_for(is_written);
	cr_expect(comes_back());
	state_close(state);
}

Test(state, a_section_can_be_removed_and_the_others_stay)
{
	struct state *state = opened();

	state_set(state, "orders", some_orders());
	state_set(state, "withdrawn", json_pack("[s]", "web"));
	state_set(state, "withdrawn", NULL);
	state_set(state, "never", NULL);
	state_close(state);
	state = opened();
	cr_expect(has_orders(state));
	cr_expect_null(state_get(state, "withdrawn"));
	state_close(state);
}

Test(state, the_same_value_again_is_not_written_again)
{
	struct stat before, after;
	char text[4096];
	struct state *state;

	written(text, sizeof(text));
	cr_assert_eq(stat(file, &before), 0);
	state = opened();
	state_set(state, "orders", some_orders());
	state_close(state);
	cr_assert_eq(stat(file, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino, "every writing makes another file");
}

Test(state, without_a_state_nothing_is_kept_and_nothing_breaks)
{
	state_set(NULL, "orders", some_orders());
	cr_expect_null(state_get(NULL, "orders"));
	state_keep_config(NULL, "x", 1);
	state_flush(NULL);
	state_close(NULL);
	cr_expect_null(state_config_file(NULL));
}

Test(state, every_truncation_is_refused_and_put_aside)
{
	char text[4096], found[4096];
	size_t length = written(text, sizeof(text));

	for (size_t cut = 0; cut < length; cut++) {
		struct state *state;

		write_file(file, text, cut);
		state = opened();
		cr_assert_not_null(state_refused(state), "cut at %zu", cut);
		cr_assert_null(state_get(state, "orders"));
		cr_assert_not(exists(file));
		cr_assert_eq(content(aside, found, sizeof(found)), cut);
		state_close(state);
	}
}

/* Blanks between the values may differ; nothing else. */
Test(state, no_flipped_bit_passes_for_another_order)
{
	char text[4096];
	size_t length = written(text, sizeof(text)), refused = 0;

	for (size_t bit = 0; bit < 8 * length; bit++) {
		struct state *state;

		text[bit / 8] ^= (char)(1 << bit % 8);
		write_file(file, text, length);
		text[bit / 8] ^= (char)(1 << bit % 8);
		state = opened();
		cr_assert(state_refused(state) ? !state_get(state, "orders") : has_orders(state),
			  "bit %zu", bit);
		if (state_refused(state)) {
			refused++;
			for (const char *c = state_refused(state); *c; c++)
				cr_assert(*c >= ' ' && *c <= '~');
		}
		state_close(state);
	}
	cr_expect_gt(refused, 7 * length);
}

static void expect_refused(const char *text, const char *why)
{
	struct state *state;

	write_file(file, text, strlen(text));
	state = opened();
	cr_assert_not_null(state_refused(state), "%s", text);
	cr_expect_not_null(strstr(state_refused(state), why), "%s", state_refused(state));
	/* It goes on as if there had been none. */
	state_set(state, "orders", some_orders());
	state_close(state);
	cr_expect(comes_back());
}

Test(state, what_is_no_state_is_refused_with_the_reason)
{
	expect_refused("", "line 1, column 0");
	expect_refused("[]", "no state of larchd");
	expect_refused("{}", "no state of larchd");
	expect_refused("{\"version\":1,\"check\":\"00000000\",\"sections\":{}}", "check sum");
	expect_refused("{\"version\":2,\"check\":\"00000000\",\"sections\":{}}",
		       "it has version 2, and this larchd knows version 1");
	expect_refused("{\"version\":1,\"version\":1,\"check\":\"\",\"sections\":{}}", "duplicate");
}

Test(state, a_file_of_more_than_4_MiB_is_refused)
{
	size_t length = (4u << 20) + 1;
	char *text = malloc(length);
	struct state *state;

	memset(text, ' ', length);
	write_file(file, text, length);
	free(text);
	state = opened();
	cr_expect_str_eq(state_refused(state), "it is longer than 4 MiB");
	state_close(state);
}

Test(state, a_folder_in_its_place_is_put_aside)
{
	struct state *state;

	cr_assert_eq(mkdir(file, 0755), 0);
	state = opened();
	cr_expect_str_eq(state_refused(state), "Is a directory");
	state_set(state, "orders", some_orders());
	state_close(state);
	cr_expect(comes_back());
}

static struct state *unwritable;

static bool trouble(void)
{
	state_flush(unwritable);
	return state_trouble(unwritable) != NULL;
}

static bool no_trouble(void)
{
	return !trouble();
}

/* /dev/full cannot be used: nothing can be made beside it. A file where the folder should be. */
Test(state, what_cannot_be_written_is_said_and_tried_again)
{
	char within[160];

	snprintf(within, sizeof(within), "%s/folder/state.json", folder);
	snprintf(aside, sizeof(aside), "%s/folder", folder);
	write_file(aside, "", 0);
	cr_assert_eq(state_open(&unwritable, within), 0);
	cr_expect_not_null(state_refused(unwritable), "a file is where its folder should be");
	state_set(unwritable, "orders", some_orders());
	wait_for(trouble);
	cr_expect_not_null(strstr(state_trouble(unwritable), "Not a directory"), "%s",
			   state_trouble(unwritable));
	cr_assert_eq(unlink(aside), 0);
	wait_for(no_trouble);
	state_close(unwritable);
	strcpy(file, within);
	cr_expect(comes_back());
}

Test(state, the_last_good_configuration_is_kept_as_it_was)
{
	struct state *state = opened();
	char text[64];

	state_keep_config(state, "one\n...\n", 8);
	state_keep_config(state, "two\n...\n", 8);
	cr_expect_str_eq(state_config_file(state), kept);
	state_close(state);
	cr_assert_eq(content(kept, text, sizeof(text)), 8u);
	cr_expect_eq(memcmp(text, "two\n...\n", 8), 0);
}

Test(state, a_write_leaves_no_second_file)
{
	char meanwhile[160];

	snprintf(meanwhile, sizeof(meanwhile), "%s.new", file);
	write_file(meanwhile, "left by a kill", 14);
	cr_assert_eq(saver_write(file, "text", 4), 0);
	cr_expect_not(exists(meanwhile));
	cr_expect_eq(saver_write("/proc/larch/state", "text", 4), -ENOENT);
}
