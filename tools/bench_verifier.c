// SPDX-License-Identifier: BSD-2-Clause
/* Loads an object file, unpinned, and reads the verifier's statistics. See bench_verifier.h. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench_verifier.h"

#define LOG_BYTES 65536
#define LOG_STATS 4 /* the verifier's log level for statistics alone */
#define PROGRAMS  4 /* of one file, at most */
#define BUDGET	  0.30

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

static void report(const char *file, const struct log *log)
{
	const char *found = strstr(log->text, "processed ");
	unsigned long instructions;

	if (!found || sscanf(found, "processed %lu", &instructions) != 1) {
		printf("  %-28s the kernel's log names no number\n", file);
		return;
	}
	printf("  %-28s %-16s %7lu instructions, %4.1f %% of the limit (budget %.0f %%)%s\n", file,
	       bpf_program__name(log->program), instructions,
	       100.0 * (double)instructions / VERIFIER_LIMIT, 100 * BUDGET,
	       (double)instructions <= BUDGET * VERIFIER_LIMIT ? "" : " OVER");
}

int verifier_report(const char *file)
{
	struct bpf_object *object = bpf_object__open_file(file, NULL);
	struct bpf_map *map;
	size_t count;
	int error = object ? 0 : -errno;

	if (!error) {
		bpf_object__for_each_map(map, object) bpf_map__set_pin_path(map, NULL);
		count = ask_for_logs(object);
		error = bpf_object__load(object) ? -errno : 0;
		for (size_t i = 0; !error && i < count; i++)
			report(file, &logs[i]);
	}
	if (error)
		fprintf(stderr, "bench: cannot load %s: %s\n", file, strerror(-error));
	bpf_object__close(object);
	return error;
}
