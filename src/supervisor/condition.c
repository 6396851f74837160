/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The condition of feeds, for people and programs: what is wrong with one now, how it differs
 * from the show's reference format, what platforms would not like about it. The switch measures;
 * here is the one place that puts it into words and JSON. Runs in the supervisor; reads its
 * inventory only.
 */
#include <string.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "condition.h"
#include "rehearsal.h"

#define GOP_LONG_MS 4000
#define CHANNELS_MAX 2
#define VALUE_MAX 64
#define LINE_MAX_BYTES 480

/* ---- signals ---- */

/* What is done to it in a rehearsal is no fault of the encoder. */
static void add_fault(json_t *list, const struct feed *feed)
{
	const char *said = fault_of(feed);

	if (said != NULL) {
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:b}", "signal", "rehearsal", "text",
					json_sprintf("it %s: a rehearsal", said), "acute", true));
	}
}

/* Of a feed that is fetched: why nothing comes. */
static void add_pull(json_t *list, const struct feed *feed)
{
	const struct pull *pull = &feed->pull;
	const struct source *source = feed_current(feed);
	const char *text = NULL;
	bool is_acute = true;

	if (pull->trouble[0] != '\0') {
		text = pull->trouble;
	} else if (pull->connection != NULL && source != NULL && !source->is_ready) {
		text = "connecting";
	} else if (feed->config->source == SOURCE_SLATE && feed->slate.path[0] == '\0') {
		text = feed->slate.maker != NULL
			       ? "the slate is being made"
			       : "no slate yet: it is made to match the first encoder that comes";
	} else if (pull->connection == NULL && pull_is_pulled(feed)) {
		is_acute = feed->show->is_started;
		text = is_acute ? "not fetched now" : "fetched once the show is started";
	}
	if (text != NULL) {
		json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "signal", "pull", "text",
						      text, "acute", is_acute));
	}
}

json_t *condition_health_json(const struct feed *feed)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);
	const struct timeline_thresholds *thresholds = &feed->show->config->failover.health;
	json_t *list = json_array();
	char text[TIMELINE_TEXT_MAX];

	for (unsigned i = 0; i < s->symptom_count; i++) {
		enum timeline_signal signal = (enum timeline_signal)s->symptoms[i].signal;

		uint32_t enter = thresholds->of[signal].enter;

		if (enter == 0) { /* it could not be on: this is that of silence */
			enter = feed->show->config->failover.stall_ms;
		}
		timeline_symptom_str(&s->symptoms[i], text, sizeof(text));
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:I, s:s, s:o, s:I, s:I, s:I}", "signal",
					timeline_signal_str(signal), "text", text, "acute",
					s->symptoms[i].is_calm == 0, "value",
					(json_int_t)s->symptoms[i].value, "unit",
					timeline_signal_unit(signal), "since",
					status_since_json(s->symptoms[i].since_us), "enter",
					(json_int_t)enter, "leave",
					(json_int_t)timeline_leave_of(thresholds, signal),
					"hold_ms", (json_int_t)thresholds->of[signal].hold_ms));
	}
	add_fault(list, feed);
	add_pull(list, feed);
	return list;
}

/* ---- formats ---- */

json_t *condition_mismatch_json(const struct feed *feed)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);
	const struct format *reference = &feed->show->status.timeline.reference;
	char is[VALUE_MAX], want[VALUE_MAX];
	json_t *list = json_array();

	for (unsigned i = 0; i < FORMAT_FIELDS; i++) {
		enum format_field field = (enum format_field)i;
		bool is_incompatible = (FORMAT_BIT(i) & FORMAT_INCOMPATIBLE) != 0;

		if (s->state == FEED_OFFLINE || (s->mismatch & FORMAT_BIT(i)) == 0) {
			continue;
		}
		format_field_value(&s->format, field, is, sizeof(is));
		format_field_value(reference, field, want, sizeof(want));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "field",
						      format_field_str(field), "name",
						      format_field_name(field), "severity",
						      is_incompatible ? "incompatible" : "warning",
						      "this", is, "reference", want));
	}
	return list;
}

json_t *condition_reference_json(const struct show *show)
{
	const struct timeline_status *t = &show->status.timeline;
	const struct feed *feed = feed_by_id((struct show *)show, t->reference_feed);
	char text[LINE_MAX_BYTES];

	format_describe(&t->reference, text, sizeof(text));
	if (text[0] == '\0') {
		return json_null();
	}
	return json_pack("{s:o, s:s, s:b}", "feed",
			 feed != NULL ? json_string(feed->config->name) : json_null(), "format",
			 text, "settled", t->is_reference_settled != 0);
}

/* "; differs from primary: resolution 1280x720 instead of 1920x1080 (resolutionMismatch)" */
static void say_mismatch(const struct feed *feed, json_t *mismatch, char *to, size_t size)
{
	const struct show *show = feed->show;
	const struct feed *reference = feed_by_id((struct show *)show,
						  show->status.timeline.reference_feed);
	const json_t *item;
	size_t i;

	json_array_foreach(mismatch, i, item) {
		const char *field, *name, *severity, *is, *want;
		size_t used = strlen(to);

		if (i == 0) {
			text_format(to + used, size - used, "; differs from %s: ",
				    reference == feed   ? "what it was"
				    : reference != NULL ? reference->config->name
							: "the reference format");
			used += strlen(to + used);
		}
		json_unpack((json_t *)item, "{s:s, s:s, s:s, s:s, s:s}", "field", &field, "name",
			    &name, "severity", &severity, "this", &is, "reference", &want);
		text_format(to + used, size - used, "%s%s %s instead of %s (%s, %s)",
			    i > 0 ? ", " : "", field, is, want, name, severity);
	}
}

