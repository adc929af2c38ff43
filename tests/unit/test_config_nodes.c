// SPDX-License-Identifier: BSD-2-Clause
// Nodes that share generations, and the seed that they hash by.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_accepted.h"
#include "config_refusal.h"
#include "seed.h"

#define SEED   "seed_file: /etc/larch/seed\n"
#define DIGITS "00112233445566778899aabbccddeeFF"

Test(config_nodes, what_is_taken)
{
	struct larch_config *alone = accepted(WEB "...\n");
	struct larch_config *leader = accepted(WEB SEED "generations: {write: /a/b}\n...\n");
	struct larch_config *follower =
		accepted(WEB SEED "generations: {follow: /a/b, silent: 5s}\n...\n");

	cr_expect_str_empty(alone->generations.write);
	cr_expect_str_empty(alone->generations.follow);
	cr_expect_str_empty(alone->seed.file);
	cr_expect_str_eq(leader->generations.write, "/a/b");
	cr_expect_str_empty(leader->generations.follow);
	cr_expect_str_eq(leader->seed.file, "/etc/larch/seed");
	cr_expect_str_eq(follower->generations.follow, "/a/b");
	cr_expect_str_empty(follower->generations.write);
	cr_expect_eq(leader->generations.silent, 30);
	cr_expect_eq(follower->generations.silent, 5);
	config_free(alone);
	config_free(leader);
	config_free(follower);
}

Test(config_nodes, what_makes_no_sense)
{
	EXPECT_REFUSALS(
		{WEB SEED "generations: {write: /a, follow: /b}\n...\n",
		 "9:14: generations: expected either 'write', at the one node that learns, or "
		 "'follow', at each other one"},
		{WEB SEED "generations: {silent: 5s}\n...\n",
		 "9:14: generations: expected either 'write', at the one node that learns, or "
		 "'follow', at each other one"},
		{WEB "generations: {write: /a}\n...\n",
		 "8:14: generations: the same generations on nodes that hash by different seeds "
		 "are worth nothing; expected 'seed_file', too, with the same file on all"},
		{WEB SEED "generations: {write: /a, silent: 5s}\n...\n",
		 "9:34: generations.silent: silent is of the leader that a node follows; expected "
		 "'follow', too, or no 'silent'"},
		{WEB SEED "generations: {follow: /a, silent: 5}\n...\n",
		 "9:35: generations.silent: silent is '5'; expected a time from 1s to 60m such as "
		 "250ms, 1.5s or 2m"},
		{WEB SEED "generations: {follow: a/b}\n...\n",
		 "9:23: generations.follow: follow is 'a/b'; expected a file with its whole path, "
		 "such as /var/lib/larch/generations, of at most 255 printable characters"},
		{WEB "seed_file: [/a]\n...\n",
		 "8:12: seed_file: seed_file is a list; expected a file with its whole path, such "
		 "as /var/lib/larch/generations, of at most 255 printable characters"},
		{WEB "seed_file: /a/\n...\n",
		 "8:12: seed_file: seed_file is '/a/'; expected a file with its whole path, such "
		 "as /var/lib/larch/generations, of at most 255 printable characters"}, );
}

/* ---- the seed's file ---- */

static char seed_file[] = "/tmp/larch-test-seed.XXXXXX";

static void write_file(const char *file, const char *text, mode_t mode)
{
	FILE *out = fopen(file, "w");

	cr_assert_not_null(out);
	fputs(text, out);
	fclose(out);
	cr_assert_eq(chmod(file, mode), 0);
}

static void begin(void)
{
	int fd = mkstemp(seed_file);

	cr_assert_geq(fd, 0);
	close(fd);
}

static void end(void)
{
	unlink(seed_file);
}

Test(seed, sixteen_bytes_in_hexadecimal, .init = begin, .fini = end)
{
	uint64_t seed[2];
	char why[200];

	write_file(seed_file, DIGITS "\n", 0600);
	cr_assert_eq(seed_read(seed_file, seed, why, sizeof(why)), 0, "%s", why);
	cr_expect_eq(seed[0], 0x7766554433221100);
	cr_expect_eq(seed[1], 0xffeeddccbbaa9988);
	write_file(seed_file, DIGITS, 0640);
	cr_expect_eq(seed_read(seed_file, seed, why, sizeof(why)), 0, "%s", why);
}

Test(seed, files_that_hold_none, .init = begin, .fini = end)
{
	static const char *const texts[] = {
		"",
		"\n",
		DIGITS "0",
		DIGITS "\n\n",
		DIGITS " ",
		"0x" DIGITS,
		DIGITS "\r\n",
		"0011223344556677",
		DIGITS DIGITS,
		"00112233445566778899aabbccddee f",
		"00112233445566778899aabbccddeefg",
		"00000000000000000000000000000000",
	};
	uint64_t seed[2] = {1, 2};
	char why[200];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(seed_file, texts[i], 0600);
		cr_expect_eq(seed_read(seed_file, seed, why, sizeof(why)), -EINVAL, "%s", texts[i]);
		cr_expect_not_null(strstr(why, "expected 32 hexadecimal digits"), "%s", why);
	}
	cr_expect_eq(seed[0], 1, "nothing is taken");
}

Test(seed, a_secret_that_others_may_read_is_none, .init = begin, .fini = end)
{
	static const mode_t modes[] = {0604, 0644, 0602, 0620, 0601, 0777};
	uint64_t seed[2];
	char why[200];

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		write_file(seed_file, DIGITS "\n", modes[i]);
		cr_expect_eq(seed_read(seed_file, seed, why, sizeof(why)), -EINVAL);
		cr_expect_not_null(strstr(why, "expected mode 0600"), "%o: %s", modes[i], why);
	}
	cr_expect_eq(seed_read("/dev/zero", seed, why, sizeof(why)), -EINVAL);
	cr_expect_not_null(strstr(why, "no plain file"), "%s", why);
	cr_expect_eq(seed_read("/nowhere/seed", seed, why, sizeof(why)), -EINVAL);
	cr_expect_not_null(strstr(why, "/nowhere/seed: cannot be read: No such file"), "%s", why);
}

Test(seed, a_configuration_is_refused_with_its_seed, .init = begin, .fini = end)
{
	char config_file[] = "/tmp/larch-test-config.XXXXXX", text[400], said[600];
	struct larch_config *config;
	struct config_errors errors;
	int fd = mkstemp(config_file);

	cr_assert_geq(fd, 0);
	close(fd);
	snprintf(text, sizeof(text), WEB "seed_file: %s\n...\n", seed_file);
	write_file(config_file, text, 0644);
	write_file(seed_file, DIGITS "\n", 0644);
	cr_expect_eq(config_load(config_file, &config, &errors), -EINVAL);
	cr_expect_null(config);
	config_error_text("f", &errors.error[0], said, sizeof(said));
	cr_expect_not_null(strstr(said, "f:8:12: seed_file: /tmp/larch-test-seed."), "%s", said);
	cr_expect_not_null(strstr(said, "(mode 0644)"), "%s", said);
	cr_assert_eq(chmod(seed_file, 0600), 0);
	cr_assert_eq(config_load(config_file, &config, &errors), 0);
	cr_expect_eq(config->seed.word[0], 0x7766554433221100);
	config_free(config);
	unlink(config_file);
}

Test(seed, its_mark_tells_seeds_apart)
{
	const uint64_t one[2] = {1, 2}, other[2] = {2, 1};

	cr_expect_eq(seed_mark(one), seed_mark(one));
	cr_expect_neq(seed_mark(one), seed_mark(other));
}
