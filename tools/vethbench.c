// SPDX-License-Identifier: BSD-2-Clause
/*
 * Larch against others over real veth links: how many packets a second go through each, as a ratio
 * within one run. tools/compare-veth builds the namespaces and runs this in the generator's.
 *
 * In: one link per path, named after what stands at its far end (larch, xdp_tx, nft, forward); the
 * object of vethbench.bpf.c. Out: a table on stdout; with --rows a line of JSON per comparison.
 * Larch and a rival take turns of a millisecond; the ratio is the median over pairs of turns.
 * Rates are of the whole way: generator, both veth crossings, the balancer, and the sink.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "lib/options.h"
#include "lib/spread.h"
#include "vethbench.h"

#define TCP_SYN	    0x02
#define TCP_ACK	    0x10
#define BACKENDS    0xc0a84d /* 192.168.77.0/24 */
#define VIPS	    (BENCH_VIP_IPV4 >> 8)
#define CALL	    (1 << 19) /* packets of one call; setting one up takes 20 ms */
#define READY_MS    5000 /* a balancer that lets nothing through by then will not do so later */
#define LEAST_SHARE 0.99
#define LEAST_PAIRS 8
#define ATTEMPTS    3	/* to find so many pairs of turns that nothing disturbed */
#define DISTURBED   2.0 /* times what its shortest turns take: it was not alone on the CPU */
#define TRACKED_MAX "/proc/sys/net/netfilter/nf_conntrack_max"

/* Who stands at the far end of a link. */
struct end {
	const char *link;
	uint32_t network; /* where its packets come back to */
	bool tracks;	  /* keeps a conntrack entry per flow */
	unsigned int ifindex;
};

static struct end larch = {"larch", BACKENDS, false, 0};

static struct rival {
	const char *name, *meaning;
	struct end end;
} rivals[] = {
	{"veth_over_xdp_tx", "XDP_TX without a look at the packet", {"xdp_tx", VIPS, false, 0}},
	{"veth_over_nft_dnat",
	 "nftables DNAT by a hash, with conntrack",
	 {"nft", BACKENDS, true, 0}},
	{"veth_over_ip_forward", "the kernel's forwarding by a route", {"forward", VIPS, false, 0}},
};

static const uint32_t sizes[] = {0, 10, 16, 20};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct {
	const char *object_file, *rows_file;
	uint64_t pairs, only_flows;
	FILE *rows;
	struct bpf_object *object;
	struct veth_run *run;
	int generator;
} bench = {.object_file = "build/vethbench.bpf.o", .pairs = 320};

/* The programs' only global variable, in memory that we share with them. */
static struct veth_run *map_run(void)
{
	struct bpf_map *globals = bpf_object__find_map_by_name(bench.object, ".bss");
	void *memory = MAP_FAILED;

