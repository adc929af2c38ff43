// SPDX-License-Identifier: BSD-2-Clause
/*
 * The balancer, loaded once by the process that runs the tests and lent to one test after the
 * other: to verify it takes far longer than most tests do. It is empty when it is lent; whatever a
 * test does to it, and however the test ends, the next one finds nothing of it.
 *
 * There are two programs on the same maps: larch.bpf.o's and larch.frags.bpf.o's. With
 * LARCH_TEST_FRAGS in the environment every test gets the second one, else those that ask for it.
 *
 * It has no pins: the programs and maps are found by their ids, and are gone with the process that
 * runs the tests.
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

/* In the environment: see above. */
#define LENT_FRAGS "LARCH_TEST_FRAGS"

/*
 * Waits for the balancer and makes it this process's own until lent_close(), or until it ends. The
 * maps of `object`, opened and not loaded, become those of the balancer. Returns the program, that
 * for frames in several buffers if `frags`. Ends the test on errors.
 */
int lent_open(struct bpf_object *object, bool frags);
void lent_close(int program);

/* The memory of a map that can be mapped, of values of this size. */
void *lent_memory(const struct bpf_map *map, size_t value_size);
