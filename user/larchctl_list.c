// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl list` (in the manner of ipvsadm -Ln) and `larchctl stat` (in that of HAProxy). */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "columns.h"
#include "larchctl.h"

/* Behind an address: is it announced? Nothing: that is not our business. */
static void show_route(const json_t *route)
{
	if (json_is_object(route) && !larchctl_true(route, "announced"))
		printf(" NOT ANNOUNCED: %s", larchctl_text(route, "reason"));
	else if (json_is_object(route))
		fputs(" announced", stdout);
}

static void show_vips(const json_t *service)
{
	bool reason = json_is_string(json_object_get(service, "reason"));
	const json_t *vip;
	size_t i;

	json_array_foreach (json_object_get(service, "vips"), i, vip) {
		const char *address = larchctl_text(vip, "address");
		bool ipv6 = strchr(address, ':') != NULL;
		char port[8] = "any";

		if (larchctl_number(vip, "port") > 0)
			snprintf(port, sizeof(port), "%.0f", larchctl_number(vip, "port"));
		printf("%s  %s%s%s:%s %s %s%s%s%s",
		       strcmp(larchctl_text(vip, "protocol"), "udp") == 0 ? "UDP" : "TCP",
		       ipv6 ? "[" : "", address, ipv6 ? "]" : "", port,
		       larchctl_text(service, "service"), larchctl_text(service, "state"),
		       reason && i == 0 ? " (" : "",
		       reason && i == 0 ? larchctl_text(service, "reason") : "",
		       reason && i == 0 ? ")" : "");
		show_route(json_object_get(vip, "route"));
		puts("");
	}
}

/* A limit a second, if there is one. */
static void show_rate(const json_t *policy, const char *key)
{
	char text[COLUMNS_NUMBER];

	if (json_is_number(json_object_get(policy, key)))
		printf(", %s %s/s", key, larchctl_count(policy, key, text));
}

static void show_access(const json_t *access)
{
	if (json_is_object(access))
		printf(", access: %.0f allow, %.0f deny, others %s",
		       larchctl_number(access, "allow"), larchctl_number(access, "deny"),
		       larchctl_text(access, "others"));
}

/* One line: how packets get to the backends, and what differs from a plain service. */
static void show_policy(const json_t *policy)
{
	const json_t *quic = json_object_get(policy, "quic");
	char text[COLUMNS_NUMBER];

	printf("  forward %s", larchctl_text(policy, "forward"));
	if (json_is_number(json_object_get(policy, "backend_port")))
		printf(" to port %.0f", larchctl_number(policy, "backend_port"));
	if (larchctl_true(policy, "agent"))
		fputs(", agent", stdout);
	if (strcmp(larchctl_text(policy, "hash"), "source") == 0)
		fputs(", hash source", stdout);
	if (!larchctl_true(policy, "state"))
		fputs(", no state", stdout);
	if (json_is_number(json_object_get(policy, "idle_timeout_s")))
		printf(", idle %.0f s", larchctl_number(policy, "idle_timeout_s"));
	show_rate(policy, "new_flows");
	show_rate(policy, "source_rate");
	if (json_is_number(json_object_get(policy, "source_burst")))
		printf(" (%s at once)", larchctl_count(policy, "source_burst", text));
	if (json_is_object(quic))
		printf(", quic config %.0f, ids of %.0f bytes", larchctl_number(quic, "config_id"),
		       larchctl_number(quic, "server_id_bytes"));
	show_access(json_object_get(policy, "access"));
	puts("");
}

static void show_signal(const json_t *service)
{
	if (json_is_string(json_object_get(service, "signal_reason")))
		printf("  signal auto has fallen back to %s: %s\n",
		       larchctl_text(service, "signal"), larchctl_text(service, "signal_reason"));
}

static void show_flood(const json_t *flood)
{
	char since[COLUMNS_NUMBER];

	if (larchctl_true(flood, "present"))
		printf("  FLOOD for %s: new flows beyond new_flows are not remembered\n",
		       columns_time(larchctl_number(flood, "since_s"), since));
}

