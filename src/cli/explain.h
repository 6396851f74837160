/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `understudy explain`: a show's chain, thresholds and delay in plain words.
 *
 *   explain-facts.c  facts out of a configuration, or out of a running relay's answer
 *   explain-words.c  facts -> words: how it is set up. No socket, no file, no clock
 *   explain-cases.c  likewise: what the audience will see, with numbers
 *   explain.c        the command: where the facts come from, how the words are printed
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <understudy/config.h>
#include <understudy/timeline.h>

#include "terminal.h"

#define EXPLAIN_NAME 64
#define EXPLAIN_UNKNOWN (-1)
#define EXPLAIN_MARGIN_MS 250 /* of the delay, beyond what a change of feed takes */

struct explain_feed {
	char name[EXPLAIN_NAME];
	bool is_slate, is_pulled;
	bool is_inactive; /* of a kind that this version does not carry out */
	int64_t offset_ms;
	/* measured; without a running relay the state is empty and the rest unknown */
	char state[16];  /* "live", "standby", "degraded", "stalled", "offline", "awaited" */
	char format[96]; /* "H.264 1920x1080, AAC 48 kHz" */
	char health[TIMELINE_TEXT_MAX];
	char leaving[TIMELINE_TEXT_MAX];  /* why it is to go; "" = it is not */
	char twin_of[EXPLAIN_NAME];       /* carries the same encode; "" = no other does */
	int64_t lag_ms;                   /* it comes so much later than that one */
	char mismatch[TIMELINE_TEXT_MAX]; /* what makes it incompatible with the others ... */
	char differs[TIMELINE_TEXT_MAX];  /* ... and what else is not the same */
	int64_t gop_ms;                   /* between key frames */
	int64_t fps_milli;                /* 0 = unknown */
	int64_t reorder_frames;           /* what B-frames make a decoder hold back */
	bool has_video;
};

struct explain_facts {
	char show[EXPLAIN_NAME];
	bool is_running;                              /* measured by a running relay */
	char live[EXPLAIN_NAME], taken[EXPLAIN_NAME]; /* "" = none */
	int64_t delay_ms, stall_ms, hole_ms, return_after_s;
	enum timeline_return return_mode;
	enum timeline_mismatch on_mismatch;
	struct timeline_thresholds health;
	unsigned feed_count;
	struct explain_feed feeds[TIMELINE_FEEDS_MAX]; /* in order of preference */
};

/* The show at place `index`. `findings` say what is not carried out. */
void explain_from_config(const struct config *config, unsigned index,
			 const struct config_findings *findings, struct explain_facts *ret);
/* The relay's answer; whatever is missing in it is unknown. False: it is no such answer. */
bool explain_from_json(const json_t *json, struct explain_facts *ret);

enum explain_section { EXPLAIN_FEED, EXPLAIN_SETUP, EXPLAIN_CASE, EXPLAIN_NOTE, EXPLAIN_SECTIONS };

struct explain_item {
	enum explain_section section;
	const char *key; /* "killed": for programs */
	char head[128];
	char text[1024];
	/* EXPLAIN_CASE, at worst; EXPLAIN_UNKNOWN: it cannot be said */
	int64_t picture_ms, silence_ms;
	bool is_promised; /* that there is no gap */
	int64_t left_ms;  /* starved: within which time the feed is left; EXPLAIN_UNKNOWN: never */
};

#define EXPLAIN_ITEMS_MAX (TIMELINE_FEEDS_MAX + 20)
struct explanation {
	int64_t needed_ms; /* the delay it takes for no gap; EXPLAIN_UNKNOWN */
	bool has_twin;     /* who takes over carries the same encode */
	unsigned count;
	struct explain_item items[EXPLAIN_ITEMS_MAX];
};

void explain_make(const struct explain_facts *facts, struct explanation *ret);

void explain_print(const struct terminal *t, const struct explain_facts *facts,
		   const struct explanation *explanation);
/* NULL: out of memory. */
json_t *explain_to_json(const struct explain_facts *facts, const struct explanation *explanation);

#endif
