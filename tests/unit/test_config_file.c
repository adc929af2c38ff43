// SPDX-License-Identifier: BSD-2-Clause
// A configuration as a file: its characters, its end, its YAML, and the order of its errors.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_refusal.h"

/* ---- the file ---- */

Test(config_file, a_file_without_its_closing_line)
{
	EXPECT_REFUSALS(
		{WEB, "8:1: the file ends without its closing line '...': it may be truncated"},
		{WEB "        name: ...",
		 "8:18: the file ends without its closing line '...': it may be truncated"},
		{WEB " ...\n", "9:1: the file ends without its closing line '...': it may be "
			       "truncated"},
		{WEB "...",
		 "8:4: the closing line '...' has no line end: the file may be truncated"},
		{WEB "...\r", "8:4: the file holds a carriage return without a line feed (byte "
			      "0x0d); expected plain UTF-8 text"}, );
}

Test(config_file, anything_after_the_closing_line)
{
	static const char said[] = "nothing may follow the closing line '...'";
	char expected[100];

	snprintf(expected, sizeof(expected), "9:1: %s", said);
	EXPECT_REFUSALS({WEB "...\na: b\n", expected}, {WEB "...\n# end\n", expected},
			{WEB "...\n---\n" WEB "...\n", expected}, {WEB "...\n...\n", expected});
	snprintf(expected, sizeof(expected), "8:5: %s", said);
	EXPECT_REFUSALS({WEB "... # end\n", expected}, {WEB "... a\n", expected});
	snprintf(expected, sizeof(expected), "10:3: %s", said);
	EXPECT_REFUSALS({WEB "...\n\n  a", expected});
}

Test(config_file, an_empty_file)
{
	static const char said[] =
		"1:1: the file is empty; expected at least 'services' and the closing line '...'";

	EXPECT_REFUSALS({"", said}, {"\n", said}, {"...\n", said}, {"# only\n  # this", said},
			{" \t\n# this\n...\n", said});
	EXPECT_REFUSALS({"---\n...\n", "2:1: the configuration is empty; expected a mapping"});
}

Test(config_file, characters_that_are_not_text)
{
	static const char end[] = "; expected plain UTF-8 text";
	static const struct {
		const char *bytes;
		size_t length;
		const char *said;
	} cases[] = {
		{"\0", 1, "2:4: the file holds a NUL character (byte 0x00)"},
		{"\x01", 1, "2:4: the file holds a control character (byte 0x01)"},
		{"\x7f", 1, "2:4: the file holds a control character (byte 0x7f)"},
		{"\xc2\x85", 2, "2:4: the file holds a control character (byte 0xc2)"},
		{"\xef\xbb\xbf", 3, "2:4: the file holds a byte-order mark (byte 0xef)"},
		{"\xe2\x80\xa8", 3,
		 "2:4: the file holds a line separator other than the line feed (byte 0xe2)"},
		{"\xef\xbf\xbf", 3,
		 "2:4: the file holds a number that is no character (byte 0xef)"},
		{"\ra", 2, "2:4: the file holds a carriage return without a line feed (byte 0x0d)"},
		{"\x80", 1, "2:4: the file holds a byte that is no UTF-8 (byte 0x80)"},
		{"\xc0\x80", 2, "2:4: the file holds a byte that is no UTF-8 (byte 0xc0)"},
		{"\xc3 ", 2, "2:4: the file holds a byte that is no UTF-8 (byte 0xc3)"},
		{"\xe0\x80\x80", 3, "2:4: the file holds a byte that is no UTF-8 (byte 0xe0)"},
		{"\xed\xa0\x80", 3, "2:4: the file holds a byte that is no UTF-8 (byte 0xed)"},
		{"\xf0\x80\x80\x80", 4, "2:4: the file holds a byte that is no UTF-8 (byte 0xf0)"},
		{"\xf4\x90\x80\x80", 4, "2:4: the file holds a byte that is no UTF-8 (byte 0xf4)"},
		{"\xff", 1, "2:4: the file holds a byte that is no UTF-8 (byte 0xff)"},
	};

	/* Columns count characters: two of several bytes come before it. */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[100] = "# \xc3\xa4\n#\xe2\x82\xac\xf0\x9f\x8c\xb2", expected[200];
		size_t length = strlen(text);

		memcpy(text + length, cases[i].bytes, cases[i].length);
		length += cases[i].length;
		memcpy(text + length, "\n...\n", 5);
		snprintf(expected, sizeof(expected), "%s%s", cases[i].said, end);
		expect_refusal(text, length + 5, expected);
	}
}

