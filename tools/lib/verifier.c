// SPDX-License-Identifier: BSD-2-Clause
/* Loads an object file, unpinned, and reads the verifier's statistics. See verifier.h. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "verifier.h"

#define LOG_BYTES 16384
#define LOG_STATS 4  /* the verifier's log level for statistics alone */
#define PROGRAMS  32 /* of one file, at most */

struct log {
	const struct bpf_program *program;
	char text[LOG_BYTES];
};

static struct log logs[PROGRAMS];

static size_t ask_for_logs(struct bpf_object *object)
{
	struct bpf_program *program;
	size_t count = 0;

	bpf_object__for_each_program(program, object)
	{
		if (count == PROGRAMS)
			break;
		logs[count] = (struct log){.program = program};
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, logs[count].text, LOG_BYTES);
		count++;
	}
	return count;
}

static bool report(const char *file, const struct log *log)
{
	const char *found = strstr(log->text, "processed ");
	unsigned long instructions;
	bool over;

	if (!found || sscanf(found, "processed %lu", &instructions) != 1) {
		printf("  %-28s the kernel's log names no number\n", file);
		return false;
	}
	over = instructions > VERIFIER_BUDGET;
	printf("  %-28s %-16s %7lu instructions, %4.1f %% of the limit (budget %.0f %%)%s\n", file,
	       bpf_program__name(log->program), instructions,
	       100.0 * (double)instructions / VERIFIER_LIMIT,
	       100.0 * VERIFIER_BUDGET / VERIFIER_LIMIT, over ? " OVER" : "");
	return !over;
}

/* Without a log of our own, libbpf prints why the kernel refuses a program. */
static int load(const char *file, bool count, size_t *over)
{
	struct bpf_object *object = bpf_object__open_file(file, NULL);
	struct bpf_map *map;
	size_t programs;
	int error;

	if (!object)
		return -errno;
	bpf_object__for_each_map(map, object) bpf_map__set_pin_path(map, NULL);
	programs = count ? ask_for_logs(object) : 0;
	error = bpf_object__load(object) ? -errno : 0;
	for (size_t i = 0; !error && i < programs; i++)
		*over += !report(file, &logs[i]);
	bpf_object__close(object);
	return error;
}

int verifier_report(const char *file, size_t *over)
{
	int error = load(file, true, over);
	char why[128];

	if (error) {
		load(file, false, over);
		libbpf_strerror(error, why, sizeof(why));
		fprintf(stderr, "cannot load %s: %s\n", file, why);
	}
	return error;
}
