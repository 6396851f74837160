/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing end of a feed (feed.h). Every ingest; never blocks. */
#include <string.h>
#include <sys/uio.h>

#include <understudy/feed.h>

#include "spoil.h"

#define REPEAT_VIDEO_US 1000000 /* before a key frame, at most once in this time */
#define REPEAT_AUDIO_US 2000000 /* feeds without video */
#define NAL_LENGTH_BYTES 4      /* what encoders use, until the codec header says */

static int feed_open_ring(int ring_fd, int64_t span_us, int wake, struct ring_writer **ret)
{
	struct ring_writer *ring = NULL;
	int error = ring_writer_open(ring_fd, span_us, &ring);

	if (error == 0 && wake >= 0) {
		error = ring_writer_add_wake(ring, wake);
	}
	if (error != 0) {
		ring_writer_close(&ring);
		return error;
	}
	*ret = ring;
	return 0;
}

int feed_writer_init(struct feed_writer *w, int ring_fd, int64_t span_us, int wake)
{
	*w = (struct feed_writer){ .repeated_us = INT64_MIN / 2 };
	memset(w->nal_length_bytes, NAL_LENGTH_BYTES, sizeof(w->nal_length_bytes));

	int error = feed_open_ring(ring_fd, span_us, wake, &w->ring);
	if (error != 0) {
		feed_writer_finish(w);
	}
	return error;
}

void feed_writer_finish(struct feed_writer *w)
{
	ring_writer_close(&w->ring);
	header_set_finish(&w->headers);
	spoil_finish(&w->spoiler);
	*w = (struct feed_writer){ 0 };
}

void feed_writer_spoil(struct feed_writer *w, enum feed_fault fault, int64_t until_us)
{
	spoil_begin(&w->spoiler, fault, until_us);
}

int feed_writer_move(struct feed_writer *w, int ring_fd, int64_t span_us, int wake)
{
	struct ring_writer *ring = NULL;
	int error = feed_open_ring(ring_fd, span_us, wake, &ring);

	if (error != 0) {
		return error;
	}
	feed_writer_publish(w);
	ring_writer_close(&w->ring);
	w->ring = ring;
	w->repeated_us = INT64_MIN / 2; /* the headers in force go out before the next key frame */
	return 0;
}

void feed_writer_publish(struct feed_writer *w)
{
	if (w->has_unpublished) {
		ring_publish(w->ring);
		w->has_unpublished = false;
	}
}

static void feed_write(struct feed_writer *w, const struct packet *p, const uint8_t *payload)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)payload, .iov_len = p->size };

	if (ring_write(w->ring, p, &part, 1, NULL) != 0) {
		w->dropped++;
		return;
	}
	w->packets++;
	w->has_unpublished = true;
}

/* For whoever starts to read here: the headers in force, before the packet `at`. */
static void feed_repeat_headers(struct feed_writer *w, const struct packet *at)
{
	for (unsigned i = 0; i < w->headers.count; i++) {
		struct packet p = w->headers.items[i].packet;

		p.flags |= PACKET_REPEAT;
		p.dts_90k = at->dts_90k;
		p.pts_90k = at->dts_90k;
		p.arrival_us = at->arrival_us;
		feed_write(w, &p, w->headers.items[i].payload);
	}
	w->repeated_us = at->arrival_us;
}

static bool feed_should_repeat(const struct feed_writer *w, const struct packet *p)
{
	if (!packet_is_main(p)) {
		return false;
	}
	if (p->kind == PACKET_VIDEO) {
		return (p->flags & (PACKET_KEY | PACKET_RECOVERY)) != 0 &&
		       p->arrival_us - w->repeated_us >= REPEAT_VIDEO_US;
	}
	return p->kind == PACKET_AUDIO && !w->has_video &&
	       p->arrival_us - w->repeated_us >= REPEAT_AUDIO_US;
}

static bool feed_put_header(struct feed_writer *w, const struct packet *p, const uint8_t *payload)
{
	struct codec_params params;
	int change = header_set_put(&w->headers, p, payload);

	if (change < 0) {
		w->dropped++;
	}
	if (change <= 0) {
		return false; /* GStreamer sends the same onMetaData 25 times a second */
	}
	if (p->type == PACKET_CONFIG && p->kind == PACKET_VIDEO &&
	    codec_parse_config(p->codec, payload, p->size, &params) == CODEC_OK &&
	    params.nal_length_bytes != 0) {
		w->nal_length_bytes[p->track] = params.nal_length_bytes;
	}
	feed_write(w, p, payload);
	return true;
}

/* What the frame is, by its bytes; KEY is the encoder's word. */
static void feed_examine(const struct feed_writer *w, struct packet *p, const uint8_t *payload)
{
	const unsigned random_access = PACKET_KEY | PACKET_RECOVERY | PACKET_LEADING;
	unsigned seen = codec_random_access(p->codec, w->nal_length_bytes[p->track], payload,
					    p->size, p->flags & PACKET_KEY);

	p->flags = (uint16_t)((p->flags & ~random_access) | seen);
}

bool feed_writer_put(struct feed_writer *w, const struct packet *packet, const uint8_t *payload)
{
	struct packet p = *packet;
	bool is_video = p.kind == PACKET_VIDEO;

	w->has_video |= is_video;
	if (packet_is_header(&p)) {
		return feed_put_header(w, &p, payload);
	}
	if (p.type == PACKET_FRAME && is_video) {
		feed_examine(w, &p, payload);
	}
	if (!spoil_packet(&w->spoiler, &p, &payload)) {
		return false;
	}
	if (p.type == PACKET_FRAME) {
		p.fingerprint = media_fingerprint(
			p.codec, is_video ? w->nal_length_bytes[p.track] : 0, payload, p.size, 0);
	}
	if (feed_should_repeat(w, &p)) {
		feed_repeat_headers(w, &p);
	}
	feed_write(w, &p, payload);
	return false;
}
