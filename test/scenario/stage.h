/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A timeline on a virtual clock, fed by encoders and watched: every packet it sends is held
 * against what must always be true, and kept so that a scenario can ask what the audience saw.
 */
#ifndef SCENARIO_STAGE_H
#define SCENARIO_STAGE_H

#include <understudy/timeline.h>

#include "encoder.h"

#define STAGE_FEEDS 8
#define STAGE_TEXT 256

struct stage_feed {
	char name[32];
	struct encoder_config config;
	bool is_slate;
	int64_t offset_ms;
	struct encoder encoder;
	bool is_connected;
	bool is_held; /* not released by the timeline yet */
	int handle;
	uint32_t incarnation;
	uint64_t seq;
	int64_t froze_us;
	struct stage_sent *history; /* what it pushed, for a restart */
	uint64_t history_count, history_room;
};

/* What a feed's ring holds. */
struct stage_sent {
	struct packet packet;
	struct codec_params params;
	bool has_params;
};

/* A frame of the main video or audio that went out. */
struct stage_frame {
	int64_t pts_90k, dts_90k, sent_us;
	uint16_t feed;
	uint16_t flags;
	uint8_t kind;
	bool is_behind_splice;
};

struct stage {
	struct timeline_config config;
	struct timeline *tl;
	struct stage_feed feeds[STAGE_FEEDS];
	unsigned feed_count;
	int64_t now_us, down_until_us;
	uint64_t seed;
	int64_t wake_late_us; /* up to this much later than it asked to */
	uint64_t wake_random;

	struct stage_frame *frames;
	size_t frame_count, frame_room;
	struct timeline_event *events;
	int64_t *event_us;
	size_t event_count, event_room;

	/* watching */
	struct packet last[PACKET_KINDS];
	bool has_last[PACKET_KINDS];
	int64_t last_dts_90k;
	int64_t window_us;
	int64_t window_90k; /* media sent within the window */
	unsigned released;
	struct timeline_checkpoint checkpoint;
	bool has_checkpoint, is_down;
	uint64_t sent;
	char failure[STAGE_TEXT]; /* the first broken promise */
};

void stage_open(struct stage *st, uint64_t seed);
void stage_close(struct stage *st);
int stage_find(const struct stage *st, const char *name);
const char *stage_name(const struct stage *st, uint16_t id);
/* Runs until `until_us`. */
void stage_run(struct stage *st, int64_t until_us);
void stage_connect(struct stage *st, unsigned feed);
void stage_kill(struct stage *st, unsigned feed);
/* The switch is killed, and comes back after down_us with the checkpoint of its last packet. */
void stage_restart(struct stage *st, int64_t down_us);
void stage_fail(struct stage *st, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The steps between frames of a kind, in order of presentation, that were sent between two
 * monotonic times. Where frames of two feeds meet, the step is
 * held against both. */
struct stage_measure {
	int64_t longest_90k;  /* step minus a frame */
	int shortest_percent; /* of a frame */
	int longest_percent;
	int64_t longest_at_90k, shortest_at_90k; /* show time behind these steps */
	size_t frames;
};
struct stage_measure stage_measure(const struct stage *st, enum packet_kind kind, int64_t from_us,
				   int64_t to_us);

#endif
