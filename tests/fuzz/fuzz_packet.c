// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fuzzes the data path: the unchanged sources of the balancer and of the agent, compiled for user
 * space with the address and undefined-behaviour sanitizers, receive sequences of packets in a
 * world that the daemon's own code has made. scenario.h: the input. world.h: what there is.
 * check.h: what must hold. stub.h: the kernel. From the top of the repository, `make fuzz`, or
 * build/fuzz_packet FILE for one input.
 */
#include <stdint.h>

#include "check.h"
#include "scenario.h"
#include "world.h"

#define SHORTEST    14 /* bytes; the kernel drops what is shorter before XDP */
#define INTERFACES  3
#define STEP_SHIFT  10
#define STEP_LENGTH 32

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world_open();
	return 0;
}

static void receive(const struct scenario_packet *packet)
{
	uint32_t ifindex = 1 + (packet->ingress & ~SCENARIO_TO_AGENT) % INTERFACES;

	if (packet->step)
		stub.now += 1ull << (packet->step % STEP_LENGTH + STEP_SHIFT);
	world_act(packet->action, packet->operand);
	if (packet->size < SHORTEST)
		return;
	if (packet->ingress & SCENARIO_TO_AGENT)
		check_agent(packet->bytes, packet->size, ifindex);
	else
		check_balancer(packet->bytes, packet->size, ifindex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scenario scenario;

	scenario_read(&scenario, data, size);
	world_arrange(scenario.state);
	for (size_t i = 0; i < scenario.count; i++)
		receive(&scenario.packet[i]);
	stub_rewind();
	return 0;
}
