// SPDX-License-Identifier: BSD-2-Clause
// Strict numbers from text: the whole text, nothing else, within bounds.
#ifndef TOOLS_LIB_NUMBER_H
#define TOOLS_LIB_NUMBER_H

#include <stdint.h>

// A decimal count without sign. Returns 0, -EINVAL, or -ERANGE; out is set only on success.
int number_parse_count(const char *text, uint64_t low, uint64_t high, uint64_t *out);

// A finite decimal number. Returns 0, -EINVAL, or -ERANGE; out is set only on success.
int number_parse_real(const char *text, double low, double high, double *out);

#endif
