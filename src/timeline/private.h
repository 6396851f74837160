/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside the timeline. Pure: no clock, no I/O; memory is allocated when a source is opened and
 * when its index grows, never while packets flow steadily.
 *
 * The concepts, and where each is:
 *
 *   lag     maps.c     how late a feed's pictures arrive: windowed minimum of arrival - pts
 *   clock   maps.c     show time -> monotonic; follows the live feed's lag by at most 0.5 %
 *   map     maps.c     media -> show of one source: tracked on standby, frozen while live
 *   index   index.c    the packets of a source that may still be sent, one FIFO per track
 *   flow    flow.c     main video or main audio of a source: frame time, reordering, horizon
 *   gauge   gauge.c    what came in each of the last 20 s: bytes, frames, holes, trouble
 *   pace    pace.c     how evenly pictures follow each other: a frame rate, or what is left of one
 *   source  source.c   one connection: an index, its flows, its lag; what it forgets: drop.c
 *   horizon horizon.c  how far a source has come, and whether it stands still
 *   twins   twins.c    sources that carry the same encode, recognised by their fingerprints
 *   group   group.c    twins as one source that is no connection; merged in merge.c and fill.c
 *   signal  health.c   something that is wrong with a source, with thresholds and a hold time
 *   format  reference.c   what a source is made of, and the format others are held against
 *   choice  choice.c   which source the show should be made of
 *   leaving leaving.c  sources whose feed is taken away
 *   remains remains.c  what is left of a standby that closed
 *   cut     cut.c      where a point is put, and where the left source ends for it
 *   enter   splice.c   making a source live at one of its random-access points
 *   tail    splice.c   what the source left behind that is still to be sent
 *   decide  decide.c   when to enter: the last safe moment, the next point, failback, take
 *   pick    pick.c     the next packet, in order, when it is due
 *
 * The show:
 *
 *           a feed's first point is due                 live cannot go on, standby can
 *   SILENT ----------------------------> FLOWING <------------------------------------.
 *     ^                                  |  |  `--enter standby at a point-----------'|
 *     |                                  |  |                                         |
 *     | live closed or too late          |  `--no point at hand, audio ran out--> AUDIO ONLY
 *     '----------------------------------'        (standby audio at once)   its next point
 *
 *   SILENT is `live == NULL`; AUDIO ONLY is `live->awaits_point`.
 *
 * Times: `_90k` media or show time, `_us` monotonic. A source's entries keep media time; whatever
 * is in the tail or has been sent is show time.
 */
#ifndef TIMELINE_PRIVATE_H
#define TIMELINE_PRIVATE_H

#include <understudy/clock.h>
#include <understudy/timeline.h>

#include "flow.h"
#include "gauge.h"
#include "maps.h"
#include "twins.h"

#define TL_NONE UINT64_MAX   /* no entry */
#define TL_UNKNOWN INT64_MIN /* no time */

#define TL_LATE_US 500000         /* past due by up to this is sent at once, later is dropped */
#define TL_DEEP_MAX_US 1000000    /* who reorders more deeply needs a delay */
#define TL_ENTER_LATE_US 300000   /* a point this much past due may still be entered */
#define TL_HELD_UP_US 250000      /* called later than this: all that is due becomes due later */
#define TL_HELD_UP_LIVE_US 300000 /* ... without a delay */
#define TL_HELD_UP_MAX_US 2000000 /* in all: feed rings reach back further than the delay by more */
#define TL_GATE_EARLY_US 40000    /* decide this much before it must be, for we may be woken late */
#define TL_SETTLE_US 250000       /* a new lag is believed when it has not fallen for this long */
#define TL_SETTLE_MAX_US 2000000
#define TL_SNAP_LATER_90k 22500 /* a point may be moved this much to follow the frame before it */
#define TL_SNAP_EARLIER_90k 9000
#define TL_AUDIO_BEHIND_90k 18000 /* audio may begin so much behind its point */
#define TL_DISORDER_MAX_US 500000
#define TL_DISORDER_SPARE_US 200000 /* what comes late is waited for so much longer than usual */
#define TL_JUMP_BACK_90k 180000     /* dts falls by more: a new media time */
#define TL_JUMP_AHEAD_US 5000000    /* arrives earlier than ever by more: likewise */
#define TL_REORDER_MAX_90k 900000   /* pts - dts of more than 10 s is nonsense */
#define TL_MEDIA_MAX_90k INT64_C(1000000000000000)
#define TL_SQUEEZE_90k 90        /* least step of a squeezed dts: 1 ms, what RTMP can tell apart */
#define TL_VIDEO_WAIT_US 1000000 /* audio alone for this long: a feed without video */
#define TL_TICK_US 100000        /* health is looked at this often */

