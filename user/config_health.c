// SPDX-License-Identifier: BSD-2-Clause
/* How a service's backends are checked: see config_service.h. */
#include "config_health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_service.h"

#define LEAST_INTERVAL 0.1
#define MOST_INTERVAL  3600
#define LEAST_TIMEOUT  0.01
#define MOST_TIMEOUT   60
#define MOST_ROW       100 /* of verdicts */
#define HEX_PREFIX     "hex:"

/* In the order of enum config_health_type. */
static const char *const type_words[] = {"tcp", "http", "https", "dns", "udp", "command", NULL};

#define OF(type) (1u << (type))
#define HTTP	 (OF(CONFIG_HEALTH_HTTP) | OF(CONFIG_HEALTH_HTTPS))

/* Keys that not every type has. */
static const struct {
	const char *key, *types;
	unsigned of;
} special[] = {
	{"path", "http and https", HTTP},
	{"host", "http and https", HTTP},
	{"status", "http and https", HTTP},
	{"header", "http and https", HTTP},
	{"body", "http and https", HTTP},
	{"verify", "https", OF(CONFIG_HEALTH_HTTPS)},
	{"query", "dns", OF(CONFIG_HEALTH_DNS)},
	{"send", "udp", OF(CONFIG_HEALTH_UDP)},
	{"expect", "udp", OF(CONFIG_HEALTH_UDP)},
	{"command", "command", OF(CONFIG_HEALTH_COMMAND_TYPE)},
};

const char *config_health_type_text(enum config_health_type type)
{
	return (unsigned)type <= CONFIG_HEALTH_COMMAND_TYPE ? type_words[type] : NULL;
}

const char *config_health_status_text(const struct config_health *health, char *out, size_t size)
{
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < health->statuses && at < size; i++) {
		const struct config_health_range *range = &health->status[i];

		at += (size_t)snprintf(out + at, size - at, "%s%u", i ? "," : "", range->first);
		if (range->last != range->first && at < size)
			at += (size_t)snprintf(out + at, size - at, "-%u", range->last);
	}
	return out;
}

bool config_health_status(const struct config_health *health, long code)
{
	for (size_t i = 0; i < health->statuses; i++) {
		if (code >= health->status[i].first && code <= health->status[i].last)
			return true;
	}
	return false;
}

/* ---- texts ---- */

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

/* A text that is not empty, without control characters, and without blanks where there is none. */
static void read_text(const struct setting *mapping, const char *key, const char *what, bool blanks,
		      char out[CONFIG_HEALTH_TEXT])
{
	struct setting setting;
	const char *text;

	if (!setting_get(mapping, key, &setting))
		return;
	text = setting_text(&setting);
	if (!text || !*text || strlen(text) >= CONFIG_HEALTH_TEXT || !is_printable(text) ||
	    (!blanks && strchr(text, ' ')))
		setting_expect(&setting, "%s of at most %u characters", what,
			       CONFIG_HEALTH_TEXT - 1);
	else
		strcpy(out, text);
}

static void read_path(const struct setting *mapping, struct config_health *health)
{
	struct setting setting;

	strcpy(health->path, "/");
	read_text(mapping, "path", "a path without blanks", false, health->path);
	if (health->path[0] != '/' && setting_get(mapping, "path", &setting))
		setting_expect(&setting, "a path that begins with '/'");
}

/* What goes into a header of the request, and is compared with a certificate. */
static void read_host(const struct setting *mapping, struct config_health *health)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	struct setting setting;

	read_text(mapping, "host", "a host's name", false, health->host);
	if (health->host[strspn(health->host, allowed)] && setting_get(mapping, "host", &setting))
		setting_expect(&setting, "a host's name out of A-Z a-z 0-9 . _ -, without a port");
}

static void read_header(const struct setting *mapping, struct config_health *health)
{
	static const char separators[] = "()<>@,;\\\"/[]?={} \t";
	struct setting setting;
	size_t name;

	read_text(mapping, "header", "a header's name, or 'NAME: VALUE',", true, health->header);
	name = strcspn(health->header, ":");
	if (health->header[0] && (name == 0 || strcspn(health->header, separators) < name) &&
	    setting_get(mapping, "header", &setting))
		setting_expect(&setting, "a header's name, or 'NAME: VALUE'");
}