static void show_agents(const json_t *agents)
{
	char wait[COLUMNS_NUMBER];

	if (json_is_object(agents) && !larchctl_true(agents, "answer"))
		printf("  NO AGENT ANSWERS: they are asked again in %s\n",
		       columns_time(larchctl_number(agents, "next_try_s"), wait));
}

static void show_panic(const json_t *service)
{
	if (larchctl_true(service, "panic"))
		printf("  PANIC: only %.0f of %.0f backends are well: all that can be reached take "
		       "flows\n",
		       larchctl_number(service, "well"), larchctl_number(service, "meant"));
}

/* Is it as the leader has it? */
static void show_node(const json_t *node)
{
	bool why = json_is_string(json_object_get(node, "why"));

	if (!json_is_boolean(json_object_get(node, "agrees")))
		return;
	printf("  follows: digest %.8s, the leader's %.8s: %s%s%s\n", larchctl_text(node, "digest"),
	       larchctl_text(node, "leader_digest"),
	       larchctl_true(node, "agrees") ? "they agree" : "THEY DIFFER", why ? "; " : "",
	       why ? larchctl_text(node, "why") : "");
}

/* Of a backend that is to have none: flows whose clients may have vanished. */
static const char *silent_text(const json_t *backend, char *out, size_t size)
{
	double silent = larchctl_number(backend, "silent");

	out[0] = '\0';
	if (silent > 0)
		snprintf(out, size, "; %.0f silent for about an hour or longer", silent);
	return out;
}

/* "up 850 ms ago, 1.24 ms: HTTP 200" */
static void add_check(struct columns *columns, const json_t *check)
{
	char age[COLUMNS_NUMBER], took[COLUMNS_NUMBER];

	if (!json_is_object(check)) {
		columns_add(columns, "-");
		return;
	}
	columns_addf(columns, "%s %s ago, %s: %s", larchctl_text(check, "verdict"),
		     columns_us(1e6 * larchctl_number(check, "age_s"), age),
		     columns_us(1000 * larchctl_number(check, "ms"), took),
		     larchctl_text(check, "reason"));
}

const char *larchctl_concurrency(const json_t *backend, char text[COLUMNS_NUMBER])
{
	const char *from = larchctl_text(backend, "concurrency_from");

	snprintf(text, COLUMNS_NUMBER, "%s%.0f%s", strcmp(from, "fitted") == 0 ? "~" : "",
		 larchctl_number(backend, "concurrency"), strcmp(from, "assumed") == 0 ? "?" : "");
	return text;
}

static void add_backend(struct columns *columns, const json_t *backend)
{
	char text[COLUMNS_NUMBER], age[COLUMNS_NUMBER], silent[64] = "";
	bool reason = json_is_string(json_object_get(backend, "reason"));

	if (strcmp(larchctl_text(backend, "state"), "draining") == 0)
		silent_text(backend, silent, sizeof(silent));
	columns_add(columns, "->");
	columns_add(columns, larchctl_text(backend, "address"));
	columns_add(columns, larchctl_text(backend, "backend"));
	columns_addf(columns, "%.0f", larchctl_number(backend, "weight"));
	columns_add(columns, larchctl_part(backend, "share", text));
	columns_addf(columns, "%.0f", larchctl_number(backend, "flows"));
	columns_addf(columns, "%.0f", larchctl_number(backend, "in_flight"));
	columns_add(columns, larchctl_concurrency(backend, text));
	columns_add(columns, larchctl_us(backend, "net_us", text));
	columns_add(columns, larchctl_us(backend, "service_us", text));
	columns_addf(columns, "%.2f", larchctl_number(backend, "slowdown"));
	columns_addf(columns, "%s %s%s%s%s", larchctl_text(backend, "state"),
		     columns_time(larchctl_number(backend, "age_s"), age), reason ? ": " : "",
		     reason ? larchctl_text(backend, "reason") : "", silent);
	add_check(columns, json_object_get(backend, "check"));
}