#define TL_INDEX_MIN 256u
#define TL_INDEX_MAX 65536u
#define TL_TAIL_MAX 1024u
#define TL_EVENTS_MAX 32u

static inline int64_t tl_us(int64_t t_90k)
{
	return t_90k * 100 / 9;
}

static inline int64_t tl_90k(int64_t t_us)
{
	return t_us * 9 / 100;
}

static inline int64_t tl_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t tl_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t tl_abs(int64_t a)
{
	return a < 0 ? -a : a;
}

/* ---- maps.c: maps.h ---- */
void tl_delay_slew(struct timeline *tl, int64_t now_us);

/* ---- index.c ---- */

enum tl_entry_flag {
	TL_ENTRY_POINT = 1 << 0, /* random-access point of the main kind */
	TL_ENTRY_CLOSED =
		1 << 1, /* a cut behind it leaves out no picture that goes before one sent */
	TL_ENTRY_HOLE = 1 << 2, /* a hole lies before this frame */
	TL_ENTRY_GONE = 1 << 3, /* sent or dropped */
};

struct tl_entry {
	struct packet packet;
	uint64_t next;       /* of the same track */
	uint64_t next_point; /* POINT: the next one */
	int64_t closed_90k;  /* main frames: newest pts of the last closed frame up to this one */
	unsigned flags;
	int handle; /* whose ring holds the payload */
};

struct tl_track {
	uint64_t head, tail; /* TL_NONE: nothing waits */
	int64_t last_dts_90k;
	bool has_frames;
	bool is_joining; /* since the source went live nothing of this track was sent */
};

/* Packets that wait, numbered from 0 in order of arrival; number n lies in slot n % capacity. */
struct tl_index {
	struct tl_entry *entries;
	uint64_t first, next;
	uint32_t capacity; /* a power of two */
	struct tl_track tracks[PACKET_KINDS][PACKET_TRACKS_MAX];
	uint64_t waiting; /* bit kind * 16 + track: the track has packets */
	uint64_t point_head, point_tail;
};

int tl_index_init(struct tl_index *x);
void tl_index_finish(struct tl_index *x);
struct tl_entry *tl_index_at(const struct tl_index *x, uint64_t n);
/* Room for one more packet; -ENOBUFS, -ENOMEM. */
int tl_index_reserve(struct tl_index *x);
/* Appends to the packet's track. Room must have been reserved. */
uint64_t tl_index_append(struct tl_index *x, const struct tl_entry *e);
/* The last entry of the main track before that time; TL_NONE: none. */
uint64_t tl_index_before(const struct tl_index *x, unsigned kind, int64_t dts_90k);
/* Puts it into its track behind that entry (TL_NONE: first). Likewise. */
void tl_index_insert(struct tl_index *x, const struct tl_entry *e, uint64_t behind);
/* Drops the head of a track. */
void tl_index_pop(struct tl_index *x, unsigned kind, unsigned track);
void tl_index_clear(struct tl_index *x);
/* All points are in one track: the main one. */
void tl_index_forget_points(struct tl_index *x);
bool tl_index_is_empty(const struct tl_index *x);
/* The head with the smallest dts among tracks in `mask`, TL_NONE if there is none. */
uint64_t tl_index_earliest(const struct tl_index *x, uint64_t mask);

static inline uint64_t tl_track_bit(unsigned kind, unsigned track)
{
	return UINT64_C(1) << (kind * PACKET_TRACKS_MAX + track);
}

/* ---- gauge.c: gauge.h ---- */