	if (globals && bpf_map__value_size(globals) >= sizeof(struct veth_run))
		memory = mmap(NULL, sizeof(struct veth_run), PROT_READ | PROT_WRITE, MAP_SHARED,
			      bpf_map__fd(globals), 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static int open_object(void)
{
	bench.object = bpf_object__open_file(bench.object_file, NULL);
	if (!bench.object || bpf_object__load(bench.object) != 0)
		return -errno;
	bench.run = map_run();
	bench.generator =
		bpf_program__fd(bpf_object__find_program_by_name(bench.object, "veth_generate"));
	return bench.run && bench.generator >= 0 ? 0 : -EINVAL;
}

/* The sink stands there as long as this process lives. 0: there is no such link. */
static unsigned int open_end(const char *link)
{
	unsigned int ifindex = if_nametoindex(link);
	struct bpf_program *sink = bpf_object__find_program_by_name(bench.object, "veth_sink");

	return ifindex && bpf_program__attach_xdp(sink, (int)ifindex) ? ifindex : 0;
}

static void set_path(size_t at, const struct end *end, uint32_t bits)
{
	bench.run->path[at] = (struct veth_path){
		.walk = {.bits = bits},
		.ifindex = end->ifindex,
		.network = end->network,
	};
}

/* Sends packets along the paths that are set, each from its first flow on. */
static int send_packets(uint64_t packets, uint32_t flags)
{
	uint8_t frame[VETH_FRAME] = {};
	struct xdp_md context = {.data_end = sizeof(frame)};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = VETH_BATCH);

	bench.run->tcp_flags = flags;
	bench.run->sent = 0;
	bench.run->received = 0;
	return bpf_prog_test_run_opts(bench.generator, &options);
}

/* Shows every flow to the end, as its clients would have. */
static int warm_up(const struct end *end, uint32_t bits)
{
	uint64_t packets = 1u << bits > VETH_BATCH ? 1u << bits : VETH_BATCH;
	int error = 0;

	bench.run->paths = 1;
	set_path(0, end, bits);
	set_path(1, end, bits);
	/* A kernel that tracks connections would refuse what follows a SYN that nobody answered. */
	if (!end->tracks)
		error = send_packets(packets, TCP_SYN);
	set_path(0, end, bits);
	return error ? error : send_packets(packets, TCP_ACK);
}

static bool wait_ready(const struct end *end)
{
	uint64_t deadline = clock_now() + clock_from_ms(READY_MS);

	do {
		if (!warm_up(end, 0) && bench.run->sent && bench.run->received == bench.run->sent)
			return true;
		usleep(20000);
	} while (clock_now() < deadline);
	return false;
}

/* Conntrack has room for so many flows? Its size is the whole host's, and not ours to change. */
static bool can_track(uint32_t bits)
{
	FILE *file = fopen(TRACKED_MAX, "re");
	uint64_t most = 0;

	if (file) {
		if (fscanf(file, "%lu", &most) != 1)
			most = 0;
		fclose(file);
	}
	return most > 1u << bits;
}

/* Nanoseconds for each packet that came back, in every other turn from `first` on. */
static void read_turns(size_t first, double *ns)
{
	for (size_t pair = 0; pair < bench.pairs; pair++) {
		const struct veth_turn *turn = &bench.run->turn[2 * pair + first];

		ns[pair] = (double)turn->ns / (double)(turn->received ?: 1);
	}
}

/*
 * Keeps the pairs of turns in which nothing else had the CPU for long: it would fall upon the
 * slower one's turns more often, since they are longer. Returns how many.
 */
static size_t keep_undisturbed(double *ours, double *theirs)
{
	double most_ours = DISTURBED * spread_of(ours, bench.pairs).low;
	double most_theirs = DISTURBED * spread_of(theirs, bench.pairs).low;
	size_t kept = 0;

	for (size_t pair = 0; pair < bench.pairs; pair++) {
		if (ours[pair] > most_ours || theirs[pair] > most_theirs)
			continue;
		ours[kept] = ours[pair];
		theirs[kept++] = theirs[pair];
	}
	return kept;
}

static int take_turns(const struct end *rival, uint32_t bits)
{
	double sent = 0, received = 0;
	int error = 0;

	set_path(0, &larch, bits);
	set_path(1, rival, bits);
	bench.run->paths = 2;
	bench.run->turns = 0;
	while (!error && bench.run->turns < 2 * bench.pairs) {
		error = send_packets(CALL, TCP_ACK);
		sent += (double)bench.run->sent;
		received += (double)bench.run->received;
	}
	if (!error && received < LEAST_SHARE * sent) {
		fprintf(stderr, "vethbench: of what was sent to larch and %s, %.1f %% came back\n",
			rival->link, 100 * received / sent);
		error = -EPROTO;
	}
	return error;
}

static void skip(const struct rival *rival, uint32_t bits, const char *why)
{
	printf("  %-20s %8u  skipped: %s\n", rival->name, 1u << bits, why);
	fflush(stdout);
	fprintf(stderr, "vethbench: %s with %u flows skipped: %s\n", rival->name, 1u << bits, why);
}

static void report(const struct rival *rival, uint32_t bits, const double *ours,
		   const double *theirs, size_t pairs)
{
	struct spread ratio = spread_ratio(theirs, ours, pairs);

	printf("  %-20s %8u %8.2f %7.3f %10.1f %10.1f\n", rival->name, 1u << bits, ratio.median,
	       ratio.noise, spread_of(ours, pairs).median, spread_of(theirs, pairs).median);
	fflush(stdout);
	if (bench.rows)
		fprintf(bench.rows,
			"{\"case\": \"%s\", \"flows\": %u, \"ratio\": %.3f, \"noise\": %.3f}\n",
			rival->name, 1u << bits, ratio.median, ratio.noise);
}

static void measure(const struct rival *rival, uint32_t bits)
{
	double ours[VETH_TURNS / 2], theirs[VETH_TURNS / 2];

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		size_t pairs;

		if (take_turns(&rival->end, bits)) {
			skip(rival, bits, "packets are lost");
			return;
		}
		read_turns(0, ours);
		read_turns(1, theirs);
		pairs = keep_undisturbed(ours, theirs);
		if (pairs >= LEAST_PAIRS) {
			report(rival, bits, ours, theirs, pairs);
			return;
		}
	}
	skip(rival, bits, "the machine is too busy");
}

