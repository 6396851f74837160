/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From PES packets to packets in the feed ring. ingest-av; never blocks.
 *
 * One clock for all streams, 33 bits unwrapped. Video waits for its first complete parameter
 * sets; a damaged access unit is left out. A stream that the program map drops gives its track to
 * the next of its kind.
 */
#ifndef INGEST_AV_STREAM_H
#define INGEST_AV_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/elementary.h>
#include <understudy/feed.h>
#include <understudy/input.h>
#include <understudy/ipc.h>
#include <understudy/ts.h>

#define STREAMS_MAX 16

struct stream {
	bool is_used;
	unsigned index, pid; /* in the input */
	enum input_format format;
	enum packet_kind kind;
	uint8_t track;
	bool has_header;
	struct annexb annexb;
	struct audio_split audio;
};

/* Takes a packet that is ready for the ring. */
typedef void streams_sink(void *owner, const struct packet *p, const uint8_t *payload);

struct streams {
	struct feed_writer feed;
	streams_sink *sink; /* NULL: packets go into the ring at once */
	void *sink_owner;
	struct unwrap33 clock;
	struct stream items[STREAMS_MAX];
	struct buffer unit; /* the access unit being made */
	uint32_t warned;    /* streams, by index, that were said to be of no use */
	uint64_t damaged;
	bool has_codec[2]; /* some video, audio has been found */
};

int streams_init(struct streams *s, int ring_fd, int64_t span_us, int wake);
void streams_finish(struct streams *s);
/* `arrival_us`: when its last byte came in. `input` knows which streams are current; NULL: all
 * are. */
void streams_put(struct streams *s, const struct input *input, const struct input_packet *packet,
		 int64_t arrival_us);
/* What a second's report says of the transport; gaps are the link's to count. */
struct ipc_ts_status streams_transport(const struct streams *s, const struct ts_report *ts);

#endif
