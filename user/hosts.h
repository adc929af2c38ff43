// SPDX-License-Identifier: BSD-2-Clause
/* What /etc/hosts says of a name. Without a file it says nothing. */
#pragma once

#include <stdbool.h>

#include "names.h"

#define HOSTS_FILE "/etc/hosts"

/* Sets both answers if the name stands in the file, which is then all that it stands for. */
bool hosts_find(const char *file, const char *host, struct names_answer *ipv4,
		struct names_answer *ipv6);
