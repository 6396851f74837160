/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A report as one HTML page (page.h). Prints only. */
#include <string.h>

#include <understudy/text.h>

#include "page.h"
#include "terminal.h"

void page_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

const char *page_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static const char style[] =
	":root{--ink:#1c2024;--paper:#fff;--faint:#8a929a;--rule:#e3e6e9;--live:#2f9e5b;"
	"--standby:#7fb3d9;--warn:#d9971a;--bad:#cf3d3d;--rest:#d5d9dd}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#15181b;--faint:#8a929a;"
	"--rule:#2c3136;--rest:#3a4046}}\n"
	"body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
	"max-width:1240px;margin:2rem auto;padding:0 1rem}\n"
	"h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
	".when{color:var(--faint)}\n"
	".verdict{font-weight:600;font-size:1.15rem;margin:1rem 0}.held{color:var(--live)}"
	".failed{color:var(--bad)}\n"
	"table{border-collapse:collapse;width:100%}th{text-align:left;color:var(--faint);"
	"font-weight:500}\n"
	"td,th{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--rule);vertical-align:top}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
	"ul{margin:.2rem 0;padding-left:1.1rem}li.good::marker{color:var(--live)}"
	"li.note::marker{color:var(--warn)}li.bad,li.bad::marker{color:var(--bad)}\n"
	"svg{width:100%;height:auto;margin:1rem 0}svg text{fill:var(--ink);font-size:13px}"
	"svg .name{text-anchor:end}svg .strong{font-weight:600}"
	"svg .time{text-anchor:middle;fill:var(--faint);font-size:11px}\n"
	"svg .tick{stroke:var(--rule)}.live{fill:var(--live)}.standby{fill:var(--standby)}"
	".degraded,.stalled{fill:var(--warn)}.off{fill:var(--bad)}.offline{fill:var(--rest)}\n"
	".mark line{stroke-width:1;stroke-dasharray:3 3}.mark.good{stroke:var(--live);"
	"fill:var(--live)}.mark.bad{stroke:var(--bad);fill:var(--bad)}.mark.note{"
	"stroke:var(--standby);fill:var(--standby)}.mark.fault{stroke:var(--warn);"
	"fill:var(--warn)}\n"
	".key span{display:inline-block;margin-right:1.2rem;color:var(--faint)}.key i{"
	"display:inline-block;width:.9em;height:.9em;margin-right:.4em;vertical-align:-.1em}\n";

static void write_head(FILE *out, const struct page *page)
{
	char from[40], to[40];

	format_local_time(from, sizeof(from), page->from_ms);
	format_local_time(to, sizeof(to), page->to_ms);
	from[19] = to[19] = '\0';
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width\"><title>",
	      out);
	page_text(out, page->show);
	fputs(": ", out);
	page_text(out, page->title);
	fprintf(out, "</title>\n<style>%s</style></head><body>\n<h1>", style);
	page_text(out, page->show);
	fputs(": ", out);
	page_text(out, page->title);
	fprintf(out, "</h1>\n<p class=\"when\">%s to %s</p>\n", from, to);
	if (page->has_verdict) {
		fprintf(out, "<p class=\"verdict %s\">%s</p>\n", page->has_held ? "held" : "failed",
			page->has_held ? "The show held." : "The show did not hold.");
	}
}

static void write_key(FILE *out)
{
	static const char *const keys[][2] = {
		{ "live", "live" },
		{ "standby", "standby" },
		{ "warn", "degraded, stalled" },
		{ "bad", "off air" },
		{ "rest", "offline, not wanted" },
	};

	fputs("<p class=\"key\">", out);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		fprintf(out, "<span><i style=\"background:var(--%s)\"></i>%s</span>", keys[i][0],
			keys[i][1]);
	}
	fputs("</p>\n", out);
}

/* ---- steps of a rehearsal ---- */

static void write_ms(FILE *out, const json_t *number)
{
	if (json_is_number(number)) {
		fprintf(out, "<td class=\"n\">%lld ms</td>", (long long)json_number_value(number));
	} else {
		fputs("<td class=\"n\">-</td>", out);
	}
}

static void write_frames(FILE *out, const json_t *step, const char *what)
{
	const json_t *video = json_object_get(step, "video"),
		     *audio = json_object_get(step, "audio");

	if (!json_is_object(video)) {
		fputs("<td class=\"n\">-</td>", out);
		return;
	}
	fprintf(out, "<td class=\"n\">%lld + %lld</td>",
		(long long)json_integer_value(json_object_get(video, what)),
		(long long)json_integer_value(json_object_get(audio, what)));
}

static void write_findings(FILE *out, const json_t *findings)
{
	const json_t *finding;
	size_t i;

	fputs("<ul>", out);
	json_array_foreach(findings, i, finding) {
		fputs("<li class=\"", out);
		page_text(out, page_string(finding, "judgement"));
		fputs("\">", out);
		page_text(out, page_string(finding, "text"));
		fputs("</li>", out);
	}
	fputs("</ul>", out);
}

