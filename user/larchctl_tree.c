// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl tree`: the tree in words, or as a graph for Graphviz. */
#include <math.h>
#include <string.h>

#include "columns.h"
#include "larchctl.h"

/* What was learned and is not in force has a column of its own. */
static const char *columns_of(bool learned, bool evidence)
{
	if (!evidence)
		return "BACKEND >SHARE >NET >SVC";
	return learned ? "BACKEND >SHARE >NET >SVC >CONNECTS >RESPONSES"
		       : "BACKEND >SHARE >LEARNED >NET >SVC >CONNECTS >RESPONSES";
}

static void show_backends(const json_t *leaf, bool learned, bool evidence)
{
	struct columns *columns = columns_new(columns_of(learned, evidence));
	char text[COLUMNS_NUMBER];
	const json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(leaf, "backends"), i, backend) {
		columns_add(columns, larchctl_text(backend, "backend"));
		columns_add(columns, larchctl_part(backend, "share", text));
		if (evidence && !learned)
			columns_add(columns, larchctl_part(backend, "learned_share", text));
		columns_add(columns, larchctl_us(backend, "net_us", text));
		columns_add(columns, larchctl_us(backend, "service_us", text));
		if (!evidence)
			continue;
		columns_add(columns, larchctl_count(backend, "connects", text));
		columns_add(columns, larchctl_count(backend, "responses", text));
	}
	columns_print(columns, stdout, 4);
}

static void show_seen(const json_t *leaf)
{
	const json_t *list = json_object_get(leaf, "seen"), *prefix;
	double others = larchctl_number(leaf, "prefixes") - (double)json_array_size(list);
	size_t i;

	json_array_foreach (list, i, prefix)
		printf("%s%s", i == 0 ? "    seen: " : ", ", larchctl_text(prefix, "prefix"));
	if (others > 0)
		printf(" and %.0f more", others);
	if (json_array_size(list))
		puts("");
}

static void show_leaf(const json_t *leaf, bool learned, bool evidence)
{
	const json_t *clients = json_object_get(leaf, "clients");
	double part = larchctl_number(leaf, "part");
	char text[COLUMNS_NUMBER];

	printf("\n  leaf %.0f: %s", larchctl_number(leaf, "leaf"), larchctl_text(clients, "text"));
	if (isfinite(part))
		printf("; %s of the flows", columns_part(part, text));
	if (isfinite(larchctl_number(leaf, "new_flows")))
		printf("; %s new flows so far", larchctl_count(leaf, "new_flows", text));
	puts("");
	show_seen(leaf);
	printf("    %s\n", larchctl_text(leaf, "why"));
	show_backends(leaf, learned, evidence);
}

static void show_words(const json_t *service)
{
	bool learned = larchctl_true(service, "learned");
	bool evidence = larchctl_true(service, "evidence");
	const json_t *leaves = json_object_get(service, "leaves"), *leaf;
	char text[COLUMNS_NUMBER];
	size_t i;

	if (!leaves) {
		printf("%s: no generation has been published yet (%s)\n",
		       larchctl_text(service, "service"), larchctl_text(service, "state"));
		return;
	}
	printf("%s: generation %.0f, digest %s, %zu %s\n", larchctl_text(service, "service"),
	       larchctl_number(service, "generation"), larchctl_text(service, "digest"),
	       json_array_size(leaves), json_array_size(leaves) == 1 ? "leaf" : "leaves");
	if (learned)
		puts("  steers the learned flows");
	else
		printf("  steers nothing: all flows go by configured weights (%s%s%s)\n",
		       larchctl_text(service, "state"),
		       json_is_string(json_object_get(service, "reason")) ? ": " : "",
		       json_is_string(json_object_get(service, "reason"))
			       ? larchctl_text(service, "reason")
			       : "");
	if (evidence)
		printf("  behind it: %s recent flows; CONNECTS and RESPONSES fade with age\n",
		       larchctl_count(service, "flows", text));
	else
		puts("  no samples are at hand behind it (not trained by this daemon, or only "
		     "backends have changed since)");
	json_array_foreach (leaves, i, leaf)
		show_leaf(leaf, learned, evidence);
}

static void print_escaped(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
}

static void dot_leaf(const json_t *service, double number, size_t prefix, unsigned id)
{
	const json_t *leaf = larchctl_leaf(service, number), *backend;
	char text[COLUMNS_NUMBER];
	size_t i;

	printf("  s%zun%u [shape=box, label=\"leaf %.0f, %s of the flows", prefix, id, number,
	       larchctl_part(leaf, "part", text));
	json_array_foreach (json_object_get(leaf, "backends"), i, backend) {
		fputs("\\n", stdout);
		print_escaped(larchctl_text(backend, "backend"));
		printf(" %s", larchctl_part(backend, "share", text));
		printf(", %s", larchctl_us(backend, "net_us", text));
		printf(" + %s", larchctl_us(backend, "service_us", text));
	}
	puts("\"];");
}

static void dot_node(const json_t *service, const json_t *node, size_t prefix, unsigned id)
{
	const json_t *question = json_object_get(node, "question");

	if (!question) {
		dot_leaf(service, larchctl_number(node, "leaf"), prefix, id);
		return;
	}
	printf("  s%zun%u [label=\"", prefix, id);
	print_escaped(larchctl_text(question, "text"));
	puts("?\"];");
	printf("  s%zun%u -> s%zun%u [label=yes];\n", prefix, id, prefix, 2 * id + 1);
	printf("  s%zun%u -> s%zun%u [label=no];\n", prefix, id, prefix, 2 * id + 2);
	dot_node(service, json_object_get(node, "yes"), prefix, 2 * id + 1);
	dot_node(service, json_object_get(node, "no"), prefix, 2 * id + 2);
}

static void show_dot(const json_t *services)
{
	const json_t *service;
	size_t i;

	puts("digraph larch {\n  node [fontname=\"sans-serif\"];");
	json_array_foreach (services, i, service) {
		printf("  subgraph cluster_%zu {\n  label=\"", i);
		print_escaped(larchctl_text(service, "service"));
		puts("\";");
		if (json_object_get(service, "node"))
			dot_node(service, json_object_get(service, "node"), i, 0);
		puts("  }");
	}
	puts("}");
}

void larchctl_show_tree(const struct larchctl *ctl, const json_t *answer)
{
	const json_t *services = json_object_get(answer, "services"), *service;
	size_t i;

	if (ctl->format == LARCHCTL_DOT) {
		show_dot(services);
		return;
	}
	if (ctl->format == LARCHCTL_SVG) {
		larchctl_show_svg(services, stdout);
		return;
	}
	json_array_foreach (services, i, service) {
		if (i > 0)
			puts("");
		show_words(service);
	}
}