/* ---- status codes ---- */

static const char *read_code(const char *text, uint16_t *out)
{
	unsigned code = 0;

	for (int i = 0; i < 3; i++, text++) {
		if (*text < '0' || *text > '9')
			return NULL;
		code = 10 * code + (unsigned)(*text - '0');
	}
	*out = (uint16_t)code;
	return code >= 100 && code <= 599 ? text : NULL;
}

static const char *read_range(const char *text, struct config_health_range *out)
{
	text = read_code(text, &out->first);
	out->last = out->first;
	if (text && *text == '-')
		text = read_code(text + 1, &out->last);
	return text && out->first <= out->last ? text : NULL;
}

static bool read_ranges(const char *text, struct config_health *health)
{
	health->statuses = 0;
	while (text && health->statuses < CONFIG_HEALTH_RANGES) {
		text = read_range(text, &health->status[health->statuses++]);
		if (!text || !*text)
			return text != NULL;
		if (*text++ != ',')
			return false;
		text += strspn(text, " ");
	}
	return false;
}

static void read_status(const struct setting *mapping, struct config_health *health)
{
	struct setting setting;
	char digits[SETTING_DIGITS];

	health->status[0] = (struct config_health_range){200, 399};
	health->statuses = 1;
	if (!setting_get(mapping, "status", &setting))
		return;
	if (!read_ranges(setting_digits(&setting, digits), health))
		setting_expect(&setting,
			       "codes from 100 to 599 such as 200, 200-399 or "
			       "200,301-302, at most %u of them",
			       CONFIG_HEALTH_RANGES);
}

/* ---- bytes ---- */

static int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool read_hex(const char *text, struct config_health_bytes *out)
{
	size_t length = strlen(text);

	if (length % 2 || length / 2 > CONFIG_HEALTH_BYTES || !length)
		return false;
	for (size_t i = 0; i < length; i += 2) {
		int high = digit_of(text[i]), low = digit_of(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out->byte[i / 2] = (uint8_t)(16 * high + low);
	}
	out->length = (uint16_t)(length / 2);
	return true;
}

static void read_bytes(const struct setting *mapping, const char *key,
		       struct config_health_bytes *out)
{
	struct setting setting;
	const char *text;
	bool good;

	if (!setting_get(mapping, key, &setting))
		return;
	text = setting_text(&setting);
	if (text && strncmp(text, HEX_PREFIX, strlen(HEX_PREFIX)) == 0) {
		good = read_hex(text + strlen(HEX_PREFIX), out);
	} else {
		good = text && *text && strlen(text) <= CONFIG_HEALTH_BYTES;
		if (good) {
			out->length = (uint16_t)strlen(text);
			memcpy(out->byte, text, out->length);
		}
	}
	if (!good)
		setting_expect(&setting,
			       "text of 1 to %u bytes, or '" HEX_PREFIX
			       "' and two hexadecimal digits for each",
			       CONFIG_HEALTH_BYTES);
}

/* ---- commands ---- */

static void read_command(const struct setting *mapping, struct config_health *health)
{
	struct setting setting;
	size_t used = 0, count;

	if (health->type != CONFIG_HEALTH_COMMAND_TYPE ||
	    !setting_require(mapping, "command", &setting) || !setting_list(&setting))
		return;
	count = setting_count(&setting);
	if (count > CONFIG_HEALTH_WORDS) {
		setting_fail(&setting, "more than %u words", CONFIG_HEALTH_WORDS);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct setting item = setting_item(&setting, i);
		const char *word = setting_text(&item);

		if (!word || (i == 0 && word[0] != '/')) {
			setting_expect(&item, i ? "a text" : "a program by its whole path");
			return;
		}
		if (used + strlen(word) + 1 > sizeof(health->command)) {
			setting_fail(&setting, "more than %zu characters",
				     sizeof(health->command) - count);
			return;
		}
		strcpy(health->command + used, word);
		used += strlen(word) + 1;
	}
	health->words = count;
}

/* ---- all of it ---- */

static bool is_milliseconds(double seconds, uint32_t *out)
{
	*out = (uint32_t)(seconds * 1000 + 0.5);
	return *out / 1000.0 == seconds;
}

static void read_time(const struct setting *mapping, const char *key, double least, double most,
		      uint32_t *ms)
{
	struct setting setting;
	double seconds;

	if (setting_get(mapping, key, &setting) &&
	    setting_duration(&setting, least, most, &seconds) && !is_milliseconds(seconds, ms))
		setting_expect(&setting, "whole milliseconds");
}

static void read_times(const struct setting *mapping, struct config_health *health)
{
	struct setting setting;

	health->interval_ms = 2000;
	read_time(mapping, "interval", LEAST_INTERVAL, MOST_INTERVAL, &health->interval_ms);
	health->timeout_ms = health->interval_ms < 1000 ? health->interval_ms : 1000;
	read_time(mapping, "timeout", LEAST_TIMEOUT, MOST_TIMEOUT, &health->timeout_ms);
	if (health->timeout_ms > health->interval_ms && setting_get(mapping, "timeout", &setting))
		setting_expect(&setting, "at most the interval, %ums", health->interval_ms);
}

static void read_row(const struct setting *mapping, const char *key, uint32_t *out)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_whole(&setting, 1, MOST_ROW, out);
}