Test(config_file, a_character_that_is_cut_off)
{
	EXPECT_REFUSALS({"a: \xe2\x82", "1:4: the file holds a byte that is no UTF-8 (byte 0xe2); "
					"expected plain UTF-8 text"});
}

Test(config_file, a_file_that_is_too_large)
{
	size_t most = CONFIG_MAX_BYTES, head = strlen(WEB);
	char *text = malloc(most + 1);

	memset(text, '\n', most + 1);
	memcpy(text, WEB, head);
	expect_refusal(text, most + 1, "the file has more than 4194304 bytes");
	memcpy(text + most - 4, "...a", 4);
	expect_refusal(
		text, most,
		"4194186:5: the file ends without its closing line '...': it may be truncated");
	free(text);
}

Test(config_file, a_file_of_too_many_values)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("services:\n", out);
	for (unsigned i = 0; i < CONFIG_MAX_VALUES; i++)
		fputs("  -\n", out);
	fputs("...\n", out);
	fclose(out);
	expect_refusal(text, size,
		       "262144:4: services[262142]: the file holds more than 262144 values");
	free(text);
}

/* ---- YAML ---- */

Test(config_file, what_is_not_yaml)
{
	EXPECT_REFUSALS(
		{"services: [\n...\n",
		 "2:1: services[0]: not YAML: did not find expected node content while "
		 "parsing a flow node (line 2)"},
		{"a: b: c\n...\n", "1:5: not YAML: mapping values are not allowed in this context"},
		{"a:\n\tb: 1\n...\n",
		 "2:1: a: not YAML: found character that cannot start any token "
		 "while scanning for the next token (line 2)"},
		{"a: 'b\n...\n", "2:1: a: not YAML: found unexpected document indicator while "
				 "scanning a quoted scalar "
				 "(line 1)"},
		{"a: 1\n  b: 2\n...\n", "2:4: not YAML: mapping values are not allowed in this "
					"context"}, );
}

Test(config_file, keys_given_twice)
{
	EXPECT_REFUSALS({WEB "        address: 10.0.0.2\n...\n",
			 "8:9: services[0].backends[0].address: key "
			 "'address' is given twice; first in line 7"},
			{WEB "services: []\n...\n",
			 "8:1: services: key 'services' is given twice; first in line 1\n"
			 "8:11: services: services is a list; expected at least one item"},
			{WEB "learning: {step: 1, 'step': 1, \"st\\x65p\": 1}\n...\n",
			 "8:21: learning.step: key 'step' is given twice; first in line 8\n"
			 "8:32: learning.step: key 'step' is given twice; first in line 8"}, );
}

Test(config_file, aliases_anchors_tags_and_directives)
{
	EXPECT_REFUSALS(
		{WEB "        weight: *w\n...\n",
		 "8:17: services[0].backends[0].weight: alias 'w' is not accepted here"},
		{WEB "        <<: *w\n...\n",
		 "8:13: services[0].backends[0].'<<': alias 'w' is not "
		 "accepted here"},
		{WEB "        weight: &w 1\n...\n",
		 "8:17: services[0].backends[0].weight: anchor 'w' is not accepted here"},
		{WEB "flow_table: &f\n  entries: 1024\n...\n",
		 "8:13: flow_table: anchor 'f' is not accepted here"},
		{WEB "interfaces: &i [{name: a}]\n...\n",
		 "8:13: interfaces: anchor 'i' is not accepted here"},
		{WEB "        &k weight: 1\n...\n",
		 "8:9: services[0].backends[0]: anchor 'k' is not accepted here"},
		{WEB "        weight: !!int 1\n...\n",
		 "8:17: services[0].backends[0].weight: tag 'tag:yaml.org,2002:int' is not "
		 "accepted here"},
		{WEB "        weight: !w 1\n...\n",
		 "8:17: services[0].backends[0].weight: tag '!w' is not accepted here"},
		{WEB "        weight: ! 1\n...\n",
		 "8:17: services[0].backends[0].weight: tag '!' is not accepted here"},
		{"# \xe2\x82\xac\n" WEB "        weight: ! '1'\n...\n",
		 "9:17: services[0].backends[0].weight: tag '!' is not accepted here"},
		{WEB "interfaces: ! [{name: a}]\n...\n",
		 "8:13: interfaces: tag '!' is not accepted here"},
		{WEB "flow_table: !t {}\n...\n", "8:13: flow_table: tag '!t' is not accepted here"},
		{"%YAML 1.1\n---\n" WEB "...\n", "1:1: directives (%YAML, %TAG) are not accepted"},
		{"%TAG ! !x\n---\n" WEB "...\n",
		 "1:1: directives (%YAML, %TAG) are not accepted"}, );
}

