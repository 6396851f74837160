/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is there a feed, and one to take its place, and will the change be seen? (preflight.h) */
#include <string.h>

#include <understudy/text.h>

#include "preflight.h"

#define STEADY_S 60
#define GOP_USUAL_MS 2000 /* what platforms ask for */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool is_state(const json_t *object, const char *state)
{
	return strcmp(text_of(object, "state"), state) == 0;
}

static const json_t *feed_named(const json_t *show, const char *name)
{
	const json_t *feed;
	size_t i;

	json_array_foreach(json_object_get(show, "feeds"), i, feed) {
		if (strcmp(text_of(feed, "name"), name) == 0) {
			return feed;
		}
	}
	return NULL;
}

static bool is_ready(const json_t *feed)
{
	return is_state(feed, "live") || is_state(feed, "standby");
}

/* ---- one feed ---- */

static void judge_health(const json_t *feed, const char *subject, struct findings *to)
{
	const json_t *symptom;
	size_t i;

	json_array_foreach(json_object_get(feed, "health"), i, symptom) {
		findings_add(to, FINDING_BAD, subject, "%s", text_of(symptom, "text"));
	}
}

static void judge_format(const json_t *feed, const char *subject, const char *advice,
			 struct findings *to)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(feed, "mismatch"), i, item) {
		bool is_incompatible = strcmp(text_of(item, "severity"), "incompatible") == 0;

		findings_add(to, is_incompatible ? FINDING_BAD : FINDING_NOTE, subject,
			     "%s is %s, the show's is %s: %s (%s)", text_of(item, "field"),
			     text_of(item, "this"), text_of(item, "reference"), advice,
			     text_of(item, "name"));
	}
}

static void judge_age(const json_t *feed, const char *subject, int64_t now_ms, struct findings *to)
{
	int64_t since_ms = parse_time_ms(text_of(feed, "since"));
	int64_t age_s = (now_ms - since_ms) / 1000;

	if (since_ms >= 0 && age_s < STEADY_S) {
		findings_add(to, FINDING_NOTE, subject,
			     "%s for %lld s only: let it run for a minute and ask again",
			     text_of(feed, "state"), (long long)(age_s > 0 ? age_s : 0));
	}
}

static void judge_encoder(const json_t *feed, const char *subject, int64_t now_ms,
			  struct findings *to)
{
	if (is_state(feed, "offline")) {
		if (json_array_size(json_object_get(feed, "health")) == 0) {
			findings_add(to, FINDING_BAD, subject, "not connected: start its encoder");
		}
		judge_health(feed, subject, to);
		return;
	}
	if (is_ready(feed)) {
		findings_add(to, FINDING_GOOD, subject, "%s, %lld kb/s", text_of(feed, "state"),
			     (long long)json_integer_value(json_object_get(feed, "kbps")));
	} else {
		findings_add(to, FINDING_BAD, subject, "%s", text_of(feed, "state"));
	}
	judge_health(feed, subject, to);
	judge_format(feed, subject, "set both encoders alike", to);
	judge_age(feed, subject, now_ms, to);
}

/* Of a feed that is fetched or played: while the show is not started, nobody can mend that. */
static bool waits_for_start(const json_t *show, const json_t *feed)
{
	const json_t *first = json_array_get(json_object_get(feed, "health"), 0);

	return json_is_false(json_object_get(show, "started")) && is_state(feed, "offline") &&
	       strcmp(text_of(first, "signal"), "pull") == 0 &&
	       json_is_false(json_object_get(first, "acute"));
}

static void judge_slate(const json_t *feed, const char *subject, struct findings *to)
{
	if (is_ready(feed)) {
		findings_add(to, FINDING_GOOD, subject, "ready to be shown");
		judge_format(feed, subject, "make the slate like the show, as `file: auto` does",
			     to);
	} else {
		findings_add(to, FINDING_BAD, subject, "not ready to be shown");
		judge_health(feed, subject, to);
	}
}

/* ---- all of them ---- */

static void judge_depth(const json_t *show, const struct explain_facts *facts, struct findings *to)
{
	unsigned encoders = 0, slates = 0, ready_slates = 0;

	for (unsigned i = 0; i < facts->feed_count; i++) {
		const json_t *feed = feed_named(show, facts->feeds[i].name);

		if (facts->feeds[i].is_slate) {
			slates++;
			ready_slates += feed != NULL && is_ready(feed);
		} else if (feed != NULL && is_ready(feed)) {
			encoders++;
		}
	}
	if (encoders == 0) {
		findings_add(to, FINDING_BAD, "", "no encoder is ready: there is nothing to send");
	} else if (encoders == 1) {
		findings_add(to, FINDING_BAD, "",
			     "no second encoder is ready: if the one there is fails, %s",
			     ready_slates > 0 ? "the audience sees the slate" : "the show stops");
	}
	if (slates == 0) {
		findings_add(
			to, FINDING_NOTE, "",
			"there is no slate: if all encoders fail, nothing is sent; a last feed "
			"with `file: auto` makes one");
	}
}

