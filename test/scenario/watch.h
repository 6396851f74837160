/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What must always be true of a timeline, whatever happens to its feeds. Told of everything that
 * goes in and comes out, it keeps what it needs and names the first rule that is broken:
 *
 *   order       dts never falls across tracks
 *   rises       dts strictly rises within a track, of main ones by what RTMP can tell apart (1 ms),
 *               and pts is not before dts
 *   origin      every packet was sent by a feed as it is: the same kind, track, size, content
 *   once        and leaves once
 *   sequence    a connection's packets leave each track in the order in which they came
 *   splice      a track goes over to another connection at a packet that says so, twins aside
 *   encode      between twins, in the encode's order, each frame once
 *   access      and, if it is video, at a random-access point
 *   constant    between splices a connection's packets are all moved by one constant, or, where the
 *               timestamps of one of twins moved, what they carry is
 *   early       nothing leaves before it is due
 *   burst       nothing leaves faster than real time
 *   deadline    the next deadline lies ahead, and at one time there is an end of steps
 *   memory      what is held is bounded by the sources that are held, and those by who connected
 *   checkpoint  the timeline goes on from its own checkpoint
 *   failback    one return to a feed in a hold time
 *   doubled     where two feeds meet no frame time is sent twice                  (at the end)
 *   gap         nothing is missing that some feed could have gone on with         (at the end)
 *   report      what is missing was said to be                                    (at the end)
 */
#ifndef SCENARIO_WATCH_H
#define SCENARIO_WATCH_H

#include <understudy/timeline.h>

#define START_US INT64_C(1000000000) /* the beginning of a scenario */
#define WATCH_TEXT 256
#define WATCH_SPLICE_REACH_US 2000000
#define WATCH_ROUNDING_90k 180 /* timestamps are whole ms on both sides */

/* A packet as its feed sent it. */
struct watch_packet {
	struct packet packet;
	struct codec_params params;
	bool has_params;
	uint64_t encode;   /* twins have the same; 0: one of its own */
	uint64_t number;   /* its place in that, in order of sending, of its track */
	int64_t shift_90k; /* its timestamps less the time in that */
	bool is_sent;
	bool is_lost; /* overwritten in its ring */
};

struct watch_connection {
	uint16_t feed;
	uint32_t incarnation;
	bool is_open, is_slate;
	bool is_odd;       /* not in the format of the first feed */
	uint64_t encode;   /* twins have the same; 0: one of its own */
	bool has_differed; /* carries something else now */
	bool was_leaving;  /* its feed was taken away */
	int64_t opened_us, closed_us;
	int64_t frame_90k[PACKET_KINDS]; /* how long its frames last; 0: it has none */
	struct watch_packet *packets;    /* by their number in the ring */
	size_t count, room;
	int64_t map_90k;        /* show - media since the last splice ... */
	int64_t old_map_90k;    /* ... and before it, for what was still to be sent */
	int64_t encode_map_90k; /* show - time in the encode that twins share */
	bool has_map;
	uint64_t next_seq[PACKET_KINDS][PACKET_TRACKS_MAX];
};

/* A frame of the main video or audio that went out. */
struct watch_frame {
	int64_t pts_90k, dts_90k, sent_us;
	int64_t zero_us;     /* when show time 0 was due, by the clock as it was */
	int64_t delay_us;    /* of the show at that time ... */
	int64_t behind_us;   /* ... and how far it ran behind it */
	unsigned connection; /* whose it is ... */
	uint64_t seq;        /* ... and its number there */
	int64_t map_90k;
	int64_t frame_90k;
	uint16_t feed;
	uint16_t flags;
	uint8_t kind;
};

/* A time of which no account is given: the switch was down, or a ring was overwritten. */
struct watch_excuse {
	int64_t from_us, to_us;
};

struct watch {
	struct timeline_config config;
	struct watch_connection *connections;
	size_t connection_count, connection_room;
	struct watch_frame *frames;
	size_t frame_count, frame_room;
	struct timeline_event *events;
	int64_t *event_us;
	size_t event_count, event_room;
	struct watch_excuse *excuses;
	size_t excuse_count, excuse_room;

