// SPDX-License-Identifier: BSD-2-Clause
// QUIC's connection ids: what a service says of them, and its backends.
#include "config_accepted.h"
#include "config_refusal.h"

/* Lines 1 to 7; what follows belongs to the backend, then comes the service. */
#define QUIC                                                                                       \
	"services:\n"                                                                              \
	"  - name: h3\n"                                                                           \
	"    address: 203.0.113.10\n"                                                              \
	"    port: 443\n"                                                                          \
	"    protocol: udp\n"                                                                      \
	"    backends:\n"                                                                          \
	"      - address: 10.0.0.1\n"

Test(config_quic, ids_name_backends)
{
	struct larch_config *config =
		accepted(QUIC "        quic_id: 0a1B2c\n"
			      "      - {address: 10.0.0.2, quic_id: '000000'}\n"
			      "    quic: {config_id: 6, server_id_bytes: 3}\n...\n");
	const struct config_service *service = &config->services[0];

	cr_expect_eq(service->quic_config, 6);
	cr_expect_eq(service->quic_bytes, 3);
	cr_expect_arr_eq(service->members[0].quic_id, "\x0a\x1b\x2c\0\0\0\0\0", 8);
	cr_expect_arr_eq(service->members[1].quic_id, "\0\0\0\0\0\0\0\0", 8);
	config_free(config);
	config = accepted(QUIC "        quic_id: 0011223344556677\n"
			       "    quic: {server_id_bytes: 8}\n...\n");
	cr_expect_eq(config->services[0].quic_config, 0);
	cr_expect_arr_eq(config->services[0].members[0].quic_id, "\x00\x11\x22\x33\x44\x55\x66\x77",
			 8);
	config_free(config);
	config = accepted(QUIC "...\n");
	cr_expect_eq(config->services[0].quic_bytes, 0);
	config_free(config);
}

Test(config_quic, what_the_service_must_say)
{
	EXPECT_REFUSALS(
		{QUIC "        quic_id: 01\n    quic: {}\n...\n",
		 "9:11: services[0].quic: the key 'server_id_bytes' is missing"},
		{QUIC "        quic_id: 01\n    quic: {config_id: 7, server_id_bytes: 9}\n...\n",
		 "9:23: services[0].quic.config_id: config_id is '7'; expected a whole number "
		 "from 0 to 6\n"
		 "9:43: services[0].quic.server_id_bytes: server_id_bytes is '9'; expected a "
		 "whole number from 1 to 8"},
		{QUIC "        quic_id: 01\n    quic: {id: 7, server_id_bytes: 1}\n...\n",
		 "9:12: services[0].quic.id: unknown key 'id'; expected one of config_id, "
		 "server_id_bytes"},
		{QUIC "        quic_id: 01\n    quic: true\n...\n",
		 "9:11: services[0].quic: quic is 'true'; expected a mapping"},
		{WEB "        quic_id: 01\n    quic: {server_id_bytes: 1}\n...\n",
		 "9:11: services[0].quic: quic is for udp, and the service's protocol is tcp"}, );
}

Test(config_quic, what_its_backends_must_say)
{
	static const char *const spellings[] = {"0",	"012", "0g", "0x",  "-1",
						"' 1'", "0 1", "''", "0102"};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		struct larch_config *config;
		struct config_errors errors;
		char text[400];

		snprintf(text, sizeof(text),
			 QUIC "        quic_id: %s\n    quic: {server_id_bytes: 1}\n...\n",
			 spellings[i]);
		cr_expect_eq(config_parse(text, strlen(text), &config, &errors), -EINVAL, "%s",
			     spellings[i]);
		cr_expect_eq(errors.count, 1);
		cr_expect(strstr(errors.error[0].text, "; expected 2 hexadecimal digits"));
	}
	EXPECT_REFUSALS(
		{QUIC "        quic_id: 0g\n    quic: {server_id_bytes: 1}\n...\n",
		 "8:18: services[0].backends[0].quic_id: quic_id is '0g'; expected 2 hexadecimal "
		 "digits"},
		{QUIC "    quic: {server_id_bytes: 1}\n...\n",
		 "7:9: services[0].backends[0]: the key 'quic_id' is missing, since the service "
		 "has 'quic'"},
		{QUIC "        quic_id: 01\n...\n",
		 "8:18: services[0].backends[0].quic_id: quic_id names a backend in connection "
		 "ids; expected 'quic' in the service, too"},
		{QUIC "        quic_id: 0a\n      - {address: 10.0.0.2, quic_id: 0b}\n"
		      "      - {address: 10.0.0.3, quic_id: 0A}\n    quic: {server_id_bytes: 1}\n"
		      "...\n",
		 "10:38: services[0].backends[2].quic_id: this quic_id is that of "
		 "services[0].backends[0] (line 7) already"}, );
}
