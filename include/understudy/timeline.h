/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule of the timeline, pure: packet headers and `now_us` in, decisions and a next
 * deadline out. It never sees payloads. The switch (or a scenario) carries them out.
 *
 * A *source* is one connection of a feed (feed id + incarnation). When a feed reconnects its
 * new source has a media time of its own, while the rest of the old one may still be due.
 *
 *        timeline_open / push / close                    timeline_next
 *   source: OPEN --close--> CLOSED --all sent or useless--> RELEASED (step TIMELINE_RELEASE)
 *             `--leaving, and another carries the show--'
 *
 * The caller drives:  push everything that arrived; then call timeline_next(now) until it
 * returns TIMELINE_WAIT with the monotonic time at which to call again.
 */
#ifndef UNDERSTUDY_TIMELINE_H
#define UNDERSTUDY_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/format.h>
#include <understudy/packet.h>

#define TIMELINE_CHAIN_MAX 16 /* feeds a show may be given */
#define TIMELINE_FEEDS_MAX (TIMELINE_CHAIN_MAX + 1) /* and the one it is leaving */
#define TIMELINE_SOURCES_MAX 32
#define TIMELINE_TEXT_MAX 160

enum timeline_return { RETURN_AUTO, RETURN_MANUAL, RETURN_NEVER };
enum timeline_mismatch { MISMATCH_PREFER_MATCHING, MISMATCH_ALLOW, MISMATCH_REFUSE };

/*
 * What can be wrong with a feed that may still go on. Each signal measures a number, in the unit
 * that its threshold has; it is entered at `enter`, and left once the number has been on the good
 * side of `leave` for `hold_ms` without a break.
 *
 *   quiet --at or beyond enter--> ON --beyond leave--> (calm) --hold_ms--> quiet
 *                                  ^                      |
 *                                  '----- leave again ----'
 */
enum timeline_signal {
	SIGNAL_NO_VIDEO,     /* ms since the last packet; never entered below 3 frames */
	SIGNAL_NO_AUDIO,     /* likewise */
	SIGNAL_LOW_BITRATE,  /* kb/s over 5 s; a floor */
	SIGNAL_HOLES,        /* % of 20 s that is missing, in more than one hole */
	SIGNAL_STARVED,      /* % of real time at which media came, over 5 s; a floor */
	SIGNAL_NO_KEY_FRAME, /* ms since the last random-access point; never below 2 GOPs */
	SIGNAL_STUCK,        /* packets of 10 s whose time did not move on */
	SIGNAL_JUMPS,        /* leaps of media time in 20 s */
	SIGNAL_UNUSABLE,     /* packets of 10 s that make no sense */
	SIGNAL_AV_DRIFT,     /* ms that audio and video have moved apart since it connected */
	SIGNAL_FRAME_RATE,   /* % of the feed's best frame rate, over 5 s; a floor */
	SIGNAL_SRT_LOSS,     /* of 1000 packets in 10 s, how many SRT could not bring again */
	TIMELINE_SIGNALS
};
const char *timeline_signal_str(enum timeline_signal signal); /* "no_video" */
const char *timeline_signal_unit(enum timeline_signal signal); /* "ms" */
/* Trouble lies below its threshold, not above. */
bool timeline_signal_is_floor(enum timeline_signal signal);

struct timeline_threshold {
	uint32_t enter;   /* 0 = off; of NO_VIDEO and NO_AUDIO: stall_us */
	uint32_t leave;   /* 0 = chosen from enter: timeline_leave_of() */
	uint32_t hold_ms;
};
struct timeline_thresholds { struct timeline_threshold of[TIMELINE_SIGNALS]; };
/* What the configuration has where it says nothing. */
extern const struct timeline_thresholds timeline_thresholds_usual;
/* Half of what it is entered at; of silence, anything below; of a floor, a quarter above or
 * halfway to 100 %. */
uint32_t timeline_leave_of(const struct timeline_thresholds *t, enum timeline_signal signal);

/* A signal that is on. */
struct timeline_symptom {
	uint32_t signal;  /* enum timeline_signal */
	uint32_t value;   /* when it last was beyond `leave` */
	uint32_t detail;  /* HOLES: enum packet_kind; JUMPS: ms of the last; FRAME_RATE: the best,
			   * in frames per 1000 s; else 0 */
	uint32_t is_calm; /* it is over for now, and held */
	int64_t since_us;
};
/* "holes in the video: 42 % of the last 20 s are missing" */
void timeline_symptom_str(const struct timeline_symptom *symptom, char *to, size_t size);

struct timeline_feed_config {
	uint16_t id;        /* stable across restarts of the switch; nonzero */
	bool is_slate;
	int64_t offset_90k; /* the operator's offset_ms; without a delay it counts for nothing */
};

struct timeline_config {
	/* 0: due on arrival. A show that is resumed with a shorter one than it had gets there by
	 * 0.5 % of the time that passes: nothing is left out. */
	int64_t delay_us;
	int64_t stall_us;        /* 500 ms */
	int64_t hole_us;         /* 200 ms */
	int64_t return_after_us; /* 30 s */
	enum timeline_return return_mode;
	enum timeline_mismatch on_mismatch;
	struct timeline_thresholds health;
	unsigned feed_count;     /* in order of preference */
	struct timeline_feed_config feeds[TIMELINE_FEEDS_MAX];
};

struct timeline;

struct timeline *timeline_create(const struct timeline_config *config, int64_t now_us);
void timeline_destroy(struct timeline **tl);

/* A new source of the feed. Returns its handle 0..TIMELINE_SOURCES_MAX-1, -ENOENT for an
 * unknown feed, -EBUSY if too many are open. */
int timeline_open(struct timeline *tl, uint16_t feed, uint32_t incarnation, int64_t now_us);
/* No more packets will come. `cause` for events ("connection closed by encoder"), may be NULL. */
void timeline_close(struct timeline *tl, int source, const char *cause, int64_t now_us);

/* The source is about to be taken away, because of `cause`; or is not any more. The show leaves it
 * as for a take, and is made of it only while nothing else can carry it. Once another source is
 * live, or if the show has not begun, it ends by itself: TIMELINE_RELEASE follows, and what is
 * pushed until then is not taken. */
void timeline_set_leaving(struct timeline *tl, int source, bool is_leaving, const char *cause);

/* One packet of a source, in ring order; `seq` is its number in the feed ring. Needs dts, pts,
 * arrival (clamped here to [previous, now]), kind, type, track, codec, flags, size, fingerprint.
 * For a PACKET_CONFIG, `params` are its parsed parameters (NULL if it could not be parsed).
 * 0; -EINVAL nonsense (counted; a source that goes on talking nonsense becomes degraded and is
 * not chosen); -ENOBUFS too many packets waiting (a feed far faster than real time). */
int timeline_push(struct timeline *tl, int source, uint64_t seq, const struct packet *p,
		  const struct codec_params *params, int64_t now_us);
/* Packets of the source before `seq` were lapped in the ring and can no longer be sent. */
void timeline_lapped(struct timeline *tl, int source, uint64_t seq, int64_t now_us);

/* What SRT told of the source's connection so far: packets that came, and that never will. */
void timeline_note_loss(struct timeline *tl, int source, uint64_t packets, uint64_t lost,
			int64_t now_us);

/* Operator: hold this feed while it can go on; feed 0 = auto, which also means: go back to the
 * preferred feed now, where RETURN_MANUAL waits for that word. Returns 0, or -ENOENT. */
int timeline_take(struct timeline *tl, uint16_t feed, int64_t now_us);
/* From now on what the feed is left for is made on purpose, and no flapping; or is not any more,
 * all but for what came until now and is not on air yet. */
void timeline_set_rehearsed(struct timeline *tl, uint16_t feed, bool is_rehearsed, int64_t now_us);
/* From now on these are in force; signals that are on are held against the new `leave`. */
void timeline_set_thresholds(struct timeline *tl, const struct timeline_thresholds *health);
/* A destination went live: the reference format stays, until a take. False: the show has ended
 * there; until it is on air again the reference is the most preferred encoder's that was seen. */
void timeline_settle_reference(struct timeline *tl, bool is_settled);
/* After a restart, behind a take that is still in force: it is settled, and this. */
void timeline_restore_reference(struct timeline *tl, const struct format *reference,
				uint16_t feed);

enum timeline_action {
	TIMELINE_WAIT,    /* nothing more now: call again at deadline_us or after a push */
	TIMELINE_SEND,    /* write packet `seq` of `source` with the header given */
	TIMELINE_EVENT,   /* something people want to know */
	TIMELINE_RELEASE, /* `source` is no longer needed: unmap its ring */
};

enum timeline_event_kind {
	TIMELINE_ON = 1,    /* the first packet: the timeline has begun */
	TIMELINE_SPLICED,   /* `to` goes on where `from` was left: failover, failback or take */
	TIMELINE_STARVED,   /* nothing to go on with: the timeline pauses */
	TIMELINE_RESUMED,   /* after STARVED */
	TIMELINE_GAP,       /* the same source has a hole, or late media was dropped */
	TIMELINE_STATE,     /* a feed's state changed */
	TIMELINE_TWINS,     /* `to` carries the same encode as `from`: they are merged */
	TIMELINE_PARTED,    /* `to` is no twin of `from` any more */
	TIMELINE_CARRIED,   /* the show's packets come from `to` now, a twin of `from` */
	TIMELINE_HELD_UP,   /* timeline_next() was called too late: all moves */
};
#define TIMELINE_EVENT_KINDS (TIMELINE_HELD_UP + 1)

struct timeline_event {
	enum timeline_event_kind kind;
	uint16_t from, to;      /* feed ids, 0 = none */
	int64_t show_90k;       /* where on the timeline */
	int64_t gap_90k;        /* SPLICED, RESUMED, GAP: presentation missing beyond one frame */
	bool is_wish;           /* SPLICED: nothing is wrong with `from`, `to` was wanted */
	int64_t noticed_us;     /* monotonic: when the cause was noticed (stall, close seen) */
	char cause[TIMELINE_TEXT_MAX]; /* for people: why, with numbers */
};

struct timeline_step {
	enum timeline_action action;
	int64_t deadline_us;    /* WAIT; CLOCK_NEVER if only a push can help */
	int source;             /* SEND, RELEASE */
	uint64_t seq;           /* SEND */
	/* SEND: header for the show ring: show times, feed, incarnation, source_seq, flags with
	 * JOIN/SPLICE/GAP */
	struct packet packet;
	struct timeline_event event;
};
/* To be called at the deadline it returned. Media that comes late is the feed's fault, a call that
 * comes late is nobody's: the show stands still for that long and leaves nothing out; what it then
 * runs behind its delay, 2 s at most, it makes good by 0.5 % of the time that passes. */
void timeline_next(struct timeline *tl, int64_t now_us, struct timeline_step *ret);

enum timeline_feed_state { FEED_OFFLINE, FEED_STALLED, FEED_DEGRADED, FEED_STANDBY, FEED_LIVE };
const char *timeline_feed_state_str(enum timeline_feed_state state);

struct timeline_feed_status {
	uint16_t id;
	enum timeline_feed_state state;
	int64_t since_us;
	uint32_t incarnation;        /* newest source, 0 if none */
	bool has_video, has_audio;
	bool is_compatible;          /* with the reference: no incompatible bit in `mismatch` */
	struct format format;        /* last known */
	uint32_t kbps;               /* measured over ~2 s */
	int64_t horizon_90k;         /* show time; INT64_MIN unknown */
	uint64_t packets, nonsense, late_dropped;
	uint16_t twin_of;            /* id of a feed with the same encode; 0 none */
	int32_t lag_ms;              /* it comes this much later than that one */
	uint64_t filled;             /* packets it gave that its twin had not */
	uint32_t mismatch;           /* FORMAT_BITs, against the reference */
	uint32_t symptom_count;
	struct timeline_symptom symptoms[TIMELINE_SIGNALS];
};

struct timeline_status {
	bool is_on;              /* packets are flowing */
	uint16_t live;           /* feed id, 0 none */
	uint16_t taken;          /* feed an operator holds, 0 auto */
	char why[TIMELINE_TEXT_MAX]; /* why this feed is live; or what became of the last one */
	uint16_t why_feed;       /* the feed that says something of, if it is not the live one */
	uint16_t next_feed;      /* well, and to be gone to without a gap; 0 none */
	int64_t next_at_us;      /* but not before; CLOCK_NEVER: when the operator says so */
	int64_t now_90k;         /* show time of the last packet sent */
	struct format reference; /* what feeds are held against; empty: none yet */
	uint16_t reference_feed; /* whose it was, 0 none */
	uint16_t is_reference_settled;
	unsigned feed_count;
	struct timeline_feed_status feeds[TIMELINE_FEEDS_MAX]; /* in order of preference */
};
void timeline_get_status(const struct timeline *tl, int64_t now_us, struct timeline_status *ret);

/*
 * Checkpoint: enough to go on after a crash with the next source packet. Plain data for the
 * show ring's header; a copy is validated by timeline_resume().
 */
struct timeline_checkpoint_source {
	uint16_t feed;
	uint8_t flags;
	uint8_t group;          /* twins have the same; 0 none */
	uint32_t incarnation;
	uint32_t joining;       /* bit (kind - 1) * 16 + track: nothing of it was sent yet */
	uint32_t others_sent;   /* so many packets from next_seq on were, of what is not main */
	uint64_t first_seq;     /* where its media time begins within the connection; 0: there */
	uint64_t next_seq;      /* first packet not yet sent or dropped */
	int64_t map_90k;        /* media -> show: show = media + map */
	uint64_t anchor_seq;    /* a packet sent after this was stored, UINT64_MAX: none ... */
	int64_t anchor_pts_90k; /* ... and its show time */
	uint64_t sent_seq[2];   /* last sent of main video, main audio, UINT64_MAX: none */
	int32_t frame_90k[2];   /* how long its frames of these last */
};
struct timeline_checkpoint {
	uint32_t version;
	uint16_t live_feed;
	uint16_t taken_feed;
	uint32_t live_incarnation;
	uint32_t source_count;
	int64_t show_90k;        /* last dts sent; INT64_MIN: the show has not begun */
	int64_t clock_offset_us; /* show -> monotonic, without the delay ... */
	int64_t delay_us;        /* ... as it was ... */
	int64_t held_up_us;      /* ... and how much of that is for having been held up */
	int64_t last_dts_90k[PACKET_KINDS][PACKET_TRACKS_MAX]; /* INT64_MIN: none */
	int64_t last_pts_90k[PACKET_KINDS];   /* newest of each main track; INT64_MIN: none */
	int64_t frame_90k[PACKET_KINDS];      /* how long that one lasts */
	int64_t tail_until_90k[PACKET_KINDS]; /* of a source just left: what is still to be sent */
	struct timeline_checkpoint_source sources[TIMELINE_SOURCES_MAX];
};
void timeline_get_checkpoint(const struct timeline *tl, struct timeline_checkpoint *ret);
/* Brings a checkpoint up to date with a packet that was published after it was stored (the
 * show ring's packets carry feed, incarnation, source_seq and show time for this). Who are twins
 * they do not tell: a checkpoint is stored when that is said, before what follows is sent. */
void timeline_checkpoint_advance(struct timeline_checkpoint *c, const struct packet *sent);
/* On a fresh timeline, before any timeline_open(). Connections opened later that are named
 * in the checkpoint continue at next_seq with their map, from their first packet on. -EINVAL:
 * nonsense, start afresh. */
int timeline_resume(struct timeline *tl, const struct timeline_checkpoint *from, int64_t now_us);

#endif
