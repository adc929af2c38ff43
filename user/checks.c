// SPDX-License-Identifier: BSD-2-Clause
/* Active health checks: see checks.h. From a target that is due to what the controller is told. */
#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "checks_way.h"
#include "clock.h"
#include "controller.h"
#include "datapath_health.h"
#include "endpoint.h"
#include "larch/health.h"
#include "log.h"
#include "members.h"
#include "netlink_rule.h"
#include "prober.h"

#define GRACE_NS   (500 * NS_PER_MS) /* for the prober's answer, beyond a timeout */
#define LOOK_NS	   (1 * NS_PER_S)    /* between looks whether the way still stands */
#define ADDRESS_NS (5 * NS_PER_S)    /* for so long the host's addresses are taken as known */
#define FAILED_NS  (100 * NS_PER_MS) /* the same when a check has failed */
#define NO_TARGET  UINT32_MAX

static const struct netlink_rule rule = {
	.mark = LARCH_HEALTH_MARK,
	.mask = LARCH_HEALTH_MASK,
	.table = LARCH_HEALTH_TABLE,
	.mtu = LARCH_HEALTH_MTU,
};

/* One member of one service. */
struct check {
	bool used, wanted;
	uint16_t service, backend; /* ids */
	uint32_t sequence;	   /* of its checks: an answer to an earlier one is too late */
	struct check_result last;
};

struct checks {
	struct controller *controller;
	struct health *health;
	struct prober *prober; /* NULL: nothing is checked */
	struct check *check;   /* by target */
	uint32_t room;
	uint32_t target[LARCH_MAX_SERVICES][LARCH_MAX_BACKENDS];
	struct host host;
	bool way_stands;
	uint64_t looked_ns;
	uint32_t sequence;
	int epoll, timer;
};

/* ---- what comes of a check ---- */

static struct service *service_of(const struct checks *checks, const struct check *check)
{
	struct service *service = &checks->controller->service[check->service];

	return service->used && service->config ? service : NULL;
}

static const struct service *find_member(const struct checks *checks, const struct check *check,
					 size_t *member)
{
	const struct service *service = service_of(checks, check);

	for (*member = 0; service && *member < service->members; ++*member) {
		if (service->member[*member].backend == check->backend)
			return service->config->health ? service : NULL;
	}
	return NULL;
}

static const char *backend_name(const struct checks *checks, const struct check *check)
{
	return checks->controller->registry.backend[check->backend].name;
}

static void tell(struct checks *checks, const struct check *check, bool up)
{
	const struct service *service = service_of(checks, check);

	log_debug("%s: the check of %s says %s: %s", service ? service->config->name : "?",
		  backend_name(checks, check), up ? "up" : "down", check->last.reason);
	controller_checked(checks->controller, check->service, check->backend, up,
			   check->last.reason);
}

static void finish(struct checks *checks, uint32_t target, enum health_verdict verdict, uint32_t us,
		   const char *reason)
{
	struct check *check = &checks->check[target];
	uint64_t now = clock_now();

	check->last.at_ns = now;
	check->last.us = us;
	check->last.verdict = verdict;
	if (reason != check->last.reason)
		snprintf(check->last.reason, sizeof(check->last.reason), "%s", reason);
	if (health_done(checks->health, target, verdict, now))
		tell(checks, check, health_opinion(checks->health, target).up);
}

/*
 * A failure counts only if the way to ask is still there: the host's addresses or the next hop may
 * have changed meanwhile. NULL, or the reason.
 */
static const char *lost_way(struct checks *checks, const struct check *check)
{
	size_t member;
	const struct service *service = find_member(checks, check, &member);
	struct check_way way;

	if (!service)
		return "not configured any more";
	host_refresh(&checks->host, clock_now(), FAILED_NS);
	return check_way_find(checks->controller, &checks->host, service, member, &way);
}

static void take_answer(void *context, const struct probe_answer *answer)
{
	struct checks *checks = context;
	uint32_t target = (uint32_t)answer->id, sequence = (uint32_t)(answer->id >> 32);
	const char *lost = NULL;

	if (target >= checks->room || !checks->check[target].used ||
	    checks->check[target].sequence != sequence || !health_runs(checks->health, target))
		return;
	if (answer->verdict == HEALTH_DOWN)
		lost = lost_way(checks, &checks->check[target]);
	finish(checks, target, lost ? HEALTH_UNKNOWN : (enum health_verdict)answer->verdict,
	       answer->us, lost ? lost : answer->reason);
}