struct tl_source;
/* A main frame that is about to be taken into its flow. */
void tl_gauge_frame(const struct timeline *tl, struct tl_source *s, const struct packet *p);

/* ---- health.c ---- */

struct tl_signal {
	bool is_on;
	int64_t calm_us; /* on the good side of `leave` since then, if it is calm */
	struct timeline_symptom symptom;
};

/* ---- source.c ---- */

struct tl_source {
	int handle; /* TL_NO_HANDLE: a group's */
	unsigned slot;
	unsigned feed; /* place in the config, by preference */
	uint16_t feed_id;
	uint32_t incarnation;
	bool is_open;
	bool is_leaving; /* its feed is taken away: carries the show only while nobody else can */
	char cause[TIMELINE_TEXT_MAX / 2]; /* why it was closed, or is leaving */
	int64_t opened_us;
	int64_t arrival_us, pushed_us;   /* of the last packet */
	int64_t first_us;                /* of the first frame */
	uint64_t first_seq;              /* where its media time began; 0: with the connection */
	uint64_t next_seq;               /* to be pushed */
	uint64_t resume_seq;             /* earlier packets went out before a restart */
	uint64_t sent_seq[PACKET_KINDS]; /* last one of each main track, DATA: of all others */

	struct tl_index index;
	struct tl_flow flows[PACKET_KINDS]; /* VIDEO and AUDIO */
	struct tl_lag lag;
	int64_t map_90k;        /* show = media + map */
	struct tl_lag disorder; /* how far dts falls behind another track's, negative (90 kHz) */
	struct tl_lag latest;   /* dts - arrival: how late packets come at worst */
	struct tl_lag age;      /* how long after their arrival they are here at best */
	unsigned tail_count;    /* its packets in the tail */
	int64_t tail_map_90k;   /* their map */

	bool is_barred; /* while nobody is live: cannot be entered yet */

	/* while live */
	bool awaits_point; /* audio runs, video starts at its next point */
	bool starts_behind_gap;
	bool drops_leading; /* started at a weak point: leading pictures cannot be decoded */
	int64_t point_90k;  /* pts of the point it started at (media), TL_UNKNOWN */
	int64_t enter_90k;  /* show dts from where it was entered: extra tracks start behind */

	/* after a restart: the packet that tells the map exactly */
	uint64_t anchor_seq;
	int64_t anchor_pts_90k;
	bool leaves_tail; /* was left just before the restart */
	bool is_resumed;  /* was known before the restart ... */
	bool was_copy;    /* ... as one of twins */

	/* random access */
	int64_t key_dts_90k, point_dts_90k, weak_dts_90k;
	enum packet_kind point_kind;
	int64_t gop_90k;   /* the last whole one */
	bool gop_has_hole; /* the current one, which is none to measure */
	int64_t key_us;

	struct codec_params params[PACKET_KINDS];
	uint64_t packets, nonsense, late_dropped;
	int64_t nonsense_us; /* window of bad packets */
	unsigned nonsense_recent;
	int64_t split_us; /* arrival of the packet at which the connection became this source */

	/* health */
	struct tl_gauge gauge;
	struct tl_signal signals[TIMELINE_SIGNALS];
	uint32_t symptoms;   /* bits: signals that are on ... */
	uint32_t acute;      /* ... and of these, those that are not calm */
	int64_t troubled_us; /* when one of them last was not calm */
	uint32_t jump_ms;    /* the last leap of media time */
	uint32_t best_fps_milli;
	int64_t format_us; /* when its pictures last became others */
	int64_t skew_us;   /* audio's lag less video's at first; TL_UNKNOWN */
	uint64_t srt_packets, srt_lost;

	struct tl_print prints[TL_PRINTS];
	struct tl_pair pairs[TL_SLOTS_MAX]; /* with sources in higher slots */
	int64_t apart_until_us;             /* is nobody's twin before */
	struct tl_group *group;             /* whose source this is, or which it is a copy of */
	struct tl_copy copy;
};

/* The source gathers what copies bring: it is no connection. */
static inline bool tl_source_is_merged(const struct tl_source *s)
{
	return s->group != NULL && s->handle == TL_NO_HANDLE;
}

