// SPDX-License-Identifier: BSD-2-Clause
/* Leaders and followers. See nodes.h; what is in the file is snapshot.c's business. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "controller.h"
#include "endpoint.h"
#include "log.h"
#include "nodes.h"
#include "reader.h"
#include "saver.h"
#include "seed.h"

#define BEAT_NS	 (5 * NS_PER_S) /* a leader writes at least so often */
#define START_NS NS_PER_S	/* that the first look at a file may take */

bool nodes_are_several(const struct controller *controller)
{
	return controller->config &&
	       (*controller->config->generations.write || *controller->config->generations.follow);
}

bool nodes_follows(const struct controller *controller)
{
	return controller->config && *controller->config->generations.follow;
}

static uint64_t newer(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

void nodes_reset(struct nodes *nodes)
{
	uint64_t newest = newer(nodes->former_ms, nodes->written_ms);

	if (nodes->leader)
		newest = newer(newest, nodes->leader->written_ms);
	snapshot_free(nodes->leader);
	saver_close(nodes->saver);
	reader_close(nodes->reader);
	memset(nodes, 0, sizeof(*nodes));
	nodes->former_ms = newest;
}

/* What is wrong with the file is said once, and so is that it is good again. */
static void set_trouble(struct nodes *nodes, const char *file, const char *why)
{
	if (*why && strcmp(why, nodes->trouble) != 0)
		log_warning("%s %s", file, why);
	else if (!*why && *nodes->trouble)
		log_info("%s: all is well again", file);
	snprintf(nodes->trouble, sizeof(nodes->trouble), "%s", why);
}

/* ---- digests ---- */

/* The addresses of a generation's members. */
static void find_addresses(const struct controller *controller, const struct generation *generation,
			   struct in6_addr *address)
{
	for (size_t i = 0; i < generation->members; i++)
		address[i] = controller->registry.backend[generation->plan.member[i]].address;
}

uint64_t nodes_digest(struct controller *controller, const struct service *service)
{
	struct nodes_digest *known = &controller->nodes.digest[service->id];
	const struct generation *current = service->current;
	struct in6_addr address[LARCH_MAX_MEMBERS];

	if (!current)
		return 0;
	if (known->common && known->generation == current->plan.generation &&
	    known->own == current->plan.digest)
		return known->common;
	find_addresses(controller, current, address);
	*known = (struct nodes_digest){
		.generation = current->plan.generation,
		.own = current->plan.digest,
		.common = snapshot_digest_of(current, address),
	};
	return known->common;
}

static const struct snapshot_service *find_service(const struct controller *controller,
						   const struct service *service)
{
	const struct snapshot *leader = controller->nodes.leader;

	return leader ? snapshot_find(leader, service->config->name) : NULL;
}

uint64_t nodes_leader_digest(const struct controller *controller, const struct service *service)
{
	const struct snapshot_service *found = find_service(controller, service);

	return found ? found->digest : 0;
}

/* ---- a follower ---- */

/* May it take the place of the one that is followed? If not, why. */
static bool is_welcome(const struct controller *controller, const struct snapshot *snapshot,
		       char *why, size_t size)
{
	const struct snapshot *leader = controller->nodes.leader;
	const struct larch_settings *settings = controller->datapath->settings;
	const uint64_t seed[2] = {settings->seed[0], settings->seed[1]};
	bool known = false;

	if (snapshot->seed != seed_mark(seed)) {
		snprintf(why, size,
			 "is of %s, which hashes by another seed: another site's, or seed_file "
			 "differs, or the tables of one node are older than its file",
			 snapshot->node);
		return false;
	}
	if (leader && snapshot->written_ms < leader->written_ms) {
		snprintf(why, size, "is older, by %.3f s, than what is followed",
			 (double)(leader->written_ms - snapshot->written_ms) / 1000);
		return false;
	}
	for (size_t i = 0; i < controller->config->service_count; i++)
		known |= snapshot_find(snapshot, controller->config->services[i].name) != NULL;
	if (!known)
		snprintf(why, size, "is of %s, which has none of this node's services",
			 snapshot->node);
	return known;
}

/* How old a snapshot is that was there before this daemon; clocks that differ make it no younger.
 */
static uint64_t age_ns(const struct snapshot *snapshot)
{
	uint64_t now_ms = clock_read(CLOCK_REALTIME) / NS_PER_MS;

	return now_ms > snapshot->written_ms ? (now_ms - snapshot->written_ms) * NS_PER_MS : 0;
}

static void take_leader(struct nodes *nodes, struct snapshot *snapshot)
{
	bool first = !nodes->leader,
	     news = first || snapshot->written_ms > nodes->leader->written_ms;
	uint64_t now = clock_now(), age = first ? age_ns(snapshot) : 0;

	if (first)
		log_info("follows %s", snapshot->node);
	snapshot_free(nodes->leader);
	nodes->leader = snapshot;
	if (news)
		nodes->heard_ns = age < now ? now - age : 1;
}

static void tell_silence(struct controller *controller)
{
	struct nodes *nodes = &controller->nodes;
	double heard = nodes_heard_s(controller);
	bool silent = heard > controller->config->generations.silent;

	if (silent && !nodes->silent)
		log_warning("the leader %s has been silent for %.0f s: its last generations stay",
			    nodes->leader->node, heard);
	else if (!silent && nodes->silent)
		log_info("the leader %s is heard again", nodes->leader->node);
	nodes->silent = silent;
}

double nodes_heard_s(const struct controller *controller)
{
	uint64_t heard = controller->nodes.heard_ns, now = clock_now();

	return heard ? (double)(now - heard) / (double)NS_PER_S : -1;
}

static void describe(const struct reader_news *news, char *why, size_t size)
{
	if (news->error == -EFBIG)
		snprintf(why, size, "is no plain file of at most %u MB", SNAPSHOT_MOST >> 20);
	else
		snprintf(why, size, "cannot be read: %s", saver_why(news->error));
}

/* Reads a snapshot from what has been read. NULL, and why. */
static struct snapshot *snapshot_of(struct reader_news *news, char *why, size_t size)
{
	struct snapshot *snapshot = NULL;

	if (news->error)
		describe(news, why, size);
	else
		snapshot_read_text(news->text, news->length, &snapshot, why, size);
	free(news->text);
	return snapshot;
}

static void take_news(struct controller *controller, struct reader_news *news, char *why,
		      size_t size)
{
	struct snapshot *snapshot = snapshot_of(news, why, size);

	if (snapshot && is_welcome(controller, snapshot, why, size))
		take_leader(&controller->nodes, snapshot);
	else
		snapshot_free(snapshot);
}

/* What is there at the start is waited for. */
static int begin_reading(struct reader **reader, const char *file)
{
	int error = reader_open(reader, file, SNAPSHOT_MOST);

	if (!error)
		reader_wait(*reader, START_NS);
	return error;
}

void nodes_look(struct controller *controller)
{
	const char *file = controller->config->generations.follow;
	struct nodes *nodes = &controller->nodes;
	struct reader_news news = {};
	char why[NODES_WHY] = "";

	if (!nodes_follows(controller))
		return;
	if (!nodes->reader)
		news.error = begin_reading(&nodes->reader, file);
	if (news.error || reader_take(nodes->reader, &news)) {
		take_news(controller, &news, why, sizeof(why));
		set_trouble(nodes, file, why);
	}
	tell_silence(controller);
}

/* What keeps a follower from being just like its leader; said once. */
static void set_why(struct controller *controller, const struct service *service, const char *why)
{
	char *text = controller->nodes.why[service->id];

	if (strcmp(text, why) == 0)
		return;
	snprintf(text, sizeof(controller->nodes.why[0]), "%s", why);
	if (*text)
		log_warning("%s: %s", service->config->name, text);
	else
		log_info("%s: as the leader has it", service->config->name);
}

static void tell_missing(struct controller *controller, const struct service *service,
			 const struct in6_addr *address)
{
	char why[NODES_WHY], text[INET6_ADDRSTRLEN];

	snprintf(why, sizeof(why), "the leader has a backend %s, which this node has not",
		 endpoint_address_text(address, text));
	set_why(controller, service, why);
}

struct generation *nodes_generation(struct controller *controller, const struct service *service)
{
	const struct snapshot_service *found = find_service(controller, service);
	struct in6_addr address[LARCH_MAX_MEMBERS];
	uint16_t backend[LARCH_MAX_MEMBERS];
	struct generation *out = NULL;
	size_t missing = 0;
	int error;

	if (!found) {
		set_why(controller, service,
			controller->nodes.leader ? "the leader does not have this service"
						 : "nothing of the leader has come yet");
		return NULL;
	}
	for (size_t i = 0; i < service->members; i++) {
		backend[i] = service->member[i].backend;
		address[i] = controller->registry.backend[backend[i]].address;
	}
	error = snapshot_place(found, address, backend, service->members, &out, &missing);
	if (error == -ENOENT)
		tell_missing(controller, service, &found->address[missing]);
	else if (error)
		set_why(controller, service, "no memory for what the leader has");
	else if (found->generation->members < service->members)
		set_why(controller, service, "this node has backends that the leader has not");
	else
		set_why(controller, service, "");
	return out;
}

const char *nodes_why(const struct controller *controller, const struct service *service)
{
	const char *why = controller->nodes.why[service->id];

	return *why ? why : controller->nodes.silent ? "the leader is silent" : NULL;
}

/* ---- the leader ---- */

/* Is any generation another one than in the last snapshot? */
static bool has_news(struct controller *controller)
{
	const struct nodes *nodes = &controller->nodes;
	bool news = false;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		news |= nodes->written[i] !=
			(service->used ? nodes_digest(controller, service) : 0);
	}
	return news;
}