/* Those that it had in its hands begin anew. */
static void take_death(void *context)
{
	struct checks *checks = context;

	for (uint32_t i = 0; i < checks->room; i++) {
		if (checks->check[i].used && health_runs(checks->health, i))
			finish(checks, i, HEALTH_UNKNOWN, 0, "the prober has died");
	}
}

/* ---- a check begins ---- */

/* Somebody may take the program away, or the rule. */
static bool way_stands(struct checks *checks, uint64_t now)
{
	struct datapath *datapath = checks->controller->datapath;

	if (checks->looked_ns && now - checks->looked_ns < LOOK_NS)
		return checks->way_stands;
	checks->looked_ns = now;
	if (datapath_health_attached(datapath) && checks->way_stands)
		return true;
	if (checks->way_stands)
		log_warning("the program for health checks is gone from lo; it is put there again");
	checks->way_stands = netlink_rule_add(&rule) == 0 && datapath_health_attach(datapath) == 0;
	return checks->way_stands;
}

static void write_order(const struct checks *checks, uint32_t target, const struct service *service,
			const struct check_way *way, struct probe_order *order)
{
	const struct check *check = &checks->check[target];
	const struct registry_backend *backend =
		&checks->controller->registry.backend[check->backend];

	memset(order, 0, sizeof(*order));
	order->id = (uint64_t)check->sequence << 32 | target;
	order->to = way->to;
	order->health = *service->config->health;
	order->port = way->port;
	snprintf(order->service, sizeof(order->service), "%s", service->config->name);
	snprintf(order->backend, sizeof(order->backend), "%s", backend->name);
	endpoint_address_text(
		(const struct in6_addr *)(const void *)service->config->vips[0].address,
		order->vip);
	endpoint_address_text(&backend->address, order->address);
}

/* NULL, or why it cannot be asked. */
static const char *ask(struct checks *checks, uint32_t target, uint64_t now)
{
	static struct probe_order order;
	struct check *check = &checks->check[target];
	size_t member;
	const struct service *service = find_member(checks, check, &member);
	struct check_way way;
	const char *reason;
	int fd = -1, error;

	if (!service)
		return "not configured any more";
	host_refresh(&checks->host, now, ADDRESS_NS);
	reason = check_way_find(checks->controller, &checks->host, service, member, &way);
	if (reason)
		return reason;
	if (way.mark && !way_stands(checks, now))
		return "the way of health checks cannot be set up on this host";
	if (way.to.any.sa_family) {
		fd = check_way_socket(&way);
		if (fd < 0)
			return strerror(-fd);
	}
	check->sequence = ++checks->sequence;
	write_order(checks, target, service, &way, &order);
	error = prober_order(checks->prober, &order, fd);
	if (fd >= 0)
		close(fd);
	return !error ? NULL : error == -EPIPE ? "no prober runs" : "the prober is busy";
}