/* The source's packets go into a group's: it is not chosen, or sent, itself. */
static inline bool tl_source_is_copy(const struct tl_source *s)
{
	return s->group != NULL && s->handle != TL_NO_HANDLE;
}

int tl_source_create(struct timeline *tl, int handle, unsigned feed, uint32_t incarnation,
		     int64_t now_us, struct tl_source **ret);
void tl_source_destroy(struct tl_source **s);
int tl_source_push(struct timeline *tl, struct tl_source *s, uint64_t seq, const struct packet *p,
		   const struct codec_params *params, int64_t now_us);
/* So many of its packets were of no use lately that it is not to be chosen. */
bool tl_source_talks_nonsense(const struct tl_source *s, int64_t now_us);
/* Drops the head of a track, and with it the hole that may lie before it. */
void tl_source_pop(struct tl_source *s, unsigned kind, unsigned track);
/* It has video, audio, or a header says that it will: what was announced may come late. */
static inline bool tl_source_has(const struct tl_source *s, enum packet_kind kind)
{
	return s->flows[kind].is_present || s->params[kind].codec != CODEC_NONE;
}
/* Video if it has any, else audio: what maps and points are made from. */
enum packet_kind tl_source_main_kind(const struct tl_source *s);
/* Which of the source's numbers of what was sent last is the packet's. */
enum packet_kind tl_sent_kind(const struct packet *p);
/* A packet that is pushed was sent, or dropped, before the switch was restarted. */
bool tl_source_was_sent(const struct timeline *tl, const struct tl_source *s,
			const struct packet *p);
bool tl_source_has_frames(const struct tl_source *s);
/* Forgets what can no longer be sent because it is too late. */
void tl_source_expire(struct timeline *tl, struct tl_source *s, int64_t now_us);
void tl_source_clear(struct tl_source *s);
/* The handle's packets before `seq` are lost. True if main ones were among them. */
bool tl_source_drop_before(struct tl_source *s, int handle, uint64_t seq);
/* Follows the lag; nothing happens to the live source's map. */
void tl_source_track_map(const struct timeline *tl, struct tl_source *s);
/* Takes in an entry in its place behind all others of its track; there must be room. */
void tl_source_append(struct timeline *tl, struct tl_source *s, struct tl_entry *e);
/* The operator's offset_ms; without a delay what comes leaves. */
int64_t tl_source_wish_90k(const struct timeline *tl, const struct tl_source *s);
/* Where the clock's offset would be if it followed this source exactly. */
int64_t tl_source_offset_us(const struct timeline *tl, const struct tl_source *s);

/* ---- horizon.c ---- */

/* Horizon of the source in show time (TL_UNKNOWN: none), and the same for a start at `from`. */
int64_t tl_source_horizon(const struct tl_source *s);
int64_t tl_source_horizon_from(const struct tl_source *s, int64_t from_show_90k);
/* The flow whose horizon has stood still for longer than it may, or NULL. Closed: always one. */
const struct tl_flow *tl_source_stuck(const struct timeline *tl, const struct tl_source *s,
				      int64_t now_us);
/* When that could next become true: a deadline. */
int64_t tl_source_stuck_at_us(const struct timeline *tl, const struct tl_source *s);
/* Nothing of a smaller dts (media) will come any more: audio and video have both got there, or it
 * would be further behind than anything lately was, and more. */
bool tl_source_is_past(const struct timeline *tl, const struct tl_source *s, int64_t dts_90k,
		       int64_t now_us);
/* When a packet may leave that is due on arrival: at once, unless audio and video come out of
 * order; then when what comes latest at worst would be there, and a little later, if it is not
 * past before. */
int64_t tl_source_ordered_us(const struct tl_source *s, int64_t dts_90k, int64_t arrival_us);
/* How far past due all that it sends is at its best: the map is that of presentation, packets are
 * due when they are decoded, and it reorders more deeply than there is delay. */