	int64_t behind_us; /* its delay the show runs now, for it was held up */
	uint64_t sent;
	int64_t last_90k; /* dts sent last, over all tracks */
	int64_t last_dts_90k[PACKET_KINDS][PACKET_TRACKS_MAX];
	unsigned last_connection[PACKET_KINDS][PACKET_TRACKS_MAX];
	uint64_t last_encode[PACKET_KINDS][PACKET_TRACKS_MAX];
	uint64_t last_number[PACKET_KINDS][PACKET_TRACKS_MAX];
	int64_t last_sent_us[PACKET_KINDS][PACKET_TRACKS_MAX];
	uint64_t lost;          /* frames of an encode that were left out, of any track */
	int64_t encode_map_90k; /* of what was sent last */
	int64_t twin_moved_us;  /* when timestamps of one of twins last moved ... */
	int64_t twin_parted_us; /* ... and when one began to carry something else */
	bool has_last[PACKET_KINDS][PACKET_TRACKS_MAX];
	int64_t window_us, window_90k; /* video sent within the window */
	int64_t returned_us[TIMELINE_FEEDS_MAX];
	uint64_t returns;
	bool is_taken; /* by an operator, at some time */

	char rule[16]; /* the first one broken; empty: none */
	char failure[WATCH_TEXT];
};

void watch_init(struct watch *w, const struct timeline_config *config);
void watch_finish(struct watch *w);
__attribute__((format(printf, 4, 5))) void watch_fail(struct watch *w, const char *rule,
						      int64_t now_us, const char *format, ...);
/* A feed connects. Returns the connection's place. */
unsigned watch_connected(struct watch *w, const struct watch_connection *how, int64_t now_us);
void watch_closed(struct watch *w, unsigned connection, int64_t now_us);
/* A packet lies in the feed's ring; its number is its place in `packets`. */
void watch_arrived(struct watch *w, unsigned connection, const struct watch_packet *p);
/* All that waits in the ring was overwritten. */
void watch_overwritten(struct watch *w, unsigned connection, int64_t now_us);
void watch_excused(struct watch *w, int64_t from_us, int64_t to_us);
/* An operator takes a feed (0: gives the choice back, and may get a return at once). */
void watch_taken(struct watch *w, uint16_t feed);
/* The timeline sends. `zero_us`: when show time 0 is due. */
void watch_sent(struct watch *w, const struct timeline_step *step, int64_t zero_us, int64_t now_us);
void watch_event(struct watch *w, const struct timeline_event *event, int64_t now_us);
/* What the timeline holds now, and how many sources it has not released. */
void watch_held(struct watch *w, size_t bytes, unsigned sources, int64_t now_us);

/* ---- audience.c: the show as it was seen ---- */

/* The steps between frames of a kind, in order of presentation, that were sent between two
 * monotonic times. Where frames of two feeds meet, the step is held against both. */
struct watch_measure {
	int64_t longest_90k;  /* step minus a frame */
	int shortest_percent; /* of a frame */
	int longest_percent;
	int64_t longest_at_90k, shortest_at_90k; /* show time behind these steps */
	size_t frames;
};
struct watch_measure watch_measure(const struct watch *w, enum packet_kind kind, int64_t from_us,
				   int64_t to_us);
/* The rules that can only be held against the whole show. */
void watch_end(struct watch *w, int64_t now_us);

/* Frames of a kind sorted by pts, without the last ones, whose neighbours may not be sent yet. The
 * caller frees. */
struct watch_frame *watch_sorted(const struct watch *w, enum packet_kind kind, int64_t from_us,
				 int64_t to_us, size_t *ret_count);

/* ---- could.c: who could have gone on ---- */

/* The connection that could have filled the gap behind `left`, -1: none. */
int watch_find_heir(const struct watch *w, const struct watch_frame *left,
		    const struct watch_frame *right);

#endif
