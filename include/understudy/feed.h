/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a feed ring as every ingest does: keeps the headers in force, writes those that are new
 * or changed, repeats them for readers that join, and looks at each frame's random access and
 * fingerprint itself. Never blocks; allocates for new headers only.
 */
#ifndef UNDERSTUDY_FEED_H
#define UNDERSTUDY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/codec.h>
#include <understudy/fault.h>
#include <understudy/ring.h>

/* What becomes of frames on their way into the ring while a fault is rehearsed. */
struct feed_spoiler {
	enum feed_fault fault;
	int64_t until_us;           /* frames that arrive from then on are sound */
	unsigned seen[PACKET_KINDS];
	uint8_t *still;             /* owned; FROZEN: the key frame that is repeated */
	struct packet still_packet; /* its header */
};

struct feed_writer {
	struct ring_writer *ring;
	struct header_set headers;
	int64_t repeated_us; /* when the headers in force were last repeated */
	uint8_t nal_length_bytes[PACKET_TRACKS_MAX];
	bool has_video;
	bool has_unpublished;      /* the ring holds packets its readers cannot see yet */
	uint64_t packets, dropped; /* written to the ring; refused */
	struct feed_spoiler spoiler;
};

/* Opens the ring for writing and seals it; `wake` is an eventfd to signal after each batch,
 * or -1. Both descriptors stay the caller's; the wake-up must outlive the writer. 0 or a
 * negative errno, then *w is zeroed. */
int feed_writer_init(struct feed_writer *w, int ring_fd, int64_t span_us, int wake);
void feed_writer_finish(struct feed_writer *w);
/* One packet; its fingerprint and random-access flags are made here (KEY is the encoder's word).
 * True if it is a header that was not in force before. */
bool feed_writer_put(struct feed_writer *w, const struct packet *p, const uint8_t *payload);
/* Shows the readers what was written since the last call, if anything was. */
void feed_writer_publish(struct feed_writer *w);

/* Spoils what is put until then. FEED_SOUND ends it at once. */
void feed_writer_spoil(struct feed_writer *w, enum feed_fault fault, int64_t until_us);
/* Goes on in another ring, as if the encoder had come back; arguments as of feed_writer_init(). On
 * a negative errno it stays with the ring it has. */
int feed_writer_move(struct feed_writer *w, int ring_fd, int64_t span_us, int wake);

#endif