Test(config_file, several_documents)
{
	EXPECT_REFUSALS(
		{WEB "---\n" WEB "...\n", "8:1: a second document begins here; expected one"},
		{"---\n" WEB "---\n...\n", "9:1: a second document begins here; expected one"}, );
}

Test(config_file, nul_characters_that_are_written_as_escapes)
{
	EXPECT_REFUSALS({WEB "        name: \"a\\0b\"\n...\n",
			 "8:15: services[0].backends[0].name: the text holds a NUL character"},
			{WEB "        \"name\\x00\": a\n...\n",
			 "8:9: services[0].backends[0]: the text holds a NUL character"});
}

Test(config_file, more_than_16_levels)
{
	EXPECT_REFUSALS(
		{"a: [[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]\n" WEB "...\n",
		 "1:1: a: unknown key 'a'; expected one of interfaces, source, flow_table, limits, "
		 "routes, learning, seed_file, generations, services, resolver"},
		{"a: [[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]\n" WEB "...\n",
		 "1:19: a[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: more than 16 lists and "
		 "mappings within one another"},
		{"a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {\n" WEB "...\n",
		 "1:64: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: more than 16 lists and mappings within "
		 "one another"}, );
}

Test(config_file, keys_that_are_not_words)
{
	EXPECT_REFUSALS(
		{WEB "? [a]\n: b\n...\n", "8:3: a key is a list; expected a word"},
		{WEB "{a: b}: b\n...\n", "8:1: a key is a mapping; expected a word"},
		{WEB "'': b\n...\n", "8:1: '': unknown key ''; expected one of interfaces, source, "
				     "flow_table, limits, routes, learning, seed_file, "
				     "generations, services, resolver"},
		{WEB "\xc3\xa4 b: b\n...\n",
		 "8:1: '\\xc3\\xa4 b': unknown key '\\xc3\\xa4 b'; expected one of interfaces, "
		 "source, flow_table, limits, routes, learning, seed_file, generations, "
		 "services, resolver"}, );
}

/* ---- many errors ---- */

Test(config_file, errors_come_in_the_order_of_the_file)
{
	EXPECT_REFUSALS({"services:\n"
			 "  - backends:\n"
			 "      - weight: x\n"
			 "        address: 10.0.0.1\n"
			 "    port: x\n"
			 "    address: 10.0.0.2\n"
			 "    protocol: x\n"
			 "    name: ''\n"
			 "    name: '!'\n"
			 "learning: {step: x, floor: x}\n"
			 "interfaces: []\n...\n",
			 "3:17: services[0].backends[0].weight: weight is 'x'; expected a whole "
			 "number from 0 to 65535\n"
			 "5:11: services[0].port: port is 'x'; expected a whole number from 0 to "
			 "65535\n"
			 "7:15: services[0].protocol: protocol is 'x'; expected tcp or udp\n"
			 "9:5: services[0].name: key 'name' is given twice; first in line 8\n"
			 "9:11: services[0].name: name is '!'; expected a name of 1 to 63 "
			 "characters out of A-Z a-z 0-9 . _ -\n"
			 "10:18: learning.step: step is 'x'; expected a number from 0.01 to 1\n"
			 "10:28: learning.floor: floor is 'x'; expected a number from 0 to 0.1\n"
			 "11:13: interfaces: interfaces is a list; expected at least one item"});
}

Test(config_file, the_first_20_of_many_errors_are_kept)
{
	struct larch_config *config;
	struct config_errors errors;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs(WEB, out);
	for (int i = 0; i < 100; i++)
		fprintf(out, "      - {address: 10.0.1.%d, weight: x}\n", i);
	/* read before the services, but behind them in the file */
	fputs("learning: {step: x}\n...\n", out);
	fclose(out);
	cr_assert_eq(config_parse(text, size, &config, &errors), -EINVAL);
	cr_expect_eq(errors.count, 101);
	for (unsigned i = 0; i < CONFIG_MAX_ERRORS; i++)
		cr_expect_eq(errors.error[i].line, 8 + i);
	free(text);
}
