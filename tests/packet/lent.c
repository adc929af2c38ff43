// SPDX-License-Identifier: BSD-2-Clause
// Loads the balancer before the first test, and empties it before each; see lent.h.
#include "lent.h"

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "larch.frags.skel.h"
#include "larch.skel.h"

/* The lock's path, the programs' ids, and the ids of their maps in the order of the object. */
#define VARIABLE "LARCH_TEST_BALANCER"
#define MAPS	 64
#define TEXT	 1024

static int lock = -1;
static struct {
	const struct bpf_map *map;
	void *memory;
} mapped[MAPS];

static size_t bytes_of(const struct bpf_map *map)
{
	return (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
}

static uint32_t program_id(int program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &size) ? 0 : info.id;
}

static uint32_t map_id(int map)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(map, &info, &size) ? 0 : info.id;
}

/* --- the process that runs the tests -------------------------------------------------------- */

static void offer(const struct larch_bpf *larch, int frags)
{
	/* A file without a name: nothing is left, and a lock ends with the process that has it. */
	int file = memfd_create("larch-packet-tests", MFD_CLOEXEC);
	const struct bpf_map *map;
	char text[TEXT];
	int length;

	length = snprintf(text, sizeof(text), "/proc/%d/fd/%d %u %u", getpid(), file,
			  program_id(bpf_program__fd(larch->progs.larch)), program_id(frags));
	bpf_object__for_each_map(map, larch->obj)
	{
		length += snprintf(text + length, sizeof(text) - (size_t)length, " %u",
				   map_id(bpf_map__fd(map)));
	}
	setenv(VARIABLE, text, 1);
}

/* The program for frames in several buffers, on the same maps. -1: it cannot be loaded. */
static int load_frags(const struct larch_bpf *larch)
{
	struct larch_frags_bpf *frags = larch_frags_bpf__open();
	struct bpf_map *map;

	if (!frags)
		return -1;
	bpf_object__for_each_map(map, frags->obj)
	{
		const struct bpf_map *same =
			bpf_object__find_map_by_name(larch->obj, bpf_map__name(map));

		bpf_map__set_pin_path(map, NULL);
		if (!same || bpf_map__reuse_fd(map, bpf_map__fd(same)) != 0)
			return -1;
	}
	return larch_frags_bpf__load(frags) == 0 ? bpf_program__fd(frags->progs.larch) : -1;
}

/* Without it the tests say what is missing. It is never closed: tests may come until the end. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	struct larch_bpf *larch = larch_bpf__open();
	struct bpf_map *map;

	(void)tests;
	if (!larch)
		return;
	bpf_object__for_each_map(map, larch->obj) bpf_map__set_pin_path(map, NULL);
	if (larch_bpf__load(larch) == 0)
		offer(larch, load_frags(larch));
}

/* --- a test --------------------------------------------------------------------------------- */

/* Most of a balancer's memory was never written: to look at it costs less than to write it anew. */
static void clear(uint64_t *words, size_t bytes)
{
	size_t count = bytes / sizeof(*words), i = 0;

	for (; i + 8 <= count; i += 8)
		if (words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] |
		    words[i + 5] | words[i + 6] | words[i + 7])
			memset(&words[i], 0, 8 * sizeof(*words));
	memset(&words[i], 0, bytes - i * sizeof(*words));
}

static void empty_mapped(const struct bpf_map *map)
{
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map), i = 0;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	cr_assert_neq(memory, MAP_FAILED, "%s: %s", bpf_map__name(map), strerror(errno));
	clear(memory, bytes_of(map));
	while (mapped[i].map)
		i++;
	mapped[i].map = map;
	mapped[i].memory = memory;
}

static void empty_array(const struct bpf_map *map)
{
	int cpus = libbpf_num_possible_cpus();

	cr_assert_gt(cpus, 0);
	size_t bytes = (bpf_map__value_size(map) + 7) / 8 * 8 * (size_t)cpus;
	void *none = calloc(1, bytes);

	cr_assert_not_null(none);
	for (uint32_t key = 0; key < bpf_map__max_entries(map); key++)
		cr_assert_eq(bpf_map_update_elem(bpf_map__fd(map), &key, none, BPF_ANY), 0, "%s",
			     bpf_map__name(map));
	free(none);
}

static void empty_hash(const struct bpf_map *map)
{
	uint8_t key[bpf_map__key_size(map)];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		cr_assert_eq(bpf_map_delete_elem(bpf_map__fd(map), key), 0, "%s",
			     bpf_map__name(map));
}

static void empty(const struct bpf_map *map)
{
	cr_assert_not(bpf_map__is_internal(map), "%s: nobody knows what it began with",
		      bpf_map__name(map));
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY:
		if (bpf_map__map_flags(map) & BPF_F_MMAPABLE) {
			empty_mapped(map);
			break;
		}
		/* fallthrough */
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		empty_array(map);
		break;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		empty_hash(map);
		break;
	case BPF_MAP_TYPE_RINGBUF: /* each reader begins behind what was read */
		break;
	default:
		cr_assert_fail("%s: how is such a map emptied?", bpf_map__name(map));
	}
}

static void take_map(struct bpf_map *map, uint32_t id)
{
	int fd = bpf_map_get_fd_by_id(id);

	cr_assert_geq(fd, 0, "%s: %s", bpf_map__name(map), strerror(errno));
	cr_assert_eq(bpf_map__reuse_fd(map, fd), 0);
	close(fd);
	empty(map);
}

static void wait_for_lock(const char *path)
{
	lock = open(path, O_RDWR | O_CLOEXEC);

	cr_assert_geq(lock, 0, "%s: %s", path, strerror(errno));
	while (flock(lock, LOCK_EX) != 0)
		cr_assert_eq(errno, EINTR);
}

static uint32_t next_id(char **rest)
{
	const char *word = strtok_r(NULL, " ", rest);

	return word ? (uint32_t)strtoul(word, NULL, 10) : 0;
}

int lent_open(struct bpf_object *object, bool frags)
{
	const char *offered = getenv(VARIABLE);
	uint32_t id[2];
	char text[TEXT], *rest;
	struct bpf_map *map;
	int program;

	cr_assert_not_null(offered, "the balancer could not be loaded (are you root?)");
	snprintf(text, sizeof(text), "%s", offered);
	wait_for_lock(strtok_r(text, " ", &rest));
	id[0] = next_id(&rest);
	id[1] = next_id(&rest);
	program = bpf_prog_get_fd_by_id(id[frags || getenv(LENT_FRAGS)]);
	cr_assert_geq(program, 0, "the balancer's program: %s", strerror(errno));
	bpf_object__for_each_map(map, object) take_map(map, next_id(&rest));
	return program;
}

void lent_close(int program)
{
	for (size_t i = 0; mapped[i].map; i++)
		munmap(mapped[i].memory, bytes_of(mapped[i].map));
	memset(mapped, 0, sizeof(mapped));
	close(program);
	close(lock);
}

void *lent_memory(const struct bpf_map *map, size_t value_size)
{
	size_t i = 0;

	cr_assert_eq(bpf_map__value_size(map), value_size, "%s", bpf_map__name(map));
	while (mapped[i].map && mapped[i].map != map)
		i++;
	cr_assert_not_null(mapped[i].map, "%s cannot be mapped", bpf_map__name(map));
	return mapped[i].memory;
}
