/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Warnings of the status: what the operator should mend before the event. Made from what was
 * measured and what is known of the platforms; the words in brackets are YouTube's, whose health
 * messages streamers know. Runs in the supervisor; reads its inventory only.
 */
#include <string.h>

#include <understudy/clock.h>
#include <understudy/codec.h>
#include <understudy/text.h>

#include "condition.h"

#define GOP_USUAL_MS 2000     /* what platforms ask for */
#define SESSION_WARNED_S 3600 /* before a platform ends a long broadcast */
#define KBPS_SLACK_PERCENT 10 /* measured over a second, a constant bit rate is none */

static void warn_of_delay(const struct show *show, const struct feed *feed, json_t *list)
{
	const struct timeline_feed_status *s = status_of_feed(show, feed->id);
	const struct config_show *config = show->config;
	int64_t beside_ms = (int64_t)config->failover.stall_ms + 250 + config->earlier_ms;
	int64_t needed_ms = s->format.gop_ms + beside_ms;
	bool suits_usual = GOP_USUAL_MS + beside_ms <= (int64_t)config->delay_ms;

	/* From twin to twin the show goes at any frame. */
	if (s->state == FEED_OFFLINE || s->twin_of != 0 || s->format.gop_ms == 0 ||
	    config->delay_ms == 0 || needed_ms <= (int64_t)config->delay_ms) {
		return;
	}
	json_array_append_new(
		list,
		json_sprintf("feed %s: key frames are %d ms apart, too far for a delay of %u "
			     "ms: leaving another feed for it can show a gap; set %sdelay_ms "
			     "to at least %d",
			     feed->config->name, (int)s->format.gop_ms, config->delay_ms,
			     suits_usual ? "the key frame interval to 2 s in the encoder or " : "",
			     (int)needed_ms));
}

/* `codecs` ends with NULL. */
static bool is_taken(const char *const *codecs, uint32_t codec)
{
	if (codec == CODEC_NONE) {
		return true;
	}
	for (; *codecs != NULL; codecs++) {
		if (strcmp(*codecs, codec_str(codec)) == 0) {
			return true;
		}
	}
	return false;
}

/* Where destination and feed do not go together: "WHERE: WHAT (WORD); REMEDY". */
static void warn(json_t *list, const struct destination *d, const struct feed *feed,
		 const char *what)
{
	json_array_append_new(list, json_sprintf("destination %s, feed %s: %s", d->config->name,
						 feed->config->name, what));
}

static void warn_of_codecs(const struct config_platform_facts *facts, const struct destination *d,
			   const struct feed *feed, const struct timeline_feed_status *s,
			   json_t *list)
{
	char text[192];

	if (s->has_video && !is_taken(facts->video, s->format.video.codec)) {
		text_format(text, sizeof(text),
			    "%s does not take %s (videoCodec); set the encoder to "
			    "H.264",
			    facts->name, codec_str(s->format.video.codec));
		warn(list, d, feed, text);
	}
	if (s->has_audio && !is_taken(facts->audio, s->format.audio.codec)) {
		text_format(text, sizeof(text),
			    "%s does not take %s (audioCodec); set the encoder to "
			    "AAC",
			    facts->name, codec_str(s->format.audio.codec));
		warn(list, d, feed, text);
	}
	if (s->has_video && !s->has_audio && facts->needs_audio) {
		text_format(text, sizeof(text), "%s needs sound (noAudioStream)", facts->name);
		warn(list, d, feed, text);
	}
}

