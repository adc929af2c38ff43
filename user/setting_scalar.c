// SPDX-License-Identifier: BSD-2-Clause
/*
 * Numbers, times, words, names and addresses: see setting.h. One spelling each: no signs, leading
 * zeros, exponents, other bases, blanks or anything after the value; nothing depends on a locale.
 */
#include "setting.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config_error.h"
#include "endpoint.h"

/* The value's text; NULL, silently: it is none, or holds a NUL character. */
static const char *text_of(const struct setting *setting)
{
	const char *text = json_string_value(setting->value);

	return text && strlen(text) == json_string_length(setting->value) ? text : NULL;
}

/* ---- numbers ---- */

#define MOST_DIGITS 15 /* so that the digits, and their power of ten, are exact as a double */

/* digits / scale, exactly. */
struct decimal {
	uint64_t digits, scale;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads "0", "12", "0.25" and the like, with at most MOST_DIGITS. The end of it, or NULL. */
static const char *read_decimal(const char *text, struct decimal *out)
{
	const char *at = text, *point = NULL;
	struct decimal number = {0, 1};

	for (; is_digit(*at) || (*at == '.' && !point); at++) {
		if (*at == '.') {
			point = at;
			continue;
		}
		if (number.digits >= 100000000000000 || number.scale >= 100000000000000)
			return NULL;
		number.digits = 10 * number.digits + (uint64_t)(*at - '0');
		number.scale *= point ? 10 : 1;
	}
	if (!is_digit(*text) || at[-1] == '.' || (text[0] == '0' && is_digit(text[1])))
		return NULL;
	*out = number;
	return at;
}

static bool in_range(double number, double least, double most)
{
	return number >= least && number <= most; /* not if it is NaN */
}

/* Why a number's text is refused, where that may not be plain to see. */
static const char *hint(const char *text)
{
	return text && text[0] == '0' && is_digit(text[1]) ? " without leading zeros" : "";
}

bool setting_whole(const struct setting *setting, uint32_t least, uint32_t most, uint32_t *out)
{
	const char *text = text_of(setting), *end = NULL;
	struct decimal number = {0, 0};
	json_int_t integer = json_integer_value(setting->value);

	if (text) {
		end = read_decimal(text, &number);
		if (end && *end == '\0' && number.scale == 1 && !strchr(text, '.'))
			integer = (json_int_t)number.digits;
		else
			integer = -1;
	} else if (!json_is_integer(setting->value)) {
		integer = -1;
	}
	if (integer < least || integer > most) {
		setting_expect(setting, "a whole number from %u to %u%s", least, most, hint(text));
		return false;
	}
	*out = (uint32_t)integer;
	return true;
}

bool setting_decimal(const struct setting *setting, double least, double most, double *out)
{
	const char *text = text_of(setting), *end;
	struct decimal decimal;
	double number = -1;

	if (text) {
		end = read_decimal(text, &decimal);
		if (end && *end == '\0')
			number = (double)decimal.digits / (double)decimal.scale;
	} else if (json_is_number(setting->value)) {
		number = json_number_value(setting->value);
	}
	if (!in_range(number, least, most)) {
		setting_expect(setting, "a number from %g to %g%s", least, most, hint(text));
		return false;
	}
	*out = number;
	return true;
}

/* ---- times ---- */

/* A limit of a time, as the file would say it. */
static const char *duration_text(double seconds, char out[16])
{
	if (seconds < 1)
		snprintf(out, 16, "%gms", seconds * 1000);
	else
		snprintf(out, 16, "%gs", seconds);
	return out;
}

bool setting_duration(const struct setting *setting, double least, double most, double *out)
{
	const char *text = text_of(setting), *unit = NULL;
	struct decimal decimal;
	double seconds = -1;
	char from[16], to[16];

	if (text)
		unit = read_decimal(text, &decimal);
	if (unit && strcmp(unit, "s") == 0)
		seconds = (double)decimal.digits / (double)decimal.scale;
	else if (unit && strcmp(unit, "ms") == 0)
		seconds = (double)decimal.digits / (double)(decimal.scale * 1000);
	if (!in_range(seconds, least, most)) {
		setting_expect(setting, "a time from %s to %s such as 250ms or 1.5s%s",
			       duration_text(least, from), duration_text(most, to), hint(text));
		return false;
	}
	*out = seconds;
	return true;
}

/* ---- words and names ---- */

/* "off, shadow or on" */
static void write_words(const char *const *words, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; words[i] && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s",
				       i == 0	      ? ""
				       : words[i + 1] ? ", "
						      : " or ",
				       words[i]);
}

