/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Twins within the timeline: what is kept of them, and what is done with them (private.h, which
 * this is a part of; see twins.c, group.c, merge.c).
 */
#ifndef TIMELINE_TWINS_H
#define TIMELINE_TWINS_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/packet.h>
#include <understudy/timeline.h>

#define TL_SLOTS_MAX (TIMELINE_SOURCES_MAX + 16) /* split where media time jumps; groups */
#define TL_NO_HANDLE (-1)
#define TL_TWIN_SLACK_90k 360   /* copies of a frame lie this near: RTMP rounds to 1 ms, twice */
#define TL_TWIN_GRACE_US 100000 /* a copy may be this late without being missed */

struct tl_source;

/* ---- twins.c ---- */

#define TL_PRINTS 1024u /* a power of two; one frame in four: half a minute */

/* A frame's fingerprint in a source's table, where a newer one takes its place. */
struct tl_print {
	uint64_t fingerprint;
	int64_t dts_90k; /* media */
	uint8_t kind;    /* 0: none */
	bool is_repeated;
};

/* What two sources have in common so far. */
struct tl_pair {
	int64_t offset_90k; /* media of the lower slot + offset = media of the higher one */
	int64_t since_us;   /* arrival of the first frame that fits */
	uint16_t score;     /* frames that fit, less those that do not; 0: nothing in common */
	uint16_t matches[PACKET_KINDS], misses[PACKET_KINDS]; /* after the proof's time */
};

/* ---- group.c ---- */

#define TL_COPIES_MAX 8u
#define TL_LOG_FRAMES 1024u  /* a power of two; per kind */
#define TL_EXTRA_FRAMES 512u /* a power of two; of all the rest */

/* What a source has as a copy in a group. */
struct tl_copy {
	int64_t offset_90k;               /* media + offset = the group's media */
	uint64_t at[PACKET_KINDS];        /* how far it has been compared with the log */
	int64_t placed_90k[PACKET_KINDS]; /* a later frame of it lies behind that (group's time) */
	uint64_t keep_until; /* the group's index holds entries of it before this number */
	unsigned strikes;    /* frames in a row that are not the group's */
	uint64_t filled;     /* frames it had, and the leading copy had not */
	uint64_t same;       /* tracks that are what the group's was; bits as in tl_index */
	bool is_odd;         /* its time may have moved: a frame did not follow the one before */
	uint64_t odd_seq;    /* the first one that did not */
	uint64_t hint_seq;   /* a packet that lies elsewhere ... */
	int64_t hint_90k;    /* ... by so much */
	unsigned moves;      /* how often its time moved ... */
	int64_t moved_us;    /* ... since then */
};

struct tl_logged {
	uint64_t fingerprint;
	int64_t dts_90k;
};

/* Of a track or message beside the main ones. */
struct tl_extra_logged {
	uint64_t fingerprint;
	int64_t dts_90k;
	uint8_t kind, track;
};

struct tl_group {
	struct tl_source *source; /* what the copies are merged into */
	struct tl_source *copies[TL_COPIES_MAX];
	unsigned count;
	struct tl_source *leader; /* the copy that the group follows */
	struct tl_logged log[PACKET_KINDS][TL_LOG_FRAMES];
	uint64_t logged[PACKET_KINDS];              /* how many there were */
	const struct tl_source *last[PACKET_KINDS]; /* whose frame was merged last ... */
	int64_t merged_us[PACKET_KINDS];            /* ... when ... */
	int64_t late_us[PACKET_KINDS];              /* ... and how far past due */
	struct tl_extra_logged extra_log[TL_EXTRA_FRAMES];
	uint64_t extra_logged;
	const struct tl_source *extra_from[PACKET_KINDS][PACKET_TRACKS_MAX]; /* who carries it */
	int64_t sent_90k[PACKET_KINDS]; /* went out before a restart; TL_UNKNOWN */
	int64_t resumed_90k;            /* show time that the switch had got to then; TL_UNKNOWN */
	bool is_resumed;
	bool is_waiting; /* for a copy that is behind, to fill a hole */
};

/* ---- twins.c ---- */

/* Looks whether others have the frame, too. */
void tl_twins_look(struct timeline *tl, struct tl_source *s, const struct packet *p);
/* Makes a group of sources that were recognised. */
void tl_twins_settle(struct timeline *tl, int64_t now_us);
/* The source in the slot is another now. */
void tl_twins_forget(struct timeline *tl, unsigned slot);

/* ---- group.c ---- */

/* `twin` and `base` carry the same encode: media of `twin` + offset = media of `base`. They
 * become one group, or `twin`, which may be a group itself, joins that of `base`. -EBUSY: not
 * now; -ENOMEM. */
int tl_group_join(struct timeline *tl, struct tl_source *base, struct tl_source *twin,
		  int64_t offset_90k, int64_t now_us);
/* The copy carries something else: it is a feed of its own again. */
void tl_group_part(struct timeline *tl, struct tl_group *group, struct tl_source *c,
		   int64_t now_us);
