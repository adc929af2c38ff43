// SPDX-License-Identifier: BSD-2-Clause
// Draws the live view with ANSI colours, at most 79 columns wide: per client prefix a bar of who
// answered it, below it p99 over time as a line of blocks.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demoview.h"

#define BAR	 25
#define LEAST_MS 10.0  // the lowest block
#define MOST_MS	 250.0 // the highest
#define BLOCKS	 8

static const int colours[VIEW_BACKENDS] = {37, 173, 105, 143, 67, 132, 101, 244};
static const int arm_colours[VIEW_ARMS] = {37, 167};
static const char *const arm_names[VIEW_ARMS] = {"learned", "control"};
static bool plain; // NO_COLOR: the last letter of a backend's name makes its bar

static void colour(int code)
{
	if (!plain)
		printf("\033[38;5;%dm", code);
}

static void uncolour(void)
{
	if (!plain)
		printf("\033[0m");
}

static void end_line(void)
{
	fputs(plain ? "\n" : "\033[K\n", stdout);
}

static void put_ms(double ms, int arm)
{
	if (arm >= 0)
		colour(arm_colours[arm]);
	if (isnan(ms))
		printf("%9s   ", "-");
	else
		printf("%9.0f ms", ms);
	if (arm >= 0)
		uncolour();
}

// How many columns the first `upto` backends take: rounding the sums keeps the bar's length.
static int columns(const double *share, size_t upto)
{
	double sum = 0;

	for (size_t i = 0; i < upto; i++)
		sum += share[i];
	return (int)lround(fmin(sum, 1) * BAR);
}

static void draw_bar(const struct view *view, const double *share)
{
	int done = 0;

	for (size_t i = 0; i < view->backends; i++) {
		int end = columns(share, i + 1);

		colour(colours[i]);
		for (; done < end; done++) {
			if (plain)
				putchar(view->backend[i][strlen(view->backend[i]) - 1]);
			else
				fputs("█", stdout);
		}
	}
	uncolour();
	printf("%*s", BAR - done, "");
}

static void draw_key(const struct view *view)
{
	printf("  %-16s", "clients");
	for (size_t i = 0; i < view->backends; i++) {
		colour(colours[i]);
		fputs(plain ? " " : "■ ", stdout);
		uncolour();
		printf("%s %2.0f %%   ", view->backend[i], 100 * view->total[i]);
	}
	end_line();
	printf("  %-16s%-*s%12s%12s%12s", "", BAR, "who answers them", "new p50", "p99 learned",
	       "control");
	end_line();
}

static void draw_prefix(const struct view *view, const struct view_prefix *prefix)
{
	printf("  %-16s", prefix->name);
	draw_bar(view, prefix->share);
	put_ms(prefix->first_p50_ms, -1);
	for (int arm = 0; arm < VIEW_ARMS; arm++)
		put_ms(prefix->p99_ms[arm], arm);
	end_line();
}

static const char *block(double ms)
{
	static const char *const blocks[BLOCKS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	double part = log(fmax(ms, LEAST_MS) / LEAST_MS) / log(MOST_MS / LEAST_MS);
	int which = (int)(part * BLOCKS);

	if (isnan(ms))
		return " ";
	return blocks[which < 0 ? 0 : which >= BLOCKS ? BLOCKS - 1 : which];
}

static void draw_history(const struct view *view, int arm)
{
	size_t shown = view->count < VIEW_HISTORY ? view->count : VIEW_HISTORY;

	printf("  p99 %-12s", arm_names[arm]);
	colour(arm_colours[arm]);
	for (size_t i = view->count - shown; i < view->count; i++)
		fputs(block(view->history[arm][i % VIEW_HISTORY]), stdout);
	uncolour();
	put_ms(view->p99_ms[arm], arm);
	end_line();
}

static void draw_head(const struct view *view)
{
	if (!plain)
		printf("\033[1m");
	printf("  %3.0f s  %s", view->t_s, view->phase);
	uncolour();
	end_line();
	end_line();
}

static void draw_foot(const struct view *view)
{
	printf("  %.0f new flows/s, %.0f requests/s, %llu long-lived connections, ",
	       view->flows_per_s, view->requests_per_s, (unsigned long long)view->long_open);
	colour(view->broken ? arm_colours[VIEW_CONTROL] : arm_colours[VIEW_LEARNED]);
	printf("%llu broken", (unsigned long long)view->broken);
	uncolour();
	end_line();
}

void view_draw(const struct view *view)
{
	static int lines;

	plain = getenv("NO_COLOR") != NULL;
	if (lines)
		printf("\033[%dA\r", lines);
	draw_head(view);
	draw_key(view);
	for (size_t i = 0; i < view->prefixes; i++)
		draw_prefix(view, &view->prefix[i]);
	end_line();
	for (int arm = 0; arm < VIEW_ARMS; arm++)
		draw_history(view, arm);
	draw_foot(view);
	lines = 8 + (int)view->prefixes;
	fflush(stdout);
}

void view_line(const struct view *view)
{
	printf("%4.0f s  %-24.24s p99", view->t_s, view->phase);
	for (int arm = 0; arm < VIEW_ARMS; arm++) {
		if (isnan(view->p99_ms[arm]))
			printf(" %s   -   ", arm_names[arm]);
		else
			printf(" %s %3.0f ms", arm_names[arm], view->p99_ms[arm]);
	}
	fputs(" |", stdout);
	for (size_t i = 0; i < view->backends; i++)
		printf(" %s %2.0f%%", view->backend[i], 100 * view->total[i]);
	printf(" | %4.0f flows/s, %llu broken\n", view->flows_per_s,
	       (unsigned long long)view->broken);
	fflush(stdout);
}