static void compare(const struct rival *rival, uint32_t bits)
{
	if (!rival->end.ifindex)
		skip(rival, bits, "it could not be set up");
	else if (rival->end.tracks && !can_track(bits))
		skip(rival, bits, "the host's nf_conntrack_max is smaller");
	else if (warm_up(&rival->end, bits) || warm_up(&larch, bits))
		skip(rival, bits, "no packets can be sent");
	else
		measure(rival, bits);
}

static void explain(void)
{
	printf("packets a second through veth, on one core: ratio = Larch's rate / the rival's; > "
	       "1: "
	       "Larch is faster\n");
	for (size_t i = 0; i < COUNT(rivals); i++)
		printf("  %-20s rival: %s\n", rivals[i].name, rivals[i].meaning);
	printf("  %-20s %8s %8s %7s %10s %10s\n", "comparison", "flows", "ratio", "noise",
	       "larch ns", "rival ns");
	fflush(stdout);
}

static int open_ends(void)
{
	larch.ifindex = open_end(larch.link);
	if (!larch.ifindex || !wait_ready(&larch)) {
		fprintf(stderr, "vethbench: nothing comes through Larch\n");
		return -EPROTO;
	}
	for (size_t i = 0; i < COUNT(rivals); i++) {
		struct end *end = &rivals[i].end;

		end->ifindex = open_end(end->link);
		if (end->ifindex && !wait_ready(end)) {
			fprintf(stderr, "vethbench: nothing comes through %s\n", end->link);
			end->ifindex = 0;
		}
	}
	return 0;
}

/* The way of a packet is on one CPU only if its sender stays there. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static int run_all(void)
{
	int error = open_object();

	if (error) {
		fprintf(stderr, "vethbench: cannot load %s: %s\n", bench.object_file,
			strerror(-error));
		return error;
	}
	stay_here();
	error = open_ends();
	if (error)
		return error;
	explain();
	for (size_t i = 0; i < COUNT(rivals); i++)
		for (size_t j = 0; j < COUNT(sizes); j++)
			if (!bench.only_flows || bench.only_flows == 1u << sizes[j])
				compare(&rivals[i], sizes[j]);
	return 0;
}

static const struct option_row rows[] = {
	{"object", "FILE", "object of vethbench.bpf.c (build/vethbench.bpf.o)", option_text,
	 &bench.object_file, 0, 0},
	{"pairs", "COUNT", "turns of each of two (320)", option_count, &bench.pairs, LEAST_PAIRS,
	 VETH_TURNS / 2},
	{"flows", "COUNT", "only with so many flows", option_count, &bench.only_flows, 1, 1 << 20},
	{"rows", "FILE", "append a line of JSON per comparison", option_text, &bench.rows_file, 0,
	 0},
	{},
};

int main(int argc, char **argv)
{
	int first =
		options_parse(rows,
			      "usage: vethbench [options]\n\nLarch's packet rate over others', "
			      "through the links larch, xdp_tx, nft and forward\nof this network "
			      "namespace. Run by tools/compare-veth. Takes root.",
			      argc, argv);
	int error;

	if (first <= 0)
		return first ? 2 : 0;
	if (bench.rows_file && !(bench.rows = fopen(bench.rows_file, "ae"))) {
		fprintf(stderr, "vethbench: %s: %s\n", bench.rows_file, strerror(errno));
		return 1;
	}
	error = run_all();
	if (bench.rows && fclose(bench.rows) != 0)
		error = -errno;
	return error ? 1 : 0;
}
