// SPDX-License-Identifier: BSD-2-Clause
/*
 * What must be true after each packet, whatever it was: it is counted under one outcome, the
 * verdict and the frame that leaves are what the outcome promises, and the tables agree with each
 * other. What is not true is said, and ends the process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A packet to the balancer; what that sends into a tunnel goes on to the agent. */
void check_balancer(const uint8_t *bytes, size_t size, uint32_t ifindex);

void check_agent(const uint8_t *bytes, size_t size, uint32_t ifindex);