static void refuse_others(const struct setting *mapping, enum config_health_type type)
{
	struct setting setting;

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if (!(special[i].of & OF(type)) && setting_get(mapping, special[i].key, &setting))
			setting_fail(&setting, "%s is for %s, and type is %s", special[i].key,
				     special[i].types, type_words[type]);
	}
}

/* A service of all ports says nothing of the one to ask. */
static void read_port(const struct setting *mapping, const struct config_service *service,
		      struct config_health *health)
{
	struct setting setting;
	uint32_t port = 0;

	if (setting_get(mapping, "port", &setting)) {
		if (health->type == CONFIG_HEALTH_COMMAND_TYPE)
			setting_fail(&setting, "port is for checks that ask, and type is command");
		else if (setting_whole(&setting, 1, UINT16_MAX, &port))
			health->port = (uint16_t)port;
	} else if (health->type != CONFIG_HEALTH_COMMAND_TYPE && service->vip_count &&
		   !service->vips[0].port) {
		setting_fail(mapping, "the key 'port' is missing, since the service has all ports");
	}
}

static void read_keys(const struct setting *mapping, const struct config_service *service,
		      struct config_health *health)
{
	struct setting setting;

	refuse_others(mapping, health->type);
	read_times(mapping, health);
	health->rise = 2;
	health->fall = 3;
	read_row(mapping, "rise", &health->rise);
	read_row(mapping, "fall", &health->fall);
	read_port(mapping, service, health);
	read_path(mapping, health);
	read_host(mapping, health);
	read_status(mapping, health);
	read_header(mapping, health);
	read_text(mapping, "body", "a text", true, health->body);
	if (setting_get(mapping, "verify", &setting))
		setting_truth(&setting, &health->verify);
	if (health->verify && health->type == CONFIG_HEALTH_HTTPS && !health->host[0])
		setting_fail(&setting, "the certificate is to be verified: expected 'host', too, "
				       "the name that it is for");
	read_text(mapping, "query", "a domain name", false, health->query);
	read_bytes(mapping, "send", &health->send);
	read_bytes(mapping, "expect", &health->expect);
	read_command(mapping, health);
}

int config_health_read(const struct setting *mapping, struct config_service *service)
{
	static const char *const keys[] = {"type",    "interval", "timeout", "rise",   "fall",
					   "port",    "path",	  "host",    "status", "header",
					   "body",    "verify",	  "query",   "send",   "expect",
					   "command", NULL};
	struct setting health, type;
	int word;

	if (!setting_get(mapping, "health", &health) || !setting_mapping(&health, keys) ||
	    !setting_require(&health, "type", &type) || !setting_choice(&type, type_words, &word))
		return 0;
	service->health = calloc(1, sizeof(*service->health));
	if (!service->health)
		return -ENOMEM;
	service->health->type = (enum config_health_type)word;
	read_keys(&health, service, service->health);
	return 0;
}
