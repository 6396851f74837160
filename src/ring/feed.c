/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing end of a feed (feed.h). Every ingest; never blocks. */
#include <string.h>
#include <sys/uio.h>

#include <understudy/feed.h>

#define REPEAT_VIDEO_US 1000000 /* before a key frame, at most once in this time */
#define REPEAT_AUDIO_US 2000000 /* feeds without video */
#define NAL_LENGTH_BYTES 4      /* what encoders use, until the codec header says */

int feed_writer_init(struct feed_writer *w, int ring_fd, int64_t span_us, int wake)
{
	*w = (struct feed_writer){ .repeated_us = INT64_MIN / 2 };
	memset(w->nal_length_bytes, NAL_LENGTH_BYTES, sizeof(w->nal_length_bytes));

	int error = ring_writer_open(ring_fd, span_us, &w->ring);
	if (error == 0 && wake >= 0) {
		error = ring_writer_add_wake(w->ring, wake);
	}
	if (error != 0) {
		feed_writer_finish(w);
	}
	return error;
}

void feed_writer_finish(struct feed_writer *w)
{
	ring_writer_close(&w->ring);
	header_set_finish(&w->headers);
	*w = (struct feed_writer){ 0 };
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

bool feed_writer_put(struct feed_writer *w, const struct packet *packet, const uint8_t *payload)
{
	const unsigned random_access = PACKET_KEY | PACKET_RECOVERY | PACKET_LEADING;
	struct packet p = *packet;
	unsigned nal_length_bytes = 0;

	if (p.kind == PACKET_VIDEO) {
		w->has_video = true;
		nal_length_bytes = w->nal_length_bytes[p.track];
	}
	if (p.type == PACKET_FRAME) {
		if (p.kind == PACKET_VIDEO) {
			unsigned seen = codec_random_access(p.codec, nal_length_bytes, payload,
							    p.size, p.flags & PACKET_KEY);

			p.flags = (uint16_t)((p.flags & ~random_access) | seen);
		}
		p.fingerprint = media_fingerprint(p.codec, nal_length_bytes, payload, p.size, 0);
	}
	if (packet_is_header(&p)) {
		return feed_put_header(w, &p, payload);
	}
	if (feed_should_repeat(w, &p)) {
		feed_repeat_headers(w, &p);
	}
	feed_write(w, &p, payload);
	return false;
}
