// SPDX-License-Identifier: BSD-2-Clause
/* What the kernel's verifier had to do for an object file. */
#pragma once

#define VERIFIER_LIMIT 1000000 /* instructions, BPF_COMPLEXITY_LIMIT_INSNS */

/* Prints the processed instructions of each program of the file. 0 or -errno. */
int verifier_report(const char *file);
