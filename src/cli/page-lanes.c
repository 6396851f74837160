/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happened, drawn (page.h): time runs to the right, a lane for the show, each feed and each
 * destination, a mark for each event that changed something. Computes and prints only.
 */
#include <string.h>
#include <time.h>

#include <understudy/text.h>

#include "page.h"
#include "terminal.h"

#define WIDTH 1200
#define LEFT 170
#define RIGHT 10
#define LANE 26
#define BAR 16
#define TOP 34
#define LANES_MAX 128
#define TICKS 8

struct lane {
	char what[16], name[64];
};
struct drawing {
	const struct page *page;
	FILE *out;
	unsigned count;
	struct lane lanes[LANES_MAX];
};

static double x_of(const struct drawing *d, int64_t ms)
{
	int64_t from_ms = d->page->from_ms, to_ms = d->page->to_ms;
	int64_t span_ms = to_ms > from_ms ? to_ms - from_ms : 1;

	ms = ms < from_ms ? from_ms : ms > to_ms ? to_ms : ms;
	return LEFT + (double)(ms - from_ms) * (WIDTH - LEFT - RIGHT) / (double)span_ms;
}

static unsigned y_of(unsigned lane)
{
	return TOP + lane * LANE;
}

/* ---- lanes ---- */

static int find_lane(const struct drawing *d, const char *what, const char *name)
{
	for (unsigned i = 0; i < d->count; i++) {
		if (strcmp(d->lanes[i].what, what) == 0 && strcmp(d->lanes[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static void add_lanes(struct drawing *d, const char *what)
{
	const json_t *span;
	size_t i;

	json_array_foreach(d->page->spans, i, span) {
		const char *name = page_string(span, "name");

		if (strcmp(page_string(span, "what"), what) != 0 ||
		    strcmp(page_string(span, "show"), d->page->show) != 0 ||
		    d->count == LANES_MAX || find_lane(d, what, name) >= 0) {
			continue;
		}
		text_copy(d->lanes[d->count].what, sizeof(d->lanes[0].what), what);
		text_copy(d->lanes[d->count++].name, sizeof(d->lanes[0].name), name);
	}
}

static void draw_names(const struct drawing *d)
{
	for (unsigned i = 0; i < d->count; i++) {
		bool is_show = strcmp(d->lanes[i].what, "show") == 0;

		fprintf(d->out, "<text class=\"%s\" x=\"%d\" y=\"%u\">",
			is_show ? "name strong" : "name", LEFT - 8, y_of(i) + BAR - 3);
		page_text(d->out, is_show ? "on air" : d->lanes[i].name);
		fputs("</text>\n", d->out);
	}
}

/* ---- spans ---- */

/* The class of its colour, see the style sheet in page.c. */
static const char *colour_of(const json_t *span)
{
	static const char *const states[] = { "live", "standby", "degraded", "stalled", "offline" };
	const char *state = page_string(span, "state"), *class = page_string(span, "class");

	if (strcmp(page_string(span, "what"), "feed") == 0) {
		for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
			if (strcmp(states[i], state) == 0) {
				return states[i];
			}
		}
		return "offline";
	}
	return strcmp(class, "on") == 0 ? "live" : strcmp(class, "off") == 0 ? "off" : "offline";
}

static void draw_span(const struct drawing *d, const json_t *span)
{
	int lane = find_lane(d, page_string(span, "what"), page_string(span, "name"));
	int64_t from_ms = parse_time_ms(page_string(span, "from"));
	int64_t to_ms = parse_time_ms(page_string(span, "to"));
	char from[40], to[40];

	if (lane < 0 || from_ms < 0 || to_ms < d->page->from_ms || from_ms > d->page->to_ms) {
		return;
	}
	double x = x_of(d, from_ms), width = x_of(d, to_ms) - x;
	format_local_time(from, sizeof(from), from_ms);
	format_local_time(to, sizeof(to), to_ms);
	fprintf(d->out,
		"<rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\"><title>",
		colour_of(span), x, y_of((unsigned)lane), width > 1 ? width : 1, BAR);
	page_text(d->out, page_string(span, "name"));
	fputs(": ", d->out);
	page_text(d->out, page_string(span, "state"));
	fprintf(d->out, ", %s to %s", from + 11, to + 11);
	if (page_string(span, "cause")[0] != '\0') {
		fputs(" - ", d->out);
		page_text(d->out, page_string(span, "cause"));
	}
	fputs("</title></rect>\n", d->out);
}

/* ---- marks ---- */

/* What is worth a mark, and its class; NULL: nothing. */
static const char *mark_of(const char *kind)
{
	static const struct {
		const char *kind, *mark;
	} marks[] = {
		{ "failover", "bad" },    { "failback", "good" },
		{ "take", "note" },       { "gap", "bad" },
		{ "off_air", "bad" },     { "on_air", "good" },
		{ "fault", "fault" },     { "fault_over", "fault" },
		{ "worker_died", "bad" }, { "reconnect", "note" },
		{ "held_up", "bad" },     { "destination_down", "bad" },
		{ "leave", "note" },      { "destination_up", "good" },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (strcmp(marks[i].kind, kind) == 0) {
			return marks[i].mark;
		}
	}
	return NULL;
}

static void draw_mark(const struct drawing *d, const json_t *event)
{
	const char *mark = mark_of(page_string(event, "kind"));
	int64_t at_ms = parse_time_ms(page_string(event, "time"));
	char time[40];

	if (mark == NULL || strcmp(page_string(event, "show"), d->page->show) != 0 ||
	    at_ms < d->page->from_ms || at_ms > d->page->to_ms) {
		return;
	}
	double x = x_of(d, at_ms);
	format_local_time(time, sizeof(time), at_ms);
	fprintf(d->out,
		"<g class=\"mark %s\"><line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%u\"/>"
		"<circle cx=\"%.1f\" cy=\"%d\" r=\"4\"/><title>%s ",
		mark, x, TOP - 8, x, y_of(d->count) - LANE + BAR, x, TOP - 8, time + 11);
	page_text(d->out, page_string(event, "text"));
	fputs("</title></g>\n", d->out);
}

/* ---- the time axis ---- */

static int64_t tick_ms(int64_t span_ms)
{
	static const int64_t steps_s[] = { 1,     2,     5,     10,    15,    30,   60,
					   120,   300,   600,   900,   1800,  3600, 7200,
					   10800, 21600, 43200, 86400, 604800 };

	for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++) {
		if (span_ms / (steps_s[i] * 1000) <= TICKS) {
			return steps_s[i] * 1000;
		}
	}
	return 31 * INT64_C(86400000);
}

static void draw_axis(const struct drawing *d)
{
	int64_t step_ms = tick_ms(d->page->to_ms - d->page->from_ms);
	int64_t at_ms = (d->page->from_ms / step_ms + 1) * step_ms;
	char time[40];

	for (; at_ms < d->page->to_ms; at_ms += step_ms) {
		double x = x_of(d, at_ms);

		format_local_time(time, sizeof(time), at_ms);
		time[19] = '\0'; /* without milliseconds */
		fprintf(d->out,
			"<line class=\"tick\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%u\"/>"
			"<text class=\"time\" x=\"%.1f\" y=\"14\">%s</text>\n",
			x, TOP - 14, x, y_of(d->count), x, step_ms >= 86400000 ? time : time + 11);
	}
}

void page_write_lanes(FILE *out, const struct page *page)
{
	static struct drawing d; /* too large for a stack frame */
	const json_t *item;
	size_t i;

	d = (struct drawing){ .page = page, .out = out };
	add_lanes(&d, "show");
	add_lanes(&d, "feed");
	add_lanes(&d, "destination");
	if (d.count == 0) {
		fputs("<p class=\"when\">The history knows nothing of this time, so nothing is "
		      "drawn.</p>\n",
		      out);
		return;
	}
	fprintf(out, "<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"what happened\">\n",
		WIDTH, y_of(d.count) + 4);
	draw_axis(&d);
	draw_names(&d);
	json_array_foreach(page->spans, i, item) {
		draw_span(&d, item);
	}
	json_array_foreach(page->events, i, item) {
		draw_mark(&d, item);
	}
	fputs("</svg>\n", out);
}
