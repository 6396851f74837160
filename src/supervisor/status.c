/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `status --json`: the inventory and what the workers last reported, as one JSON object. */
#include <string.h>

#include <understudy/clock.h>
#include <understudy/codec.h>
#include <understudy/text.h>

#include "condition.h"
#include "rehearsal.h"

void status_time(char to[32], int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	size_t size = strftime(to, 32, "%Y-%m-%dT%H:%M:%S", &utc);
	text_format(to + size, 32 - size, ".%03dZ", (int)(wall_us / 1000 % 1000));
}

json_t *status_since_json(int64_t monotonic_us)
{
	int64_t now_us = clock_monotonic_us();
	char text[32];

	if (monotonic_us < 0 || monotonic_us > now_us) {
		monotonic_us = now_us; /* a worker says so that has lost its mind */
	}
	status_time(text, clock_wall_us() - (now_us - monotonic_us));
	return json_string(text);
}

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *video_json(const struct timeline_feed_status *s)
{
	const struct codec_params *v = &s->format.video;
	char profile[32], level[16];
	json_t *json;

	if (!s->has_video) {
		return json_null();
	}
	codec_profile_str(v, profile, sizeof(profile));
	codec_level_str(v, level, sizeof(level));
	json = json_pack("{s:s, s:i, s:i, s:f, s:i, s:i, s:i, s:b, s:b, s:b}", "codec",
			 codec_str(v->codec), "width", v->width, "height", v->height, "fps",
			 s->format.fps_milli / 1000.0, "profile", v->profile, "level", v->level,
			 "kbps", (int)s->format.video_kbps, "interlaced",
			 v->scan == SCAN_INTERLACED, "open_gops", s->format.has_open_gops != 0,
			 "b_frames", s->format.has_b_frames != 0);
	json_object_set_new(json, "profile_name", text_or_null(profile));
	json_object_set_new(json, "level_name", text_or_null(level));
	return json;
}

static json_t *audio_json(const struct timeline_feed_status *s)
{
	const struct codec_params *a = &s->format.audio;

	if (!s->has_audio) {
		return json_null();
	}
	return json_pack("{s:s, s:i, s:i, s:i}", "codec", codec_str(a->codec), "sample_rate",
			 (int)a->sample_rate, "channels", a->channels, "kbps",
			 (int)s->format.audio_kbps);
}

const struct timeline_feed_status *status_of_feed(const struct show *show, uint16_t id)
{
	static const struct timeline_feed_status unknown;

	for (unsigned i = 0; i < show->status.timeline.feed_count; i++) {
		if (show->status.timeline.feeds[i].id == id) {
			return &show->status.timeline.feeds[i];
		}
	}
	return &unknown;
}

static json_t *caller_json(const struct connection *c)
{
	const struct ipc_caller_status *s = &c->srt;

	return json_pack("{s:f, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rtt_ms",
			 s->rtt_us / 1000.0, "latency_ms", (int)s->latency_ms, "buffer_ms",
			 (int)s->buffer_ms, "kbps", (int)s->kbps, "key_bits", (int)s->key_bits,
			 "packets", (json_int_t)s->packets, "lost", (json_int_t)s->lost, "dropped",
			 (json_int_t)s->dropped, "retransmitted", (json_int_t)s->retransmitted,
			 "undecrypted", (json_int_t)s->undecrypted, "belated",
			 (json_int_t)s->belated, "discarded", (json_int_t)s->discarded);
}

static json_t *transport_json(const struct connection *c)
{
	const struct ipc_ts_status *s = &c->ts;

	return json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:f}", "packets", (json_int_t)s->packets,
			 "null_share", s->packets > 0 ? (double)s->nulls / (double)s->packets : 0.0,
			 "sync_losses", (json_int_t)s->sync_losses, "continuity_errors",
			 (json_int_t)s->continuity_errors, "damaged", (json_int_t)s->damaged,
			 "gaps", (json_int_t)s->gaps, "pcr_jitter_ms", s->clock_jitter_us / 1000.0);
}