bool setting_choice(const struct setting *setting, const char *const *words, int *out)
{
	const char *text = text_of(setting);
	char all[100];

	if (json_is_boolean(setting->value))
		text = json_is_true(setting->value) ? "on" : "off";
	for (int i = 0; text && words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return true;
		}
	}
	write_words(words, all, sizeof(all));
	setting_expect(setting, "%s", all);
	return false;
}

bool setting_name(const struct setting *setting, char out[CONFIG_NAME_MAX])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	const char *text = text_of(setting);
	size_t length = text ? strlen(text) : 0;

	if (!length || length >= CONFIG_NAME_MAX || strspn(text, allowed) < length) {
		setting_expect(setting, "a name of 1 to %u characters out of A-Z a-z 0-9 . _ -",
			       CONFIG_NAME_MAX - 1);
		return false;
	}
	memset(out, 0, CONFIG_NAME_MAX);
	memcpy(out, text, length);
	return true;
}

/* Whether the kernel takes it (dev_valid_name in net/core/dev.c); no control characters either. */
static bool is_interface(const char *text)
{
	size_t length = strlen(text);

	if (!length || length >= IFNAMSIZ || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == 0x7f || c == 0xa0 || c == '/' || c == ':')
			return false;
	}
	return true;
}

bool setting_interface(const struct setting *setting, char out[IFNAMSIZ])
{
	const char *text = text_of(setting);

	if (!text || !is_interface(text)) {
		setting_expect(
			setting,
			"an interface's name: 1 to %u characters without blanks, '/' and ':'",
			IFNAMSIZ - 1);
		return false;
	}
	memset(out, 0, IFNAMSIZ);
	memcpy(out, text, strlen(text));
	return true;
}

/* ---- addresses ---- */

/* Why an IPv4 address is not that of one host that others can reach; NULL: it may be. */
static const char *objection_ipv4(uint32_t address)
{
	if (address == INADDR_ANY)
		return "the unspecified address";
	if (address == INADDR_BROADCAST)
		return "the broadcast address";
	if (address >> 24 == IN_LOOPBACKNET)
		return "a loopback address";
	return IN_MULTICAST(address) ? "a multicast address" : NULL;
}

static const char *objection_ipv6(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		return "an IPv4-mapped address (IPv4 is written a.b.c.d)";
	if (IN6_IS_ADDR_UNSPECIFIED(address))
		return "the unspecified address";
	if (IN6_IS_ADDR_LOOPBACK(address))
		return "a loopback address";
	if (IN6_IS_ADDR_LINKLOCAL(address))
		return "a link-local address";
	return IN6_IS_ADDR_MULTICAST(address) ? "a multicast address" : NULL;
}

bool setting_address(const struct setting *setting, int family, struct in6_addr *out)
{
	const char *text = text_of(setting), *why;
	const char *kind = family == AF_INET	? "an IPv4 address"
			   : family == AF_INET6 ? "an IPv6 address"
						: "an IPv4 or IPv6 address";
	struct in6_addr address;

	if (!text || !endpoint_address(text, family, &address)) {
		setting_expect(setting, "%s", kind);
		return false;
	}
	why = strchr(text, ':') ? objection_ipv6(&address)
				: objection_ipv4(ntohl(address.s6_addr32[3]));
	if (why) {
		setting_expect(setting, "%s of one host; this is %s", kind, why);
		return false;
	}
	*out = address;
	return true;
}
