// SPDX-License-Identifier: BSD-2-Clause
// What people see while scenarios run: on a terminal one line that changes, elsewhere plain lines,
// not more often than PLAIN_S; and each scenario's table.
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "hatest.h"

#define PLAIN_S 5
#define WIDTH	100

static bool on_terminal(void)
{
	return isatty(STDERR_FILENO);
}

static size_t width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
		return WIDTH;
	return size.ws_col - 1u;
}

static void show(const char *text)
{
	if (on_terminal())
		fprintf(stderr, "\r\033[K%.*s", (int)width(), text);
	else
		fprintf(stderr, "%s\n", text);
	fflush(stderr);
}

void hatest_progress_now(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	show(text);
}

void hatest_progress_line(const char *format, ...)
{
	static uint64_t last_ns;
	uint64_t now = clock_now();
	char text[1024];
	va_list arguments;

	if (!on_terminal() && now - last_ns < PLAIN_S * NS_PER_S)
		return;
	last_ns = now;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	show(text);
}

static void print_row(const struct hatest_run *run)
{
	const struct hatest_metrics *m = &run->metrics;
	char text[9][32];

	printf("  %-8s %10s %8s %8s %8s %8s %9s %9s %7llu %7.0f %5.2f\n", run->balancer,
	       hatest_percent(m->availability, text[0]), hatest_ms(m->part[0].p99, text[1]),
	       hatest_ms(m->part[1].p99, text[2]), hatest_ms(m->part[1].p999, text[3]),
	       hatest_ms(m->part[2].p99, text[4]), hatest_seconds(m->detect_s, text[5]),
	       hatest_seconds(m->recover_s, text[6]),
	       (unsigned long long)(m->broken + m->broken_long), m->lost, m->imbalance);
}

static void print_disturbance(const struct hatest_result *result)
{
	if (result->disturbed)
		printf("  This host was too busy to say so: the load itself came %.0f ms late.\n",
		       result->late_p99_ms);
}

static void print_verdict(const struct hatest_verdict *verdict)
{
	char value[32], bound[32];

	printf("  %-16s %10s  %s %-10s %s\n", verdict->name,
	       hatest_value(verdict, verdict->value, value),
	       verdict->least ? "at least" : "at most ",
	       hatest_value(verdict, verdict->bound, bound),
	       !verdict->judged ? (verdict->met ? "met" : "not met, but too short to judge")
	       : verdict->met	? "met"
				: "NOT MET");
}

void hatest_progress_table(const struct hatest_result *result)
{
	if (on_terminal())
		fputs("\r\033[K", stderr);
	printf("\n%s: %s\n", result->scenario.name, result->scenario.title);
	if (*result->error) {
		printf("  could not run: %s\n", result->error);
		fflush(stdout);
		return;
	}
	printf("  %-8s %10s %26s %8s %9s %9s %7s %7s %5s\n", "", "", "p99 before  during  p99.9",
	       "after", "", "", "", "", "imba-");
	printf("  %-8s %10s %8s %8s %8s %8s %9s %9s %7s %7s %5s\n", "", "available", "ms", "ms",
	       "ms", "ms", "detected", "recovered", "broken", "lost", "lance");
	for (size_t i = 0; i < result->runs; i++)
		print_row(&result->run[i]);
	for (size_t i = 0; i < result->verdicts; i++)
		print_verdict(&result->verdict[i]);
	print_disturbance(result);
	fflush(stdout);
}