/* Lags can be compared only where the same frames come twice. */
static void twin_to_json(const struct feed *feed, const struct timeline_feed_status *s,
			 json_t *json)
{
	const struct feed *twin = s->twin_of != 0 ? feed_by_id(feed->show, s->twin_of) : NULL;

	json_object_set_new(json, "twin_of",
			    twin != NULL ? json_string(twin->config->name) : json_null());
	json_object_set_new(json, "lag_ms", twin != NULL ? json_integer(s->lag_ms) : json_null());
	json_object_set_new(json, "filled", json_integer((json_int_t)s->filled));
}

/* What the operator wants of it; `state` is what it does. */
static const char *feed_admin(const struct feed *feed)
{
	return leave_cause(feed) != NULL            ? "leaving"
	       : feed->show->taken_feed == feed->id ? "taken"
						    : "auto";
}

static json_t *feed_json(const struct feed *feed)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);
	const struct source *source = feed_current(feed);
	const struct connection *c = source != NULL ? source->connection : NULL;
	json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "name",
				 feed->config->name, "state", timeline_feed_state_str(s->state),
				 "health", condition_health_json(feed), "peer",
				 text_or_null(c != NULL ? c->peer : NULL), "encoder", json_null(),
				 "video", video_json(s), "audio", audio_json(s), "kbps",
				 (int)s->kbps, "mismatch", condition_mismatch_json(feed));

	if (c != NULL && c->status.encoder[0] != '\0') {
		char safe[2 * IPC_TEXT];

		text_escape(safe, sizeof(safe), c->status.encoder, strlen(c->status.encoder));
		json_object_set_new(json, "encoder", json_string(safe));
	}
	twin_to_json(feed, s, json);
	if (c != NULL && c->is_srt) {
		json_object_set_new(json, "srt", caller_json(c));
	}
	if (c != NULL && (c->is_srt || c->ts.packets > 0)) {
		json_object_set_new(json, "ts", transport_json(c));
	}
	json_object_set_new(json, "gop_ms",
			    s->state != FEED_OFFLINE && s->format.gop_ms > 0
				    ? json_integer(s->format.gop_ms)
				    : json_null());
	json_object_set_new(json, "warnings", condition_warnings_json(feed));
	json_object_set_new(json, "admin", json_string(feed_admin(feed)));
	json_object_set_new(json, "leaving", text_or_null(leave_cause(feed)));
	json_object_set_new(json, "since",
			    s->since_us > 0 ? status_since_json(s->since_us) : json_null());
	return json;
}

static json_t *srt_json(const struct ipc_srt_status *s)
{
	return json_pack("{s:i, s:f, s:I, s:I, s:I, s:I}", "peers", (int)s->peers, "rtt_ms",
			 s->rtt_us / 1000.0, "packets", (json_int_t)s->packets, "lost",
			 (json_int_t)s->lost, "retransmitted", (json_int_t)s->retransmitted,
			 "dropped", (json_int_t)s->dropped);
}

/* Likewise. */
static const char *destination_admin(const struct destination *d)
{
	return d->is_paused ? "paused" : d->show->is_started ? "on" : "held";
}

