// SPDX-License-Identifier: BSD-2-Clause
// From a pointer to a member back to the structure that holds it.
#ifndef TOOLS_LIB_CONTAINER_H
#define TOOLS_LIB_CONTAINER_H

#include <stddef.h>

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
