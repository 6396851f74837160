/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy status` for people (status.h). Rendering only: no socket, no clock. */
#include <string.h>

#include <understudy/text.h>

#include "status.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL && text[0] != '\0' ? text : "-";
}

static int64_t number_of(const json_t *object, const char *key)
{
	double value = json_number_value(json_object_get(object, key));

	return value > -1e15 && value < 1e15 ? (int64_t)value : 0;
}

static enum paint paint_state(const char *state)
{
	static const struct {
		const char *state;
		enum paint paint;
	} paints[] = {
		{ "live", PAINT_GOOD },        { "standby", PAINT_STANDBY },
		{ "degraded", PAINT_WARN },    { "stalled", PAINT_BAD },
		{ "offline", PAINT_BAD },      { "dialing", PAINT_WARN },
		{ "backing_off", PAINT_WARN }, { "refused", PAINT_BAD },
	};

	for (size_t i = 0; i < sizeof(paints) / sizeof(paints[0]); i++) {
		if (strcmp(paints[i].state, state) == 0) {
			return paints[i].paint;
		}
	}
	return PAINT_NONE;
}

/* ---- feeds ---- */

/* "h264 1920x1080@59.94" */
static void format_video(struct table_cell *cell, const json_t *video)
{
	double fps = json_number_value(json_object_get(video, "fps"));
	char rate[24] = "";

	if (!json_is_object(video)) {
		cell_set(cell, PAINT_NONE, "-");
		return;
	}
	if (number_of(video, "width") == 0) { /* its header has not come yet */
		cell_set(cell, PAINT_NONE, "%s", text_of(video, "codec"));
		return;
	}
	if (fps > 0 && fps < 1000) {
		text_format(rate, sizeof(rate), "@%.4g", fps);
	}
	cell_set(cell, PAINT_NONE, "%s %lldx%lld%s", text_of(video, "codec"),
		 (long long)number_of(video, "width"), (long long)number_of(video, "height"), rate);
}

static void format_audio(struct table_cell *cell, const json_t *audio)
{
	if (!json_is_object(audio)) {
		cell_set(cell, PAINT_NONE, "-");
		return;
	}
	if (number_of(audio, "sample_rate") == 0) {
		cell_set(cell, PAINT_NONE, "%s", text_of(audio, "codec"));
		return;
	}
	cell_set(cell, PAINT_NONE, "%s %gk %lldch", text_of(audio, "codec"),
		 (double)number_of(audio, "sample_rate") / 1000,
		 (long long)number_of(audio, "channels"));
}

void mismatch_str(const json_t *item, char *to, size_t size)
{
	text_format(to, size, "%s %s instead of %s", text_of(item, "field"), text_of(item, "this"),
		    text_of(item, "reference"));
}

static void add_text(char *to, size_t size, const char *text)
{
	size_t used = strlen(to);

	text_format(to + used, size - used, "%s%s", used > 0 ? ", " : "", text);
}

static void format_health(struct table_cell *cell, const json_t *feed)
{
	char text[TABLE_CELL] = "", leaving[TABLE_CELL];
	const char *state = text_of(feed, "state");
	const json_t *item;
	size_t i;

	if (json_is_string(json_object_get(feed, "leaving"))) {
		text_format(leaving, sizeof(leaving), "leaving: %s", text_of(feed, "leaving"));
		add_text(text, sizeof(text), leaving);
	}
	json_array_foreach(json_object_get(feed, "health"), i, item) {
		add_text(text, sizeof(text), text_of(item, "text"));
	}
	if (text[0] != '\0') {
		cell_set(cell, PAINT_WARN, "%s", text);
	} else if (strcmp(state, "offline") == 0) {
		cell_set(cell, PAINT_NONE, "no encoder connected");
	} else if (json_is_string(json_object_get(feed, "twin_of"))) {
		long long later_ms = (long long)number_of(feed, "lag_ms");

		cell_set(cell, PAINT_NONE, "good, twin of %s, %lld ms %s", text_of(feed, "twin_of"),
			 later_ms < 0 ? -later_ms : later_ms, later_ms < 0 ? "earlier" : "later");
	} else {
		cell_set(cell, PAINT_NONE, "good");
	}
}

static void format_gop(struct table_cell *cell, const json_t *feed)
{
	int64_t gop_ms = number_of(feed, "gop_ms");

	if (gop_ms > 0) {
		cell_set(cell, PAINT_NONE, "%.1f s", (double)gop_ms / 1000);
	} else {
		cell_set(cell, PAINT_NONE, "-");
	}
}

static void print_feeds(const struct terminal *t, const json_t *feeds)
{
	static const char *const heads[] = { "FEED",   "STATE", "VIDEO", "AUDIO",
					     "KBIT/S", "GOP",   "HEALTH" };
	struct table table;
	const json_t *feed;
	size_t i;

	table_init(&table, sizeof(heads) / sizeof(heads[0]), heads);
	json_array_foreach(feeds, i, feed) {
		struct table_cell *row = table_add_row(&table);

		if (row == NULL) {
			break;
		}
		cell_set(&row[0], PAINT_NONE, "%s", text_of(feed, "name"));
		cell_set(&row[1], paint_state(text_of(feed, "state")), "%s",
			 text_of(feed, "state"));
		format_video(&row[2], json_object_get(feed, "video"));
		format_audio(&row[3], json_object_get(feed, "audio"));
		cell_set(&row[4], PAINT_NONE, "%lld", (long long)number_of(feed, "kbps"));
		format_gop(&row[5], feed);
		format_health(&row[6], feed);
	}
	table_print(&table, t);
	table_finish(&table);
}

/* ---- destinations ---- */

static void format_since(struct table_cell *cell, const json_t *destination, int64_t now_ms)
{
	int64_t since_ms = parse_time_ms(text_of(destination, "since"));
	char text[32] = "-";

	if (since_ms >= 0) {
		format_duration(text, sizeof(text), (now_ms - since_ms) / 1000);
	}
	cell_set(cell, PAINT_NONE, "%s", text);
}

/* What went wrong last; where nothing did, why it is not live. */
static const char *reason_of(const json_t *destination)
{
	bool has_error = json_is_string(json_object_get(destination, "last_error"));
	bool is_live = strcmp(text_of(destination, "state"), "live") == 0;

	return text_of(destination, has_error || is_live ? "last_error" : "why");
}

static void print_destinations(const struct terminal *t, const json_t *destinations, int64_t now_ms)
{
	static const char *const heads[] = { "DESTINATION", "STATE",    "FOR",       "KBIT/S",
					     "BACKLOG",     "RESTARTS", "LAST ERROR" };
	struct table table;
	const json_t *d;
	size_t i;

	if (json_array_size(destinations) == 0) {
		return;
	}
	table_init(&table, sizeof(heads) / sizeof(heads[0]), heads);
	json_array_foreach(destinations, i, d) {
		struct table_cell *row = table_add_row(&table);

		if (row == NULL) {
			break;
		}
		cell_set(&row[0], PAINT_NONE, "%s", text_of(d, "name"));
		cell_set(&row[1], paint_state(text_of(d, "state")), "%s", text_of(d, "state"));
		format_since(&row[2], d, now_ms);
		cell_set(&row[3], PAINT_NONE, "%lld", (long long)number_of(d, "kbps"));
		cell_set(&row[4], PAINT_NONE, "%lld ms", (long long)number_of(d, "backlog_ms"));
		cell_set(&row[5], PAINT_NONE, "%lld", (long long)number_of(d, "restarts"));
		cell_set(&row[6], PAINT_NONE, "%s", reason_of(d));
	}
	fputc('\n', t->out);
	table_print(&table, t);
	table_finish(&table);
}

/* ---- shows ---- */

static void print_warning(const struct terminal *t, const char *text)
{
	char safe[768];

	terminal_copy(safe, sizeof(safe), text);
	fprintf(t->out, "  %s!%s %s\n", terminal_begin(t, PAINT_WARN), terminal_end(t, PAINT_WARN),
		safe);
}

static void print_mismatch(const struct terminal *t, const json_t *show, const json_t *feed)
{
	const json_t *item;
	char text[768], differs[640] = "", one[160];
	const char *name, *reference;
	bool is_incompatible = false;
	size_t i;

	json_array_foreach(json_object_get(feed, "mismatch"), i, item) {
		mismatch_str(item, one, sizeof(one));
		add_text(differs, sizeof(differs), one);
		is_incompatible |= strcmp(text_of(item, "severity"), "incompatible") == 0;
	}
	if (differs[0] == '\0') {
		return;
	}
	name = text_of(feed, "name");
	reference = text_of(json_object_get(show, "reference"), "feed");
	text_format(text, sizeof(text), "feed %s %s %s: %s; set %s", name,
		    is_incompatible ? "does not match" : "differs from",
		    strcmp(name, reference) == 0 ? "what it was" : reference, differs,
		    strcmp(name, reference) == 0 ? "its encoder back" : "both encoders alike");
	print_warning(t, text);
}

static void print_warnings(const struct terminal *t, const json_t *show)
{
	const json_t *item;
	char text[512];
	size_t i;

	json_array_foreach(json_object_get(show, "warnings"), i, item) {
		print_warning(t, json_is_string(item) ? json_string_value(item) : "?");
	}
	json_array_foreach(json_object_get(show, "feeds"), i, item) {
		print_mismatch(t, show, item);
	}
	json_array_foreach(json_object_get(show, "destinations"), i, item) {
		if (json_is_string(json_object_get(item, "remark"))) {
			text_format(text, sizeof(text), "destination %s: %s", text_of(item, "name"),
				    text_of(item, "remark"));
			print_warning(t, text);
		}
	}
}

static void print_headline(const struct terminal *t, const json_t *show)
{
	bool is_on = json_is_true(json_object_get(show, "on_air"));
	bool is_held = json_is_false(json_object_get(show, "started"));
	bool is_practice = json_is_true(json_object_get(show, "practice"));
	enum paint paint = is_on ? PAINT_GOOD : PAINT_BAD;
	char name[64], duration[32];

	terminal_copy(name, sizeof(name), text_of(show, "name"));
	format_duration(duration, sizeof(duration), number_of(show, "timeline_90k") / 90000);
	fprintf(t->out, "%s%s%s  %s%s%s  %s  delay %.1f s%s\n", terminal_begin(t, PAINT_BOLD), name,
		terminal_end(t, PAINT_BOLD), terminal_begin(t, paint), is_on ? "ON AIR" : "OFF AIR",
		terminal_end(t, paint), duration, (double)number_of(show, "delay_ms") / 1000,
		is_held       ? "  not started"
		: is_practice ? "  rehearsed without public"
			      : "");
}

/* "; goes to primary in 23 s" */
static void print_next(const struct terminal *t, const json_t *show, const json_t *next)
{
	const char *order = text_of(next, "order");
	char feed[64], name[64];
	int64_t in_s = number_of(next, "in_s");

	if (!json_is_object(next)) {
		return;
	}
	terminal_copy(feed, sizeof(feed), text_of(next, "feed"));
	terminal_copy(name, sizeof(name), text_of(show, "name"));
	if (strcmp(order, "auto") == 0) {
		fprintf(t->out, "; %s is well: `understudy auto %s` goes there", feed, name);
	} else if (strcmp(order, "take") == 0) {
		fprintf(t->out, "; %s is well: `understudy take %s %s` goes there", feed, name,
			feed);
	} else if (in_s > 0) {
		fprintf(t->out, "; goes to %s in %lld s", feed, (long long)in_s);
	} else {
		fprintf(t->out, "; goes to %s as soon as that leaves no gap", feed);
	}
}

static void print_live(const struct terminal *t, const json_t *show)
{
	char live[64], why[256], taken[64];
	bool is_taken = json_is_string(json_object_get(show, "taken"));

	terminal_copy(live, sizeof(live), text_of(show, "live"));
	terminal_copy(why, sizeof(why), text_of(show, "why"));
	terminal_copy(taken, sizeof(taken), text_of(show, "taken"));
	fprintf(t->out, "  live: %s%s%s", terminal_begin(t, PAINT_BOLD),
		json_is_string(json_object_get(show, "live")) ? live : "nothing",
		terminal_end(t, PAINT_BOLD));
	if (strcmp(why, "-") != 0) {
		fprintf(t->out, " (%s)", why);
	}
	if (is_taken) {
		fprintf(t->out, "; the operator holds %s, `understudy auto` gives it back", taken);
	}
	print_next(t, show, json_object_get(show, "next"));
	fputs("\n\n", t->out);
}

void status_print(const struct terminal *t, const json_t *status, int64_t now_ms)
{
	const json_t *show;
	size_t i;

	json_array_foreach(json_object_get(status, "shows"), i, show) {
		if (i > 0) {
			fputc('\n', t->out);
		}
		print_headline(t, show);
		print_live(t, show);
		print_feeds(t, json_object_get(show, "feeds"));
		print_destinations(t, json_object_get(show, "destinations"), now_ms);
		print_warnings(t, show);
	}
}
