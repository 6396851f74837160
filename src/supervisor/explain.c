/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `explain`: a show's status and how it is configured, as JSON. The words are the command's
 * (src/cli/explain-words.c).
 */
#include <string.h>

#include <understudy/codec.h>
#include <understudy/timeline.h>

#include "supervisor.h"

#define REORDER_UNKNOWN 255 /* codec.h */

static json_t *health_json(const struct timeline_thresholds *health)
{
	json_t *json = json_object();

	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		const struct timeline_threshold *t = &health->of[i];

		json_object_set_new(json, timeline_signal_str((enum timeline_signal)i),
				    json_pack("{s:I, s:I, s:I}", "enter", (json_int_t)t->enter,
					      "leave", (json_int_t)t->leave, "hold_ms",
					      (json_int_t)t->hold_ms));
	}
	return json;
}

static json_t *failover_json(const struct config_failover *f)
{
	static const char *const returns[] = {
		[RETURN_AUTO] = "auto", [RETURN_MANUAL] = "manual", [RETURN_NEVER] = "never"
	};
	static const char *const mismatches[] = { [MISMATCH_PREFER_MATCHING] = "prefer_matching",
						  [MISMATCH_ALLOW] = "allow",
						  [MISMATCH_REFUSE] = "refuse" };

	return json_pack("{s:i, s:i, s:i, s:s, s:s, s:o}", "stall_ms", (int)f->stall_ms, "hole_ms",
			 (int)f->hole_ms, "return_after_s", (int)f->return_after_s, "return",
			 returns[f->return_mode], "on_mismatch", mismatches[f->on_mismatch],
			 "health", health_json(&f->health));
}

/* Frames a decoder holds back, for B-frames; null if the encoder does not say. */
static json_t *reorder_json(const struct feed *feed)
{
	const struct timeline_status *t = &feed->show->status.timeline;

	for (unsigned i = 0; i < t->feed_count; i++) {
		const struct codec_params *video = &t->feeds[i].format.video;

		if (t->feeds[i].id == feed->id && video->codec != CODEC_NONE &&
		    video->reorder_frames != REORDER_UNKNOWN) {
			return json_integer(video->reorder_frames);
		}
	}
	return json_null();
}

static void feed_complete(json_t *json, const struct feed *feed)
{
	const struct config_feed *config = feed->config;
	json_t *video = json_object_get(json, "video");
	const char *kind = config->file != NULL   ? "slate"
			   : config->pull != NULL ? "pull"
						  : "publish";

	json_object_set_new(json, "kind", json_string(kind));
	json_object_set_new(json, "offset_ms", json_integer(config->offset_ms));
	if (json_is_object(video)) {
		json_object_set_new(video, "reorder_frames", reorder_json(feed));
	}
}

json_t *explain_json(struct show *show)
{
	json_t *status = status_json(show->supervisor), *json, *found = NULL, *item;
	size_t i;

	json_array_foreach(json_object_get(status, "shows"), i, json) {
		if (strcmp(json_string_value(json_object_get(json, "name")), show->config->name) ==
		    0) {
			found = json_incref(json);
		}
	}
	json_decref(status);
	json_array_foreach(json_object_get(found, "feeds"), i, item) {
		struct feed *feed = feed_find(show,
					      json_string_value(json_object_get(item, "name")));

		feed_complete(item, feed);
	}
	json_object_set_new(found, "failover", failover_json(&show->config->failover));
	return found;
}