static int64_t longest_gop_ms(const struct explain_facts *facts, const char **ret_feed)
{
	int64_t most_ms = 0;

	for (unsigned i = 0; i < facts->feed_count; i++) {
		if (!facts->feeds[i].is_slate && facts->feeds[i].gop_ms > most_ms) {
			most_ms = facts->feeds[i].gop_ms;
			*ret_feed = facts->feeds[i].name;
		}
	}
	return most_ms;
}

static void judge_delay(const struct explain_facts *facts, const struct explanation *promise,
			struct findings *to)
{
	const char *feed = "";
	int64_t gop_ms = longest_gop_ms(facts, &feed), needed_ms = promise->needed_ms;
	int64_t gap_ms = needed_ms - facts->delay_ms - (promise->has_twin ? 0 : EXPLAIN_MARGIN_MS);
	bool suits_usual = needed_ms - gop_ms + GOP_USUAL_MS <= facts->delay_ms;

	if (needed_ms == EXPLAIN_UNKNOWN) {
		findings_add(to, FINDING_NOTE, "delay",
			     "the key frame intervals are not measured yet: ask again when both "
			     "encoders have run for a while");
	} else if (facts->delay_ms >= needed_ms) {
		findings_add(to, FINDING_GOOD, "delay",
			     "%lld ms are enough for a change without a gap (%lld needed)",
			     (long long)facts->delay_ms, (long long)needed_ms);
	} else if (facts->delay_ms == 0) {
		findings_add(
			to, FINDING_NOTE, "delay",
			"none: a failover shows a gap of up to %lld ms; for none set delay_ms: "
			"%lld",
			(long long)(gap_ms > 0 ? gap_ms : 0), (long long)needed_ms);
	} else if (promise->has_twin) {
		findings_add(to, FINDING_BAD, "delay",
			     "%lld ms are less than the copies of the encode are apart: losing the "
			     "one ahead is a pause of up to %lld ms; set delay_ms: %lld",
			     (long long)facts->delay_ms, (long long)gap_ms, (long long)needed_ms);
	} else {
		findings_add(to, FINDING_BAD, "delay",
			     "key frames of %s are %lld ms apart, the delay is %lld ms: a failover "
			     "can show a gap of up to %lld ms; set %sdelay_ms: %lld",
			     feed, (long long)gop_ms, (long long)facts->delay_ms,
			     (long long)(gap_ms > 0 ? gap_ms : 0),
			     suits_usual ? "a key frame interval of 2 s in the encoder, or " : "",
			     (long long)needed_ms);
	}
}

static void judge_upstream(const json_t *show, struct findings *to)
{
	const json_t *live = feed_named(show, text_of(show, "live")), *d;
	int64_t kbps = json_integer_value(json_object_get(live, "kbps")), places = 0;
	size_t i;

	json_array_foreach(json_object_get(show, "destinations"), i, d) {
		places += !json_is_true(json_object_get(d, "local"));
	}
	if (kbps > 0 && places > 0) {
		findings_add(to, FINDING_NOTE, "upstream",
			     "%lld destination%s of %lld kb/s: this machine's line has to carry "
			     "%.1f Mb/s, and half as much again to spare",
			     (long long)places, places > 1 ? "s" : "", (long long)kbps,
			     (double)(kbps * places) / 1000.0);
	}
}

void preflight_feeds(const json_t *show, const struct explain_facts *facts,
		     const struct explanation *promise, int64_t now_ms, struct findings *to)
{
	const json_t *warning;
	char subject[80];
	size_t n;

	for (unsigned i = 0; i < facts->feed_count; i++) {
		const json_t *feed = feed_named(show, facts->feeds[i].name);

		text_format(subject, sizeof(subject), "feed %s", facts->feeds[i].name);
		if (feed != NULL && waits_for_start(show, feed)) {
			findings_add(to, FINDING_NOTE, subject, "comes once the show is started");
		} else if (feed != NULL && facts->feeds[i].is_slate) {
			judge_slate(feed, subject, to);
		} else if (feed != NULL) {
			judge_encoder(feed, subject, now_ms, to);
		}
	}
	judge_depth(show, facts, to);
	judge_delay(facts, promise, to);
	if (facts->taken[0] != '\0') {
		findings_add(
			to, FINDING_NOTE, "",
			"an operator holds feed %s; `understudy auto %s` gives the choice back",
			facts->taken, facts->show);
	}
	json_array_foreach(json_object_get(show, "warnings"), n, warning) {
		const char *text = json_string_value(warning);

		findings_add(to, FINDING_NOTE, "", "%s", text != NULL ? text : "");
	}
	judge_upstream(show, to);
}