/* The copy's lag, and the time of a packet of it, by the group's media time. */
int64_t tl_copy_lag_us(const struct tl_source *c);
int64_t tl_copy_time(const struct tl_source *c, const struct packet *p);
/* Chooses which copy leads. */
void tl_group_lead(struct timeline *tl, struct tl_group *group, int64_t now_us);
/* Closes the group's source if all copies are closed. */
void tl_group_end(struct timeline *tl, struct tl_group *group, int64_t now_us);
/* The copy is one of the group no more; what it has not given yet it keeps. */
void tl_group_detach(struct tl_group *group, struct tl_source *copy);
/* The closed copy has nothing left that could be sent; then it is let go. */
bool tl_group_lets_go(const struct tl_source *copy);
/* Goes on after a restart: what the copies had sent is not sent again. `leader`: which of them led,
 * if that is known by now. The show had got to `show_90k`. */
void tl_group_resume(struct tl_group *group, struct tl_source *leader, int64_t show_90k);
/* After a restart: a packet that was sent, the newest of the copy, shows where group and show are.
 * One of no main track has done its duty. */
void tl_group_recall(const struct timeline *tl, struct tl_source *copy, const struct packet *p);
/* What is wrong with all of its copies is wrong with the group. */
void tl_group_health(struct tl_group *group);
/* The frame, or data, came from the source, or the copy in it, of this handle. */
void tl_group_note_sent(struct tl_source *s, int handle, const struct packet *p);
/* The first packet of the copy that was neither sent nor dropped, in its own index or the group's;
 * `seq` if the group's has none. */
uint64_t tl_group_next_seq(const struct tl_source *copy, uint64_t seq);
/* The group's source has packets of this handle. */
bool tl_group_holds(const struct tl_source *s, int handle);
/* The source that people know: of a group, its leading copy. */
struct tl_source *tl_group_face(const struct tl_source *s);
/* The feed has a copy in the source, or is the source's. */
bool tl_group_has_feed(const struct tl_source *s, uint16_t feed_id);
/* Feed of the copy's nearest twin: the leading one, or of that another. 0: it is alone. */
uint16_t tl_group_twin(const struct tl_source *copy, int32_t *ret_lag_ms);
/* Copies are to go, and none that stays could carry on. */
bool tl_group_is_leaving(const struct timeline *tl, const struct tl_group *group, int64_t now_us);
/* The most preferred of the feeds in it. */
unsigned tl_group_order(const struct tl_source *s);

/* ---- merge.c ---- */

/* Merges what can be merged by now. Returns when it wants to be called again. */
int64_t tl_group_merge(struct timeline *tl, struct tl_group *group, int64_t now_us);
/* What copies bring at or before the main frame is held against it. */
void tl_group_log(struct tl_group *group, const struct packet *p);
/* The head of the copy's track goes on. */
void tl_group_commit(struct timeline *tl, struct tl_group *group, struct tl_source *c,
		     unsigned kind, unsigned track, int64_t now_us);

/* The first packet of the main kind that waits in the copy and is not before that time of the
 * group; NULL: it has not come as far. */
const struct packet *tl_copy_from(const struct tl_source *c, unsigned kind, int64_t dts_90k);

/* ---- fill.c ---- */

/* Of the time of the copy's head nothing was merged, but what follows it was. If that waits still,
 * the frame goes before it. True: not yet, until it is due: what comes behind it has to tell
 * whether it may. */
bool tl_group_fill(struct timeline *tl, struct tl_group *group, struct tl_source *c, unsigned kind,
		   int64_t now_us, int64_t *wake_us);

/* ---- extra.c ---- */

/* The same for all that is not of a main track. */
int64_t tl_group_merge_extra(struct timeline *tl, struct tl_group *group, int64_t now_us);

/* ---- rejoin.c ---- */

enum tl_rejoin { TL_REJOIN_NOT, TL_REJOIN_HINT, TL_REJOIN_MOVED };

/* What was merged has the payload nowhere else: it is no silence, and tells where it belongs. */
bool tl_copy_tells(const struct tl_group *group, const struct packet *p, int64_t dts_90k);
/* The copy's frame is the group's at that time: if it tells, the copy has not moved. */
void tl_copy_followed(const struct tl_group *group, struct tl_source *c, const struct packet *p,
		      int64_t dts_90k);
/* The copy's head may not lie where it is claimed to. If its payload lies elsewhere, and so does
 * that of another frame, the copy's time has moved by that, if it may. */
enum tl_rejoin tl_copy_rejoin(const struct tl_group *group, struct tl_source *c, unsigned kind,
			      bool may_move, int64_t now_us);
/* Before a main frame of the copy is taken in: does it follow from the one before? One whose time
 * lies before what was sent is taken to be the next all the same, as long as payloads do not tell
 * otherwise: its encoder stepped back. True then. One that runs ahead of all that twins may be
 * apart parts: what waits of a copy is not forgotten. */
bool tl_copy_steps(struct timeline *tl, struct tl_source *c, const struct packet *p,
		   int64_t now_us);
#endif
