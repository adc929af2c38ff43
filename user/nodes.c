// SPDX-License-Identifier: BSD-2-Clause
/* Leaders and followers. See nodes.h; what is in the file is snapshot.c's business. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "controller.h"
#include "endpoint.h"
#include "log.h"
#include "nodes.h"
#include "seed.h"

#define BEAT_NS (5 * NS_PER_S) /* a leader writes at least so often */

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

/* Reads the whole file. 0, or -errno and why. */
static int read_file(const char *file, char **text, size_t *length, char *why, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
	struct stat status;
	ssize_t got = 1;

	*text = NULL;
	*length = 0;
	if (fd < 0 || fstat(fd, &status) != 0)
		error = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_size > SNAPSHOT_MOST)
		error = -EFBIG;
	else if (!(*text = malloc((size_t)status.st_size + 1)))
		error = -ENOMEM;
	/* One byte more than there was: a file that grows meanwhile is not whole. */
	while (!error && got > 0 && *length <= (size_t)status.st_size) {
		got = read(fd, *text + *length, (size_t)status.st_size + 1 - *length);
		if (got > 0)
			*length += (size_t)got;
		else if (got < 0)
			error = -errno;
	}
	if (fd >= 0)
		close(fd);
	if (error == -EFBIG)
		snprintf(why, size, "is no plain file of at most %u MB", SNAPSHOT_MOST >> 20);
	else if (error)
		snprintf(why, size, "cannot be read: %s", strerror(-error));
	return error;
}

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

static bool is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_ino == other->st_ino && one->st_dev == other->st_dev &&
	       one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
	       one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
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

void nodes_look(struct controller *controller)
{
	const char *file = controller->config->generations.follow;
	struct nodes *nodes = &controller->nodes;
	struct snapshot *snapshot = NULL;
	char why[NODES_WHY] = "", *text = NULL;
	struct stat status = {};
	size_t length;

	if (!nodes_follows(controller))
		return;
	/* What cannot be read may be readable the next time. */
	if (stat(file, &status) == 0 && is_same_file(&status, &nodes->seen)) {
		tell_silence(controller);
		return;
	}
	nodes->seen = (struct stat){};
	if (read_file(file, &text, &length, why, sizeof(why)) == 0) {
		nodes->seen = status;
		if (snapshot_read_text(text, length, &snapshot, why, sizeof(why)) == 0 &&
		    is_welcome(controller, snapshot, why, sizeof(why)))
			take_leader(nodes, snapshot);
		else
			snapshot_free(snapshot);
		free(text);
	}
	set_trouble(nodes, file, why);
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

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t wrote = write(fd, text, length);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			text += wrote;
			length -= (size_t)wrote;
		}
	}
	return 0;
}

/* Nobody ever sees half of it under its name. */
static int replace_file(const char *file, const char *text, size_t length)
{
	char beside[CONFIG_FILE_MAX + 8];
	int fd, error;

	snprintf(beside, sizeof(beside), "%s.new", file);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	error = write_all(fd, text, length);
	if (close(fd) != 0 && !error)
		error = -errno;
	if (!error && rename(beside, file) != 0)
		error = -errno;
	if (error)
		unlink(beside);
	return error;
}

/* An earlier daemon's snapshot that was written later, by its clock, than now: go on from there. */
static void continue_file(struct nodes *nodes, const char *file)
{
	struct snapshot *before = NULL;
	char why[NODES_WHY], *text;
	size_t length;

	if (read_file(file, &text, &length, why, sizeof(why)) == 0 &&
	    snapshot_read_text(text, length, &before, why, sizeof(why)) == 0)
		nodes->written_ms = before->written_ms;
	snapshot_free(before);
	free(text);
}

static int write_snapshot(struct controller *controller, const char *file)
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
	if (!error)
		error = replace_file(file, text, length);
	if (!error)
		nodes->written_ms = snapshot->written_ms;
	free(text);
	snapshot_free(snapshot);
	return error;
}

void nodes_write(struct controller *controller)
{
	const char *file = controller->config->generations.write;
	struct nodes *nodes = &controller->nodes;
	char why[NODES_WHY] = "";
	int error;

	if (!*file || (nodes->wrote_ns && clock_now() - nodes->wrote_ns < BEAT_NS &&
		       !*nodes->trouble && !has_news(controller)))
		return;
	if (!nodes->written_ms)
		continue_file(nodes, file);
	error = write_snapshot(controller, file);
	if (error) {
		snprintf(why, sizeof(why), "cannot be written: %s", strerror(-error));
	} else {
		nodes->wrote_ns = clock_now();
		for (size_t i = 0; i < LARCH_MAX_SERVICES; i++)
			nodes->written[i] =
				controller->service[i].used
					? nodes_digest(controller, &controller->service[i])
					: 0;
	}
	set_trouble(nodes, file, why);
}