static json_t *destination_json(const struct destination *d)
{
	const struct ipc_destination_status *s = &d->status;
	bool is_inactive = d->config->kind == DESTINATION_INACTIVE;

	json_t *json = json_pack(
		"{s:s, s:s, s:o, s:i, s:o, s:i, s:I, s:I, s:o, s:s}", "name", d->config->name,
		"state", destination_state_str((enum destination_state)s->state), "since",
		status_since_json(s->since_us), "restarts", (int)s->restarts, "last_error",
		is_inactive ? json_string("this kind of destination is not carried out by this "
					  "version")
			    : text_or_null(s->last_error),
		"kbps", (int)s->kbps, "backlog_ms", (json_int_t)s->backlog_ms, "dropped",
		(json_int_t)s->dropped, "why", text_or_null(s->why), "ingest",
		s->endpoint == 0 ? "primary" : "backup");

	json_object_set_new(json, "remark", text_or_null(s->remark));
	if (d->relay != NULL && d->relay->role == ROLE_RELAY_RTMP) {
		json_object_set_new(json, "longest_silence_ms", json_integer(d->silence_us / 1000));
	}
	json_object_set_new(json, "local", json_boolean(d->config->path != NULL));
	json_object_set_new(json, "admin", json_string(destination_admin(d)));
	json_object_set_new(json, "practice", practice_destination_json(d));
	json_object_set_new(json, "ledger", account_json(&d->account));
	if (s->srt.is_known) {
		json_object_set_new(json, "srt", srt_json(&s->srt));
	}
	return json;
}

/* "after primary: no video for 512 ms" */
static void say_why(const struct show *show, char *to, size_t size)
{
	const struct timeline_status *t = &show->status.timeline;
	const struct feed *of = feed_by_id((struct show *)show, t->why_feed);
	char why[2 * TIMELINE_TEXT_MAX];

	text_escape(why, sizeof(why), t->why, strlen(t->why));
	if (of != NULL) {
		text_format(to, size, "after %s: %s", of->config->name, why);
	} else {
		text_copy(to, size, why);
	}
}

/* Where the show is to go, when, or at whose word. */
static json_t *next_json(const struct show *show)
{
	const struct timeline_status *t = &show->status.timeline;
	const struct feed *feed = feed_by_id((struct show *)show, t->next_feed);
	int64_t in_us = t->next_at_us - clock_monotonic_us();
	bool is_ordered = t->next_at_us == CLOCK_NEVER;
	bool is_manual = show->config->failover.return_mode == RETURN_MANUAL;

	if (feed == NULL) {
		return json_null();
	}
	return json_pack("{s:s, s:o, s:s?}", "feed", feed->config->name, "in_s",
			 is_ordered ? json_null()
				    : json_integer(in_us > 0 ? (in_us + 999999) / 1000000 : 0),
			 "order",
			 !is_ordered ? NULL
			 : is_manual ? "auto"
				     : "take");
}

static json_t *show_json(const struct show *show)
{
	const struct timeline_status *t = &show->status.timeline;
	const struct feed *feed, *live = feed_by_id((struct show *)show, t->live);
	const struct feed *taken = feed_by_id((struct show *)show, show->taken_feed);
	const struct destination *d;
	json_t *feeds = json_array(), *destinations = json_array();
	char why[3 * TIMELINE_TEXT_MAX];

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		json_array_append_new(feeds, feed_json(feed));
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		json_array_append_new(destinations, destination_json(d));
	}
	say_why(show, why, sizeof(why));
	return json_pack(
		"{s:s, s:b, s:b, s:b, s:o, s:s, s:o, s:s, s:o, s:I, s:i, s:o, s:o, s:o, s:o, "
		"s:o}",
		"name", show->config->name, "on_air", show->is_started && t->is_on, "started",
		show->is_started, "practice", show->practice != NULL, "live",
		live != NULL ? json_string(live->config->name) : json_null(), "why", why, "next",
		next_json(show), "admin", taken != NULL ? "take" : "auto", "taken",
		taken != NULL ? json_string(taken->config->name) : json_null(), "timeline_90k",
		(json_int_t)t->now_90k, "delay_ms", (int)show->config->delay_ms, "feeds", feeds,
		"destinations", destinations, "warnings", warnings_json(show), "reference",
		condition_reference_json(show), "ledger", account_json(&show->account));
}

json_t *status_json(struct supervisor *sup)
{
	json_t *shows = json_array();
	const struct show *show;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		json_array_append_new(shows, show_json(show));
	}
	return json_pack("{s:o, s:s, s:o}", "shows", shows, "version", UNDERSTUDY_VERSION,
			 "history", history_json(sup));
}