static void write_step(FILE *out, const json_t *step)
{
	bool has_passed = json_is_true(json_object_get(step, "passed"));

	fputs("<tr><td><strong>", out);
	page_text(out, page_string(step, "scenario"));
	fprintf(out, "</strong></td><td class=\"%s\">%s</td>", has_passed ? "held" : "failed",
		has_passed ? "held" : "FAILED");
	write_ms(out, json_object_get(step, "noticed_ms"));
	write_ms(out, json_object_get(step, "left_ms"));
	write_frames(out, step, "missing");
	write_frames(out, step, "doubled");
	write_ms(out, json_object_get(step, "returned_ms"));
	fputs("<td>", out);
	write_findings(out, json_object_get(step, "findings"));
	fputs("</td></tr>\n", out);
}

static void write_steps(FILE *out, const json_t *steps)
{
	const json_t *step;
	size_t i;

	if (json_array_size(steps) == 0) {
		return;
	}
	fputs("<h2>What was rehearsed</h2>\n<table><tr><th>step</th><th>verdict</th>"
	      "<th class=\"n\">noticed</th><th class=\"n\">took over</th>"
	      "<th class=\"n\">missing</th><th class=\"n\">doubled</th>"
	      "<th class=\"n\">returned</th><th>findings</th></tr>\n",
	      out);
	json_array_foreach(steps, i, step) {
		write_step(out, step);
	}
	fputs("</table>\n<p class=\"when\">Missing and doubled: frames of video + audio, as the "
	      "witness counted them.</p>\n",
	      out);
}

/* ---- ledger and events ---- */

static void write_seconds(FILE *out, const json_t *account, const char *key)
{
	char text[40];

	format_duration(text, sizeof(text),
			(int64_t)json_number_value(json_object_get(account, key)));
	fprintf(out, "<td class=\"n\">%s</td>", text);
}

static void write_causes(FILE *out, const json_t *account)
{
	const json_t *cause;
	size_t i;

	fputs("<td>", out);
	json_array_foreach(json_object_get(account, "causes"), i, cause) {
		fprintf(out, "%s%.1f s: ", i > 0 ? "<br>" : "",
			json_number_value(json_object_get(cause, "s")));
		page_text(out, page_string(cause, "cause"));
	}
	fputs("</td>", out);
}

static void write_account(FILE *out, const json_t *account)
{
	const char *destination = page_string(account, "destination");

	fputs("<tr><td>", out);
	page_text(out, destination[0] != '\0' ? destination : "the show");
	fputs("</td>", out);
	write_seconds(out, account, "on_s");
	write_seconds(out, account, "off_s");
	fprintf(out, "<td class=\"n\">%.3f %%</td><td class=\"n\">%lld</td>",
		json_number_value(json_object_get(account, "percent")),
		(long long)json_integer_value(json_object_get(account, "interruptions")));
	write_causes(out, account);
	fputs("</tr>\n", out);
}

static void write_ledger(FILE *out, const json_t *accounts)
{
	const json_t *account;
	size_t i;

	if (json_array_size(accounts) == 0) {
		return;
	}
	fputs("<h2>Time on air</h2>\n<table><tr><th></th><th class=\"n\">on air</th>"
	      "<th class=\"n\">off air</th><th class=\"n\">of the time wanted</th>"
	      "<th class=\"n\">interruptions</th><th>off air because of</th></tr>\n",
	      out);
	json_array_foreach(accounts, i, account) {
		write_account(out, account);
	}
	fputs("</table>\n", out);
}

static void write_event(FILE *out, const struct page *page, const json_t *event)
{
	int64_t at_ms = parse_time_ms(page_string(event, "time"));
	char time[40];

	if (at_ms < page->from_ms || at_ms > page->to_ms ||
	    strcmp(page_string(event, "show"), page->show) != 0) {
		return;
	}
	format_local_time(time, sizeof(time), at_ms);
	fprintf(out, "<tr><td class=\"n\">%s</td><td>", time);
	page_text(out, page_string(event, "kind"));
	fputs("</td><td>", out);
	page_text(out, page_string(event, "text"));
	fputs("</td></tr>\n", out);
}

void page_write(FILE *out, const struct page *page)
{
	const json_t *event;
	size_t i;

	write_head(out, page);
	page_write_lanes(out, page);
	write_key(out);
	write_steps(out, page->steps);
	write_ledger(out, page->accounts);
	fputs("<h2>Events</h2>\n<table>\n", out);
	json_array_foreach(page->events, i, event) {
		write_event(out, page, event);
	}
	fputs("</table>\n</body></html>\n", out);
}
