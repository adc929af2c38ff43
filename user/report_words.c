// SPDX-License-Identifier: BSD-2-Clause
/* The tree's features in words: what a test asks, and who the clients of a leaf are. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "controller.h"
#include "region.h"
#include "report.h"

#define SOURCES_IN_WORDS 4
#define SIZE_CLASSES	 4

static const char *const feature_names[LARCH_FEATURE_COUNT] = {
	[LARCH_FEATURE_SOURCE] = "source",     [LARCH_FEATURE_PORT] = "port",
	[LARCH_FEATURE_PROTOCOL] = "protocol", [LARCH_FEATURE_HOPS] = "hops",
	[LARCH_FEATURE_SIZE] = "size",	       [LARCH_FEATURE_INGRESS] = "ingress",
};

/* Bytes from which on a first packet is of a class: larch_size_class(). */
static const unsigned size_from[SIZE_CLASSES + 1] = {0, 64, 128, 512, 65536};

static const char *protocol_name(uint64_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : NULL;
}

const char *report_value(const struct controller *controller, unsigned feature, uint64_t value,
			 char *out, size_t size)
{
	const char *name = feature == LARCH_FEATURE_PROTOCOL  ? protocol_name(value)
			   : feature == LARCH_FEATURE_INGRESS ? report_interface(controller, value)
							      : NULL;
	char source[CIDR_TEXT];

	if (name)
		snprintf(out, size, "%s", name);
	else if (feature == LARCH_FEATURE_SOURCE)
		snprintf(out, size, "%s", cidr_source_text(value, source));
	else if (feature == LARCH_FEATURE_SIZE && value == 0)
		snprintf(out, size, "under %u bytes", size_from[1]);
	else if (feature == LARCH_FEATURE_SIZE && value < SIZE_CLASSES - 1)
		snprintf(out, size, "%u to %u bytes", size_from[value], size_from[value + 1] - 1);
	else if (feature == LARCH_FEATURE_SIZE)
		snprintf(out, size, "%u bytes or more", size_from[SIZE_CLASSES - 1]);
	else
		snprintf(out, size, "%llu", (unsigned long long)value);
	return out;
}

static void ask(const struct controller *controller, unsigned feature, uint64_t threshold,
		char *out, size_t size)
{
	const char *interface = report_interface(controller, threshold);
	char value[CIDR_TEXT];

	if (feature == LARCH_FEATURE_SOURCE && threshold >= CIDR_IPV4_LAST &&
	    threshold < LARCH_SOURCE_IPV6)
		snprintf(out, size, "source is IPv4");
	else if (feature == LARCH_FEATURE_PROTOCOL && threshold >= IPPROTO_TCP &&
		 threshold < IPPROTO_UDP)
		snprintf(out, size, "protocol is tcp");
	else if (feature == LARCH_FEATURE_SIZE && threshold < SIZE_CLASSES - 1)
		snprintf(out, size, "first packet under %u bytes", size_from[threshold + 1]);
	else if (feature == LARCH_FEATURE_HOPS)
		snprintf(out, size, "at most %llu hops away", (unsigned long long)threshold);
	else if (feature == LARCH_FEATURE_INGRESS)
		snprintf(out, size, "ingress interface up to number %llu%s%s",
			 (unsigned long long)threshold, interface ? ", " : "",
			 interface ? interface : "");
	else
		snprintf(out, size, "%s up to %s",
			 feature < LARCH_FEATURE_COUNT ? feature_names[feature] : "nothing",
			 report_value(controller, feature, threshold, value, sizeof(value)));
}

json_t *report_question(const struct controller *controller, unsigned feature, uint64_t threshold)
{
	char text[128];

	ask(controller, feature, threshold, text, sizeof(text));
	return json_pack("{s:s, s:I, s:s}", "feature",
			 feature < LARCH_FEATURE_COUNT ? feature_names[feature] : "none",
			 "threshold", (json_int_t)threshold, "text", text);
}

static json_t *range(uint64_t low, uint64_t high)
{
	return json_pack("{s:I, s:I}", "from", (json_int_t)low, "to", (json_int_t)high);
}

/* Separates the parts of a sentence. */
static void begin_part(FILE *text)
{
	if (ftell(text) > 0)
		fputs(", ", text);
}

static json_t *tell_sources(const struct region *region, FILE *text)
{
	uint64_t low = region->low[LARCH_FEATURE_SOURCE], high = region->high[LARCH_FEATURE_SOURCE];
	struct cidr block[CIDR_MOST];
	size_t count = cidr_cover(low, high, block, CIDR_MOST);
	json_t *list = json_array();
	char name[CIDR_TEXT];

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list, json_string(cidr_text(&block[i], name)));
		if (i < SOURCES_IN_WORDS) {
			begin_part(text);
			fputs(block[i].length		      ? name
			      : cidr_is_ipv6(block[i].source) ? "all IPv6 clients"
							      : "all IPv4 clients",
			      text);
		}
	}
	if (count > SOURCES_IN_WORDS)
		fprintf(text, " and %zu blocks more", count - SOURCES_IN_WORDS);
	return list;
}

