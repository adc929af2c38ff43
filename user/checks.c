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

#define GRACE_NS     (500 * NS_PER_MS) /* for the prober's answer, beyond a timeout */
#define LOOK_NS	     (1 * NS_PER_S)    /* between looks whether the way still stands */
#define ADDRESS_NS   (5 * NS_PER_S)    /* for so long the host's addresses are taken as known */
#define FAILED_NS    (100 * NS_PER_MS) /* the same when a check has failed */
#define STUCK_NS     (3 * NS_PER_S)    /* of checks without one answer: the prober hangs */
#define TRY_AGAIN_NS (5 * NS_PER_S)    /* between attempts to begin the prober */
#define NO_TARGET    UINT32_MAX

static const struct netlink_rule rule = {
	.mark = LARCH_HEALTH_MARK,
	.mask = LARCH_HEALTH_MASK,
	.table = LARCH_HEALTH_TABLE,
	.mtu = LARCH_HEALTH_MTU,
};

/* One address of one member of one service. */
struct check {
	bool used, wanted;
	uint16_t service, backend; /* ids */
	struct check_ask ask;
	uint32_t next;	   /* of the same member; NO_TARGET */
	uint32_t sequence; /* of its checks: an answer to an earlier one is too late */
	struct check_result last;
};

struct checks {
	struct controller *controller;
	struct health *health;
	struct prober *prober; /* NULL: nothing is checked */
	struct check *check;   /* by target */
	uint32_t room;
	uint32_t first[LARCH_MAX_SERVICES][LARCH_MAX_BACKENDS]; /* target of each member */
	struct host host;
	bool way_stands;
	uint64_t looked_ns;
	uint32_t sequence;
	size_t count;	   /* members that are to be checked */
	uint64_t tried_ns; /* when the prober could not be begun */
	uint64_t stuck_ns; /* since then nothing but checks without an answer; 0: not so */
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

/* What its last check came to; of which address, if the member has several. */
static void describe(const struct checks *checks, const struct check *check, char *out, size_t size)
{
	bool alone = check->next == NO_TARGET &&
		     &checks->check[checks->first[check->service][check->backend]] == check;
	bool ipv4 = IN6_IS_ADDR_V4MAPPED(&check->ask.address);
	char address[INET6_ADDRSTRLEN];

	endpoint_address_text(&check->ask.address, address);
	if (alone)
		snprintf(out, size, "%s", check->last.reason);
	else
		snprintf(out, size, ipv4 ? "%s:%u: %s" : "[%s]:%u: %s", address, check->ask.port,
			 check->last.reason);
}

/* A member is well when all of its addresses are, and each has been asked. */
static void tell(struct checks *checks, uint16_t service, uint16_t backend)
{
	char reason[CHECK_REASON_SIZE] = "";
	bool asked = true;

	for (uint32_t i = checks->first[service][backend]; i != NO_TARGET;
	     i = checks->check[i].next) {
		struct health_opinion opinion = health_opinion(checks->health, i);

		asked &= checks->check[i].last.at_ns != 0;
		if (!opinion.known || opinion.up)
			continue;
		describe(checks, &checks->check[i], reason, sizeof(reason));
		break;
	}
	if (*reason || asked)
		controller_checked(checks->controller, service, backend, !*reason, reason);
}

static void log_change(const struct checks *checks, const struct check *check, bool up)
{
	const struct service *service = service_of(checks, check);
	char reason[CHECK_REASON_SIZE];

	describe(checks, check, reason, sizeof(reason));
	log_debug("%s: the check of %s says %s: %s", service ? service->config->name : "?",
		  backend_name(checks, check), up ? "up" : "down", reason);
}

static void finish(struct checks *checks, uint32_t target, enum health_verdict verdict, uint32_t us,
		   const char *reason)
{
	struct check *check = &checks->check[target];
	bool first = !check->last.at_ns, changed;
	uint64_t now = clock_now();

	check->last.at_ns = now;
	check->last.us = us;
	check->last.verdict = verdict;
	if (reason != check->last.reason)
		snprintf(check->last.reason, sizeof(check->last.reason), "%s", reason);
	changed = health_done(checks->health, target, verdict, now);
	if (changed)
		log_change(checks, check, health_opinion(checks->health, target).up);
	if (changed || first)
		tell(checks, check->service, check->backend);
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
	return check_way_find(checks->controller, &checks->host, service, member, &check->ask,
			      &way);
}

static void take_answer(void *context, const struct probe_answer *answer)
{
	struct checks *checks = context;
	uint32_t target = (uint32_t)answer->id, sequence = (uint32_t)(answer->id >> 32);
	const char *lost = NULL;

	checks->stuck_ns = 0;
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

	checks->stuck_ns = 0;
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
	if (check->ask.connect)
		order->health.type = CONFIG_HEALTH_TCP;
	order->port = way->port;
	snprintf(order->service, sizeof(order->service), "%s", service->config->name);
	snprintf(order->backend, sizeof(order->backend), "%s", backend->name);
	endpoint_address_text(&check->ask.address, order->vip);
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
	if (!checks->prober)
		return "nothing is checked: " PROBE_PROGRAM " cannot be begun, see the log";
	host_refresh(&checks->host, now, ADDRESS_NS);
	reason = check_way_find(checks->controller, &checks->host, service, member, &check->ask,
				&way);
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

/* A check is long over, and the prober has not said so. */
static void take_silence(struct checks *checks, uint64_t now)
{
	if (!checks->stuck_ns)
		checks->stuck_ns = now;
	if (now - checks->stuck_ns < STUCK_NS)
		return;
	log_error("the prober answers nothing any more; it is killed and begun again");
	checks->stuck_ns = 0;
	prober_kill(checks->prober);
}

/* 0 or -errno; then it is tried again after a while. */
static int begin(struct checks *checks)
{
	struct epoll_event event = {.events = EPOLLIN};
	int error = prober_open(&checks->prober, take_answer, take_death, checks);

	if (!error && epoll_ctl(checks->epoll, EPOLL_CTL_ADD, prober_fd(checks->prober), &event))
		error = -errno;
	if (error) {
		checks->tried_ns = clock_now();
		log_error("nothing is checked: the prober cannot be begun: %s", strerror(-error));
		prober_close(checks->prober);
		checks->prober = NULL;
		return error;
	}
	checks->looked_ns = 0;
	return 0;
}

void checks_process(struct checks *checks)
{
	uint64_t now, expirations;
	uint32_t target;

	if (read(checks->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		log_debug("timer of health checks: %s", strerror(errno));
	now = clock_now();
	if (!checks->prober && checks->count && now - checks->tried_ns >= TRY_AGAIN_NS)
		begin(checks);
	if (checks->prober)
		prober_process(checks->prober);
	now = clock_now();
	while (health_overdue(checks->health, now, GRACE_NS, &target)) {
		finish(checks, target, HEALTH_UNKNOWN, 0, "the prober does not answer");
		take_silence(checks, now);
	}
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

/* A new one becomes the last of its member's. */
static void append(struct checks *checks, uint32_t target)
{
	const struct check *check = &checks->check[target];
	uint32_t *link = &checks->first[check->service][check->backend];

	while (*link != NO_TARGET)
		link = &checks->check[*link].next;
	*link = target;
}

static int want(struct checks *checks, const struct service *service, uint16_t backend,
		const struct check_ask *ask)
{
	struct health_timing timing = timing_of(service->config->health);
	uint32_t target = checks->first[service->id][backend];
	int error;

	while (target != NO_TARGET && !check_ask_same(&checks->check[target].ask, ask))
		target = checks->check[target].next;
	if (target != NO_TARGET) {
		checks->check[target].wanted = true;
		health_change(checks->health, target, &timing);
		return 0;
	}
	error = health_add(checks->health, &timing, clock_now(), &target);
	if (error)
		return error;
	error = make_room(checks, target);
	if (error) {
		health_remove(checks->health, target);
		return error;
	}
	checks->check[target] = (struct check){
		.used = true,
		.wanted = true,
		.service = service->id,
		.backend = backend,
		.ask = *ask,
		.next = NO_TARGET,
	};
	append(checks, target);
	return 0;
}

static void drop(struct checks *checks, uint32_t target)
{
	struct check *check = &checks->check[target];
	uint32_t *link = &checks->first[check->service][check->backend];

	while (*link != target)
		link = &checks->check[*link].next;
	*link = check->next;
	health_remove(checks->health, target);
	check->used = false;
	/* Of a member that stays, nobody says any more that it fails there. */
	tell(checks, check->service, check->backend);
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

/* All members of a service. */
static int want_members(struct checks *checks, const struct service *service)
{
	struct check_ask asks[CHECK_ASKS];
	size_t count = check_asks(service->config, asks);
	int error = 0;

	for (size_t i = 0; i < service->members; i++) {
		for (size_t j = 0; !error && j < count; j++)
			error = want(checks, service, service->member[i].backend, &asks[j]);
	}
	return error;
}

/* 0 or -ENOMEM; how many members are checked. */
static int want_all(struct checks *checks, size_t *count)
{
	int error = 0;

	for (uint32_t i = 0; i < checks->room; i++)
		checks->check[i].wanted = false;
	for (size_t i = 0; !error && i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &checks->controller->service[i];

		if (!service->used || !service->config || !service->config->health)
			continue;
		error = want_members(checks, service);
		*count += service->members;
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
	checks->count = count;
	if (!count)
		end(checks);
	else if (!checks->prober)
		begin(checks);
	arm(checks);
}

/* Which of two an operator should see. */
static bool is_worse(const struct check_result *one, const struct check_result *other)
{
	static const int badness[] = {[HEALTH_UP] = 1, [HEALTH_UNKNOWN] = 2, [HEALTH_DOWN] = 3};

	return one->at_ns && (!other->at_ns || badness[one->verdict] > badness[other->verdict]);
}

bool checks_last(const struct checks *checks, uint16_t service, uint16_t backend,
		 struct check_result *out)
{
	uint32_t worst = checks ? checks->first[service][backend] : NO_TARGET;

	if (worst == NO_TARGET)
		return false;
	for (uint32_t i = worst; i != NO_TARGET; i = checks->check[i].next) {
		if (is_worse(&checks->check[i].last, &checks->check[worst].last))
			worst = i;
	}
	*out = checks->check[worst].last;
	describe(checks, &checks->check[worst], out->reason, sizeof(out->reason));
	return true;
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
	memset(checks->first, 0xff, sizeof(checks->first));
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
