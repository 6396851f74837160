/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `understudy explain` knows of a show (explain.h). */
#include <string.h>

#include <understudy/text.h>

#include "explain.h"
#include "status.h"

/* ---- out of a configuration ---- */

static bool is_inactive(const struct config_findings *findings, unsigned show, unsigned feed)
{
	char path[96];

	text_format(path, sizeof(path), "shows[%u].feeds[%u].", show, feed);
	for (size_t i = 0; i < findings->count; i++) {
		const struct config_finding *f = &findings->items[i];

		if (f->severity == CONFIG_INACTIVE && strncmp(f->key, path, strlen(path)) == 0 &&
		    (strcmp(f->key + strlen(path), "pull") == 0 ||
		     strcmp(f->key + strlen(path), "file") == 0)) {
			return true;
		}
	}
	return false;
}

void explain_from_config(const struct config *config, unsigned index,
			 const struct config_findings *findings, struct explain_facts *ret)
{
	const struct config_show *show = &config->shows[index];

	*ret = (struct explain_facts){
		.delay_ms = show->delay_ms,
		.stall_ms = show->failover.stall_ms,
		.hole_ms = show->failover.hole_ms,
		.return_after_s = show->failover.return_after_s,
		.return_mode = (enum timeline_return)show->failover.return_mode,
		.on_mismatch = (enum timeline_mismatch)show->failover.on_mismatch,
		.health = show->failover.health,
	};
	text_copy(ret->show, sizeof(ret->show), show->name);
	for (unsigned i = 0; i < show->feeds_count && i < TIMELINE_FEEDS_MAX; i++) {
		struct explain_feed *feed = &ret->feeds[ret->feed_count++];

		*feed = (struct explain_feed){
			.is_slate = show->feeds[i].file != NULL,
			.is_pulled = show->feeds[i].pull != NULL,
			.is_inactive = is_inactive(findings, index, i),
			.offset_ms = show->feeds[i].offset_ms,
			.gop_ms = EXPLAIN_UNKNOWN,
			.reorder_frames = EXPLAIN_UNKNOWN,
			.has_video = true,
		};
		text_copy(feed->name, sizeof(feed->name), show->feeds[i].name);
	}
}

/* ---- out of a relay's answer ---- */

static void take_text(const json_t *object, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	text_format(to, size, "%s", text != NULL ? text : "");
}

/* `otherwise` also for what makes no sense. */
static int64_t take_number(const json_t *object, const char *key, int64_t otherwise)
{
	double value = json_number_value(json_object_get(object, key));

	if (!json_is_number(json_object_get(object, key)) || !(value > -1e9 && value < 1e9)) {
		return otherwise;
	}
	return (int64_t)value;
}

static void add_item(char *to, size_t size, const char *text)
{
	size_t used = strlen(to);

	text_format(to + used, size - used, "%s%s", used > 0 ? ", " : "", text);
}

static void take_health(const json_t *feed, char *to, size_t size)
{
	const json_t *item;
	size_t i;

	to[0] = '\0';
	json_array_foreach(json_object_get(feed, "health"), i, item) {
		const char *text = json_string_value(json_object_get(item, "text"));

		add_item(to, size, text != NULL ? text : "?");
	}
}

/* What differs, and either is incompatible or is not. */
static void take_mismatch(const json_t *feed, bool is_incompatible, char *to, size_t size)
{
	char text[TIMELINE_TEXT_MAX];
	const json_t *item;
	size_t i;

	to[0] = '\0';
	json_array_foreach(json_object_get(feed, "mismatch"), i, item) {
		const char *severity = json_string_value(json_object_get(item, "severity"));

		if (is_incompatible == (severity == NULL || strcmp(severity, "warning") != 0)) {
			mismatch_str(item, text, sizeof(text));
			add_item(to, size, text);
		}
	}
}

/* Place of the object's word in `words`, 0 if it is none of them. */
static unsigned take_word(const json_t *object, const char *key, const char *const words[3])
{
	const char *text = json_string_value(json_object_get(object, key));

	for (unsigned i = 1; text != NULL && i < 3; i++) {
		if (strcmp(words[i], text) == 0) {
			return i;
		}
	}
	return 0;
}

