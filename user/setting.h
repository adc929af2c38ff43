// SPDX-License-Identifier: BSD-2-Clause
/*
 * One value of a configuration's tree, with the way to it: what the checks of config.c are made of.
 * Each function that reads a value complains of what is wrong with it, once, and says whether it
 * could be read; what it writes to is unchanged otherwise. No other file looks into jansson values.
 */
#pragma once

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "config_places.h"

/* What all values of a tree share. */
struct setting_tree {
	const struct config_places *places; /* NULL: not from a file */
	struct config_errors *errors;
};

/* Borrows everything; lives on the stack of the function that looks at the value. */
struct setting {
	const struct setting_tree *tree;
	const struct setting *parent; /* NULL: the root */
	const char *key;	      /* NULL: number `index` of a list, or the root */
	size_t index;
	json_t *value;
};

/* Complains at the value's place. */
__attribute__((format(printf, 2, 3))) void setting_fail(const struct setting *setting,
							const char *format, ...);

/* Complains: "weight is '10x'; expected " and what the format says. */
__attribute__((format(printf, 2, 3))) void setting_expect(const struct setting *setting,
							  const char *format, ...);

/* "services[0].backends[1] (line 12)", without the line if there is none. */
#define SETTING_PLACE_SIZE (CONFIG_PATH_SIZE + 20)
const char *setting_place(const struct setting *setting, char out[SETTING_PLACE_SIZE]);

/* Whether it is a mapping. Complains of keys that are not among `keys`, which ends with NULL. */
bool setting_mapping(const struct setting *setting, const char *const *keys);

/* The value of a mapping's key. false: there is none, silently. */
bool setting_get(const struct setting *mapping, const char *key, struct setting *out);

/* The same for a key that must be there. */
bool setting_require(const struct setting *mapping, const char *key, struct setting *out);

/* Whether it is a list with items. */
bool setting_list(const struct setting *setting);

/* How many values there are where one value or a list of them may stand: 1, or the list's size. */
size_t setting_count(const struct setting *setting);

/* One of these values, or an item of a list. */
struct setting setting_item(const struct setting *setting, size_t index);

/* The value's text; NULL, silently: it is none, or holds a NUL character. */
const char *setting_text(const struct setting *setting);

/* The same; of a JSON integer, its digits. */
#define SETTING_DIGITS 24
const char *setting_digits(const struct setting *setting, char out[SETTING_DIGITS]);

/* A whole number in decimal digits, or a JSON integer. */
bool setting_whole(const struct setting *setting, uint32_t least, uint32_t most, uint32_t *out);

/* A number such as 0.25 or 3, or a JSON number. */
bool setting_decimal(const struct setting *setting, double least, double most, double *out);

/* A time such as 250ms, 1.5s or 2m; limits and result in seconds. */
bool setting_duration(const struct setting *setting, double least, double most, double *out);

/* One of the words, which end with NULL: its index. JSON's true and false stand for on and off. */
bool setting_choice(const struct setting *setting, const char *const *words, int *out);

/* true or false, or JSON's. */
bool setting_truth(const struct setting *setting, bool *out);

/* So many bytes, two hexadecimal digits each. */
#define SETTING_HEX_BYTES LARCH_QUIC_BYTES
bool setting_hex(const struct setting *setting, size_t bytes, uint8_t *out);

/* 1 to 63 of [A-Za-z0-9._-]. */
bool setting_name(const struct setting *setting, char out[CONFIG_NAME_MAX]);

/* The whole way to a file: from '/' on, in printable characters. */
bool setting_file(const struct setting *setting, char out[CONFIG_FILE_MAX]);

/* The name that an interface may have. */
bool setting_interface(const struct setting *setting, char out[IFNAMSIZ]);

/* The address of one host that others can reach, IPv4 as ::ffff:a.b.c.d. family 0: either. */
bool setting_address(const struct setting *setting, int family, struct in6_addr *out);

/* Why it is not such an address, "a loopback address"; NULL: it is. */
const char *setting_objection(const struct in6_addr *address);

/*
 * A network such as 192.0.2.0/24 or 2001:db8::/32, without host bits, or an address. IPv4 becomes
 * ::ffff:a.b.c.d with 96 bits more.
 */
bool setting_network(const struct setting *setting, struct in6_addr *out, uint8_t *out_bits);
