// SPDX-License-Identifier: BSD-2-Clause
/* From a configured service to its entry of larch_services. See policy.h. */
#include "policy.h"

void policy_service(const struct config_service *service, struct larch_service *out)
{
	*out = (struct larch_service){.policy.signal = (uint8_t)service->signal};
}