int64_t tl_source_behind_us(const struct timeline *tl, const struct tl_source *s);
/* The newest dts (media) of its main frames. */
int64_t tl_source_latest_dts(const struct tl_source *s);
/* Up to here (media) main frames of that kind (PACKET_KINDS: both) came; INT64_MAX: none run. */
int64_t tl_source_main_dts(const struct timeline *tl, const struct tl_source *s,
			   enum packet_kind only, int64_t now_us);
bool tl_source_is_settled(const struct tl_source *s, int64_t now_us);

/* ---- the show ---- */

struct tl_tail_item {
	struct packet packet; /* show time */
	struct tl_source *source;
	int handle;
	bool is_closed;
};

/* What went out so far, in show time. */
struct tl_out {
	bool has_begun;
	int64_t last_90k; /* dts, over all tracks */
	int64_t last_dts_90k[PACKET_KINDS][PACKET_TRACKS_MAX];
	int64_t max_pts_90k[PACKET_KINDS]; /* main */
	int64_t frame_90k[PACKET_KINDS];   /* main: how long the last frame lasts */
	bool is_closed;                    /* main video: no frame before end is missing */
};

struct tl_feed {
	enum timeline_feed_state state;
	int64_t since_us;
	int64_t healthy_us;   /* healthy since then; TL_UNKNOWN: is not */
	int64_t wait_us;      /* before failback; doubled by flapping */
	int64_t rehearsed_us; /* what it is left for before then is no flapping */
	bool was_left;        /* the show had to leave it ... */
	int64_t ailed_us;     /* it was left, or another media time or format: not well before */
	int64_t back_us;      /* ... and last came back to it then; 0: did not */
	int64_t entered_us;   /* the show last went to it, for whatever reason */
	bool was_twin;        /* of a feed that was one as well */
	struct format format; /* last known */
	struct format fresh;  /* what it may become: see tl_feed_learn_format() */
	int64_t fresh_us;     /* when that was measured */
	int64_t clean_us;     /* from then on no trouble is within what is measured */
	uint32_t incarnation; /* of the connection they are of */
	uint32_t kbps;
	uint32_t symptoms;                        /* those people were told of ... */
	uint32_t fps_milli;                       /* ... and the frame rate; 0: none yet */
	uint64_t packets, nonsense, late_dropped; /* of earlier connections */
};

/* What a starting source changes, kept until its first picture went out. */
struct tl_change {
	bool is_pending;
	bool is_wish; /* nothing is wrong with whom it leaves */
	uint16_t from;
	int64_t noticed_us;
	char cause[TIMELINE_TEXT_MAX];
};

struct timeline {
	struct timeline_config config;
	struct tl_clock clock;
	int64_t delay_us, delay_lowered_us; /* the config's, or on the way down to it */
	int64_t held_up_us;                 /* of it: what nobody asked for in time is due later */
	int64_t asked_us;                   /* timeline_next() wanted to be called then */
	struct tl_source *sources[TL_SLOTS_MAX];
	struct tl_source *by_handle[TIMELINE_SOURCES_MAX]; /* newest of it; NULL: gone */
	uint32_t handles;                                  /* bit: handle is in use */
	uint32_t closed;                                   /* bit: no more packets will come */
	bool has_ended;   /* a source that gets no more packets is not destroyed yet */
	bool has_leaving; /* some source may be */
	struct tl_source *live;
	uint16_t last_feed; /* id of the feed sent last; stays when the live source is gone */
	uint16_t taken;
	bool returns_once; /* the operator gave the choice back: one failback in manual mode */
	bool is_starved;

	struct tl_tail_item tail[TL_TAIL_MAX];
	unsigned tail_at, tail_count;
	unsigned tail_tracks[PACKET_KINDS][PACKET_TRACKS_MAX]; /* items of each track */
	int64_t tail_until_90k[PACKET_KINDS]; /* what went into it: see tl_tail_move() */
	uint64_t tail_mask;                   /* tracks with items, as in struct tl_index */
	struct tl_source *tail_source;        /* left with the show's sound, which may go on ... */
	int64_t tail_limit_90k; /* ... a little behind this, where it should have ended */

