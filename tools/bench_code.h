// SPDX-License-Identifier: BSD-2-Clause
/*
 * A loaded BPF program's machine code and the source files that it came from, as the kernel tells
 * from the line information in the object.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CODE_FILES     64
#define CODE_FUNCTIONS 64

struct code_line {
	uint64_t address; /* from here to the next line's, or to the function's end */
	uint32_t file;
};

struct code_function {
	uint64_t begin, end;
};

struct code {
	struct code_line *line; /* by address */
	size_t lines, functions, files;
	struct code_function function[CODE_FUNCTIONS];
	char *file[CODE_FILES];	    /* "flow.h"; of shared headers "larch/flow.h" */
	uint64_t bytes[CODE_FILES]; /* of machine code */
};

/* 0, or -errno; -ENODATA: the kernel does not tell. */
int code_open(struct code *code, int program);
void code_close(struct code *code);

/* The file that the code at an address came from, or -1: it is not of this program. */
int code_find(const struct code *code, uint64_t address);
