/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A timeline on a virtual clock, fed by encoders and watched (watch.h), as the switch would run it:
 * rings that can be read again after a restart, checkpoints, wake-ups that come late.
 */
#ifndef SCENARIO_STAGE_H
#define SCENARIO_STAGE_H

#include <understudy/timeline.h>

#include "encoder.h"
#include "watch.h"

#define STAGE_FEEDS 8
#define STAGE_ORDERS 64

struct stage_feed {
	char name[32];
	struct encoder_config config;
	bool is_slate;
	int64_t offset_ms;
	struct encoder encoder;
	bool is_connected;
	bool is_held;    /* not released by the timeline yet */
	bool has_handle; /* likewise, of the connection that `handle` is */
	bool is_leaving; /* the config has it no more; its encoder is still there */
	int handle;
	unsigned handles_connection;
	uint32_t incarnation;
	unsigned connection; /* the watch's */
	uint64_t pushed;     /* so many packets of the connection that `handle` is */
	int64_t froze_us;
	uint64_t srt_packets, srt_lost; /* as its SRT connection tells */

	/* waits for the encoder's next packets */
	bool changes_header; /* with its next key frame: width and height below */
	uint16_t next_width, next_height;
	bool swaps; /* its next two video packets change places */
	bool has_swapped;
	struct watch_packet swapped;
};

/* A connection that is no feed's newest one, and not released by the timeline yet. */
struct stage_old {
	unsigned feed, connection;
	int handle;
};

/* What the switch is told once it gets its turn. */
struct stage_order {
	enum { ORDER_OPEN = 1, ORDER_CLOSE, ORDER_LAPPED, ORDER_LEAVE, ORDER_TAKE } what;
	unsigned feed;       /* TAKE: 0 nobody, else its place + 1 */
	unsigned connection; /* the watch's */
	uint64_t seq;        /* LAPPED */
};

struct stage {
	struct timeline_config config;
	struct timeline *tl;
	struct stage_feed feeds[STAGE_FEEDS];
	unsigned feed_count;
	int64_t now_us, down_until_us;
	int64_t open_us; /* when the encodes that twins share began */
	uint64_t seed;
	int64_t wake_late_us; /* up to this much later than it asked to */
	uint64_t wake_random;
	/* How often encoders are listened to and the timeline is asked, as behind a long delay;
	 * 0: whenever there is something. */
	int64_t gather_us, round_us;
	struct timeline_checkpoint checkpoint;
	unsigned handles; /* the timeline holds: connections that ended may still be sent */
	struct stage_old olds[TIMELINE_SOURCES_MAX];
	unsigned old_count;
	bool is_down;
	bool is_asleep;                          /* gets no turn */
	int64_t slept_us, asleep_until_us;       /* the last time */
	struct stage_order orders[STAGE_ORDERS]; /* meanwhile */
	unsigned order_count;
	uint16_t taken;  /* by the operator */
	uint64_t faults; /* injected so far */
	struct watch watch;
};

void stage_open(struct stage *st);
void stage_close(struct stage *st);
int stage_find(const struct stage *st, const char *name);
const char *stage_name(const struct stage *st, uint16_t id);
/* Runs until `until_us`. */
void stage_run(struct stage *st, int64_t until_us);
/* The switch is called: all that it has to do now. When it is to be called again. turn.c */
int64_t stage_take_turn(struct stage *st);
void stage_connect(struct stage *st, unsigned feed);
void stage_kill(struct stage *st, unsigned feed);
void stage_take(struct stage *st, uint16_t feed);
/* Packets that make no sense come from the feed. */
void stage_push_nonsense(struct stage *st, unsigned feed, unsigned count);
/* Its SRT connection tells of 1000 more packets, so many of them lost. */
void stage_note_loss(struct stage *st, unsigned feed, unsigned permille);
/* A reload takes the feed away, which ends when the timeline has left it; or gives it back. */
void stage_leave(struct stage *st, unsigned feed, bool is_leaving);
/* A reload puts this feed first: another switch, which goes on where the last one ended. */
void stage_prefer(struct stage *st, unsigned feed);
/* The feed's ring has overwritten all that waits. */
void stage_overwrite(struct stage *st, unsigned feed);
/* The switch is killed, and comes back after down_us with the checkpoint of its last packet. */
void stage_restart(struct stage *st, int64_t down_us);
/* The switch gets no turn for so long: what comes and what it is told waits in rings and queues. */
void stage_sleep(struct stage *st, int64_t us);
/* A reload gives the show another delay: another switch, which goes on where the last one ended. */
void stage_set_delay(struct stage *st, int64_t delay_us);

/* ---- memory.c ---- */

/* Between the two, what is allocated and freed is the timeline's. */
void memory_enter(void);
void memory_leave(void);
size_t memory_held(void);

#endif
