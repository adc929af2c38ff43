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

/* The checksum after one word of what it covers has changed; a wrong one stays wrong. */
static __always_inline __u16 checksum_change(__u16 checksum, __u16 before, __u16 after)
{
	return checksum_fold((__u16)~checksum + (__u16)~before + after);
}