static void warn_of_limits(const struct config_platform_facts *facts, const struct destination *d,
			   const struct feed *feed, const struct timeline_feed_status *s,
			   json_t *list)
{
	char text[192];
	uint32_t least_kbps;

	if (facts->max_gop_ms > 0 && s->format.gop_ms > facts->max_gop_ms) {
		text_format(text, sizeof(text),
			    "key frames are %d ms apart, %s takes %u at most "
			    "(gopSizeOver); set the key frame interval to 2 s",
			    (int)s->format.gop_ms, facts->name, facts->max_gop_ms);
		warn(list, d, feed, text);
	}
	if (facts->max_kbps > 0 &&
	    (uint64_t)s->kbps * 100 > (uint64_t)facts->max_kbps * (100 + KBPS_SLACK_PERCENT)) {
		text_format(text, sizeof(text),
			    "%u kb/s are sent, %s takes %u (bitrateHigh); lower "
			    "the encoder's bit rate",
			    (unsigned)s->kbps, facts->name, facts->max_kbps);
		warn(list, d, feed, text);
	}
	least_kbps = config_platform_least_kbps(facts, s->format.video.height, s->format.fps_milli);
	if (s->has_video && s->format.is_measured != 0 && s->kbps < least_kbps) {
		text_format(text, sizeof(text),
			    "%u kb/s are sent, %s wants at least %u for a picture of this size "
			    "(bitrateLow); raise the encoder's bit rate",
			    (unsigned)s->kbps, facts->name, (unsigned)least_kbps);
		warn(list, d, feed, text);
	}
	if (facts->max_width > 0 && s->has_video &&
	    ((uint32_t)s->format.video.width > facts->max_width ||
	     (uint32_t)s->format.video.height > facts->max_height)) {
		text_format(text, sizeof(text),
			    "%dx%d is more than the %ux%u that %s takes "
			    "(resolution)",
			    (int)s->format.video.width, (int)s->format.video.height,
			    facts->max_width, facts->max_height, facts->name);
		warn(list, d, feed, text);
	}
}

/* A destination's platform has a limit of its own for it, which is named instead. */
static bool is_platforms_matter(const struct show *show, const char *name)
{
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		const struct config_platform_facts *facts = config_platform_facts(
			d->config->platform);

		if (facts != NULL && !d->is_paused &&
		    ((strcmp(name, "gopSizeLong") == 0 && facts->max_gop_ms > 0) ||
		     (strcmp(name, "noAudioStream") == 0 && facts->needs_audio))) {
			return true;
		}
	}
	return false;
}

/* Once of each feed, whatever the destinations are. */
static void warn_of_condition(const struct show *show, const struct feed *feed, json_t *list)
{
	json_t *found = condition_warnings_json(feed), *item;
	size_t i;

	json_array_foreach(found, i, item) {
		if (is_platforms_matter(show, json_string_value(json_object_get(item, "name")))) {
			continue;
		}
		json_array_append_new(
			list, json_sprintf("feed %s: %s (%s)", feed->config->name,
					   json_string_value(json_object_get(item, "text")),
					   json_string_value(json_object_get(item, "name"))));
	}
	json_decref(found);
}

static void warn_of_feed(const struct config_platform_facts *facts, const struct destination *d,
			 const struct feed *feed, json_t *list)
{
	const struct timeline_feed_status *s = status_of_feed(d->show, feed->id);

	if (s->state != FEED_OFFLINE) {
		warn_of_codecs(facts, d, feed, s, list);
		warn_of_limits(facts, d, feed, s, list);
	}
}

static void warn_of_session(const struct config_platform_facts *facts, const struct destination *d,
			    json_t *list)
{
	int64_t ran_s = (clock_monotonic_us() - d->status.accepted_us) / 1000000;

	if (facts->session_s == 0 || d->status.accepted_us == 0 ||
	    ran_s < (int64_t)facts->session_s - SESSION_WARNED_S) {
		return;
	}
	json_array_append_new(
		list, json_sprintf("destination %s: on air for %d h %02d min, %s ends a broadcast "
				   "after %u h: plan a new one",
				   d->config->name, (int)(ran_s / 3600), (int)(ran_s / 60 % 60),
				   facts->name, facts->session_s / 3600));
}

json_t *warnings_json(const struct show *show)
{
	json_t *list = json_array();
	const struct destination *d;
	const struct feed *feed;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		warn_of_delay(show, feed, list);
		warn_of_condition(show, feed, list);
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		const struct config_platform_facts *facts = config_platform_facts(
			d->config->platform);

		if (facts == NULL || d->is_paused) {
			continue;
		}
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			warn_of_feed(facts, d, feed, list);
		}
		warn_of_session(facts, d, list);
	}
	return list;
}