/* Later than the last one, also where the clock was set back. */
static uint64_t next_written_ms(const struct nodes *nodes)
{
	uint64_t now = clock_read(CLOCK_REALTIME) / NS_PER_MS;

	return newer(now, newer(nodes->written_ms, nodes->former_ms) + 1);
}

static int make_snapshot(const struct controller *controller, struct snapshot **out)
{
	const struct larch_settings *settings = controller->datapath->settings;
	const uint64_t seed[2] = {settings->seed[0], settings->seed[1]};
	struct snapshot *snapshot = snapshot_new();
	struct in6_addr address[LARCH_MAX_MEMBERS];
	int error = snapshot ? 0 : -ENOMEM;

	for (size_t i = 0; i < LARCH_MAX_SERVICES && !error; i++) {
		const struct service *service = &controller->service[i];

		if (!service->used || !service->config || !service->current)
			continue;
		find_addresses(controller, service->current, address);
		error = snapshot_add(snapshot, service->config->name, service->current, address);
	}
	if (error) {
		snapshot_free(snapshot);
		return error;
	}
	snapshot->seed = seed_mark(seed);
	if (gethostname(snapshot->node, sizeof(snapshot->node) - 1) != 0 || !*snapshot->node)
		strcpy(snapshot->node, "?");
	*out = snapshot;
	return 0;
}

