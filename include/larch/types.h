/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fixed-width integer types for the headers that the BPF programs and user space share, and the
 * sizes that both sides agree on. BPF code includes vmlinux.h before any header of this folder.
 */
#pragma once

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Version of everything in this folder. A daemon refuses maps made for another one. */
#define LARCH_ABI 4

#define LARCH_MAX_SERVICES 64
#define LARCH_MAX_BACKENDS 1024
#define LARCH_MAX_MEMBERS  255 /* backends of one service */
#define LARCH_MAX_LEAVES   32
#define LARCH_MAX_DEPTH	   8

/* No service, backend, member: the largest value of the type that would hold one. */
#define LARCH_NO_BACKEND 0xffff
#define LARCH_NO_MEMBER	 0xff

#define LARCH_INLINE static inline __attribute__((always_inline, unused))
