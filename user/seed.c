// SPDX-License-Identifier: BSD-2-Clause
/* Reading a seed. See seed.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "larch/chance.h"
#include "seed.h"

#define DIGITS 32
#define MAKE   "'openssl rand -hex 16' makes one"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The first byte is the lowest of seed[0], on any machine. */
static bool parse(const char *text, size_t length, uint64_t seed[2])
{
	uint64_t word[2] = {0, 0};

	if (length == DIGITS + 1 && text[DIGITS] == '\n')
		length--;
	if (length != DIGITS)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		int digit = digit_of(text[i]);

		if (digit < 0)
			return false;
		word[i / 16] |= (uint64_t)digit << (i % 16 / 2 * 8 + (i % 2 ? 0 : 4));
	}
	if (!word[0] && !word[1])
		return false;
	memcpy(seed, word, sizeof(word));
	return true;
}

/* Can it be a secret? If not, says why. */
static bool check(int fd, char *why, size_t size)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		snprintf(why, size, "is no plain file; expected one with 32 hexadecimal digits");
		return false;
	}
	if (status.st_mode & (S_IRWXO | S_IWGRP)) {
		snprintf(why, size,
			 "others than its owner may read or write it (mode %04o), and it is a "
			 "secret; expected mode 0600 or 0640",
			 (unsigned)status.st_mode & 07777);
		return false;
	}
	return true;
}

int seed_read(const char *file, uint64_t seed[2], char *why, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[DIGITS + 2];
	ssize_t length = -1;

	if (fd < 0) {
		snprintf(why, size, "%s: cannot be read: %s; " MAKE, file, strerror(errno));
		return -EINVAL;
	}
	length = snprintf(why, size, "%s: ", file);
	if (length < 0 || (size_t)length >= size ||
	    !check(fd, why + length, size - (size_t)length)) {
		close(fd);
		return -EINVAL;
	}
	length = read(fd, text, sizeof(text));
	close(fd);
	if (length >= 0 && parse(text, (size_t)length, seed))
		return 0;
	snprintf(why, size,
		 "%s: expected 32 hexadecimal digits, not all 0, and nothing else; " MAKE, file);
	return -EINVAL;
}

uint64_t seed_mark(const uint64_t seed[2])
{
	const __u64 key[2] = {seed[0], seed[1]};

	return larch_sip_hash(key, 0x6c61726368207365ull, 0x6564206d61726b00ull);
}