static void tell_format(struct feed *feed, const struct timeline_feed_status *s)
{
	json_t *mismatch = condition_mismatch_json(feed);
	char text[LINE_MAX_BYTES];

	format_describe(&s->format, text, sizeof(text));
	say_mismatch(feed, mismatch, text, sizeof(text));
	events_add(feed->show->supervisor, feed->show->config->name, "feed_format",
		   json_pack("{s:s, s:o}", "feed", feed->config->name, "mismatch", mismatch),
		   "feed %s: %s", feed->config->name, text);
}

void condition_update(struct show *show)
{
	struct feed *feed;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		const struct timeline_feed_status *s = status_of_feed(show, feed->id);
		uint32_t mismatch = s->mismatch & ~FORMAT_BITRATES;

		if (s->state == FEED_OFFLINE || s->format.is_measured == 0 ||
		    (s->incarnation == feed->told_incarnation && mismatch == feed->told_mismatch)) {
			continue;
		}
		feed->told_incarnation = s->incarnation;
		feed->told_mismatch = mismatch;
		tell_format(feed, s);
	}
}

/* ---- a feed by itself ---- */

static void warn(json_t *list, const char *name, json_t *text)
{
	json_array_append_new(list, json_pack("{s:s, s:o}", "name", name, "text", text));
}

json_t *condition_warnings_json(const struct feed *feed)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);
	const struct format *f = &s->format;
	json_t *list = json_array();

	if (s->state == FEED_OFFLINE) {
		return list;
	}
	if ((s->mismatch & FORMAT_INCOMPATIBLE) != 0 &&
	    feed->show->config->failover.on_mismatch == MISMATCH_REFUSE) {
		warn(list, "on_mismatch: refuse",
		     json_string("it does not match, and is never shown unless an operator takes "
				 "it"));
	}
	if (f->gop_ms > GOP_LONG_MS) {
		warn(list, "gopSizeLong",
		     json_sprintf("key frames are %u ms apart; set the key frame interval to 2 s",
				  f->gop_ms));
	}
	if (f->has_open_gops != 0) {
		warn(list, "openGop",
		     json_string("its GOPs are open: pictures before a key frame need the GOP "
				 "before it; set the encoder to closed GOPs"));
	}
	if (f->video.scan == SCAN_INTERLACED) {
		warn(list, "interlacedVideo",
		     json_string("its picture is interlaced; set the encoder to progressive"));
	}
	if (s->has_video && !s->has_audio && f->is_measured != 0) {
		warn(list, "noAudioStream", json_string("it has no sound"));
	}
	if (f->audio.channels > CHANNELS_MAX) {
		warn(list, "audioTooManyChannels",
		     json_sprintf("its sound has %u channels; platforms take 2",
				  (unsigned)f->audio.channels));
	}
	return list;
}

/* ---- can it be shown? ---- */

static bool has_signal(const struct timeline_feed_status *s, enum timeline_signal signal)
{
	for (unsigned i = 0; i < s->symptom_count; i++) {
		if (s->symptoms[i].signal == (uint32_t)signal && s->symptoms[i].is_calm == 0) {
			return true;
		}
	}
	return false;
}

bool condition_can_be_shown(const struct feed *feed, char *why, size_t size)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);

	if (leave_cause(feed) != NULL) {
		text_format(why, size, "it is leaving: %s", leave_cause(feed));
	} else if (feed_current(feed) == NULL) {
		text_copy(why, size,
			  pull_is_pulled(feed) ? "nothing comes from where it is fetched"
					       : "no encoder is connected to it");
	} else if (s->state == FEED_OFFLINE) {
		text_copy(why, size, "nothing has come from its encoder yet");
	} else if (s->state == FEED_STALLED) {
		text_copy(why, size, "its encoder is connected, but nothing comes from it");
	} else if (s->has_video && has_signal(s, SIGNAL_NO_KEY_FRAME)) {
		text_copy(why, size, "it sends no key frames that the show could go over at");
	} else {
		return true;
	}
	return false;
}

/* ---- can it be returned to? ---- */

static bool can_be_returned_to(const struct feed *feed, const struct feed *live, char *why,
			       size_t size)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);
	int on_mismatch = feed->show->config->failover.on_mismatch;

	if (!condition_can_be_shown(feed, why, size)) {
		return false;
	}
	if (s->state == FEED_DEGRADED) {
		text_copy(why, size, "it is in bad health");
	} else if (!s->is_compatible && (on_mismatch == MISMATCH_REFUSE ||
					 (on_mismatch == MISMATCH_PREFER_MATCHING &&
					  status_of_feed(feed->show, live->id)->is_compatible))) {
		text_copy(why, size, "its format does not match; `understudy take` goes there");
	} else {
		return true;
	}
	return false;
}

bool condition_stays(const struct show *show, char *why, size_t size)
{
	const struct feed *live = feed_by_id((struct show *)show, show->status.timeline.live);
	const struct feed *feed;
	char one[2 * TIMELINE_TEXT_MAX];
	size_t used = 0;

	if (live == NULL || live->config->file != NULL) {
		return false;
	}
	if (show->config->failover.return_mode == RETURN_NEVER) {
		text_format(why, size,
			    "return is `never`: the show stays with %s while that can go on",
			    live->config->name);
		return live != TAILQ_FIRST(&show->feeds);
	}
	TAILQ_FOREACH(feed, &show->feeds, entry) {
		if (feed == live) {
			break;
		}
		if (feed->config->file != NULL) {
			continue; /* a slate is nobody to return to */
		}
		if (can_be_returned_to(feed, live, one, sizeof(one))) {
			return false;
		}
		text_format(why + used, size - used, "%s%s cannot be returned to now: %s",
			    used > 0 ? "; " : "", feed->config->name, one);
		used = strlen(why);
	}
	return used > 0;
}
