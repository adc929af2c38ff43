// SPDX-License-Identifier: BSD-2-Clause
// Which entries of larch_vips come from which configuration.
#include <arpa/inet.h>
#include <stdlib.h>

#include "config_accepted.h"
#include "entries.h"

/* The ids in these tests: services from 10 on, backends from 500 on, by their place in the file. */
#define FIRST_SERVICE 10
#define FIRST_BACKEND 500

static struct entries *entries;

static void begin(void)
{
	entries = calloc(1, sizeof(*entries));
	cr_assert_not_null(entries);
}

static void end(void)
{
	free(entries);
}

TestSuite(entries, .init = begin, .fini = end);

static void add(const struct larch_config *config)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		uint16_t backend[LARCH_MAX_MEMBERS];

		for (size_t j = 0; j < service->member_count; j++)
			backend[j] = (uint16_t)(FIRST_BACKEND + service->members[j].backend);
		entries_service(entries, config, service, (uint16_t)(FIRST_SERVICE + i), backend);
	}
}

static void build(const char *text)
{
	struct larch_config *config = accepted(text);

	add(config);
	entries_settle(entries);
	config_free(config);
	cr_assert_eq(entries->refused, 0);
}

static struct larch_vip key(enum larch_vip_kind kind, const char *address, uint16_t port,
			    uint8_t protocol)
{
	struct larch_vip vip = {
		.port = htons(port),
		.protocol = protocol,
		.kind = (uint8_t)kind,
	};

	cr_assert_eq(inet_pton(AF_INET6, address, vip.address), 1);
	return vip;
}

static const struct larch_vip_slot *find(const struct larch_vip *vip)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (memcmp(&entries->slot[i].vip, vip, sizeof(*vip)) == 0)
			return &entries->slot[i];
	}
	return NULL;
}

static void expect(enum larch_vip_kind kind, const char *address, uint16_t port, uint8_t protocol,
		   uint16_t service, uint16_t backend)
{
	struct larch_vip vip = key(kind, address, port, protocol);
	const struct larch_vip_slot *slot = find(&vip);

	cr_assert_not_null(slot, "%d %s %u", kind, address, port);
	cr_expect_eq(slot->service, service);
	cr_expect_eq(slot->backend, backend);
	cr_expect_eq(slot->padding[0], 0);
	cr_expect_eq(slot->padding[1], 0);
}

#define VIP4 "::ffff:203.0.113.10"
#define B1   "::ffff:10.0.0.1"
#define B2   "::ffff:10.0.0.2"

Test(entries, every_address_leads_to_its_service_by_every_port)
{
	build("services:\n- {name: a, address: [203.0.113.10, 'fd00::9'], port: [80, 443],\n"
	      "   protocol: tcp, backends: [{address: 10.0.0.1}]}\n"
	      "- {name: b, address: 203.0.113.10, port: 0, protocol: udp,\n"
	      "   backends: [{address: 10.0.0.1}]}\n...\n");
	cr_expect_eq(entries->count, 7);
	expect(LARCH_VIP_SERVICE, VIP4, 80, IPPROTO_TCP, FIRST_SERVICE, 0);
	expect(LARCH_VIP_SERVICE, VIP4, 443, IPPROTO_TCP, FIRST_SERVICE, 0);
	expect(LARCH_VIP_SERVICE, "fd00::9", 80, IPPROTO_TCP, FIRST_SERVICE, 0);
	expect(LARCH_VIP_SERVICE, "fd00::9", 443, IPPROTO_TCP, FIRST_SERVICE, 0);
	expect(LARCH_VIP_SERVICE, VIP4, 0, IPPROTO_UDP, FIRST_SERVICE + 1, 0);
	expect(LARCH_VIP_ADDRESS, VIP4, 0, 0, LARCH_MAX_SERVICES, 0);
	expect(LARCH_VIP_ADDRESS, "fd00::9", 0, 0, LARCH_MAX_SERVICES, 0);
	cr_expect_not(entries_have(entries, LARCH_VIP_RETURN));
	cr_expect_not(entries_have(entries, LARCH_VIP_SELF));
}

Test(entries, answers_of_nat_lead_back_by_the_port_that_they_come_from)
{
	build("services:\n- {name: a, address: 203.0.113.10, port: 443, protocol: tcp,\n"
	      "   forward: nat, backend_port: 8443,\n"
	      "   backends: [{address: 10.0.0.1}, {address: 10.0.0.2}]}\n...\n");
	cr_expect_eq(entries->count, 4);
	cr_expect(entries_have(entries, LARCH_VIP_RETURN));
	expect(LARCH_VIP_RETURN, B1, 8443, IPPROTO_TCP, FIRST_SERVICE, FIRST_BACKEND);
	expect(LARCH_VIP_RETURN, B2, 8443, IPPROTO_TCP, FIRST_SERVICE, FIRST_BACKEND + 1);
}