static void take_format(const json_t *feed, char *to, size_t size)
{
	const json_t *video = json_object_get(feed, "video"),
		     *audio = json_object_get(feed, "audio");
	char codec[32], sound[64] = "";

	if (json_is_object(audio)) {
		take_text(audio, "codec", codec, sizeof(codec));
		text_format(sound, sizeof(sound), "%s %g kHz", codec,
			    (double)take_number(audio, "sample_rate", 0) / 1000);
	}
	if (json_is_object(video)) {
		take_text(video, "codec", codec, sizeof(codec));
		text_format(to, size, "%s %lldx%lld%s%s", codec,
			    (long long)take_number(video, "width", 0),
			    (long long)take_number(video, "height", 0), sound[0] ? ", " : "",
			    sound);
	} else {
		text_format(to, size, "%s", sound);
	}
}

static void take_feed(const json_t *json, bool is_started, struct explain_feed *ret)
{
	const json_t *video = json_object_get(json, "video");
	double fps = json_number_value(json_object_get(video, "fps"));
	char kind[16];

	*ret = (struct explain_feed){
		.offset_ms = take_number(json, "offset_ms", 0),
		.gop_ms = take_number(json, "gop_ms", EXPLAIN_UNKNOWN),
		.fps_milli = fps > 0 && fps < 1000 ? (int64_t)(fps * 1000 + 0.5) : 0,
		.reorder_frames = take_number(video, "reorder_frames", EXPLAIN_UNKNOWN),
		.has_video = json_is_object(video) ||
			     !json_is_object(json_object_get(json, "audio")),
	};
	take_text(json, "kind", kind, sizeof(kind));
	ret->is_slate = strcmp(kind, "slate") == 0;
	ret->is_pulled = strcmp(kind, "pull") == 0;
	take_text(json, "leaving", ret->leaving, sizeof(ret->leaving));
	take_text(json, "twin_of", ret->twin_of, sizeof(ret->twin_of));
	ret->lag_ms = take_number(json, "lag_ms", 0);
	take_text(json, "name", ret->name, sizeof(ret->name));
	take_text(json, "state", ret->state, sizeof(ret->state));
	if (ret->is_slate && !is_started && strcmp(ret->state, "offline") == 0) {
		text_copy(ret->state, sizeof(ret->state), "awaited");
	}
	take_health(json, ret->health, sizeof(ret->health));
	take_mismatch(json, true, ret->mismatch, sizeof(ret->mismatch));
	take_mismatch(json, false, ret->differs, sizeof(ret->differs));
	take_format(json, ret->format, sizeof(ret->format));
}

static void take_thresholds(const json_t *health, struct timeline_thresholds *ret)
{
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		const json_t *signal = json_object_get(
			health, timeline_signal_str((enum timeline_signal)i));

		ret->of[i] = (struct timeline_threshold){
			.enter = (uint32_t)take_number(signal, "enter", 0) & INT32_MAX,
			.leave = (uint32_t)take_number(signal, "leave", 0) & INT32_MAX,
			.hold_ms = (uint32_t)take_number(signal, "hold_ms", 0) & INT32_MAX,
		};
	}
}

bool explain_from_json(const json_t *json, struct explain_facts *ret)
{
	static const char *const returns[3] = {
		[RETURN_AUTO] = "auto", [RETURN_MANUAL] = "manual", [RETURN_NEVER] = "never"
	};
	static const char *const mismatches[3] = { [MISMATCH_PREFER_MATCHING] = "prefer_matching",
						   [MISMATCH_ALLOW] = "allow",
						   [MISMATCH_REFUSE] = "refuse" };
	const json_t *failover = json_object_get(json, "failover"), *feed;
	size_t i;

	if (!json_is_object(failover) || !json_is_array(json_object_get(json, "feeds"))) {
		return false;
	}
	*ret = (struct explain_facts){
		.is_running = true,
		.delay_ms = take_number(json, "delay_ms", 0),
		.stall_ms = take_number(failover, "stall_ms", 0),
		.hole_ms = take_number(failover, "hole_ms", 0),
		.return_after_s = take_number(failover, "return_after_s", 0),
		.return_mode = (enum timeline_return)take_word(failover, "return", returns),
		.on_mismatch = (enum timeline_mismatch)take_word(failover, "on_mismatch",
								 mismatches),
	};
	take_thresholds(json_object_get(failover, "health"), &ret->health);
	take_text(json, "name", ret->show, sizeof(ret->show));
	take_text(json, "live", ret->live, sizeof(ret->live));
	take_text(json, "taken", ret->taken, sizeof(ret->taken));
	json_array_foreach(json_object_get(json, "feeds"), i, feed) {
		if (ret->feed_count < TIMELINE_FEEDS_MAX) {
			take_feed(feed, !json_is_false(json_object_get(json, "started")),
				  &ret->feeds[ret->feed_count++]);
		}
	}
	return true;
}