/* An earlier daemon's snapshot that was written later, by its clock, than now: go on from there. */
static void continue_file(struct nodes *nodes, const char *file)
{
	struct snapshot *before = NULL;
	struct reader *reader;
	struct reader_news news;
	char why[NODES_WHY];

	if (begin_reading(&reader, file) != 0)
		return;
	if (reader_take(reader, &news))
		before = snapshot_of(&news, why, sizeof(why));
	if (before)
		nodes->written_ms = before->written_ms;
	snapshot_free(before);
	reader_close(reader);
}

/* Beside the event loop: where the file is may be a share that hangs. */
static int write_snapshot(struct controller *controller)
{
	struct nodes *nodes = &controller->nodes;
	struct snapshot *snapshot;
	char *text = NULL;
	size_t length;
	int error = make_snapshot(controller, &snapshot);

	if (error)
		return error;
	snapshot->written_ms = next_written_ms(nodes);
	error = snapshot_write_text(snapshot, &text, &length);
	if (!error) {
		saver_put(nodes->saver, 0, text, length);
		nodes->written_ms = snapshot->written_ms;
	}
	snapshot_free(snapshot);
	return error;
}

/* What is new, or a sign of life. */
static int write_news(struct controller *controller)
{
	struct nodes *nodes = &controller->nodes;
	int error;

	if (nodes->put_ns && clock_now() - nodes->put_ns < BEAT_NS && !has_news(controller))
		return 0;
	error = write_snapshot(controller);
	if (error)
		return error;
	nodes->put_ns = clock_now();
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		nodes->written[i] = service->used ? nodes_digest(controller, service) : 0;
	}
	return 0;
}

static int begin_file(struct nodes *nodes, const char *file)
{
	int error = saver_open(&nodes->saver, (const char *[SAVER_FILES]){file});

	if (!error)
		continue_file(nodes, file);
	return error;
}

void nodes_write(struct controller *controller)
{
	const char *file = controller->config->generations.write;
	struct nodes *nodes = &controller->nodes;
	char why[NODES_WHY] = "";
	int error = 0;

	if (!*file)
		return;
	if (!nodes->saver)
		error = begin_file(nodes, file);
	if (!error)
		error = write_news(controller) ?: saver_error(nodes->saver, 0);
	if (error)
		snprintf(why, sizeof(why), "cannot be written: %s", saver_why(error));
	set_trouble(nodes, file, why);
}

double nodes_wrote_s(const struct controller *controller)
{
	struct saver *saver = controller->nodes.saver;
	uint64_t wrote = saver ? saver_saved_ns(saver, 0) : 0;

	return wrote ? (double)(clock_now() - wrote) / (double)NS_PER_S : -1;
}
