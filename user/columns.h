// SPDX-License-Identifier: BSD-2-Clause
/* Tables for people: columns as wide as their longest cell, and numbers with units. Text only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define COLUMNS_MOST 20

struct columns;

/*
 * One title per column, separated by spaces; one that begins with '>' is aligned to the right.
 * NULL: no memory; the other functions then do nothing.
 */
struct columns *columns_new(const char *titles);

/* Fills the next cell of the current row; a full row begins the next one. NULL is "-". */
void columns_add(struct columns *columns, const char *text);
void columns_addf(struct columns *columns, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints the rows under their titles, each after `indent` spaces, and frees the table. */
void columns_print(struct columns *columns, FILE *to, int indent);

#define COLUMNS_NUMBER 24

/* "850 us", "1.24 ms", "2.05 s"; "-" for what is not finite. Each returns out. */
const char *columns_us(double us, char out[COLUMNS_NUMBER]);
/* "1.2 kB" */
const char *columns_bytes(double bytes, char out[COLUMNS_NUMBER]);
/* "12.3 %" */
const char *columns_part(double part, char out[COLUMNS_NUMBER]);
/* "950", "12.3 k", "4.50 M" */
const char *columns_count(double count, char out[COLUMNS_NUMBER]);
/* "3 d 04:05", "04:05:06" */
const char *columns_time(double seconds, char out[COLUMNS_NUMBER]);
