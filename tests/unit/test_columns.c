// SPDX-License-Identifier: BSD-2-Clause
/* Tables and numbers for people. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

Test(columns, columns_are_as_wide_as_their_longest_cell)
{
	struct columns *columns = columns_new("NAME >COUNT LAST");
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	columns_add(columns, "a-long-name");
	columns_addf(columns, "%d", 7);
	columns_add(columns, "x");
	columns_add(columns, "b");
	columns_add(columns, NULL);
	columns_add(columns, "y");
	columns_print(columns, to, 2);
	fclose(to);
	cr_assert_str_eq(text, "  NAME         COUNT  LAST\n"
			       "  a-long-name      7  x\n"
			       "  b                -  y\n");
	free(text);
}

Test(columns, numbers_have_three_digits_and_a_unit)
{
	char out[COLUMNS_NUMBER];

	cr_assert_str_eq(columns_us(0, out), "0 us");
	cr_assert_str_eq(columns_us(850.2, out), "850 us");
	cr_assert_str_eq(columns_us(1240, out), "1.24 ms");
	cr_assert_str_eq(columns_us(999600, out), "1.00 s");
	cr_assert_str_eq(columns_us(NAN, out), "-");
	cr_assert_str_eq(columns_bytes(1536, out), "1.54 kB");
	cr_assert_str_eq(columns_count(999, out), "999");
	cr_assert_str_eq(columns_count(1234567, out), "1.23 M");
	cr_assert_str_eq(columns_part(0.1234, out), "12.3 %");
	cr_assert_str_eq(columns_time(3 * 86400 + 4 * 3600 + 5 * 60, out), "3 d 04:05");
	cr_assert_str_eq(columns_time(61, out), "00:01:01");
}