/* The service's own ports of the range, if it names its ports. */
static void tell_ports(const struct service *service, uint64_t low, uint64_t high, FILE *text)
{
	const struct config_service *config = service->config;
	size_t told = 0;

	begin_part(text);
	for (size_t i = 0; config && i < config->vip_count; i++) {
		unsigned port = ntohs(config->vips[i].port);
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again |= config->vips[j].port == config->vips[i].port;
		if (!again && port && port >= low && port <= high)
			fprintf(text, "%s%u", told++ ? " or " : "port ", port);
	}
	if (!told && low == high)
		fprintf(text, "port %llu", (unsigned long long)low);
	else if (!told)
		fprintf(text, "ports %llu to %llu", (unsigned long long)low,
			(unsigned long long)high);
}

static json_t *tell_protocols(uint64_t low, uint64_t high, FILE *text)
{
	json_t *list = json_array();

	for (uint64_t protocol = IPPROTO_TCP; protocol <= IPPROTO_UDP; protocol++) {
		if (!protocol_name(protocol) || protocol < low || protocol > high)
			continue;
		begin_part(text);
		fputs(protocol_name(protocol), text);
		json_array_append_new(list, json_string(protocol_name(protocol)));
	}
	return list;
}

static void tell_hops(uint64_t low, uint64_t high, FILE *text)
{
	begin_part(text);
	if (low == high)
		fprintf(text, "%llu hops away", (unsigned long long)low);
	else if (high >= UINT8_MAX)
		fprintf(text, "%llu hops away or more", (unsigned long long)low);
	else
		fprintf(text, "%llu to %llu hops away", (unsigned long long)low,
			(unsigned long long)high);
}

static void tell_sizes(uint64_t low, uint64_t high, FILE *text)
{
	begin_part(text);
	if (low == 0 && high < SIZE_CLASSES)
		fprintf(text, "first packet under %u bytes", size_from[high + 1]);
	else if (high >= SIZE_CLASSES - 1)
		fprintf(text, "first packet of %u bytes or more", size_from[low & 3]);
	else
		fprintf(text, "first packet of %u to %u bytes", size_from[low & 3],
			size_from[high + 1] - 1);
}

static json_t *tell_interfaces(const struct controller *controller, uint64_t low, uint64_t high,
			       FILE *text)
{
	json_t *list = json_array();
	size_t count;
	const struct config_interface *known = controller_interfaces(controller, &count);

	for (size_t i = 0; i < count; i++) {
		unsigned index = if_nametoindex(known[i].name);

		if (!index || index < low || index > high)
			continue;
		begin_part(text);
		fprintf(text, "by %s", known[i].name);
		json_array_append_new(list, json_string(known[i].name));
	}
	if (json_array_size(list) == 0) {
		begin_part(text);
		fprintf(text, "by an interface of number %llu or %s", (unsigned long long)low,
			low == 0 ? "above" : "more");
	}
	return list;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static void tell(const struct controller *controller, const struct service *service,
		 const struct region *region, json_t *out, FILE *text)
{
	const uint64_t *low = region->low, *high = region->high;

	if (region_tests(region, LARCH_FEATURE_SOURCE))
		json_object_set_new(out, "sources", tell_sources(region, text));
	if (region_tests(region, LARCH_FEATURE_PORT)) {
		uint64_t last = at_most(high[LARCH_FEATURE_PORT], UINT16_MAX);

		tell_ports(service, low[LARCH_FEATURE_PORT], last, text);
		json_object_set_new(out, "ports", range(low[LARCH_FEATURE_PORT], last));
	}
	if (region_tests(region, LARCH_FEATURE_PROTOCOL))
		json_object_set_new(out, "protocols",
				    tell_protocols(low[LARCH_FEATURE_PROTOCOL],
						   high[LARCH_FEATURE_PROTOCOL], text));
	if (region_tests(region, LARCH_FEATURE_HOPS)) {
		uint64_t last = at_most(high[LARCH_FEATURE_HOPS], UINT8_MAX);

		tell_hops(low[LARCH_FEATURE_HOPS], last, text);
		json_object_set_new(out, "hops", range(low[LARCH_FEATURE_HOPS], last));
	}
	if (region_tests(region, LARCH_FEATURE_SIZE)) {
		uint64_t first = at_most(low[LARCH_FEATURE_SIZE], SIZE_CLASSES - 1);
		uint64_t last = at_most(high[LARCH_FEATURE_SIZE], SIZE_CLASSES - 1);

		tell_sizes(first, last, text);
		json_object_set_new(out, "bytes", range(size_from[first], size_from[last + 1] - 1));
	}
	if (region_tests(region, LARCH_FEATURE_INGRESS))
		json_object_set_new(out, "interfaces",
				    tell_interfaces(controller, low[LARCH_FEATURE_INGRESS],
						    high[LARCH_FEATURE_INGRESS], text));
}

json_t *report_clients(const struct controller *controller, const struct service *service,
		       const struct region *region)
{
	json_t *out = json_object();
	char *words = NULL;
	size_t length = 0;
	FILE *text = open_memstream(&words, &length);

	if (!text)
		return out;
	tell(controller, service, region, out, text);
	if (ftell(text) == 0)
		fputs("all clients", text);
	fclose(text);
	json_object_set_new(out, "text", json_string(words));
	free(words);
	return out;
}
