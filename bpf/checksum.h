/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum (RFC 1071), whole and by its difference (RFC 1624). */
#pragma once

/* The checksum of what a sum of 16-bit words, or bpf_csum_diff(), has come to. */
static __always_inline __u16 checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The same of a sum of 32-bit words. */
static __always_inline __u16 checksum_fold_wide(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return checksum_fold((sum & 0xffff) + (sum >> 16));
}

/* The checksum after one word of what it covers has changed; a wrong one stays wrong. */
static __always_inline __u16 checksum_change(__u16 checksum, __u16 before, __u16 after)
{
	return checksum_fold((__u16)~checksum + (__u16)~before + after);
}
