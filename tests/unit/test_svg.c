// SPDX-License-Identifier: BSD-2-Clause
/* The tree as a picture: XML that holds every leaf, also of the largest tree and of odd names. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "larchctl.h"

#define SVG_LEAVES   24
#define SVG_BACKENDS 7

/* Leaves first to last; a chain on one side, halves on the other. */
static json_t *svg_node(unsigned first, unsigned last)
{
	unsigned middle = last - first > 6 ? first : first + (last - first) / 2;

	if (first == last)
		return json_pack("{s:i}", "leaf", (int)first);
	return json_pack("{s:{s:s}, s:o, s:o}", "question", "text", "source up to <10.1.255.0/24>",
			 "yes", svg_node(first, middle), "no", svg_node(middle + 1, last));
}

static json_t *svg_leaf(int number)
{
	json_t *backends = json_array();

	for (int i = 0; i < SVG_BACKENDS; i++)
		json_array_append_new(backends,
				      json_pack("{s:s, s:f, s:f, s:f}", "backend",
						i == 3 ? "a&b\"<c>" : "server", "share",
						i == number % SVG_BACKENDS ? 0.7 : 0.05, "net_us",
						900.0, "service_us", 3100.0 * i));
	return json_pack("{s:i, s:{s:s}, s:f, s:o}", "leaf", number, "clients", "text",
			 "10.2.0.0/16, 10.4.0.0/14, 10.8.0.0/13 and 9 blocks more, port 443, 6 "
			 "hops away or more, first packet of 64 to 511 bytes, by \"eth0\" & others",
			 "part", 1.0 / SVG_LEAVES, "backends", backends);
}

static json_t *svg_service(unsigned leaves)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < leaves; i++)
		json_array_append_new(list, svg_leaf((int)i));
	return json_pack("{s:s, s:i, s:b, s:o, s:o}", "service", "web & <co>", "generation", 7,
			 "learned", 1, "node", svg_node(0, leaves - 1), "leaves", list);
}

static char *svg_draw(json_t *services)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);

	cr_assert_not_null(to);
	larchctl_show_svg(services, to);
	fclose(to);
	json_decref(services);
	return text;
}

static unsigned svg_count(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		count++;
	return count;
}

static int svg_lint(const char *text)
{
	FILE *check = popen("xmllint --noout - >&2", "w");

	cr_assert_not_null(check);
	fputs(text, check);
	return pclose(check);
}

Test(svg, the_largest_tree_is_all_there)
{
	char *text = svg_draw(json_pack("[o]", svg_service(SVG_LEAVES)));
	char name[40];

	cr_expect_eq(svg_lint(text), 0);
	cr_expect_eq(svg_count(text, "class=\"leaf\""), SVG_LEAVES);
	cr_expect_eq(svg_count(text, "class=\"question\""), SVG_LEAVES - 1);
	for (unsigned i = 0; i < SVG_LEAVES; i++) {
		snprintf(name, sizeof(name), ">leaf %u, 4.2 %% of the flows", i);
		cr_expect_eq(svg_count(text, name), 1, "%s", name);
	}
	cr_expect_eq(svg_count(text, "a&amp;b&quot;&lt;c&gt;: 70.0 %"), 3);
	free(text);
}

Test(svg, one_leaf_none_and_several_services)
{
	char *text = svg_draw(json_pack("[o, {s:s, s:n}, o]", svg_service(1), "service", "new",
					"generation", svg_service(3)));

	cr_expect_eq(svg_lint(text), 0);
	cr_expect_eq(svg_count(text, "class=\"leaf\""), 4);
	cr_expect_eq(svg_count(text, "new: no generation has been published yet"), 1);
	free(text);
}

Test(svg, what_xml_cannot_hold_is_replaced)
{
	char *text = svg_draw(json_pack("[{s:s}]", "service", "a\x01\x7f b\xc3\xa4"));

	cr_expect_eq(svg_lint(text), 0);
	cr_expect_eq(svg_count(text, "a?? b\xc3\xa4"), 1);
	free(text);
}