Test(entries, answers_of_nat_come_from_the_services_ports_if_none_is_said)
{
	build("services:\n- {name: a, address: 203.0.113.10, port: [80, 443], protocol: tcp,\n"
	      "   forward: nat, backends: [{address: 10.0.0.1}]}\n"
	      "- {name: b, address: 203.0.113.10, port: 0, protocol: udp,\n"
	      "   forward: nat, backends: [{address: 10.0.0.1}]}\n...\n");
	expect(LARCH_VIP_RETURN, B1, 80, IPPROTO_TCP, FIRST_SERVICE, FIRST_BACKEND);
	expect(LARCH_VIP_RETURN, B1, 443, IPPROTO_TCP, FIRST_SERVICE, FIRST_BACKEND);
	expect(LARCH_VIP_RETURN, B1, 0, IPPROTO_UDP, FIRST_SERVICE + 1, FIRST_BACKEND);
	cr_expect_eq(entries->count, 7);
}

Test(entries, later_fragments_find_a_service_of_sources_without_a_port)
{
	build("services:\n- {name: a, address: 203.0.113.10, port: [53, 54], protocol: udp,\n"
	      "   hash: source, backends: [{address: 10.0.0.1}]}\n...\n");
	expect(LARCH_VIP_LATER, VIP4, 0, IPPROTO_UDP, FIRST_SERVICE, 0);
	cr_expect_eq(entries->count, 4);
}

Test(entries, a_service_of_any_port_is_not_put_aside_by_another_ones_fragments)
{
	static const char *const order[] = {
		"services:\n- {name: a, address: 203.0.113.10, port: 53, protocol: udp,\n"
		"   hash: source, backends: [{address: 10.0.0.1}]}\n"
		"- {name: b, address: 203.0.113.10, port: 0, protocol: udp,\n"
		"   backends: [{address: 10.0.0.1}]}\n...\n",
		"services:\n- {name: b, address: 203.0.113.10, port: 0, protocol: udp,\n"
		"   backends: [{address: 10.0.0.1}]}\n"
		"- {name: a, address: 203.0.113.10, port: 53, protocol: udp,\n"
		"   hash: source, backends: [{address: 10.0.0.1}]}\n...\n",
	};

	for (uint16_t i = 0; i < 2; i++) {
		entries->count = 0;
		build(order[i]);
		expect(LARCH_VIP_SERVICE, VIP4, 0, IPPROTO_UDP, FIRST_SERVICE + 1 - i, 0);
		expect(LARCH_VIP_LATER, VIP4, 0, IPPROTO_UDP, FIRST_SERVICE + i, 0);
		cr_expect_eq(entries->count, 4);
	}
}

Test(entries, the_ends_of_tunnels_are_there_once)
{
	struct in6_addr self;

	cr_assert_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &self), 1);
	entries_self(entries, &self);
	entries_self(entries, &self);
	entries_settle(entries);
	cr_expect_eq(entries->count, 1);
	expect(LARCH_VIP_SELF, "::ffff:192.0.2.1", 6080, IPPROTO_UDP, LARCH_MAX_SERVICES, 0);
}

Test(entries, what_is_kept_gives_way_to_what_is_configured)
{
	struct larch_vip_slot old[2] = {
		{.vip = key(LARCH_VIP_RETURN, B1, 443, IPPROTO_TCP), .service = 3, .backend = 9},
		{.vip = key(LARCH_VIP_RETURN, B2, 443, IPPROTO_TCP), .service = 3, .backend = 8},
	};

	entries_keep(entries, &old[0]);
	entries_keep(entries, &old[1]);
	build("services:\n- {name: a, address: 203.0.113.10, port: 443, protocol: tcp,\n"
	      "   forward: nat, backends: [{address: 10.0.0.1}]}\n...\n");
	cr_expect_eq(entries->count, 4);
	expect(LARCH_VIP_RETURN, B1, 443, IPPROTO_TCP, FIRST_SERVICE, FIRST_BACKEND);
	expect(LARCH_VIP_RETURN, B2, 443, IPPROTO_TCP, 3, 8);
}

Test(entries, equal_ones_are_equal_in_whatever_order_they_came)
{
	struct entries *other = calloc(1, sizeof(*other));
	struct larch_config *config = accepted(
		"services:\n- {name: a, address: [10.9.9.9, 10.9.9.8], port: 1, protocol: tcp,\n"
		"   backends: [{address: 10.0.0.1}]}\n"
		"- {name: b, address: 10.9.9.9, port: 2, protocol: tcp,\n"
		"   backends: [{address: 10.0.0.1}]}\n...\n");
	uint16_t backend = FIRST_BACKEND;

	add(config);
	entries_settle(entries);
	entries_service(other, config, &config->services[1], FIRST_SERVICE + 1, &backend);
	entries_service(other, config, &config->services[0], FIRST_SERVICE, &backend);
	entries_settle(other);
	cr_expect(entries_same(entries, other));
	other->slot[0].service++;
	cr_expect_not(entries_same(entries, other));
	other->slot[0].service--;
	other->count--;
	cr_expect_not(entries_same(entries, other));
	config_free(config);
	free(other);
}

Test(entries, what_has_no_room_is_counted)
{
	struct in6_addr self = {};

	for (uint32_t i = 0; i < LARCH_MAX_VIPS + 3; i++) {
		self.s6_addr32[3] = i;
		entries_self(entries, &self);
	}
	cr_expect_eq(entries->count, LARCH_MAX_VIPS);
	cr_expect_eq(entries->refused, 3);
}
