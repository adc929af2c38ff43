// SPDX-License-Identifier: BSD-2-Clause
/*
 * Numbers, times, words and names: see setting.h. One spelling each: no signs, leading
 * zeros, exponents, other bases, blanks or anything after the value; nothing depends on a locale.
 */
#include "setting.h"

#include <stdio.h>
#include <string.h>

#include "config_error.h"

const char *setting_text(const struct setting *setting)
{
	const char *text = json_string_value(setting->value);

	return text && strlen(text) == json_string_length(setting->value) ? text : NULL;
}

const char *setting_digits(const struct setting *setting, char out[SETTING_DIGITS])
{
	if (!json_is_integer(setting->value))
		return setting_text(setting);
	snprintf(out, SETTING_DIGITS, "%" JSON_INTEGER_FORMAT, json_integer_value(setting->value));
	return out;
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
	const char *text = setting_text(setting), *end = NULL;
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
	const char *text = setting_text(setting), *end;
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
	else if (seconds < 60)
		snprintf(out, 16, "%gs", seconds);
	else
		snprintf(out, 16, "%gm", seconds / 60);
	return out;
}

bool setting_duration(const struct setting *setting, double least, double most, double *out)
{
	const char *text = setting_text(setting), *unit = NULL;
	struct decimal decimal;
	double seconds = -1;
	char from[16], to[16];

	if (text)
		unit = read_decimal(text, &decimal);
	if (unit && strcmp(unit, "s") == 0)
		seconds = (double)decimal.digits / (double)decimal.scale;
	else if (unit && strcmp(unit, "ms") == 0)
		seconds = (double)decimal.digits / (double)(decimal.scale * 1000);
	else if (unit && strcmp(unit, "m") == 0)
		seconds = (double)(decimal.digits * 60) / (double)decimal.scale;
	if (!in_range(seconds, least, most)) {
		setting_expect(setting, "a time from %s to %s such as 250ms, 1.5s or 2m%s",
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
	const char *text = setting_text(setting);
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

bool setting_truth(const struct setting *setting, bool *out)
{
	const char *text = setting_text(setting);

	if (json_is_boolean(setting->value))
		text = json_is_true(setting->value) ? "true" : "false";
	if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)) {
		setting_expect(setting, "true or false");
		return false;
	}
	*out = text[0] == 't';
	return true;
}

/* The value of a hexadecimal digit, or -1. */
static int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at && (is_digit(c) || (c | 0x20) >= 'a') ? (int)(at - digits) : -1;
}

bool setting_hex(const struct setting *setting, size_t bytes, uint8_t *out)
{
	const char *text = setting_text(setting);
	bool good = text && strlen(text) == 2 * bytes;
	uint8_t value[SETTING_HEX_BYTES] = {0};

	for (size_t i = 0; good && i < bytes; i++) {
		int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

		good = high >= 0 && low >= 0;
		value[i] = (uint8_t)(16 * high + low);
	}
	if (!good)
		setting_expect(setting, "%zu hexadecimal digits", 2 * bytes);
	else
		memcpy(out, value, bytes);
	return good;
}

bool setting_name(const struct setting *setting, char out[CONFIG_NAME_MAX])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	const char *text = setting_text(setting);
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

bool setting_file(const struct setting *setting, char out[CONFIG_FILE_MAX])
{
	const char *text = setting_text(setting);
	size_t length = text ? strlen(text) : 0;
	bool good =
		length > 1 && length < CONFIG_FILE_MAX && *text == '/' && text[length - 1] != '/';

	for (size_t i = 0; good && i < length; i++)
		good = text[i] >= ' ' && text[i] <= '~';
	if (!good) {
		setting_expect(setting,
			       "a file with its whole path, such as /var/lib/larch/generations, of "
			       "at most %u printable characters",
			       CONFIG_FILE_MAX - 1);
		return false;
	}
	memset(out, 0, CONFIG_FILE_MAX);
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
	const char *text = setting_text(setting);

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
