// SPDX-License-Identifier: BSD-2-Clause
// Do these object files load, and what did it cost the verifier? Prints the instructions of each
// program. Exit status 1 if one does not load or is above the budget.
// usage: verifier FILE...   As root. Pins and attaches nothing.
#include <stdio.h>

#include "lib/verifier.h"

int main(int argc, char **argv)
{
	size_t over = 0;
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: verifier FILE...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failed |= verifier_report(argv[i], &over) != 0;
	return failed || over;
}
