// SPDX-License-Identifier: BSD-2-Clause
/*
 * libbpf's map functions over the maps of stub_maps.c, so that the daemon's own code writes what
 * the packet path reads. A descriptor is the number of a map. See user/datapath_maps.c.
 */
#include "stub.h"

#include <errno.h>

#undef bpf_map_lookup_elem
#undef bpf_map_update_elem
#undef bpf_map_delete_elem

#include <bpf/bpf.h>
#include <string.h>

static int result(long returned)
{
	errno = (int)-returned;
	return (int)returned;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return result(stub_update(stub_described(fd), key, value, flags));
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	struct stub_map *map = stub_described(fd);
	const void *found = stub_lookup(map, key);

	if (!found)
		return result(-ENOENT);
	memcpy(value, found, stub_value_size(map));
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	return result(stub_delete(stub_described(fd), key));
}

int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	return stub_next(stub_described(fd), key, next) ? 0 : result(-ENOENT);
}

/* All that there is in one go: the callers' batches are larger than any map here. */
int bpf_map_lookup_batch(int fd, void *from, void *position, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *options)
{
	struct stub_map *map = stub_described(fd);
	size_t key_size = stub_key_size(map), value_size = stub_value_size(map);
	uint8_t *key = keys, *value = values;
	const uint8_t *before = NULL;
	__u32 room = from ? 0 : *count;

	(void)options;
	(void)position;
	for (*count = 0; *count < room && stub_next(map, before, key); ++*count) {
		memcpy(value, stub_lookup(map, key), value_size);
		before = key;
		key += key_size;
		value += value_size;
	}
	return result(-ENOENT);
}
