// SPDX-License-Identifier: BSD-2-Clause
// Parses counts and real numbers, refusing what strtod() and strtoull() would let through.
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

int number_parse_count(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || value < low || value > high)
		return -ERANGE;
	*out = value;
	return 0;
}

int number_parse_real(const char *text, double low, double high, double *out)
{
	double value;
	char *end;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.' && text[0] != '-')
		return -EINVAL;
	value = strtod(text, &end);
	if (end == text || *end || !isfinite(value))
		return -EINVAL;
	if (value < low || value > high)
		return -ERANGE;
	*out = value;
	return 0;
}