	struct tl_out out;
	struct tl_change change;
	struct tl_feed feeds[TIMELINE_FEEDS_MAX];
	struct format reference;
	unsigned reference_feed; /* TIMELINE_FEEDS_MAX: none */
	bool is_reference_settled;

	struct timeline_event events[TL_EVENTS_MAX];
	unsigned event_at, event_count;
	char why[TIMELINE_TEXT_MAX];
	uint16_t why_feed;  /* id of the feed it speaks of, 0: the live one */
	uint16_t next_feed; /* which the show is to go to, 0: none ... */
	int64_t next_at_us; /* ... not before; CLOCK_NEVER: when an operator says so */

	int64_t decided_us; /* decide() ran with this clock ... */
	bool is_dirty;      /* ... and something was pushed since */
	int64_t wake_us;    /* when it wants to run again */
	int64_t health_us;  /* next look at the feeds' health */

	unsigned group_count;
	uint8_t twin_slots[2]; /* of sources that were just recognised as twins */
	bool has_twins;

	struct timeline_checkpoint resume; /* until its sources have come */
	bool is_resuming;
};

int64_t tl_due_us(const struct timeline *tl, int64_t show_90k);
/* How far past due something of that show time is now; negative: not due yet. */
int64_t tl_lateness_us(const struct timeline *tl, int64_t show_90k, int64_t now_us);
struct tl_source *tl_newest_source(const struct timeline *tl, unsigned feed);
int tl_feed_find(const struct timeline *tl, uint16_t id);
/* The source that takes the handle's pushes; NULL: it is closed. */
struct tl_source *tl_open_source(const struct timeline *tl, int handle);
/* A new source in a free slot; -EBUSY, -ENOMEM. */
int tl_add_source(struct timeline *tl, int handle, unsigned feed, uint32_t incarnation,
		  int64_t now_us, struct tl_source **ret);
/* The source gets no more packets. */
void tl_end_source(struct timeline *tl, struct tl_source *s, const char *cause, int64_t now_us);
/* The connection goes on, but as another source, from this packet on: its media time jumped, or
 * what follows may not be shown where what came before it may, or the other way round. */
struct tl_source *tl_split_source(struct timeline *tl, struct tl_source *s, const struct packet *p,
				  const char *cause, int64_t now_us);

/* ---- event.c ---- */
struct timeline_event *tl_event(struct timeline *tl, enum timeline_event_kind kind);
bool tl_event_take(struct timeline *tl, struct timeline_event *ret);

/* ---- choice.c ---- */

