// SPDX-License-Identifier: BSD-2-Clause
/* Reading the kernel's tick counter. See datapath_ticks.h. */
#include "datapath_ticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <time.h>

#include "clock.h"

#define MEASURED_NS   (50 * NS_PER_MS)
#define STAMP_SECONDS 8.6

static const uint32_t usual_rates[] = {100, 250, 300, 1000};

int datapath_ticks_open(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "larch_ticks", "GPL", program,
			       sizeof(program) / sizeof(program[0]), NULL);

	return fd < 0 ? -errno : fd;
}

uint32_t datapath_ticks_read(int fd)
{
	uint8_t packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet));

	return bpf_prog_test_run_opts(fd, &run) == 0 ? run.retval : 0;
}

uint32_t datapath_ticks_rate(int fd)
{
	const struct timespec pause = {.tv_nsec = MEASURED_NS};
	uint64_t begun = clock_now();
	uint32_t ticks = datapath_ticks_read(fd), nearest = usual_rates[0];
	double rate;

	nanosleep(&pause, NULL);
	ticks = datapath_ticks_read(fd) - ticks;
	rate = 1e9 * ticks / (double)(clock_now() - begun);
	for (size_t i = 1; i < sizeof(usual_rates) / sizeof(usual_rates[0]); i++) {
		/* Nearer by ratio: the geometric mean divides. */
		if (rate * rate > (double)nearest * usual_rates[i])
			nearest = usual_rates[i];
	}
	return nearest;
}

uint32_t datapath_ticks_shift(uint32_t rate)
{
	uint32_t shift = 0;

	while ((2u << shift) <= STAMP_SECONDS * rate)
		shift++;
	/* Between two powers the nearer one by ratio. */
	return STAMP_SECONDS * rate / (1u << shift) > 1.41421 ? shift + 1 : shift;
}
