// SPDX-License-Identifier: BSD-2-Clause
/* What the kernel's verifier had to do for an object file, and how much of it we allow. */
#ifndef TOOLS_LIB_VERIFIER_H
#define TOOLS_LIB_VERIFIER_H

#include <stddef.h>

#define VERIFIER_LIMIT	1000000 /* instructions, BPF_COMPLEXITY_LIMIT_INSNS */
#define VERIFIER_BUDGET 300000	/* what another kernel counts, and what is to come, needs room */

/*
 * Loads a file, unpinned, and prints the processed instructions of each program. Adds to *over how
 * many programs are above the budget, or their number unknown. 0 or -errno.
 */
int verifier_report(const char *file, size_t *over);

#endif
