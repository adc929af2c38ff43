// SPDX-License-Identifier: BSD-2-Clause
/* Asks the kernel for a program's code and lines. See bench_code.h. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench_code.h"

/* What the kernel fills in: where each function and each line begins, and what the lines are. */
struct answer {
	struct bpf_prog_info info;
	uint64_t function[CODE_FUNCTIONS];
	uint32_t length[CODE_FUNCTIONS];
	uint64_t *address;
	struct bpf_line_info *line;
};

static uint64_t pointer(const void *memory)
{
	return (uint64_t)(uintptr_t)memory;
}

static int get_info(int program, struct bpf_prog_info *info)
{
	uint32_t size = sizeof(*info);

	return bpf_obj_get_info_by_fd(program, info, &size) ? -errno : 0;
}

/* First for the counts, then for the arrays. */
static int ask(struct answer *answer, int program)
{
	struct bpf_prog_info *info = &answer->info, count = {};
	int error = get_info(program, &count);

	if (error)
		return error;
	if (!count.nr_line_info || count.nr_jited_line_info != count.nr_line_info ||
	    count.nr_jited_ksyms > CODE_FUNCTIONS)
		return -ENODATA;
	answer->address = calloc(count.nr_line_info, sizeof(*answer->address));
	answer->line = calloc(count.nr_line_info, sizeof(*answer->line));
	if (!answer->address || !answer->line)
		return -ENOMEM;
	*info = (struct bpf_prog_info){
		.nr_jited_ksyms = count.nr_jited_ksyms,
		.jited_ksyms = pointer(answer->function),
		.nr_jited_func_lens = count.nr_jited_func_lens,
		.jited_func_lens = pointer(answer->length),
		.nr_line_info = count.nr_line_info,
		.line_info_rec_size = sizeof(*answer->line),
		.line_info = pointer(answer->line),
		.nr_jited_line_info = count.nr_jited_line_info,
		.jited_line_info_rec_size = sizeof(*answer->address),
		.jited_line_info = pointer(answer->address),
	};
	error = get_info(program, info);
	return error || answer->address[0] ? error : -ENODATA;
}

/* The end of a path: what follows include/, or its last part. */
static const char *short_name(const char *path)
{
	const char *shared = strstr(path, "include/"), *last = strrchr(path, '/');

	if (shared)
		return shared + strlen("include/");
	return last ? last + 1 : path;
}

static int file_number(struct code *code, const char *path)
{
	const char *name = short_name(path);

	for (size_t i = 0; i < code->files; i++)
		if (strcmp(code->file[i], name) == 0)
			return (int)i;
	if (code->files == CODE_FILES)
		return -ENOSPC;
	code->file[code->files] = strdup(name);
	return code->file[code->files] ? (int)code->files++ : -ENOMEM;
}

static int compare_lines(const void *left, const void *right)
{
	const struct code_line *a = left, *b = right;

	return (a->address > b->address) - (a->address < b->address);
}

static const struct code_function *find_function(const struct code *code, uint64_t address)
{
	for (size_t i = 0; i < code->functions; i++) {
		const struct code_function *function = &code->function[i];

		if (address >= function->begin && address < function->end)
			return function;
	}
	return NULL;
}

/* A line's code ends where the next line's begins, or with its function. */
static void count_bytes(struct code *code)
{
	for (size_t i = 0; i < code->lines; i++) {
		const struct code_line *line = &code->line[i];
		const struct code_function *function = find_function(code, line->address);
		uint64_t end = function ? function->end : line->address;

		if (i + 1 < code->lines && line[1].address < end)
			end = line[1].address;
		code->bytes[line->file] += end - line->address;
	}
}

static int fill(struct code *code, const struct answer *answer, const struct btf *names)
{
	code->functions = answer->info.nr_jited_ksyms;
	for (size_t i = 0; i < code->functions; i++)
		code->function[i] = (struct code_function){
			.begin = answer->function[i],
			.end = answer->function[i] + answer->length[i],
		};
	code->line = calloc(answer->info.nr_line_info, sizeof(*code->line));
	if (!code->line)
		return -ENOMEM;
	for (; code->lines < answer->info.nr_line_info; code->lines++) {
		uint32_t offset = answer->line[code->lines].file_name_off;
		const char *path = btf__name_by_offset(names, offset);
		int file = file_number(code, path ? path : "?");

		if (file < 0)
			return file;
		code->line[code->lines] = (struct code_line){
			.address = answer->address[code->lines],
			.file = (uint32_t)file,
		};
	}
	qsort(code->line, code->lines, sizeof(*code->line), compare_lines);
	count_bytes(code);
	return 0;
}

int code_open(struct code *code, int program)
{
	struct answer answer = {};
	struct btf *names = NULL;
	int error = ask(&answer, program);

	*code = (struct code){};
	if (!error) {
		names = btf__load_from_kernel_by_id(answer.info.btf_id);
		error = names ? fill(code, &answer, names) : -errno;
	}
	btf__free(names);
	free(answer.address);
	free(answer.line);
	if (error)
		code_close(code);
	return error;
}

void code_close(struct code *code)
{
	for (size_t i = 0; i < code->files; i++)
		free(code->file[i]);
	free(code->line);
	*code = (struct code){};
}

int code_find(const struct code *code, uint64_t address)
{
	size_t low = 0, high = code->lines;

	if (!find_function(code, address))
		return -1;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code->line[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? (int)code->line[low - 1].file : -1;
}