void larchctl_show_list(const struct larchctl *ctl, const json_t *answer)
{
	const json_t *service, *backend, *banner;
	char silent[64];
	size_t i, j;

	(void)ctl;
	json_array_foreach (json_object_get(answer, "banners"), i, banner)
		printf("WARNING: %s\n", json_string_value(banner));
	json_array_foreach (json_object_get(answer, "services"), i, service) {
		struct columns *columns =
			columns_new("-> ADDRESS NAME >WEIGHT >SHARE >FLOWS "
				    ">INFLIGHT >CONC >NET >SVC >SLOWDOWN STATE CHECK");

		if (i > 0)
			puts("");
		show_vips(service);
		show_policy(json_object_get(service, "policy"));
		show_signal(service);
		show_flood(json_object_get(service, "flood"));
		show_agents(json_object_get(service, "agents"));
		show_panic(service);
		show_node(json_object_get(service, "nodes"));
		json_array_foreach (json_object_get(service, "backends"), j, backend)
			add_backend(columns, backend);
		columns_print(columns, stdout, 2);
	}
	json_array_foreach (json_object_get(answer, "leaving"), i, backend)
		printf("%sleaving: %s %s, %.0f flows are left%s\n", i == 0 ? "\n" : "",
		       larchctl_text(backend, "address"), larchctl_text(backend, "backend"),
		       larchctl_number(backend, "flows"),
		       silent_text(backend, silent, sizeof(silent)));
}

static const char *const fields[] = {"pxname",	"svname", "type",  "status", "weight",
				     "scur",	"qcur",	  "stot",  "bin",    "packets",
				     "evicted", "ctime",  "rtime", "share",  "slowdown"};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Names have no character that CSV would have to quote. */
static void print_csv_value(const json_t *value)
{
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		printf("%.6g", json_real_value(value));
}

static void print_csv(const json_t *rows)
{
	const json_t *row;
	size_t i;

	fputs("# ", stdout);
	for (size_t j = 0; j < FIELDS; j++)
		printf("%s%s", fields[j], j + 1 < FIELDS ? "," : "\n");
	json_array_foreach (rows, i, row) {
		for (size_t j = 0; j < FIELDS; j++) {
			print_csv_value(json_object_get(row, fields[j]));
			putchar(j + 1 < FIELDS ? ',' : '\n');
		}
	}
}

static void add_count(struct columns *columns, const json_t *row, const char *name)
{
	char text[COLUMNS_NUMBER];

	columns_add(columns, larchctl_count(row, name, text));
}

static void add_ms(struct columns *columns, const json_t *row, const char *name)
{
	char text[COLUMNS_NUMBER];

	columns_add(columns, columns_us(1000 * larchctl_number(row, name), text));
}

static void print_stat_table(const json_t *rows)
{
	struct columns *columns = columns_new("pxname svname status >weight >scur >qcur >stot >bin "
					      ">packets >ctime >rtime >share");
	char text[COLUMNS_NUMBER];
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		columns_add(columns, larchctl_text(row, "pxname"));
		columns_add(columns, larchctl_text(row, "svname"));
		columns_add(columns, larchctl_text(row, "status"));
		add_count(columns, row, "weight");
		add_count(columns, row, "scur");
		add_count(columns, row, "qcur");
		add_count(columns, row, "stot");
		columns_add(columns, columns_bytes(larchctl_number(row, "bin"), text));
		add_count(columns, row, "packets");
		add_ms(columns, row, "ctime");
		add_ms(columns, row, "rtime");
		columns_add(columns, larchctl_part(row, "share", text));
	}
	columns_print(columns, stdout, 0);
}

void larchctl_show_stat(const struct larchctl *ctl, const json_t *answer)
{
	const json_t *rows = json_object_get(answer, "rows");

	if (ctl->format == LARCHCTL_CSV)
		print_csv(rows);
	else
		print_stat_table(rows);
}