/* Can take over now: connected, settled, nothing stuck, not refused. */
bool tl_can_go_on(const struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* Nothing comes of it any more, neither picture nor sound. */
bool tl_is_over(const struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* Picture and sound run, if it has both. */
bool tl_is_whole(const struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* Whether anything comes of it or not, it has sent so much more than the live one, be that behind a
 * hole. */
bool tl_has_more(const struct timeline *tl, const struct tl_source *s, int64_t by_90k);
/* The source the show should be made of, or NULL. `safe_90k`: a point at or before it makes the
 * change without a gap (TL_UNKNOWN: no difference). */
struct tl_source *tl_choose(const struct timeline *tl, int64_t safe_90k, int64_t now_us);

/* ---- reference.c ---- */

/* What the feed is made of, measured on its newest source. Headers count at once; what takes time
 * to be measured is that of a feed in good health, and does not follow it into its trouble. */
void tl_feed_learn_format(struct tl_feed *f, const struct tl_source *s, int64_t now_us);
bool tl_is_compatible(const struct timeline *tl, const struct tl_source *s);
/* It has a picture and sound, if the reference has. */
bool tl_is_complete(const struct timeline *tl, const struct tl_source *s);
bool tl_audio_is_compatible(const struct timeline *tl, const struct tl_source *s);
/* Frames per 1000 s; 0: none followed another. */
uint32_t tl_fps_milli(const struct tl_second *sum);
/* Looks at the feeds anew. */
void tl_reference_update(struct timeline *tl);
/* A codec header of the source said something new. */
void tl_reference_note_header(struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* The format others are held against from now on: that of the feed at this place. */
void tl_reference_take(struct timeline *tl, unsigned feed);

/* ---- cut.c: cut.h ---- */

/* ---- splice.c ---- */

/* The source goes live at the point. */
void tl_enter(struct timeline *tl, struct tl_source *to, uint64_t point, int64_t now_us);
/* The source goes live with its audio; its video follows at its next point. */
void tl_enter_audio(struct timeline *tl, struct tl_source *to, int64_t now_us);
/* Nobody is live any more. */
void tl_leave(struct timeline *tl, int64_t now_us);
/* Moves what is left to send of a source into the tail: main video up to left[VIDEO] (show pts),
 * main audio up to left[AUDIO], all else before left[DATA] (show dts). */
void tl_tail_move(struct timeline *tl, struct tl_source *s, const int64_t left_90k[PACKET_KINDS]);
/* Until the live source's sound has begun, that of the one left goes on where the show's would
 * stop: when something behind it is about to leave (TL_UNKNOWN: nothing is), or it is late. now_us
 * if some is in the tail now; else when to come again, CLOCK_NEVER. */
int64_t tl_tail_follow(struct timeline *tl, int64_t leaving_90k, int64_t now_us);
void tl_tail_pop(struct timeline *tl);
void tl_tail_drop(struct timeline *tl, int handle, uint64_t before_seq);
/* Notes why the live source is about to be left. The first cause stays until the change is done. */
void tl_note_change(struct timeline *tl, int64_t noticed_us, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- decide.c ---- */
void tl_decide(struct timeline *tl, int64_t now_us);

/* ---- leaving.c ---- */
/* Nobody goes to the source who can go to another. */
bool tl_is_leaving(const struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* Why, of one that is. */
const char *tl_leaving_cause(const struct tl_source *s);
/* Closes sources that are to go, as soon as the show can do without them. */
void tl_leaving_settle(struct timeline *tl, int64_t now_us);

/* ---- remains.c ---- */
/* It was closed on standby, and may still be entered. */
bool tl_has_remains(const struct timeline *tl, const struct tl_source *s);
/* A source that is not live has ended: what waits of it remains, or is forgotten. */
void tl_keep_remains(struct timeline *tl, struct tl_source *s, int64_t now_us);

/* ---- failback.c ---- */
/* The show had to leave the source / has gone to the feed. */
void tl_failback_left(struct timeline *tl, const struct tl_source *s, int64_t now_us);
void tl_failback_entered(struct timeline *tl, unsigned feed, int64_t now_us);
/* When the show may go to `to` from a live source that could go on; CLOCK_NEVER. */
int64_t tl_failback_at_us(const struct timeline *tl, const struct tl_source *to, int64_t now_us);

/* ---- health.c ---- */
/* Something is wrong with it, though it may go on. A live source is given the benefit of the
 * doubt: what is over, if only just, is no reason to leave it. */
bool tl_is_degraded(const struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* The connection goes on with another media time: what was wrong with it still is. */
void tl_health_inherit(struct tl_source *to, const struct tl_source *from);
/* "; frame rate at 57 % of the usual 30.00": what is wrong with it now, "" if nothing is. */
void tl_health_say_acute(const struct tl_source *s, char *to, size_t size);
void tl_health_update(struct timeline *tl, int64_t now_us);
/* The connection that the feed is taken to be as, or NULL: the live one, or else the newest. */
const struct tl_source *tl_feed_source(const struct timeline *tl, unsigned feed);

/* ---- pick.c ---- */

/* Takes the next packet if it is due. Else false, and when to come again. */
bool tl_pick(struct timeline *tl, int64_t now_us, struct timeline_step *ret, int64_t *ret_due_us);

/* Must not be sent: it is presented before the point the live source started at, or needs what
 * came before that. */
bool tl_is_leading(const struct tl_source *s, const struct packet *p);

/* ---- checkpoint.c ---- */
void tl_resume_source(struct timeline *tl, struct tl_source *s, uint64_t seq);
/* The source's media time had begun anew with this packet. */
bool tl_resume_splits(const struct timeline *tl, const struct tl_source *s, const struct packet *p);

#endif
