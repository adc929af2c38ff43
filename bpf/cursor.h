/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of a packet not yet read. Moves forward only, and never beyond the end. */
#pragma once

struct cursor {
	void *at;
	void *end;
};

static __always_inline struct cursor cursor_begin(const struct xdp_md *context)
{
	return (struct cursor){
		.at = (void *)(long)context->data,
		.end = (void *)(long)context->data_end,
	};
}

/* The next `size` bytes, or NULL if the packet ends before. */
static __always_inline void *cursor_take(struct cursor *cursor, __u64 size)
{
	void *at = cursor->at;

	if (at + size > cursor->end)
		return NULL;
	cursor->at = at + size;
	return at;
}