static void arm(struct checks *checks)
{
	uint64_t wake = health_wake(checks->health, GRACE_NS);
	struct itimerspec spec = {};

	if (wake != HEALTH_NEVER) {
		spec.it_value.tv_sec = (time_t)(wake / NS_PER_S);
		spec.it_value.tv_nsec = (long)(wake % NS_PER_S);
	}
	timerfd_settime(checks->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

void checks_process(struct checks *checks)
{
	uint64_t now, expirations;
	uint32_t target;

	if (read(checks->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		log_debug("timer of health checks: %s", strerror(errno));
	if (!checks->prober)
		return;
	prober_process(checks->prober);
	now = clock_now();
	while (health_overdue(checks->health, now, GRACE_NS, &target))
		finish(checks, target, HEALTH_UNKNOWN, 0, "the prober does not answer");
	while (health_next(checks->health, now, &target)) {
		const char *reason = ask(checks, target, now);

		if (reason)
			finish(checks, target, HEALTH_UNKNOWN, 0, reason);
	}
	controller_follow_checks(checks->controller);
	arm(checks);
}

/* ---- what is checked ---- */

static struct health_timing timing_of(const struct config_health *health)
{
	return (struct health_timing){
		.interval_ns = health->interval_ms * NS_PER_MS,
		.timeout_ns = health->timeout_ms * NS_PER_MS,
		.rise = health->rise,
		.fall = health->fall,
	};
}

static int make_room(struct checks *checks, uint32_t target)
{
	uint32_t room = checks->room ? checks->room : 64;
	struct check *check;

	while (room <= target)
		room *= 2;
	if (room == checks->room)
		return 0;
	check = realloc(checks->check, room * sizeof(*check));
	if (!check)
		return -ENOMEM;
	memset(check + checks->room, 0, (room - checks->room) * sizeof(*check));
	checks->check = check;
	checks->room = room;
	return 0;
}

static int want(struct checks *checks, const struct service *service, uint16_t backend)
{
	struct health_timing timing = timing_of(service->config->health);
	uint32_t *target = &checks->target[service->id][backend];
	int error;

	if (*target != NO_TARGET) {
		checks->check[*target].wanted = true;
		health_change(checks->health, *target, &timing);
		return 0;
	}
	error = health_add(checks->health, &timing, clock_now(), target);
	if (error)
		return error;
	error = make_room(checks, *target);
	if (error) {
		health_remove(checks->health, *target);
		*target = NO_TARGET;
		return error;
	}
	checks->check[*target] = (struct check){
		.used = true, .wanted = true, .service = service->id, .backend = backend};
	return 0;
}

static void drop(struct checks *checks, uint32_t target)
{
	struct check *check = &checks->check[target];

	checks->target[check->service][check->backend] = NO_TARGET;
	/* Of a member that stays, nobody says any more that it fails. */
	controller_checked(checks->controller, check->service, check->backend, true, "");
	health_remove(checks->health, target);
	check->used = false;
}

static int begin(struct checks *checks)
{
	struct epoll_event event = {.events = EPOLLIN};
	int error = prober_open(&checks->prober, take_answer, take_death, checks);

	if (!error && epoll_ctl(checks->epoll, EPOLL_CTL_ADD, prober_fd(checks->prober), &event))
		error = -errno;
	if (error) {
		log_error("nothing is checked: the prober cannot be begun: %s", strerror(-error));
		prober_close(checks->prober);
		checks->prober = NULL;
		return error;
	}
	checks->looked_ns = 0;
	return 0;
}

/* Nothing of it is left in the kernel. */
static void end(struct checks *checks)
{
	if (!checks->prober)
		return;
	prober_close(checks->prober);
	checks->prober = NULL;
	netlink_rule_remove(&rule);
	datapath_health_detach(checks->controller->datapath);
	checks->way_stands = false;
}

/* 0 or -ENOMEM; how many members are checked. */
static int want_all(struct checks *checks, size_t *count)
{
	int error = 0;

	for (uint32_t i = 0; i < checks->room; i++)
		checks->check[i].wanted = false;
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &checks->controller->service[i];

		if (!service->used || !service->config || !service->config->health)
			continue;
		for (size_t j = 0; !error && j < service->members; j++, ++*count)
			error = want(checks, service, service->member[j].backend);
	}
	return error;
}

void checks_follow(struct checks *checks)
{
	size_t count = 0;

	if (want_all(checks, &count) != 0)
		log_error("not all members are checked: out of memory");
	for (uint32_t i = 0; i < checks->room; i++) {
		if (checks->check[i].used && !checks->check[i].wanted)
			drop(checks, i);
	}
	controller_follow_checks(checks->controller);
	if (!count)
		end(checks);
	else if (!checks->prober)
		begin(checks);
	arm(checks);
}

const struct check_result *checks_last(const struct checks *checks, uint16_t service,
				       uint16_t backend)
{
	uint32_t target = checks ? checks->target[service][backend] : NO_TARGET;

	return target == NO_TARGET ? NULL : &checks->check[target].last;
}

/* ---- beginning and end ---- */

int checks_open(struct checks **out, struct controller *controller)
{
	struct checks *checks = calloc(1, sizeof(*checks));
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t seed = 0;
	int error;

	*out = NULL;
	if (!checks)
		return -ENOMEM;
	checks->controller = controller;
	memset(checks->target, 0xff, sizeof(checks->target));
	checks->epoll = epoll_create1(EPOLL_CLOEXEC);
	checks->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (checks->epoll < 0 || checks->timer < 0 ||
	    epoll_ctl(checks->epoll, EPOLL_CTL_ADD, checks->timer, &event) != 0 ||
	    getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		error = -errno;
	else
		error = health_new(&checks->health, PROBE_MOST, seed);
	if (error)
		checks_close(checks);
	else
		*out = checks;
	return error;
}

void checks_close(struct checks *checks)
{
	if (!checks)
		return;
	end(checks);
	if (checks->timer >= 0)
		close(checks->timer);
	if (checks->epoll >= 0)
		close(checks->epoll);
	health_free(checks->health);
	host_free(&checks->host);
	free(checks->check);
	free(checks);
}

int checks_fd(const struct checks *checks)
{
	return checks->epoll;
}
