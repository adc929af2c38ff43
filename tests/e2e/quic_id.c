// SPDX-License-Identifier: BSD-2-Clause
// Gives ngtcp2's example server connection ids that name it: preloaded, it stands before
// gnutls_rnd(), of which that server takes each connection id of its own, and nothing else, as 18
// random bytes. They become what draft-ietf-quic-load-balancers lays down for ids in plain text:
//   octet 0: three bits of configuration, five of length (of what follows); server id; nonce
// In: environment QUIC_CONFIG, a number from 0 to 6, and QUIC_ID, the server id in hex.
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES 18 // a connection id of the server

int gnutls_rnd(int level, void *data, size_t length);

static void name_server(uint8_t *id)
{
	const char *config = getenv("QUIC_CONFIG"), *text = getenv("QUIC_ID");
	unsigned int octet;

	if (!config || !text)
		return;
	id[0] = (uint8_t)(atoi(config) << 5 | (ID_BYTES - 1));
	for (size_t at = 1; at < ID_BYTES && sscanf(text, "%2x", &octet) == 1; at++, text += 2)
		id[at] = (uint8_t)octet;
}

int gnutls_rnd(int level, void *data, size_t length)
{
	int (*next)(int, void *, size_t) = dlsym(RTLD_NEXT, "gnutls_rnd");
	int failed = next(level, data, length);

	if (!failed && length == ID_BYTES)
		name_server(data);
	return failed;
}
