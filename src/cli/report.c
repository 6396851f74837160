/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy report`, and a rehearsal's page (report.h). */
#include <errno.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "archive.h"
#include "page.h"
#include "report.h"
#include "terminal.h"

#define DAY_S 86400
#define MARGIN_MS 2000 /* before a rehearsal: how it stood */

/* All objects named `key` of an answer. */
static int collect(const struct command_line *line, const char *subject, const char *key,
		   const char *show, int64_t since_s, json_t *to)
{
	struct archive archive;
	json_t *answer;
	bool is_end = false;
	int code = archive_open(&archive, line, subject, show, since_s, 0);

	while (code == EXIT_DONE && !is_end) {
		code = archive_next(&archive, &answer);
		if (code == EXIT_DONE) {
			is_end = json_is_true(json_object_get(answer, "end"));
			if (json_object_get(answer, key) != NULL) {
				json_array_append(to, json_object_get(answer, key));
			}
			json_decref(answer);
		}
	}
	archive_close(&archive);
	return code;
}

static FILE *open_page(const char *path)
{
	FILE *out = path != NULL ? fopen(path, "we") : stdout;

	if (out == NULL) {
		complain("cannot write the report to %s: %s", path, strerror(errno));
	}
	return out;
}

static int close_page(FILE *out, const char *path)
{
	bool has_failed = fflush(out) != 0 || ferror(out);

	if (out != stdout) {
		has_failed |= fclose(out) != 0;
	}
	if (has_failed) {
		complain("cannot write the report to %s: %s", path != NULL ? path : "the output",
			 strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

int report_write_drill(const struct command_line *line, const char *path, const json_t *report)
{
	int64_t began_ms = parse_time_ms(page_string(report, "began"));
	char title[128];
	struct page page = { .show = page_string(report, "show"),
			     .title = title,
			     .has_verdict = true,
			     .has_held = json_is_true(json_object_get(report, "passed")),
			     .from_ms = began_ms - MARGIN_MS,
			     .to_ms = parse_time_ms(page_string(report, "ended")),
			     .events = json_object_get(report, "events"),
			     .steps = json_object_get(report, "steps") };
	json_t *spans = json_array();
	FILE *out = open_page(path);
	int code = EXIT_FAILED;

	text_format(title, sizeof(title), "rehearsal %s", page_string(report, "scenario"));
	if (out != NULL) {
		/* Without a history the page has no drawing, and says so. */
		collect(line, "spans", "span", page.show, page.from_ms / 1000, spans);
		page.spans = spans;
		page_write(out, &page);
		code = close_page(out, path);
	}
	json_decref(spans);
	return code;
}

/* The page begins where the history does, if that is later. */
static void begin_with_history(struct page *page)
{
	int64_t first_ms = page->to_ms;
	const json_t *span;
	size_t i;

	json_array_foreach(page->spans, i, span) {
		int64_t from_ms = parse_time_ms(page_string(span, "from"));

		first_ms = from_ms >= 0 && from_ms < first_ms ? from_ms : first_ms;
	}
	page->from_ms = first_ms > page->from_ms ? first_ms : page->from_ms;
}

static int write_period(const struct command_line *line, const char *show, int64_t since_s)
{
	json_t *spans = json_array(), *events = json_array(), *accounts = json_array();
	struct page page = { .show = show,
			     .title = "what happened",
			     .from_ms = since_s * 1000,
			     .to_ms = clock_wall_us() / 1000,
			     .spans = spans,
			     .events = events,
			     .accounts = accounts };
	int code = collect(line, "spans", "span", show, since_s, spans);

	code = code == EXIT_DONE ? collect(line, "events", "event", show, since_s, events) : code;
	code = code == EXIT_DONE ? collect(line, "ledger", "account", show, since_s, accounts)
				 : code;
	if (code == EXIT_DONE && json_array_size(accounts) == 0) {
		complain("the history knows nothing of show %s then; see `understudy ledger`",
			 show);
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE) {
		FILE *out = open_page(line->report);

		code = EXIT_FAILED;
		if (out != NULL) {
			begin_with_history(&page);
			page_write(out, &page);
			code = close_page(out, line->report);
		}
	}
	json_decref(spans);
	json_decref(events);
	json_decref(accounts);
	return code;
}

int command_report(const struct command_line *line)
{
	int64_t since_s = clock_wall_us() / 1000000 - DAY_S;

	return archive_since(line, &since_s) ? write_period(line, line->arguments[0], since_s)
					     : EXIT_USAGE;
}
