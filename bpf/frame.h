/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One source, two objects: the program of larch.bpf.o gets frames that are in one buffer each, that
 * of larch.frags.bpf.o (built with LARCH_FRAGS) also jumbo frames, which a driver puts into
 * several. All that we read or write are headers, and these are in the first one; only the frame's
 * length has to be asked for.
 */
#pragma once

#ifdef LARCH_FRAGS
#define FRAME_SECTION "xdp.frags"
#else
#define FRAME_SECTION "xdp"
#endif

static __always_inline __u32 frame_bytes(struct xdp_md *context)
{
#ifdef LARCH_FRAGS
	return bpf_xdp_get_buff_len(context);
#else
	return context->data_end - context->data;
#endif
}
